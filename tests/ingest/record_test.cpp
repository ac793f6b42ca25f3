#include "ingest/record.h"

#include <gtest/gtest.h>

namespace swavd::ingest {

TEST(Record, AnAddressIsTopicPartitionOffset) {
  EXPECT_EQ(
      to_string(Address{"images", 3, 1234567890123}), "images/3/1234567890123");
}

TEST(Record, TheLastOfSeveralHeadersCounts) {
  const Headers headers = {{"url", "a"}, {"sha256", "x"}, {"url", "b"}};
  EXPECT_EQ(find_header(headers, kHeaderUrl), "b");
  EXPECT_EQ(find_header(headers, kHeaderReason), "");
}

}  // namespace swavd::ingest
