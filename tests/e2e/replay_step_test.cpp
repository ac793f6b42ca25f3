// `swavd replay-step`: which snapshots it takes, what it leaves, and what it
// says of crops and snapshots that it cannot use.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/golden_steps.h"
#include "tests/e2e/images.h"
#include "tests/e2e/site.h"
#include "tests/state/s3/real_s3.h"

namespace swavd::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

json manifest_of(const std::string& folder) {
  return json::parse(read_text(folder + "/manifest.json"), nullptr, false);
}

/// Two steps of a small network, drained: snapshots of both.
void train_two_steps(Site& site) {
  fill_folder(site.path("images"), 48, 0);
  push(site.stream_url(), site.path("images"));
  std::vector<std::string> small = {"--stop-after-images", "32"};
  for (const char* setting :
       {"model.depth=2",
        "model.w0=16",
        "model.wa=0",
        "model.head_hidden=[8]",
        "model.head_out=6",
        "swav.prototypes=9",
        "schedule.warmup_images=64",
        "loader.batch_images=16",
        "loader.crops=[{count=2,size=12,scale=[0.3,1.0]}]"}) {
    small.insert(small.end(), {"--set", setting});
  }
  const auto daemon = site.start(small);
  ASSERT_EQ(daemon->wait(kPatience), 0) << daemon->err();
}

class ReplayStep : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }

  /// A file with the crops of the golden run's first step, changed by `change`.
  template <typename Change>
  [[nodiscard]] std::string crops(const Change& change) const {
    std::vector<CropTensor> all = golden_crops(run_, 0);
    change(all);
    write_crops(path("crops.safetensors"), all);
    return path("crops.safetensors");
  }

  [[nodiscard]] std::string crops() const {
    return crops([](std::vector<CropTensor>&) {});
  }

  /// A snapshot of step 0.
  [[nodiscard]] std::string initial() const {
    const Finished made = init_golden(run_, path("initial"));
    EXPECT_EQ(made.status, 0) << made.err;
    return path("initial");
  }

  /// Must be refused with exit 64 and these words, and leave nothing.
  void expect_refused(const std::string& crops, const std::string& words) {
    const Finished finished = replay(initial(), crops, path("after"));
    EXPECT_EQ(finished.status, 64) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(words));
    EXPECT_THAT(finished.err, HasSubstr(crops));
    EXPECT_EQ(finished.out, "");
    EXPECT_FALSE(fs::exists(path("after")));
  }

  const GoldenRun run_{"one-stage", true, false};
  const ingest::testing::TempFolder folder_;
};

TEST_F(ReplayStep, LeavesASnapshotThatVerifiesAndNamesItsParent) {
  const json before = manifest_of(initial());
  const Finished finished = replay(path("initial"), crops(), path("after"));
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json after = manifest_of(path("after"));
  EXPECT_EQ(after.at("step"), 1);
  EXPECT_EQ(after.at("images"), 16);
  EXPECT_EQ(after.at("schedule").at("images"), 16);
  EXPECT_EQ(after.at("parent"), show_snapshot(path("initial")).at("id"));
  EXPECT_EQ(after.at("config"), before.at("config"));
  EXPECT_EQ(after.at("positions"), before.at("positions"));
  EXPECT_NEAR(after.at("health").at("ln_k").get<double>(), std::log(12), 1e-12);
  EXPECT_EQ(
      after.at("health").at("loss"), json::parse(finished.out).at("loss"));
  const Finished verified = swavctl({"snapshots", "verify", path("after")});
  EXPECT_EQ(verified.status, 0) << verified.err;
}

TEST_F(ReplayStep, TakesTheSameStepTwice) {
  const std::string before = initial();
  const std::string file = crops();
  const Finished first = replay(before, file, path("a"));
  const Finished second = replay(before, file, path("b"));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(
      manifest_of(path("a")).at("state_sha256"),
      manifest_of(path("b")).at("state_sha256"));
}

