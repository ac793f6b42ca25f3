#include "ingest/log/crc32c.h"

#include <numeric>

#include <gtest/gtest.h>

namespace swavd::ingest {
namespace {

TEST(Crc32c, GivesThePublishedValues) {
  // RFC 3720, B.4, and the usual check value.
  EXPECT_EQ(crc32c(ByteVector(32, 0x00)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(ByteVector(32, 0xff)), 0x62a8ab43U);
  ByteVector rising(32);
  std::iota(rising.begin(), rising.end(), std::uint8_t{0});
  EXPECT_EQ(crc32c(rising), 0x46dd794eU);
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
}

TEST(Crc32c, PiecesGiveWhatTheWholeGives) {
  const std::string_view text = "every image that decodes is trained on once";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(
        crc32c(
            as_bytes(text.substr(cut)), crc32c(as_bytes(text.substr(0, cut)))),
        crc32c(as_bytes(text)));
  }
}

TEST(Crc32c, TheTableAgreesWithTheInstruction) {
  ByteVector bytes;
  for (std::size_t size = 0; size < 70; ++size) {
    EXPECT_EQ(crc32c_by_table(bytes, 17), crc32c(bytes, 17)) << size;
    bytes.push_back(static_cast<std::uint8_t>(size * 37));
  }
}

}  // namespace
}  // namespace swavd::ingest
