#include "tests/e2e/ledger_oracle.h"

#include <cstring>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/process.h"
#include "tests/e2e/scale.h"
#include "tests/ledger_contract.h"

namespace swavd::e2e {

namespace {

using ledger_contract::first_eight;
using ledger_contract::hex16;
using ledger_contract::in_a_gap;
using nlohmann::json;

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) {
    value = value << 8U | static_cast<unsigned char>(byte);
  }
  return value;
}

bool looks_trainable(std::string_view bytes) {
  constexpr std::string_view kPngStart = "\x89PNG\r\n\x1a\n";
  constexpr std::string_view kPngEnd = "IEND\xae\x42\x60\x82";
  constexpr std::size_t kPngWidth = 16;
  constexpr std::size_t kPngHeight = 20;
  constexpr std::string_view kJpegStart = "\xff\xd8";
  constexpr std::string_view kJpegEnd = "\xff\xd9";
  constexpr std::uint64_t kMaxPixels = 33'554'432;
  if (bytes.starts_with(kPngStart) && bytes.ends_with(kPngEnd)) {
    return big_endian(bytes.substr(kPngWidth, 4)) *
               big_endian(bytes.substr(kPngHeight, 4)) <=
           kMaxPixels;
  }
  return bytes.starts_with(kJpegStart) && bytes.ends_with(kJpegEnd);
}

Recomputed recompute(const json& position, const Topic& topic) {
  Recomputed sum;
  const auto partition = position.at("partition").get<std::int32_t>();
  const auto records = topic.find(partition);
  for (const std::int64_t offset : consumed_offsets(position)) {
    if (records == topic.end() || !records->second.contains(offset)) {
      ADD_FAILURE() << "consumed, but not in the topic: partition " << partition
                    << ", offset " << offset;
      continue;
    }
    const KnownRecord& record = records->second.at(offset);
    const std::string address = fmt::format(
        "{}/{}/{}", position.at("topic").get<std::string>(), partition, offset);
    ++sum.count;
    sum.hash += first_eight(sha256(as_bytes(address)));
    sum.content += first_eight(record.payload_sha256);
    ++(record.trainable ? sum.trained : sum.rejected);
  }
  return sum;
}

void take(ingest::Source& source, std::uint64_t count, Topic& topic) {
  constexpr std::chrono::microseconds kEach{200};
  const auto deadline = std::chrono::steady_clock::now() + kPatience +
                        static_cast<std::int64_t>(count) * kEach;
  std::uint64_t taken = 0;
  while (taken < count && std::chrono::steady_clock::now() < deadline) {
    auto polled = source.poll(std::chrono::milliseconds(200));
    ASSERT_TRUE(polled.ok()) << polled.error().message;
    if (polled.value().state != ingest::PollState::kRecord) {
      continue;
    }
    const ingest::Record& record = polled.value().record;
    topic[record.address.partition][record.address.offset] = {
        sha256(record.payload),
        looks_trainable(as_text(record.payload)),
        record.headers};
    ++taken;
  }
  ASSERT_EQ(taken, count) << "the topic does not give what its bounds say";
}

}  // namespace

std::vector<std::int64_t> consumed_offsets(const json& position) {
  std::vector<std::int64_t> offsets;
  const auto next = position.at("next").get<std::int64_t>();
  for (auto i = position.at("start").get<std::int64_t>(); i < next; ++i) {
    if (!in_a_gap(position.at("gaps"), i)) {
      offsets.push_back(i);
    }
  }
  for (const json& range : position.at("done_above")) {
    EXPECT_GT(range.at(0).get<std::int64_t>(), next);
    for (auto i = range.at(0).get<std::int64_t>();
         i <= range.at(1).get<std::int64_t>();
         ++i) {
      offsets.push_back(i);
    }
  }
  return offsets;
}