TEST_F(ReplayStep, TakesOtherCropsThanTheLoaderMakes) {
  const std::string file = crops([](std::vector<CropTensor>& all) {
    all.clear();
    for (const std::int64_t side : {9, 9, 8, 9}) {
      all.push_back(
          {fmt::format("crop.{}", all.size()),
           {3, 3, side, side},
           std::vector<float>(static_cast<std::size_t>(9 * side * side))});
      for (std::size_t i = 0; i < all.back().values.size(); ++i) {
        all.back().values[i] = std::sin(static_cast<float>(i * i + all.size()));
      }
    }
  });
  const Finished finished = replay(initial(), file, path("after"));
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(manifest_of(path("after")).at("images"), 3);
  // Three passes of the trunk: the crops of 9 pixels are not neighbours.
  const TensorReader model(path("after/model.safetensors"));
  const auto* count =
      model.find("embedder.embedder.normalization.num_batches_tracked");
  ASSERT_NE(count, nullptr);
  EXPECT_EQ(numbers_of(*count), std::vector<double>{3});
}

TEST_F(ReplayStep, OnCropsThatHoldNanChangesNothingAndSaysSo) {
  // After a step, so that momenta, statistics and counters are not zero.
  ASSERT_EQ(replay(initial(), crops(), path("before")).status, 0);
  const std::string file = crops([](std::vector<CropTensor>& all) {
    all[1].values[77] = std::numeric_limits<float>::quiet_NaN();
  });
  const Finished finished = replay(path("before"), file, path("after"));
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(
      finished.out,
      "{\"loss\":null,\"grad_norm\":null,\"learning_rate\":0.3,"
      "\"skipped\":\"nonfinite_loss\"}\n");
  EXPECT_EQ(
      finished.err, "nonfinite_loss: the step was skipped, nothing changed\n");
  const json before = manifest_of(path("before"));
  const json after = manifest_of(path("after"));
  EXPECT_EQ(after.at("files"), before.at("files"));
  EXPECT_EQ(after.at("state_sha256"), before.at("state_sha256"));
  EXPECT_EQ(after.at("step"), 1);
  EXPECT_EQ(after.at("images"), 16);
  EXPECT_EQ(after.at("health"), before.at("health"));
  // And the next step is the one that it would have been without.
  const Finished next = replay(path("after"), crops(), path("next"));
  const Finished direct = replay(path("before"), crops(), path("direct"));
  EXPECT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(
      manifest_of(path("next")).at("files"),
      manifest_of(path("direct")).at("files"));
}

TEST_F(ReplayStep, RefusesCropsOfUnequalShapes) {
  expect_refused(
      crops([](std::vector<CropTensor>& all) {
        all[2].shape = {16, 3, 8, 18};
      }),
      "crop.2 is F32 [16, 3, 8, 18]; it must be F32 [16, 3, SIDE, SIDE]");
}

TEST_F(ReplayStep, RefusesLessThanTwoCropsToAssignFrom) {
  expect_refused(
      crops([](std::vector<CropTensor>& all) { all.resize(1); }),
      "1 crops an image, needs 2");
}

TEST_F(ReplayStep, RefusesASnapshotThatWasPulledWithoutItsState) {
  const std::string before = initial();
  ASSERT_EQ(swavctl({"snapshots", "pull", before, path("pulled")}).status, 0);
  const Finished finished = replay(path("pulled"), crops(), path("after"));
  EXPECT_EQ(finished.status, 1) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr(path("pulled/state.safetensors")));
  EXPECT_THAT(finished.err, HasSubstr("--with-state"));
  EXPECT_FALSE(fs::exists(path("after")));
}

TEST_F(ReplayStep, RefusesALedger) {
  const Finished made = run_program(
      "swavd",
      {"init", "--set", "model.trainer=\"ledger\"", "--out", path("ledger")});
  ASSERT_EQ(made.status, 0) << made.err;
  const Finished finished = replay(path("ledger"), crops(), path("after"));
  EXPECT_EQ(finished.status, 64) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("model.trainer = \"ledger\""));
}

