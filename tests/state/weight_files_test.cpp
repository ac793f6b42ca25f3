#include "state/weight_files.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  return {
      reinterpret_cast<const std::uint8_t*>(values.data()),
      values.size() * sizeof(T)};
}

std::vector<std::string> names_in(const WeightFiles& files) {
  std::vector<std::string> names;
  for (const ForeignTensor& tensor : files.tensors()) {
    names.push_back(tensor.entry.name);
  }
  return names;
}

class WeightFilesTest : public ::testing::Test {
 protected:
  /// Writes a file with these tensors into the folder.
  void write(const std::string& name, const std::vector<TensorView>& tensors) {
    ByteVector content;
    const Status written =
        write_safetensors({name, tensors, {}}, [&](Bytes piece) {
          content.insert(content.end(), piece.begin(), piece.end());
          return ok_status();
        });
    ASSERT_TRUE(written.ok());
    ASSERT_TRUE(write_file_durably(folder_ / name, content).ok());
  }

  void write_one(const std::string& file, const std::string& tensor) {
    write(file, {{tensor, DType::kF32, {2}, bytes_of(two_)}});
  }

  void write_text(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file_durably(folder_ / name, as_bytes(text)).ok());
  }

  Result<WeightFiles> open(const std::string& name) {
    return WeightFiles::open(
        name.empty() ? folder_.path().string() : folder_ / name);
  }

  /// Why it cannot be opened.
  std::string complaint(const std::string& name, ErrorCode code) {
    const auto files = open(name);
    EXPECT_FALSE(files.ok());
    if (files.ok()) {
      return "";
    }
    EXPECT_EQ(files.error().code, code) << files.error().message;
    return files.error().message;
  }

  TemporaryFolder folder_;
  const std::vector<float> two_ = {1.5F, -2.0F};
};

TEST_F(WeightFilesTest, FileGivesItsTensors) {
  write_one("any.safetensors", "a");
  const auto files = open("any.safetensors");
  ASSERT_TRUE(files.ok()) << files.error().message;
  EXPECT_THAT(names_in(files.value()), ElementsAre("a"));
  std::vector<float> values(2);
  ASSERT_TRUE(
      files.value().read_floats(files.value().tensors()[0], values).ok());
  EXPECT_EQ(values, two_);
}

TEST_F(WeightFilesTest, FolderIsItsModelAndItsHead) {
  write_one("model.safetensors", "trunk");
  write_one("head.safetensors", "head");
  write_one("state.safetensors", "momentum");
  const auto files = open("");
  ASSERT_TRUE(files.ok()) << files.error().message;
  EXPECT_THAT(names_in(files.value()), ElementsAre("trunk", "head"));
  EXPECT_EQ(files.value().files().size(), 2U);
}

TEST_F(WeightFilesTest, FolderWithOneFileOfAnyNameIsThatFile) {
  write_one("seer.safetensors", "a");
  EXPECT_TRUE(open("").ok());
  write_one("other.safetensors", "b");
  EXPECT_THAT(
      complaint("", ErrorCode::kInvalidArgument), HasSubstr("name the file"));
}

TEST_F(WeightFilesTest, ShardsAreThoseOfTheIndex) {
  write_one("model-00001-of-00002.safetensors", "a");
  write_one("model-00002-of-00002.safetensors", "b");
  write_one("left-over.safetensors", "c");
  write_text(
      "model.safetensors.index.json",
      R"({"metadata": {"total_size": 16}, "weight_map": {)"
      R"("a": "model-00001-of-00002.safetensors",)"
      R"("b": "model-00002-of-00002.safetensors"}})");
  const auto files = open("");
  ASSERT_TRUE(files.ok()) << files.error().message;
  EXPECT_THAT(names_in(files.value()), ElementsAre("a", "b"));
  std::filesystem::remove(folder_ / "model-00002-of-00002.safetensors");
  EXPECT_THAT(
      complaint("", ErrorCode::kNotFound),
      HasSubstr("model-00002-of-00002.safetensors"));
}

TEST_F(WeightFilesTest, AnIndexThatLeadsElsewhereIsRefused) {
  for (const char* map :
       {R"({"weight_map": {"a": "../secret.safetensors"}})",
        R"({"weight_map": {"a": "/etc/passwd"}})",
        R"({"weight_map": {"a": 1}})",
        R"({"weight_map": {}})",
        R"([])",
        "{"}) {
    write_text("model.safetensors.index.json", map);
    EXPECT_THAT(
        complaint("", ErrorCode::kCorruption),
        HasSubstr("model.safetensors.index.json"))
        << map;
  }
}

TEST_F(WeightFilesTest, TheSameTensorInTwoFilesIsRefused) {
  write_one("model.safetensors", "a");
  write_one("head.safetensors", "a");
  EXPECT_THAT(complaint("", ErrorCode::kCorruption), HasSubstr("tensor a"));
}

