#include "ops/daemon/crops_file.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/files.h"
#include "state/safetensors.h"
#include "tests/ops/service/temp_folder.h"

namespace swavd::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A tensor of consecutive numbers; their bytes, whatever the type.
struct Stored {
  std::string name;
  std::vector<std::int64_t> shape;
  float first = 0;
  state::DType dtype = state::DType::kF32;
};

class CropsFile : public ::testing::Test {
 protected:
  [[nodiscard]] std::string write(const std::vector<Stored>& tensors) const {
    std::vector<std::vector<float>> values;
    state::TensorFile file;
    for (const Stored& stored : tensors) {
      std::size_t count = 1;
      for (const std::int64_t extent : stored.shape) {
        count *= static_cast<std::size_t>(extent);
      }
      auto& numbers = values.emplace_back(count);
      for (std::size_t i = 0; i < count; ++i) {
        numbers[i] = stored.first + static_cast<float>(i);
      }
      file.tensors.push_back(
          {stored.name,
           stored.dtype,
           stored.shape,
           Bytes(
               reinterpret_cast<const std::uint8_t*>(numbers.data()),
               count * state::size_of(stored.dtype))});
    }
    ByteVector content;
    EXPECT_TRUE(state::write_safetensors(file, [&](Bytes piece) {
                  content.insert(content.end(), piece.begin(), piece.end());
                  return ok_status();
                }).ok());
    EXPECT_TRUE(write_file_durably(folder_ / "crops", content).ok());
    return folder_ / "crops";
  }

  void expect_refused(
      const std::vector<Stored>& tensors,
      const std::string& words) const {
    const auto batch = read_crops_file(write(tensors));
    ASSERT_FALSE(batch.ok());
    EXPECT_EQ(batch.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(batch.error().message, HasSubstr(words));
    EXPECT_THAT(batch.error().message, HasSubstr(folder_ / "crops"));
  }

  const service::TempFolder folder_;
};

TEST_F(CropsFile, BecomesGroupsOfNeighboursChannelsLast) {
  const auto batch = read_crops_file(write(
      {{"crop.1", {2, 3, 2, 2}, 100},
       {"crop.0", {2, 3, 2, 2}, 0},
       {"crop.3", {2, 3, 2, 2}, 300},
       {"crop.2", {2, 3, 1, 1}, 200}}));
  ASSERT_TRUE(batch.ok()) << batch.error().message;
  EXPECT_EQ(batch.value().images, 2);
  EXPECT_EQ(batch.value().slots.size(), 2U);
  const std::vector<loader::CropGroup>& groups = batch.value().groups;
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_EQ(groups[0].crops, 2);
  EXPECT_EQ(groups[0].size, 2);
  EXPECT_EQ(groups[1].crops, 1);
  EXPECT_EQ(groups[1].size, 1);
  EXPECT_EQ(groups[2].crops, 1);
  const float* large = groups[0].data.get();
  // The first pixel of an image takes one number of each of its planes.
  EXPECT_THAT(
      std::vector<float>(large, large + 6), ElementsAre(0, 4, 8, 1, 5, 9));
  EXPECT_THAT(
      std::vector<float>(large + 12, large + 15), ElementsAre(12, 16, 20));
  EXPECT_THAT(
      std::vector<float>(large + 24, large + 27), ElementsAre(100, 104, 108));
  const float* small = groups[1].data.get();
  EXPECT_THAT(
      std::vector<float>(small, small + 6),
      ElementsAre(200, 201, 202, 203, 204, 205));
  EXPECT_EQ(groups[2].data.get()[0], 300);
}

TEST_F(CropsFile, OfOtherNamesOrWithAGapIsRefused) {
  const std::vector<std::int64_t> shape = {2, 3, 4, 4};
  expect_refused({}, "crop.0, crop.1, … without a gap");
  expect_refused({{"crops", shape}}, "[crops]");
  expect_refused({{"crop.1", shape}}, "[crop.1]");
  expect_refused({{"crop.0", shape}, {"crop.2", shape}}, "[crop.0, crop.2]");
  expect_refused({{"crop.0", shape}, {"extra", shape}}, "[crop.0, extra]");
}

TEST_F(CropsFile, OfOtherTypesOrShapesIsRefusedNamingTheTensor) {
  const auto with = [](Stored crop) {
    return std::vector<Stored>{{"crop.0", {2, 3, 4, 4}}, std::move(crop)};
  };
  using enum state::DType;
  expect_refused(with({"crop.1", {2, 3, 4, 4}, 0, kF16}), "crop.1 is F16");
  expect_refused(with({"crop.1", {2, 1, 4, 4}}), "crop.1 is F32 [2, 1, 4, 4]");
  expect_refused(with({"crop.1", {2, 3, 4, 5}}), "crop.1 is F32 [2, 3, 4, 5]");
  expect_refused(with({"crop.1", {3, 3, 4, 4}}), "must be F32 [2, 3, SIDE");
  expect_refused(with({"crop.1", {2, 3, 4}}), "crop.1 is F32 [2, 3, 4]");
  expect_refused(with({"crop.1", {2, 3, 0, 0}}), "crop.1 is F32 [2, 3, 0, 0]");
  expect_refused({{"crop.0", {0, 3, 4, 4}}}, "crop.0 is F32 [0, 3, 4, 4]");
  expect_refused({{"crop.0", {}}}, "crop.0 is F32 []");
}

TEST_F(CropsFile, MayBeginAtAnyAddress) {
  // A header whose length is no multiple of four puts the numbers there.
  std::string header =
      R"({"crop.0":{"dtype":"F32","shape":[1,3,1,1],"data_offsets":[0,12]}})";
  header.resize(header.size() + (5 - header.size() % 4) % 4, ' ');
  ASSERT_EQ(header.size() % 4, 1U);
  const float numbers[] = {1, 2, 3};
  std::string content(8, '\0');
  content[0] = static_cast<char>(header.size());
  content += header;
  content.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
  const auto batch = read_crops_file(folder_.write("odd", content));
  ASSERT_TRUE(batch.ok()) << batch.error().message;
  const float* values = batch.value().groups[0].data.get();
  EXPECT_THAT(std::vector<float>(values, values + 3), ElementsAre(1, 2, 3));
}

TEST_F(CropsFile, ThatIsNoneIsCorruptAndAnAbsentOneIsNotFound) {
  const auto junk = read_crops_file(folder_.write("junk", "no tensors"));
  ASSERT_FALSE(junk.ok());
  EXPECT_EQ(junk.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(junk.error().message, HasSubstr(folder_ / "junk"));
  const auto absent = read_crops_file(folder_ / "absent");
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(absent.error().message, HasSubstr(folder_ / "absent"));
}

}  // namespace
}  // namespace swavd::daemon
