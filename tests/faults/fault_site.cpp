#include "tests/faults/fault_site.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "state/safetensors.h"
#include "state/snapshot_store.h"
#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"

namespace swavd::faults {

namespace {

using nlohmann::json;

/// The id of the last "snapshot … is durable" in a log; empty: none.
std::string last_durable(const std::string& log) {
  constexpr std::string_view kBefore = "snapshot_committed snapshot ";
  const std::size_t line = log.rfind(kBefore);
  if (line == std::string::npos) {
    return "";
  }
  const std::size_t begin = line + kBefore.size();
  return log.substr(begin, log.find(' ', begin) - begin);
}

/// An 8-byte tensor of a ledger trainer's weights.
std::uint64_t ledger_number(
    const state::SafetensorsView& weights,
    const std::string& name) {
  const auto* tensor = weights.find(name);
  std::uint64_t value = 0;
  if (tensor == nullptr || tensor->data.size() != sizeof value) {
    ADD_FAILURE() << "no tensor " << name;
    return value;
  }
  std::memcpy(&value, tensor->data.data(), sizeof value);
  return value;
}

void expect_child_of(const json& manifest, const json& parent) {
  EXPECT_EQ(manifest.at("parent"), parent.at("id"));
  EXPECT_GT(manifest.at("step"), parent.at("step"));
  EXPECT_GT(manifest.at("commit"), parent.at("commit"));
  EXPECT_GE(manifest.at("generation"), parent.at("generation"));
}

}  // namespace

e2e::SiteOptions FaultSite::every_step() {
  e2e::SiteOptions options;
  options.batch_images = kBatch;
  options.every_steps = 1;
  return options;
}

FaultSite::FaultSite(const e2e::SiteOptions& options) : site_(options) {}

void FaultSite::open_sink() {
  if (sink_) {
    return;
  }
  const auto url = ingest::parse_stream_url(site_.stream_url());
  ASSERT_TRUE(url.ok());
  ingest::SinkOptions options;
  options.partitions = 4;
  auto sink = ingest::open_sink(url.value(), options);
  ASSERT_TRUE(sink.ok()) << sink.error().message;
  sink_ = std::move(sink).value();
}

void FaultSite::publish(const std::string& payload) {
  ASSERT_NO_FATAL_FAILURE(open_sink());
  ingest::OutRecord record;
  record.key = std::to_string(++keys_);
  record.payload.assign(as_bytes(payload).begin(), as_bytes(payload).end());
  const auto published = sink_->publish(std::move(record));
  ASSERT_TRUE(published.ok()) << published.error().message;
}

void FaultSite::feed(std::uint64_t images) {
  for (std::uint64_t i = 0; i < images; ++i) {
    ASSERT_NO_FATAL_FAILURE(publish(e2e::noise_png(++fed_)));
  }
  const auto flushed = sink_->flush(e2e::kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed.error().message;
}

void FaultSite::feed_bad() {
  constexpr std::size_t kBytes = 100;
  publish(e2e::junk(keys_, kBytes));
}

std::vector<std::string> FaultSite::arguments(
    std::vector<std::string> more) const {
  more.insert(more.begin(), {"--set", "snapshot.keep_last=4"});
  return more;
}

std::unique_ptr<e2e::Process> FaultSite::start(
    const std::vector<std::string>& more) {
  return site_.start(arguments(more));
}

std::unique_ptr<e2e::Process> FaultSite::recover(
    const std::vector<std::string>& more) {
  // It may make so many snapshots at once that retention drops this one.
  const bool had_durable = has_durable();
  auto daemon = site_.start_training(arguments(more));
  check_line();
  EXPECT_TRUE(had_durable || has_durable())
      << durable_ << " was durable and is gone";
  return daemon;
}

void FaultSite::heed(const e2e::Process& ended) {
  if (std::string id = last_durable(ended.err()); !id.empty()) {
    durable_ = std::move(id);
  }
}

bool FaultSite::catch_up(e2e::Process& daemon) const {
  return site_.wait_for_images(daemon, fed_ / kBatch * kBatch);
}

void FaultSite::finish() {
  const auto daemon = recover();
  ASSERT_TRUE(catch_up(*daemon));
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  heed(*daemon);
  check();
  EXPECT_EQ(newest_.value("images", std::uint64_t{0}), fed_ / kBatch * kBatch);
}

void FaultSite::expect_reason(
    const e2e::Process& daemon,
    const std::string& metric,
    const std::string& word) const {
  std::string page;
  EXPECT_TRUE(e2e::wait_until(
      e2e::kPatience,
      [&] {
        const auto answer = e2e::http_get(site_.port(), "/metrics");
        page = answer ? answer->body : "";
        const std::size_t line = page.find("\n" + metric + " ");
        return line != std::string::npos &&
               page.compare(line + metric.size() + 2, 2, "0\n") != 0;
      }))
      << metric << " did not count:\n"
      << page;
  EXPECT_NE(daemon.err().find(word + " "), std::string::npos) << daemon.err();
}

void FaultSite::check_one(
    state::SnapshotReader& reader,
    const e2e::Topic& topic) {
  const auto whole = state::verify(reader);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  json manifest = json::parse(reader.manifest_text());
  manifest["id"] = reader.id();
  if (!newest_.is_null() && newest_.at("id") != reader.id()) {
    expect_child_of(manifest, newest_);
  }
  newest_ = manifest;
  if (!exact_.insert(reader.id()).second) {
    return;
  }
  e2e::expect_exact(manifest, topic);
  const auto bytes = state::read_verified(reader, "model.safetensors");
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  const auto weights = state::parse_safetensors(bytes.value());
  ASSERT_TRUE(weights.ok()) << weights.error().message;
  const json& ledger = manifest.at("ledger");
  EXPECT_EQ(ledger_number(weights.value(), "ledger.count"), ledger.at("count"));
  EXPECT_EQ(
      fmt::format("{:016x}", ledger_number(weights.value(), "ledger.hash")),
      ledger.at("hash"));
}

void FaultSite::check_newest() {
  auto catalog = state::open_local_catalog(site_.data_dir() + "/snapshots");
  ASSERT_TRUE(catalog.ok()) << catalog.error().message;
  const auto list = catalog.value()->list();
  ASSERT_TRUE(list.ok()) << list.error().message;
  std::unique_ptr<state::SnapshotReader> newest;
  for (const state::SnapshotInfo& info : list.value()) {
    if (auto reader = catalog.value()->open(info.id); reader.ok()) {
      newest = std::move(reader).value();
    }
  }
  ASSERT_NE(newest, nullptr);
  newest_ = nullptr;
  exact_.clear();
  check_one(*newest, e2e::read_topic(site_.stream_url()));
  EXPECT_EQ(newest_.value("images", std::uint64_t{0}), fed_ / kBatch * kBatch);
}

bool FaultSite::has_durable() const {
  if (durable_.empty()) {
    return true;
  }
  auto catalog = state::open_local_catalog(site_.data_dir() + "/snapshots");
  const auto list =
      catalog.ok() ? catalog.value()->list()
                   : Result<std::vector<state::SnapshotInfo>>(catalog.error());
  return list.ok() && std::any_of(
                          list.value().begin(),
                          list.value().end(),
                          [&](const state::SnapshotInfo& info) {
                            return info.id == durable_;
                          });
}

void FaultSite::check() {
  check_line();
  EXPECT_TRUE(has_durable()) << durable_ << " was durable and is gone";
}

void FaultSite::check_line() {
  auto catalog = state::open_local_catalog(site_.data_dir() + "/snapshots");
  ASSERT_TRUE(catalog.ok()) << catalog.error().message;
  const auto list = catalog.value()->list();
  ASSERT_TRUE(list.ok()) << list.error().message;
  const e2e::Topic topic = e2e::read_topic(site_.stream_url());
  const json before = std::exchange(newest_, nullptr);
  for (const state::SnapshotInfo& info : list.value()) {
    auto reader = catalog.value()->open(info.id);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    check_one(*reader.value(), topic);
  }
  if (!before.is_null()) {
    ASSERT_FALSE(newest_.is_null()) << "no snapshot is left";
    EXPECT_GE(newest_.at("commit"), before.at("commit"));
    EXPECT_GE(newest_.at("step"), before.at("step"));
  }
}

}  // namespace swavd::faults