TEST_F(WeightFilesTest, PicklesAreNeverOpenedAndTheWayOutIsNamed) {
  write_text("pytorch_model.bin", "this is no pickle, and nobody looks");
  const std::string way_out = "ops/docs/weights.md";
  EXPECT_THAT(complaint("", ErrorCode::kInvalidArgument), HasSubstr(way_out));
  for (const char* name : {"a.torch", "a.pth", "a.pt", "a.bin", "a.pth.tar"}) {
    write_text(name, "");
    EXPECT_THAT(
        complaint(name, ErrorCode::kInvalidArgument), HasSubstr(way_out))
        << name;
  }
  EXPECT_FALSE(is_pickle_name("model.safetensors"));
}

TEST_F(WeightFilesTest, WhatIsNotThereIsNamed) {
  EXPECT_THAT(complaint("nothing", ErrorCode::kNotFound), HasSubstr("nothing"));
  EXPECT_THAT(
      complaint("", ErrorCode::kInvalidArgument),
      HasSubstr("no model.safetensors"));
}

TEST_F(WeightFilesTest, FilesThatAreNoSafetensorsAreNamed) {
  for (const char* text : {"", "short", "0123456789abcdef0123456789"}) {
    write_text("model.safetensors", text);
    EXPECT_THAT(
        complaint("", ErrorCode::kCorruption), HasSubstr("model.safetensors"));
  }
}

TEST_F(WeightFilesTest, EveryFloatBecomesAFloat32) {
  // 1.5, -2, the smallest subnormal, infinity in each format.
  const std::vector<std::uint16_t> f16 = {0x3e00, 0xc000, 0x0001, 0x7c00};
  const std::vector<std::uint16_t> bf16 = {0x3fc0, 0xc000, 0x0001, 0x7f80};
  const std::vector<double> f64 = {1.5, -2, 0.1, 1e300};
  const auto quiet = std::bit_cast<float>(0x7fc01234U);
  const std::vector<float> f32 = {1.5F, -2, -0.0F, quiet};
  write(
      "model.safetensors",
      {{"f16", DType::kF16, {4}, bytes_of(f16)},
       {"bf16", DType::kBF16, {2, 2}, bytes_of(bf16)},
       {"f64", DType::kF64, {4}, bytes_of(f64)},
       {"f32", DType::kF32, {4, 1}, bytes_of(f32)}});
  const auto files = open("");
  ASSERT_TRUE(files.ok()) << files.error().message;
  std::map<std::string, std::vector<float>> read;
  for (const ForeignTensor& tensor : files.value().tensors()) {
    std::vector<float>& values = read[tensor.entry.name];
    values.resize(4);
    ASSERT_TRUE(files.value().read_floats(tensor, values).ok());
  }
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(
      read["f16"], ElementsAre(1.5F, -2.0F, std::ldexp(1.0F, -24), infinity));
  EXPECT_THAT(
      read["bf16"], ElementsAre(1.5F, -2.0F, std::ldexp(1.0F, -133), infinity));
  EXPECT_THAT(read["f64"], ElementsAre(1.5F, -2.0F, 0.1F, infinity));
  EXPECT_EQ(std::memcmp(read["f32"].data(), f32.data(), 16), 0);
}

TEST_F(WeightFilesTest, CountersAreIntegersAndFloatsAreNot) {
  const std::vector<std::int64_t> seven = {7};
  write(
      "model.safetensors",
      {{"count", DType::kI64, {}, bytes_of(seven)},
       {"weight", DType::kF32, {2}, bytes_of(two_)}});
  const auto files = open("");
  ASSERT_TRUE(files.ok()) << files.error().message;
  const auto& tensors = files.value().tensors();
  EXPECT_EQ(files.value().read_integer(tensors[0]).value(), 7);
  EXPECT_FALSE(files.value().read_integer(tensors[1]).ok());
  std::vector<float> one(1);
  EXPECT_FALSE(files.value().read_floats(tensors[0], one).ok());
}

TEST_F(WeightFilesTest, DigestsAreThoseOfTheFiles) {
  write_one("model.safetensors", "a");
  write_one("head.safetensors", "b");
  const auto files = open("");
  ASSERT_TRUE(files.ok());
  const auto digests = files.value().digests();
  ASSERT_TRUE(digests.ok());
  EXPECT_THAT(
      digests.value(),
      ElementsAre(
          sha256_hex(read_file(folder_ / "model.safetensors").value()),
          sha256_hex(read_file(folder_ / "head.safetensors").value())));
}

TEST_F(WeightFilesTest, AFileThatShrinksMeanwhileIsNoticed) {
  write_one("model.safetensors", "a");
  const auto files = open("");
  ASSERT_TRUE(files.ok());
  std::filesystem::resize_file(
      folder_ / "model.safetensors", files.value().files()[0].bytes - 1);
  std::vector<float> values(2);
  const Status read =
      files.value().read_floats(files.value().tensors()[0], values);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(files.value().digests().error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace swavd::state
