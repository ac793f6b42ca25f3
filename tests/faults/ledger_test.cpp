// A long run through many kills, on a real broker: in the end the hash of the
// ledger is that of the topic.

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/faults/matrix.h"
#include "tests/ingest/real_kafka.h"

namespace swavd::faults {
namespace {

using ingest::testing::RealKafka;

constexpr std::uint64_t kBatch = 250;
constexpr int kSteps = 20;  // from snapshot to snapshot
constexpr std::uint64_t kSeed = 20261124;

e2e::SiteOptions on(const RealKafka& kafka) {
  e2e::SiteOptions options;
  options.stream_url = to_string(kafka.url("images"));
  options.batch_images = static_cast<int>(kBatch);
  options.every_steps = kSteps;
  return options;
}

/// All at once: what they are is not the point, but each is another one.
void publish(const RealKafka& kafka, std::uint64_t records) {
  auto sink = ingest::open_sink(kafka.url("images"), {});
  ASSERT_TRUE(sink.ok()) << sink.error().message;
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string image = e2e::noise_png(i, 4);
    ingest::OutRecord record;
    record.key = std::to_string(i);
    record.payload.assign(as_bytes(image).begin(), as_bytes(image).end());
    const auto published = sink.value()->publish(std::move(record));
    ASSERT_TRUE(published.ok()) << published.error().message;
  }
  const auto flushed = sink.value()->flush(10 * e2e::kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed.error().message;
}

/// Trained images at which to kill: anywhere in the stream, ascending.
std::vector<std::uint64_t> moments(std::uint64_t kills, std::uint64_t records) {
  std::mt19937_64 numbers(kSeed);
  std::vector<std::uint64_t> all(kills);
  for (std::uint64_t& each : all) {
    each = std::uniform_int_distribution<std::uint64_t>(
        0, records * 9 / 10)(numbers);
  }
  std::sort(all.begin(), all.end());
  return all;
}

TEST(Ledger, OfAMillionRecordsAndAHundredKillsIsExact) {
  Row row(
      "kill -9 at random moments of a long run through a real broker",
      "in the end the ledger's hash is that of the topic");
  std::string why;
  const auto kafka = RealKafka::start(why);
  if (!kafka) {
    GTEST_SKIP() << why;
  }
  const std::uint64_t records = repeats(1'000'000, 20'000);
  kafka->create_topic("images", 4);
  ASSERT_NO_FATAL_FAILURE(publish(*kafka, records));
  e2e::Site site(on(*kafka));
  const std::vector<std::string> few = {"--set", "snapshot.keep_last=4"};
  for (const std::uint64_t moment : moments(repeats(100, 5), records)) {
    const auto daemon = site.start_training(few);
    ASSERT_TRUE(site.wait_for_images(*daemon, moment, 10 * e2e::kPatience));
    daemon->kill();
    row.injected();
  }
  const auto daemon = site.start_training(few);
  ASSERT_TRUE(site.wait_for_images(*daemon, records, 10 * e2e::kPatience));
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);

  const auto manifest = e2e::newest_snapshot(site.data_dir());
  EXPECT_EQ(manifest.at("images"), records);
  const auto exact =
      e2e::expect_exact(manifest, e2e::read_topic(site.stream_url()));
  EXPECT_EQ(exact.count, records);
  ASSERT_EQ(
      e2e::swavctl({"snapshots", "pull", site.data_dir(), site.path("pulled")})
          .status,
      0);
  const auto weights =
      e2e::read_ledger_weights(site.path("pulled/model.safetensors"));
  EXPECT_EQ(weights.count, records);
  EXPECT_EQ(weights.hash, exact.hash);
}

}  // namespace
}  // namespace swavd::faults
