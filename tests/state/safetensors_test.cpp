#include "state/safetensors.h"

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::HasSubstr;

ByteVector written(const TensorFile& file) {
  ByteVector bytes;
  const Status status = write_safetensors(file, [&](Bytes piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return ok_status();
  });
  EXPECT_TRUE(status.ok());
  return bytes;
}

/// A file with this header text and `payload` zero bytes.
ByteVector with_header(const std::string& json, std::size_t payload) {
  ByteVector bytes(8);
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(json.size() >> 8 * i);
  }
  bytes.insert(bytes.end(), json.begin(), json.end());
  bytes.resize(bytes.size() + payload);
  return bytes;
}

std::string one_tensor(const std::string& fields) {
  return R"({"a":{)" + fields + "}}";
}

std::string reason(const ByteVector& bytes) {
  const auto parsed = parse_safetensors(bytes);
  EXPECT_FALSE(parsed.ok());
  if (parsed.ok()) {
    return {};
  }
  EXPECT_EQ(parsed.error().code, ErrorCode::kCorruption);
  return parsed.error().message;
}

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const FrozenState state = sample_state(7, 3);
  TensorFile file = state.tensor_files[0];
  file.metadata["layout"] = "hf";
  const ByteVector bytes = written(file);
  EXPECT_EQ(bytes.size(), safetensors_bytes(file));
  const auto parsed = parse_safetensors(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().metadata.at("format"), "pt");
  EXPECT_EQ(parsed.value().metadata.at("layout"), "hf");
  ASSERT_EQ(parsed.value().tensors.size(), 2U);
  for (const TensorView& tensor : file.tensors) {
    const TensorView* found = parsed.value().find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype);
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_TRUE(std::ranges::equal(found->data, tensor.data));
  }
  EXPECT_EQ(parsed.value().find("absent"), nullptr);
}

TEST(Safetensors, HeaderIsPaddedAndTellsItsLength) {
  const std::string header =
      safetensors_header(sample_state(1, 1).tensor_files[0]);
  EXPECT_EQ(header.size() % 8, 0U);
  EXPECT_EQ(load_u64_le(as_bytes(header).data()), header.size() - 8);
  EXPECT_TRUE(
      header.substr(8).starts_with(R"({"__metadata__":{"format":"pt"},"stem)"));
}

TEST(Safetensors, EveryTensorBeginsAtAMultipleOfItsElementSize) {
  const ByteVector data = sample_bytes(1, 64);
  const TensorFile file{
      "x",
      {{"half", DType::kBF16, {3}, Bytes(data).first(6)},
       {"count", DType::kI64, {}, Bytes(data).first(8)},
       {"float", DType::kF32, {1}, Bytes(data).first(4)},
       {"half2", DType::kF16, {1}, Bytes(data).first(2)},
       {"seed", DType::kU64, {1}, Bytes(data).first(8)}},
      {}};
  const ByteVector bytes = written(file);
  const auto parsed = parse_safetensors(bytes);
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed.value().tensors.size(), 5U);
  for (const TensorView& tensor : parsed.value().tensors) {
    EXPECT_EQ(
        static_cast<std::size_t>(tensor.data.data() - bytes.data()) %
            size_of(tensor.dtype),
        0U)
        << tensor.name;
  }
}

TEST(Safetensors, EmptyTensorsAndNoTensorsAreFine) {
  const TensorFile none{"x", {}, {}};
  EXPECT_TRUE(parse_safetensors(written(none)).ok());
  const ByteVector data = sample_bytes(1, 4);
  const TensorFile empty{
      "x",
      {{"e1", DType::kF32, {0, 5}, {}},
       {"full", DType::kF32, {1}, data},
       {"e2", DType::kF32, {0}, {}}},
      {}};
  const auto bytes = written(empty);
  const auto parsed = parse_safetensors(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().tensors.size(), 3U);
}

TEST(Safetensors, NamesNeedingEscapesSurvive) {
  const ByteVector data = sample_bytes(1, 4);
  const TensorFile file{"x", {{"q\"\\\n\xc3\xa9", DType::kF32, {1}, data}}, {}};
  const auto bytes = written(file);
  const auto parsed = parse_safetensors(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().tensors[0].name, "q\"\\\n\xc3\xa9");
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const ByteVector whole = written(sample_state(7, 3, 64).tensor_files[0]);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const ByteVector cut(
        whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(parse_safetensors(cut).ok()) << length;
  }
}

TEST(Safetensors, HeaderLengthBeyondTheFileIsRefused) {
  ByteVector bytes = written(sample_state(1, 1).tensor_files[1]);
  std::fill(bytes.begin(), bytes.begin() + 8, 0xff);
  EXPECT_THAT(reason(bytes), HasSubstr("a header of 18446744073709551615"));
}

TEST(Safetensors, HeaderThatIsNoObjectIsRefused) {
  EXPECT_THAT(reason(with_header("", 0)), HasSubstr("does not begin"));
  EXPECT_THAT(reason(with_header("[1]", 0)), HasSubstr("does not begin"));
  EXPECT_THAT(reason(with_header("{\"a\":", 0)), HasSubstr("not valid JSON"));
  EXPECT_THAT(reason(with_header("{}x", 0)), HasSubstr("not valid JSON"));
  EXPECT_THAT(
      reason(with_header("{\"a\xff\":1}", 0)), HasSubstr("not valid JSON"));
}

