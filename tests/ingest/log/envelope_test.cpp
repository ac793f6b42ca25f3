#include "ingest/log/envelope.h"

#include <string>

#include <gtest/gtest.h>

#include "ops/base/bytes.h"
#include "ops/base/files.h"
#include "tests/ingest/log/log_test_kit.h"

namespace swavd::ingest {
namespace {

OutRecord golden_record() {
  OutRecord record;
  record.timestamp_ms = 1700000000123;
  record.key = "k1";
  record.headers = {{"url", "http://h/a.png"}, {"content-type", "image/png"}};
  record.payload = {0x89, 'P', 'N', 'G'};
  return record;
}

std::string stored(const OutRecord& record) {
  return encode_head(record) + std::string(as_text(record.payload));
}

TEST(Envelope, IsWhatTheFormatPageShows) {
  const auto file = read_file(SWAVD_TEST_SOURCE_DIR
                              "/tests/golden/embedded_stream_record_v1.hex");
  ASSERT_TRUE(file.ok()) << file.error().message;
  std::string golden(as_text(file.value()));
  std::erase(golden, '\n');
  EXPECT_EQ(to_hex(as_bytes(stored(golden_record()))), golden);
}

TEST(Envelope, GivesTheRecordBack) {
  const OutRecord record = golden_record();
  const auto back = decode_record(stored(record));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back.value().timestamp_ms, record.timestamp_ms);
  EXPECT_EQ(back.value().key, record.key);
  EXPECT_EQ(back.value().headers, record.headers);
  EXPECT_EQ(back.value().payload, record.payload);
}

TEST(Envelope, KeepsAnEmptyRecord) {
  const auto back = decode_record(stored(OutRecord{}));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back.value().timestamp_ms, -1);
  EXPECT_TRUE(back.value().payload.empty());
  EXPECT_EQ(stored(OutRecord{}).size(), kEnvelopeBytes);
}

TEST(Envelope, EveryFlippedBitIsNoticed) {
  const std::string value = stored(golden_record());
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string damaged = value;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto back = decode_record(damaged);
    ASSERT_FALSE(back.ok()) << "bit " << bit;
    EXPECT_EQ(back.error().code, ErrorCode::kCorruption);
  }
}

TEST(Envelope, EveryCutIsNoticed) {
  const std::string value = stored(golden_record());
  for (std::size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(decode_record(value.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(decode_record(value + "x").ok());
}

TEST(Envelope, AnUnknownVersionIsNamed) {
  std::string value = stored(golden_record());
  value[0] = 9;
  const auto back = decode_record(value);
  ASSERT_FALSE(back.ok());
  EXPECT_NE(back.error().message.find("version 9"), std::string::npos);
}

}  // namespace
}  // namespace swavd::ingest
