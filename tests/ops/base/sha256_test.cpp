#include "ops/base/sha256.h"

#include <gtest/gtest.h>

namespace swavd {
namespace {

// The examples of FIPS 180-4's companion document.
TEST(Sha256, MatchesTheStandardsExamples) {
  EXPECT_EQ(
      sha256_hex(as_bytes("abc")),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(
      sha256_hex({}),
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, PiecesGiveTheDigestOfTheWhole) {
  Sha256 hash;
  hash.update(as_bytes("a"));
  hash.update({});
  hash.update(as_bytes("bc"));
  EXPECT_EQ(hash.finish(), sha256(as_bytes("abc")));
}

}  // namespace
}  // namespace swavd
