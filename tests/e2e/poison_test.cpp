// What cannot be trained on ends in the dead letters with its reason, and
// nothing else stops.

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;

/// Name of a file and the reason it must be rejected for.
using Poison = std::map<std::string, std::string>;

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Among 64 good images, in the middle of their names.
Poison fill_with_poison(const Site& site) {
  const std::string folder = site.path("images");
  fill_folder(folder, 64, 0);
  constexpr int kWidth = 8000;
  constexpr int kHeight = 5000;  // 40 megapixels, the limit is 33.5
  write(folder + "/000020-cut.jpg", cut_jpeg(1));
  write(folder + "/000021-empty.jpg", "");
  write(folder + "/000022-junk.bin", junk(1, 100));
  write(folder + "/000023-huge.png", gray_png(kWidth, kHeight));
  return {
      {"000020-cut.jpg", "truncated"},
      {"000021-empty.jpg", "empty"},
      {"000022-junk.bin", "unknown_format"},
      {"000023-huge.png", "too_many_pixels"}};
}

/// By the name each record was pushed with: reason and payload.
Poison reasons_in(const Topic& dead) {
  Poison reasons;
  for (const auto& [partition, records] : dead) {
    for (const auto& [offset, record] : records) {
      EXPECT_FALSE(
          ingest::find_header(record.headers, ingest::kHeaderDetail).empty());
      reasons.emplace(
          ingest::find_header(record.headers, ingest::kHeaderName),
          ingest::find_header(record.headers, ingest::kHeaderReason));
    }
  }
  return reasons;
}

/// Trains 64 images and expects `poison` to be told of everywhere: one record
/// of each reason.
void expect_told(
    Site& site,
    const Poison& poison,
    const std::vector<std::string>& more = {}) {
  push(site.stream_url(), site.path("images"));
  const auto daemon = site.start_training(more);
  ASSERT_TRUE(site.wait_for_images(*daemon, 64));

  // One word each, the same everywhere.
  const auto status = http_status(site.port());
  const auto metrics = http_get(site.port(), "/metrics");
  ASSERT_TRUE(status && metrics);
  for (const auto& [name, reason] : poison) {
    EXPECT_EQ(status->at("rejected").value(reason, 0), 1) << reason;
    EXPECT_NE(
        metrics->body.find(
            "swavd_messages_rejected_total{reason=\"" + reason + "\"} 1\n"),
        std::string::npos)
        << reason;
    EXPECT_NE(
        daemon->err().find(reason + " record rejected"), std::string::npos)
        << reason;
  }
  ASSERT_EQ(Site::drain(*daemon), 0);

  const auto url = ingest::parse_stream_url(site.stream_url());
  ASSERT_TRUE(url.ok());
  const Topic dead = read_topic(ingest::dead_letter_url(url.value(), 0));
  EXPECT_EQ(reasons_in(dead), poison);
  const Topic topic = read_topic(site.stream_url());
  const auto exact = expect_exact(newest_snapshot(site.data_dir()), topic);
  EXPECT_EQ(exact.trained, 64U);
  EXPECT_EQ(exact.rejected, poison.size());
  EXPECT_EQ(exact.count, records_of(topic));
}

TEST(Poison, EndsInTheDeadLettersWithItsReasonAndTrainingGoesOn) {
  SiteOptions options;
  options.batch_images = 8;
  Site site(options);
  expect_told(site, fill_with_poison(site));
}

TEST(Poison, ThatBreaksItsDecoderCostsOneRecord) {
  // swavd takes the decoder beside it.
  const ingest::testing::TempFolder programs;
  SiteOptions options;
  options.batch_images = 8;
  options.program = (programs.path() / "swavd").string();
  const std::filesystem::path built = program_path("swavd");
  std::filesystem::copy_file(built, options.program);
  std::filesystem::copy_file(
      built.parent_path() / "tests" / "faulty_decode_helper",
      programs.path() / "swavd-decode");
  Site site(options);
  const std::string folder = site.path("images");
  fill_folder(folder, 64, 0);
  write(folder + "/000020-crash.jpg", "!segv");
  write(folder + "/000040-hang.jpg", "!loop");
  expect_told(
      site,
      {{"000020-crash.jpg", "decoder_crashed"}, {"000040-hang.jpg", "timeout"}},
      {"--set", "loader.image_timeout=200ms"});
}

TEST(TruncatedImages, AreTrainedOnAndCountedWhereThatIsWanted) {
  SiteOptions options;
  options.batch_images = 8;
  Site site(options);
  const std::string folder = site.path("images");
  fill_folder(folder, 62, 0);
  write(folder + "/000020-cut.jpg", cut_jpeg(1));
  write(folder + "/000040-cut.jpg", cut_jpeg(2));
  push(site.stream_url(), folder);
  const auto daemon = site.start_training({"--set", "loader.truncated=fill"});
  ASSERT_TRUE(site.wait_for_images(*daemon, 64));
  const auto metrics = http_get(site.port(), "/metrics");
  ASSERT_TRUE(metrics);
  for (const char* line :
       {"swavd_decode_images_total{outcome=\"filled\"} 2\n",
        "swavd_decode_images_total{outcome=\"ok\"} 62\n"}) {
    EXPECT_NE(metrics->body.find(line), std::string::npos) << line;
  }
  ASSERT_EQ(Site::drain(*daemon), 0);
  Topic topic = read_topic(site.stream_url());
  for (auto& [partition, records] : topic) {
    for (auto& [offset, record] : records) {
      record.trainable = true;  // the two as well
    }
  }
  const auto exact = expect_exact(newest_snapshot(site.data_dir()), topic);
  EXPECT_EQ(exact.trained, 64U);
  EXPECT_EQ(exact.rejected, 0U);
}

}  // namespace
}  // namespace swavd::e2e
