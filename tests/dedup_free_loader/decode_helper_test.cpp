#include "dedup_free_loader/isolation/decode_helper.h"

#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dedup_free_loader/decode/parts.h"
#include "dedup_free_loader/loader.h"
#include "tests/dedup_free_loader/golden.h"
#include "tests/dedup_free_loader/tar_files.h"
#include "tests/odd_files/odd_files.h"

namespace swavd::loader {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

HelperOptions with(const std::string& program) {
  HelperOptions options;
  options.program = SWAVD_TEST_BIN_DIR "/" + program;
  return options;
}

HelperOptions faulty() {
  return with("tests/faulty_decode_helper");
}

using Outcome = std::variant<ImageView, Rejection>;

Outcome
decode(DecodeHelper& helper, Bytes file, const ChooseRegion& choose = nullptr) {
  auto decoded = helper.decode(file, choose);
  EXPECT_TRUE(decoded.ok()) << decoded.error().message;
  return decoded.ok() ? std::move(decoded).value() : Outcome(Rejection{});
}

Rejection rejection_of(DecodeHelper& helper, const std::string& word) {
  const Outcome outcome = decode(helper, as_bytes(word));
  const auto* rejection = std::get_if<Rejection>(&outcome);
  EXPECT_NE(rejection, nullptr) << word << " is an image";
  return rejection != nullptr ? *rejection : Rejection{};
}

ByteVector golden_file(const char* name) {
  return testing::read_bytes(testing::golden_folder() / "decode" / name);
}

void expect_decodes(DecodeHelper& helper) {
  const Outcome outcome = decode(helper, golden_file("rgb8.png"));
  EXPECT_TRUE(std::holds_alternative<ImageView>(outcome));
}

/// The same picture, or the same rejection, as without a helper.
void expect_as_in_process(
    DecodeHelper& helper,
    Bytes file,
    const ChooseRegion& choose,
    const DecodeOptions& options = {}) {
  const auto here = decode_image(file, options, choose);
  const Outcome there = decode(helper, file, choose);
  const auto* lost = std::get_if<Rejection>(&there);
  ASSERT_EQ(here.index(), there.index()) << (lost ? lost->detail : "");
  if (const auto* rejection = std::get_if<Rejection>(&here)) {
    EXPECT_EQ(rejection->reason, std::get<Rejection>(there).reason);
    EXPECT_EQ(rejection->detail, std::get<Rejection>(there).detail);
    return;
  }
  const auto& image = std::get<Image>(here);
  const auto& view = std::get<ImageView>(there);
  ASSERT_EQ(
      std::tie(image.x, image.y, image.width, image.height, image.denominator),
      std::tie(view.x, view.y, view.width, view.height, view.denominator));
  EXPECT_EQ(std::memcmp(image.rgb.data(), view.rgb, image.rgb.size()), 0);
}

/// A part of the picture that depends on its size alone.
Region part_of(std::int32_t width, std::int32_t height) {
  return {
      .x = width / 3,
      .y = height / 4,
      .width = (width + 1) / 2,
      .height = (height + 1) / 2};
}

/// The same at 1/4.
Wanted quarter_of(std::int32_t width, std::int32_t height) {
  return {part_of(width, height), 4};
}

TEST(DecodeHelper, GivesForEveryFileWhatDecodingInProcessGives) {
  DecodeHelper helper(with("swavd-decode"));
  std::vector<ByteVector> files;
  for (const auto& path : testing::golden_files("decode")) {
    files.push_back(testing::read_bytes(path));
  }
  for (const char* tar : {"odd-images.tar", "photos-700.tar"}) {
    constexpr std::size_t kMost = 215;
    if (const auto path = testing::test_data(tar); !path.empty()) {
      for (testing::TarFile& file : testing::read_tar(path, kMost)) {
        files.push_back(std::move(file.bytes));
      }
    }
  }
  for (odd_files::OddFile& file : odd_files::make_odd_files()) {
    files.push_back(std::move(file.bytes));
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(i);
    expect_as_in_process(helper, files[i], nullptr);
    expect_as_in_process(helper, files[i], part_of);
    expect_as_in_process(helper, files[i], quarter_of);
  }
}

TEST(DecodeHelper, AsksForTheSizeThatItsWorkerCannotTell) {
  DecodeHelper helper(with("swavd-decode"));
  ByteVector file = golden_file("gray.jpg");
  const ByteVector garbage = {1, 2, 3};  // which decoders step over
  file.insert(file.begin() + 2, garbage.begin(), garbage.end());
  ASSERT_EQ(guess_jpeg_size(file), std::nullopt);
  expect_as_in_process(helper, file, part_of);
  expect_as_in_process(helper, golden_file("gray.jpg"), part_of);
}

TEST(DecodeHelper, FollowsTheOptionsAsDecodingInProcessDoes) {
  for (const char* folder : testing::kGoldenFolders) {
    HelperOptions options = with("swavd-decode");
    options.decode = testing::golden_options(folder);
    DecodeHelper helper(options);
    for (const auto& path : testing::golden_files(folder)) {
      SCOPED_TRACE(path);
      const ByteVector file = testing::read_bytes(path);
      expect_as_in_process(helper, file, nullptr, options.decode);
      expect_as_in_process(helper, file, part_of, options.decode);
    }
  }
}

TEST(DecodeHelper, SaysWhatDecodingTook) {
  DecodeHelper helper(with("swavd-decode"));
  EXPECT_EQ(helper.cpu_seconds(), 0);
  expect_decodes(helper);
  EXPECT_GT(helper.cpu_seconds(), 0);
}

class Fault : public ::testing::TestWithParam<const char*> {};

TEST_P(Fault, CostsTheFileAndNothingElse) {
  DecodeHelper helper(faulty());
  expect_decodes(helper);
  const Rejection rejection = rejection_of(helper, GetParam());
  EXPECT_EQ(rejection.reason, RejectReason::kDecoderCrashed)
      << rejection.detail;
  EXPECT_THAT(rejection.detail, StartsWith("the decoder "));
  expect_decodes(helper);
}

INSTANTIATE_TEST_SUITE_P(
    Decoders,
    Fault,
    ::testing::Values("!segv", "!abort", "!exit", "!write", "!lie", "!scale"));

class Forbidden : public ::testing::TestWithParam<const char*> {};

TEST_P(Forbidden, CallEndsTheHelper) {
  if (kSanitized) {
    GTEST_SKIP() << "the sanitizers' reports need these calls";
  }
  DecodeHelper helper(faulty());
  const Rejection rejection = rejection_of(helper, GetParam());
  EXPECT_EQ(rejection.reason, RejectReason::kDecoderCrashed);
  EXPECT_EQ(
      rejection.detail,
      "the decoder was ended by signal " + std::to_string(SIGSYS));
  expect_decodes(helper);
}

INSTANTIATE_TEST_SUITE_P(
    Helpers,
    Forbidden,
    ::testing::Values("!open", "!socket", "!fork", "!exec", "!kill", "!code"));

TEST(DecodeHelper, MemoryIsBounded) {
  if (kSanitized) {
    GTEST_SKIP() << "the sanitizers reserve terabytes of address space";
  }
  DecodeHelper helper(faulty());
  EXPECT_EQ(
      rejection_of(helper, "!memory").reason, RejectReason::kTooManyPixels);
  expect_decodes(helper);
}

TEST(DecodeHelper, AFileThatTakesTooLongIsGivenUp) {
  HelperOptions options = faulty();
  options.image_timeout = std::chrono::milliseconds(50);
  DecodeHelper helper(options);
  for (const char* word : {"!loop", "!sleep"}) {
    const Rejection rejection = rejection_of(helper, word);
    EXPECT_EQ(rejection.reason, RejectReason::kTimeout) << word;
    EXPECT_EQ(rejection.detail, "decoding took more than 0.05 s");
  }
  options.image_timeout = std::chrono::milliseconds(10'000);
  DecodeHelper patient(options);
  expect_decodes(patient);
}

TEST(DecodeHelper, ItsStartIsNotHeldToTheTimeOfAnImage) {
  HelperOptions options = with("swavd-decode");
  options.image_timeout = std::chrono::milliseconds(1);
  DecodeHelper helper(options);
  const auto decoded = helper.decode(golden_file("gray1.png"), nullptr);
  EXPECT_TRUE(decoded.ok()) << decoded.error().message;
}

TEST(DecodeHelper, FilesThatNoDecoderNeedsToSeeAreRejectedAlike) {
  HelperOptions options = with("swavd-decode");
  options.decode.limits.max_bytes = 100;
  DecodeHelper helper(options);
  EXPECT_EQ(rejection_of(helper, "").reason, RejectReason::kEmpty);
  EXPECT_EQ(
      rejection_of(helper, std::string(101, 'x')).reason,
      RejectReason::kTooLarge);
}

TEST(DecodeHelper, AProgramThatIsNotThereIsAnErrorThatSaysWhatToDo) {
  DecodeHelper helper(with("no-such-program"));
  const auto decoded = helper.decode(golden_file("rgb8.png"), nullptr);
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      decoded.error().message,
      AllOf(
          HasSubstr("/no-such-program: No such file"),
          HasSubstr("loader.isolation = \"none\"")));
}

TEST(DecodeHelper, AProgramThatIsAnotherIsAnError) {
  HelperOptions options;
  options.program = "/bin/true";
  DecodeHelper helper(options);
  const auto decoded = helper.decode(golden_file("rgb8.png"), nullptr);
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(decoded.error().message, HasSubstr("/bin/true"));
}

}  // namespace
}  // namespace swavd::loader