TEST_F(ReplayStep, TakesAnySnapshotWhereverItLies) {
  SiteOptions options;
  options.preset = "tiny";
  options.every_steps = 1;
  options.object_store = "file://" + path("store");
  Site site(options);
  train_two_steps(site);
  ASSERT_FALSE(HasFatalFailure());
  const json newest = newest_snapshot(site.data_dir());
  ASSERT_EQ(newest.at("step"), 2);
  const auto id = newest.at("id").get<std::string>();
  const Finished pulled = swavctl(
      {"snapshots", "pull", site.data_dir(), path("whole"), "--with-state"});
  ASSERT_EQ(pulled.status, 0) << pulled.err;

  const std::string file = crops();
  const std::string store = "file://" + path("store") + "/main";
  const std::vector<std::string> references = {
      site.data_dir(),
      site.data_dir() + "@" + id,
      site.data_dir() + "@2",
      store,
      store + "@" + id,
      path("whole")};
  std::string first_state;
  std::string first_output;
  for (const std::string& reference : references) {
    const Finished finished = replay(reference, file, path("after"));
    ASSERT_EQ(finished.status, 0) << reference << ": " << finished.err;
    const json after = manifest_of(path("after"));
    EXPECT_EQ(after.at("parent"), id) << reference;
    EXPECT_EQ(after.at("step"), 3) << reference;
    EXPECT_EQ(after.at("images"), 48) << reference;
    EXPECT_EQ(after.at("positions"), newest.at("positions")) << reference;
    const auto state = after.at("state_sha256").get<std::string>();
    if (first_state.empty()) {
      first_state = state;
      first_output = finished.out;
    }
    EXPECT_EQ(state, first_state) << reference;
    EXPECT_EQ(finished.out, first_output) << reference;
  }
  // A warm-up of 64 images from one step's share to the peak of the preset.
  const double rate = json::parse(first_output).at("learning_rate");
  EXPECT_NEAR(rate, 0.25 + 0.5 * (1.0 - 0.25), 1e-12);

  // An older one of the same run, by its step.
  const Finished older = replay(site.data_dir() + "@1", file, path("older"));
  ASSERT_EQ(older.status, 0) << older.err;
  EXPECT_EQ(manifest_of(path("older")).at("step"), 2);
}

TEST_F(ReplayStep, TakesASnapshotOutOfABucket) {
  std::string why;
  state::RealS3* server = state::RealS3::shared(why);
  if (server == nullptr) {
    GTEST_SKIP() << why;
  }
  SiteOptions options;
  options.preset = "tiny";
  options.every_steps = 1;
  options.object_store = server->new_url();
  options.more = fmt::format(
      "endpoint = \"{}\"\ncredentials_file = \"{}\"\n",
      server->endpoint(),
      server->credentials_file());
  Site site(options);
  train_two_steps(site);
  ASSERT_FALSE(HasFatalFailure());
  // What the command goes by; the daemon has it in its configuration.
  ::setenv("AWS_ENDPOINT_URL_S3", server->endpoint().c_str(), 1);
  ::setenv(
      "AWS_SHARED_CREDENTIALS_FILE", server->credentials_file().c_str(), 1);
  const std::string file = crops();
  const Finished bucket =
      replay(options.object_store + "/main@1", file, path("bucket"));
  ::unsetenv("AWS_ENDPOINT_URL_S3");
  ::unsetenv("AWS_SHARED_CREDENTIALS_FILE");
  const Finished local = replay(site.data_dir() + "@1", file, path("local"));
  ASSERT_EQ(bucket.status, 0) << bucket.err;
  ASSERT_EQ(local.status, 0) << local.err;
  EXPECT_EQ(bucket.out, local.out);
  EXPECT_EQ(
      manifest_of(path("bucket")).at("state_sha256"),
      manifest_of(path("local")).at("state_sha256"));
}

}  // namespace
}  // namespace swavd::e2e