Topic read_topic(const ingest::StreamUrl& url) {
  Topic topic;
  ingest::SourceOptions options;
  options.run = "oracle";
  auto source = ingest::open_source(url, options);
  if (!source.ok()) {
    ADD_FAILURE() << source.error().message;
    return topic;
  }
  const auto bounds = source.value()->bounds();
  if (!bounds.ok()) {
    ADD_FAILURE() << bounds.error().message;
    return topic;
  }
  std::vector<ingest::Position> positions;
  std::uint64_t count = 0;
  for (const ingest::PartitionBounds& bound : bounds.value()) {
    ingest::Position position;
    position.topic = url.topic;
    position.partition = bound.partition;
    position.start = bound.begin;
    position.next = bound.begin;
    positions.push_back(position);
    count += static_cast<std::uint64_t>(bound.end - bound.begin);
  }
  const auto assigned = source.value()->assign(positions);
  if (!assigned.ok()) {
    ADD_FAILURE() << assigned.error().message;
    return topic;
  }
  take(*source.value(), count, topic);
  return topic;
}

Topic read_topic(const std::string& url) {
  const auto parsed = ingest::parse_stream_url(url);
  if (!parsed.ok()) {
    ADD_FAILURE() << parsed.error().message;
    return {};
  }
  return read_topic(parsed.value());
}

std::uint64_t records_of(const Topic& topic) {
  std::uint64_t count = 0;
  for (const auto& [partition, records] : topic) {
    count += records.size();
  }
  return count;
}

Recomputed expect_exact(const json& manifest, const Topic& topic) {
  SCOPED_TRACE("snapshot " + manifest.value("id", "?"));
  Recomputed all;
  for (const json& position : manifest.at("positions")) {
    const Recomputed one = recompute(position, topic);
    EXPECT_EQ(position.at("trained").get<std::uint64_t>(), one.trained);
    EXPECT_EQ(position.at("rejected").get<std::uint64_t>(), one.rejected);
    EXPECT_EQ(position.at("skipped").get<std::uint64_t>(), 0U);
    all.count += one.count;
    all.hash += one.hash;
    all.content += one.content;
    all.trained += one.trained;
    all.rejected += one.rejected;
  }
  const json& ledger = manifest.at("ledger");
  EXPECT_EQ(ledger.at("count").get<std::uint64_t>(), all.count);
  EXPECT_EQ(ledger.at("hash").get<std::string>(), hex16(all.hash));
  EXPECT_EQ(ledger.at("content").get<std::string>(), hex16(all.content));
  EXPECT_EQ(manifest.at("images").get<std::uint64_t>(), all.trained);
  return all;
}

void expect_unbroken_line(const json& snapshots) {
  ASSERT_FALSE(snapshots.empty());
  json before = {{"id", ""}, {"step", 0}, {"commit", 0}, {"generation", 0}};
  for (const json& snapshot : snapshots) {
    SCOPED_TRACE("snapshot " + snapshot.value("id", "?"));
    EXPECT_EQ(snapshot.at("parent"), before.at("id"));
    EXPECT_GT(snapshot.at("step"), before.at("step"));
    EXPECT_EQ(
        snapshot.at("commit").get<std::uint64_t>(),
        before.at("commit").get<std::uint64_t>() + 1);
    EXPECT_GE(snapshot.at("generation"), before.at("generation"));
    before = snapshot;
  }
}

LedgerWeights read_ledger_weights(const std::string& file) {
  const std::string bytes = read_text(file);
  LedgerWeights weights;
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) {
    ADD_FAILURE() << file << " is no safetensors file";
    return weights;
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const json header = json::parse(
      bytes.substr(sizeof header_bytes, header_bytes), nullptr, false);
  const auto read = [&](const char* name, const char* dtype) {
    std::uint64_t value = 0;
    const json tensor = header.value(name, json::object());
    EXPECT_EQ(tensor.value("dtype", ""), dtype) << name;
    const auto begin = sizeof header_bytes + header_bytes +
                       tensor.at("data_offsets").at(0).get<std::size_t>();
    EXPECT_LE(begin + sizeof value, bytes.size());
    std::memcpy(&value, bytes.data() + begin, sizeof value);
    return value;
  };
  weights.count = read("ledger.count", "I64");
  weights.hash = read("ledger.hash", "U64");
  return weights;
}

}  // namespace swavd::e2e