TEST(Safetensors, DeepNestingIsRefusedWithoutRecursion) {
  std::string deep = "{\"a\":";
  deep += std::string(1'000'000, '[');
  deep += std::string(1'000'000, ']');
  EXPECT_THAT(reason(with_header(deep + "}", 0)), HasSubstr("too deeply"));
}

TEST(Safetensors, KeyGivenTwiceIsRefused) {
  const std::string tensor =
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]})";
  EXPECT_THAT(
      reason(with_header("{" + tensor + "," + tensor + "}", 4)),
      HasSubstr("\"a\" twice"));
  EXPECT_THAT(
      reason(with_header(
          one_tensor(
              R"("dtype":"F32","shape":[],"shape":[],"data_offsets":[0,4])"),
          4)),
      HasSubstr("\"shape\" twice"));
}

TEST(Safetensors, WrongFieldsAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("dtype":"F32","shape":[])", "exactly"},
      {R"("dtype":"F32","shape":[],"data_offsets":[0,4],"x":1)", "exactly"},
      {R"("dtype":"C64","shape":[],"data_offsets":[0,8])", "dtype \"C64\""},
      {R"("dtype":1,"shape":[],"data_offsets":[0,4])", "dtype 1"},
      {R"("dtype":"F32","shape":4,"data_offsets":[0,4])", "bad shape"},
      {R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])", "bad shape"},
      {R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])", "bad shape"},
      {R"("dtype":"F32","shape":[],"data_offsets":[0])", "bad shape"},
      {R"("dtype":"F32","shape":[],"data_offsets":[4,0])", "lies at"},
      {R"("dtype":"F32","shape":[],"data_offsets":[0,8])", "lies at"},
      {R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", "shape needs"},
      {R"("dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4])",
       "shape needs"},
  };
  for (const auto& [fields, expected] : cases) {
    const std::string said = reason(with_header(one_tensor(fields), 4));
    EXPECT_THAT(said, HasSubstr(expected)) << fields;
    EXPECT_THAT(said, HasSubstr("tensor a")) << fields;
  }
}

TEST(Safetensors, OverlapsHolesAndTrailingBytesAreRefused) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
           R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second +
           "}}";
  };
  EXPECT_TRUE(parse_safetensors(with_header(two("[4,8]", "[0,4]"), 8)).ok());
  EXPECT_THAT(
      reason(with_header(two("[0,4]", "[2,6]"), 8)), HasSubstr("overlaps"));
  EXPECT_THAT(
      reason(with_header(two("[0,4]", "[0,4]"), 4)), HasSubstr("overlaps"));
  EXPECT_THAT(
      reason(with_header(two("[0,4]", "[8,12]"), 12)), HasSubstr("hole"));
  EXPECT_THAT(
      reason(with_header(two("[4,8]", "[8,12]"), 12)), HasSubstr("hole"));
  EXPECT_THAT(
      reason(with_header(two("[0,4]", "[4,8]"), 9)),
      HasSubstr("1 bytes after"));
}

TEST(Safetensors, MetadataMustBeText) {
  EXPECT_THAT(
      reason(with_header(R"({"__metadata__":{"n":1}})", 0)),
      HasSubstr("text to text"));
  EXPECT_THAT(
      reason(with_header(R"({"__metadata__":[]})", 0)),
      HasSubstr("not an object"));
}

/// What is accepted must be usable: every view inside the file and as long as
/// its shape says.
void expect_sound(const SafetensorsView& view, const ByteVector& bytes) {
  for (const TensorView& tensor : view.tensors) {
    std::uint64_t expected = size_of(tensor.dtype);
    for (const std::int64_t extent : tensor.shape) {
      ASSERT_GE(extent, 0);
      expected *= static_cast<std::uint64_t>(extent);
    }
    ASSERT_EQ(tensor.data.size(), expected);
    ASSERT_GE(tensor.data.data(), bytes.data());
    ASSERT_LE(
        tensor.data.data() + tensor.data.size(), bytes.data() + bytes.size());
  }
}

TEST(Safetensors, RandomDamageIsRefusedOrHarmless) {
  const ByteVector whole = written(sample_state(7, 3, 64).tensor_files[0]);
  const std::string tokens = "{}[]\":,0123456789-.eEntf\\ \xff";
  std::mt19937 random(20'260'101);
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  int refused = 0;
  constexpr int kRounds = 20'000;
  for (int round = 0; round < kRounds; ++round) {
    ByteVector bytes = whole;
    for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
      const auto at = static_cast<std::ptrdiff_t>(below(bytes.size() - 1));
      switch (below(4)) {
        case 0:
          bytes[static_cast<std::size_t>(at)] ^=
              static_cast<std::uint8_t>(1U << below(8));
          break;
        case 1:
          bytes[static_cast<std::size_t>(at)] =
              static_cast<std::uint8_t>(tokens[below(tokens.size())]);
          break;
        case 2:
          bytes.erase(bytes.begin() + at);
          break;
        default:
          bytes.insert(
              bytes.begin() + at,
              static_cast<std::uint8_t>(tokens[below(tokens.size())]));
      }
    }
    const auto parsed = parse_safetensors(bytes);
    if (parsed.ok()) {
      expect_sound(parsed.value(), bytes);
    } else {
      ++refused;
    }
  }
  // Damage to payload alone cannot be seen here; most damage can.
  EXPECT_GT(refused, kRounds / 4);
}

}  // namespace
}  // namespace swavd::state
