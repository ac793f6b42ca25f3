#include "ops/base/bytes.h"

#include <gtest/gtest.h>

#include "ops/base/clock.h"

namespace swavd {
namespace {

TEST(Bytes, HexIsLowerCaseWithLeadingZeros) {
  const ByteVector bytes = {0x00, 0x0f, 0xa5, 0xff};
  EXPECT_EQ(to_hex(bytes), "000fa5ff");
}

TEST(Bytes, BigEndianTextSortsLikeTheNumber) {
  EXPECT_LT(u64_be(255), u64_be(256));
  EXPECT_EQ(load_u64_be(u64_be(0x0123456789abcdefULL)), 0x0123456789abcdefULL);
}

TEST(Bytes, LittleEndianLoadReadsTheFirstByteAsTheLowest) {
  const ByteVector bytes = {1, 0, 0, 0, 0, 0, 0, 2};
  EXPECT_EQ(load_u64_le(bytes.data()), 0x0200000000000001ULL);
}

TEST(Clock, FormatsUtcWithMilliseconds) {
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_utc(1'700'000'000'123), "2023-11-14T22:13:20.123Z");
}

}  // namespace
}  // namespace swavd
