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

// Test cases 2 and 6 of RFC 4231: a short key, and one longer than a block.
TEST(Sha256, HmacMatchesTheStandardsExamples) {
  EXPECT_EQ(
      to_hex(hmac_sha256(
          as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const ByteVector key(131, 0xaa);
  EXPECT_EQ(
      to_hex(hmac_sha256(
          key,
          as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace swavd
