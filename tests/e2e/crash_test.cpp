// kill -9 at any moment, again and again: along the lineage no record is
// skipped, doubled or swapped, and no dead letter is lost.

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/ingest/real_kafka.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::uint64_t kSeed = 20261124;
constexpr std::uint64_t kBatch = 16;
constexpr int kKills = 10;
constexpr std::uint64_t kFiles = scaled(3200);
constexpr std::uint64_t kFirstFiles = 32;  // there before the daemon is
constexpr std::uint64_t kBadEvery = 50;
// Slow enough that the stream outlasts the kills: what is left at once is
// trained on faster than snapshots of it are written.
constexpr std::uint64_t kFilesPerSecond = scaled(100);

class Crash : public ::testing::Test {
 protected:
  std::uint64_t draw(std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(numbers_);
  }

  /// Kills in the middle of training, some batches after it began.
  void kill_while_training(Site& site) {
    const auto daemon = site.start_training();
    const auto status = http_status(site.port());
    ASSERT_TRUE(status);
    const auto before = status->value("images", std::uint64_t{0});
    const std::uint64_t target =
        std::min(before + kBatch * draw(1, 10), trainable_);
    ASSERT_TRUE(site.wait_for_images(*daemon, target));
    before_the_end_ += before < trainable_ ? 1 : 0;
    daemon->kill();
  }

  /// Kills at whatever it is doing so long after its start: here a random
  /// delay is the point.
  void kill_anywhere(Site& site) {
    const auto daemon = site.start();
    const auto early = daemon->wait(milliseconds(draw(0, 800 * kSlowness)));
    ASSERT_FALSE(early) << "ended by itself: " << daemon->err();
    daemon->kill();
  }

  void kill_again_and_again(Site& site) {
    for (int i = 0; i < kKills && !HasFatalFailure(); ++i) {
      SCOPED_TRACE(fmt::format("kill {}, seed {}", i, kSeed));
      if (i % 2 == 0) {
        kill_while_training(site);
      } else {
        kill_anywhere(site);
      }
    }
  }

  /// Pushes while the daemon is killed, then lets it finish.
  void run(Site& site) {
    const auto first = fill_folder(site.path("first"), kFirstFiles, kBadEvery);
    const auto rest = fill_folder(
        site.path("rest"), kFiles - kFirstFiles, kBadEvery, kFirstFiles);
    trainable_ = (first.good + rest.good) / kBatch * kBatch;
    push(site.stream_url(), site.path("first"));
    Process pusher(
        {"swavd-crawl",
         {"push",
          "--to",
          site.stream_url(),
          "--rate",
          std::to_string(kFilesPerSecond),
          site.path("rest")},
         {},
         site.path("pusher")});
    kill_again_and_again(site);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_GE(before_the_end_, 3) << "the stream was too short for the kills";
    ASSERT_EQ(pusher.wait(10 * kPatience), 0) << pusher.err();
    const auto daemon = site.start_training();
    ASSERT_TRUE(site.wait_for_images(*daemon, trainable_));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }

  /// Every snapshot, not only the last: is it whole, and is its ledger what
  /// the topic says?
  void check_all_snapshots(Site& site, const Topic& topic) {
    const json snapshots = list_snapshots(site.data_dir());
    expect_unbroken_line(snapshots);
    EXPECT_GT(snapshots.size(), static_cast<std::size_t>(kKills / 2));
    for (const json& snapshot : snapshots) {
      const std::string ref =
          site.data_dir() + "@" + snapshot.at("id").get<std::string>();
      const json manifest = show_snapshot(ref);
      expect_exact(manifest, topic);
      EXPECT_EQ(
          manifest.at("images").get<std::uint64_t>(),
          kBatch * manifest.at("step").get<std::uint64_t>());
      EXPECT_EQ(swavctl({"snapshots", "verify", ref}).status, 0) << ref;
    }
    check_weights(site, snapshots.front());
    check_weights(site, snapshots[snapshots.size() / 2]);
    check_weights(site, snapshots.back());
  }

  /// Do weights and position come from the same moment?
  void check_weights(Site& site, const json& snapshot) {
    const std::string id = snapshot.at("id").get<std::string>();
    const std::string ref = site.data_dir() + "@" + id;
    const auto pulled =
        swavctl({"snapshots", "pull", ref, site.path("pulled-" + id)});
    ASSERT_EQ(pulled.status, 0) << pulled.err;
    const auto weights =
        read_ledger_weights(site.path("pulled-" + id + "/model.safetensors"));
    const json ledger = show_snapshot(ref).at("ledger");
    EXPECT_EQ(weights.count, ledger.at("count").get<std::uint64_t>());
    EXPECT_EQ(
        fmt::format("{:016x}", weights.hash),
        ledger.at("hash").get<std::string>());
  }

  /// At least once each: a kill may send one again.
  void
  check_dead_letters(const json& manifest, const Topic& topic, Topic dead) {
    std::set<std::string> told;
    for (const auto& [partition, records] : dead) {
      for (const auto& [offset, record] : records) {
        told.emplace(
            ingest::find_header(record.headers, ingest::kHeaderAddress));
      }
    }
    std::uint64_t bad = 0;
    std::uint64_t rejected = 0;
    for (const json& position : manifest.at("positions")) {
      const auto partition = position.at("partition").get<std::int32_t>();
      rejected += position.at("rejected").get<std::uint64_t>();
      for (const std::int64_t offset : consumed_offsets(position)) {
        if (!topic.at(partition).at(offset).trainable) {
          ++bad;
          EXPECT_TRUE(
              told.contains(fmt::format("images/{}/{}", partition, offset)));
        }
      }
    }
    EXPECT_EQ(bad, rejected);
    // Some may lie among the last images, too few for a batch.
    EXPECT_GT(bad, kFiles / kBadEvery / 2);
  }

  void check(Site& site) {
    const Topic topic = read_topic(site.stream_url());
    EXPECT_EQ(records_of(topic), kFiles);
    check_all_snapshots(site, topic);
    const json last = newest_snapshot(site.data_dir());
    EXPECT_EQ(last.at("images").get<std::uint64_t>(), trainable_);
    EXPECT_GT(last.at("generation").get<int>(), kKills / 2);
    const auto url = ingest::parse_stream_url(site.stream_url());
    ASSERT_TRUE(url.ok());
    check_dead_letters(
        last, topic, read_topic(ingest::dead_letter_url(url.value(), 0)));
  }

 private:
  std::mt19937_64 numbers_{kSeed};
  std::uint64_t trainable_ = 0;
  int before_the_end_ = 0;  ///< kills that came before all was trained on
};

TEST_F(Crash, EmbeddedStreamIsTrainedOnExactlyOnceThroughTenKills) {
  Site site;
  run(site);
  ASSERT_FALSE(HasFatalFailure());
  check(site);
}

TEST_F(Crash, KafkaTopicIsTrainedOnExactlyOnceThroughTenKills) {
  std::string why;
  const auto kafka = ingest::testing::RealKafka::start(why);
  if (!kafka) {
    GTEST_SKIP() << why;
  }
  kafka->create_topic("images", 4);
  SiteOptions options;
  options.stream_url = to_string(kafka->url("images"));
  Site site(options);
  run(site);
  ASSERT_FALSE(HasFatalFailure());
  check(site);
}

}  // namespace
}  // namespace swavd::e2e
