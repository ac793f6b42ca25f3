#include "ingest/resume.h"

#include <gtest/gtest.h>

#include "ops/base/bytes.h"
#include "ops/base/sha256.h"

namespace swavd::ingest {

namespace {

Position position_at(std::int64_t next) {
  Position position;
  position.topic = "images";
  position.partition = 3;
  position.next = next;
  return position;
}

}  // namespace

TEST(Resume, APositionInsideTheBoundsContinuesAtNext) {
  for (const std::int64_t next : {10, 15, 20}) {
    const auto plan = plan_resume(position_at(next), {3, 10, 20}, OnGap::kStop);
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(plan.value().from, next);
    EXPECT_FALSE(plan.value().gap.has_value());
  }
}

TEST(Resume, LostOffsetsAreNamedAndCountedWithoutTheConsumedOnes) {
  Position position = position_at(100);
  position.done_above = {{105, 109}, {118, 125}};
  const auto plan = plan_resume(position, {3, 120, 500}, OnGap::kStop);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorCode::kNotFound);
  // 100-119 is 20 offsets; 105-109 and 118-119 were consumed.
  EXPECT_NE(plan.error().message.find("100 to 119"), std::string::npos);
  EXPECT_NE(plan.error().message.find("13 not yet"), std::string::npos)
      << plan.error().message;
}

TEST(Resume, AJumpGoesOnAtTheOldestOffset) {
  const auto plan = plan_resume(position_at(100), {3, 120, 500}, OnGap::kJump);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan.value().from, 120);
  EXPECT_EQ(plan.value().gap, (OffsetRange{100, 119}));
}

TEST(Resume, BeyondTheEndIsAnErrorEvenWhenGapsAreJumped) {
  EXPECT_FALSE(plan_resume(position_at(21), {3, 10, 20}, OnGap::kJump).ok());
  Position above = position_at(15);
  above.done_above = {{18, 20}};
  EXPECT_FALSE(plan_resume(above, {3, 10, 20}, OnGap::kJump).ok());
}

TEST(Resume, AFingerprintOutsideTheBoundsCannotBeRead) {
  Position position = position_at(15);
  EXPECT_FALSE(has_readable_fingerprint(position, {3, 10, 20}));
  position.last = Fingerprint{14, 5, "ab"};
  EXPECT_TRUE(has_readable_fingerprint(position, {3, 10, 20}));
  EXPECT_FALSE(has_readable_fingerprint(position, {3, 15, 20}));
  EXPECT_FALSE(has_readable_fingerprint(position, {3, 0, 14}));
}

TEST(Resume, AFingerprintIsPayloadAndTime) {
  Position position = position_at(15);
  const Bytes payload = as_bytes("abc");
  position.last = Fingerprint{14, 5, sha256_hex(payload)};
  EXPECT_TRUE(check_fingerprint(position, payload, 5).ok());
  EXPECT_TRUE(check_fingerprint(position, payload, -1).ok());
  EXPECT_FALSE(check_fingerprint(position, payload, 6).ok());
  EXPECT_FALSE(check_fingerprint(position, as_bytes("abd"), 5).ok());
}

TEST(Resume, HoldsFindsOffsetsInRanges) {
  const std::vector<OffsetRange> ranges = {{2, 4}, {8, 8}};
  for (const std::int64_t inside : {2, 3, 4, 8}) {
    EXPECT_TRUE(holds(ranges, inside));
  }
  for (const std::int64_t outside : {1, 5, 7, 9}) {
    EXPECT_FALSE(holds(ranges, outside));
  }
  EXPECT_FALSE(holds({}, 0));
}

}  // namespace swavd::ingest
