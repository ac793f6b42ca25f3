// The signer against the vectors that AWS has published: its Signature Version
// 4 test suite (service "service") and the examples of S3's documentation.
#include "state/s3/signer.h"

#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/sha256.h"
#include "state/s3/percent.h"

namespace swavd::state {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const SigningKey kSuiteKey{
    "AKIDEXAMPLE",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
const SigningScope kSuiteScope{"us-east-1", "service", "20150830T123600Z"};
const SigningKey kS3Key{
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
const SigningScope kS3Scope{"us-east-1", "s3", "20130524T000000Z"};

struct Vector {
  std::string name;
  std::string method;
  std::string path;
  NameValues query;
  NameValues more_headers;
  std::string body;
  std::string signature;
};

std::ostream& operator<<(std::ostream& out, const Vector& vector) {
  return out << vector.name;
}

class SignerSuite : public testing::TestWithParam<Vector> {};

TEST_P(SignerSuite, SignatureIsThePublishedOne) {
  const Vector& vector = GetParam();
  RequestToSign request{
      vector.method,
      vector.path,
      vector.query,
      {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", kSuiteScope.time}},
      sha256_hex(as_bytes(vector.body))};
  request.headers.insert(
      request.headers.end(),
      vector.more_headers.begin(),
      vector.more_headers.end());
  EXPECT_THAT(
      authorization(request, kSuiteScope, kSuiteKey),
      EndsWith("Signature=" + vector.signature))
      << canonical_request(request);
}

constexpr char kUnreservedText[] =
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr char kSuiteToken[] =
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHG"
    "BuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1N"
    "tBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHN"
    "VXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9"
    "FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

INSTANTIATE_TEST_SUITE_P(
    Published,
    SignerSuite,
    testing::Values(
        Vector{
            "get-vanilla",
            "GET",
            "/",
            {},
            {},
            "",
            "5fa00fa31553b73ebf1942676e86291e"
            "8372ff2a2260956d9b8aae1d763fbf31"},
        Vector{
            "get-vanilla-query-order-key-case",
            "GET",
            "/",
            {{"Param2", "value2"}, {"Param1", "value1"}},
            {},
            "",
            "b97d918cfa904a5beff61c982a1b6f45"
            "8b799221646efd99d3219ec94cdf2500"},
        Vector{
            "get-vanilla-query-order-key",
            "GET",
            "/",
            {{"Param1", "value2"}, {"Param1", "Value1"}},
            {},
            "",
            "eedbc4e291e521cf13422ffca22be7d2"
            "eb8146eecf653089df300a15b2382bd1"},
        Vector{
            "get-vanilla-query-order-value",
            "GET",
            "/",
            {{"Param1", "value2"}, {"Param1", "value1"}},
            {},
            "",
            "5772eed61e12b33fae39ee5e7012498b"
            "51d56abc0abb7c60486157bd471c4694"},
        Vector{
            "get-vanilla-query-unreserved",
            "GET",
            "/",
            {{kUnreservedText, kUnreservedText}},
            {},
            "",
            "9c3e54bfcdf0b19771a7f523ee5669cd"
            "f59bc7cc0884027167c21bb143a40197"},
        Vector{
            "get-vanilla-utf8-query",
            "GET",
            "/",
            {{"\xe1\x88\xb4", "bar"}},
            {},
            "",
            "2cdec8eed098649ff3a119c94853b13c"
            "643bcf08f8b0a1d91e12c9027818dd04"},
        Vector{
            "get-unreserved",
            "GET",
            std::string("/") + kUnreservedText,
            {},
            {},
            "",
            "07ef7494c76fa4850883e2b006601f94"
            "0f8a34d404d0cfa977f52a65bbf5f24f"},
        Vector{
            "get-utf8",
            "GET",
            "/\xe1\x88\xb4",
            {},
            {},
            "",
            "8318018e0b0f223aa2bbf98705b62bb7"
            "87dc9c0e678f255a891fd03141be5d85"},
        Vector{
            "get-header-key-duplicate",
            "GET",
            "/",
            {},
            {{"My-Header1", "value2"},
             {"My-Header1", "value2"},
             {"My-Header1", "value1"}},
            "",
            "c9d5ea9f3f72853aea855b47ea873832"
            "890dbdd183b4468f858259531a5138ea"},
        Vector{
            "get-header-value-order",
            "GET",
            "/",
            {},
            {{"My-Header1", "value4"},
             {"My-Header1", "value1"},
             {"My-Header1", "value3"},
             {"My-Header1", "value2"}},
            "",
            "08c7e5a9acfcfeb3ab6b2185e75ce8b1"
            "deb5e634ec47601a50643f830c755c01"},
        Vector{
            "get-header-value-trim",
            "GET",
            "/",
            {},
            {{"My-Header1", " value1"}, {"My-Header2", "\"a   b   c\" "}},
            "",
            "acc3ed3afb60bb290fc8d2dd0098b991"
            "1fcaa05412b367055dee359757a9c736"},
        Vector{
            "post-vanilla",
            "POST",
            "/",
            {},
            {},
            "",
            "5da7c1a2acd57cee7505fc6676e4e544"
            "621c30862966e37dddb68e92efbe5d6b"},
        Vector{
            "post-vanilla-query",
            "POST",
            "/",
            {{"Param1", "value1"}},
            {},
            "",
            "28038455d6de14eafc1f9222cf5aa6f1"
            "a96197d7deb8263271d420d138af7f11"},
        Vector{
            "post-header-key-sort",
            "POST",
            "/",
            {},
            {{"My-Header1", "value1"}},
            "",
            "c5410059b04c1ee005303aed430f6e66"
            "45f61f4dc9e1461ec8f8916fdf18852c"},
        Vector{
            "post-header-value-case",
            "POST",
            "/",
            {},
            {{"My-Header1", "VALUE1"}},
            "",
            "cdbc9802e29d2942e5e10b5bccfdd67c"
            "5f22c7c4e8ae67b53629efa58b974b7d"},
        Vector{
            "post-sts-header-before",
            "POST",
            "/",
            {},
            {{"X-Amz-Security-Token", kSuiteToken}},
            "",
            "85d96828115b5dc0cfc3bd16ad9e210d"
            "d772bbebba041836c64533a82be05ead"},
        Vector{
            "post-x-www-form-urlencoded",
            "POST",
            "/",
            {},
            {{"Content-Type", "application/x-www-form-urlencoded"}},
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5"
            "ac45fc38421b1da7b9d196a0fe09473a"}),
    [](const testing::TestParamInfo<Vector>& vector) {
      std::string name = vector.param.name;
      for (char& c : name) {
        c = c == '-' ? '_' : c;
      }
      return name;
    });

RequestToSign s3_request(
    std::string method,
    std::string path,
    NameValues query,
    NameValues more_headers,
    const std::string& body) {
  const std::string digest = sha256_hex(as_bytes(body));
  NameValues headers = {
      {"host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-content-sha256", digest},
      {"x-amz-date", kS3Scope.time}};
  headers.insert(headers.end(), more_headers.begin(), more_headers.end());
  return {
      std::move(method), std::move(path), std::move(query), headers, digest};
}

TEST(Signer, MatchesTheExamplesOfTheS3Documentation) {
  EXPECT_EQ(
      authorization(
          s3_request("GET", "/test.txt", {}, {{"range", "bytes=0-9"}}, ""),
          kS3Scope,
          kS3Key),
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
      "aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
      "Signature="
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_THAT(
      authorization(
          s3_request(
              "PUT",
              "/test$file.text",
              {},
              {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
               {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
              "Welcome to Amazon S3."),
          kS3Scope,
          kS3Key),
      EndsWith(
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
  EXPECT_THAT(
      authorization(
          s3_request("GET", "/", {{"lifecycle", ""}}, {}, ""),
          kS3Scope,
          kS3Key),
      EndsWith(
          "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
  EXPECT_THAT(
      authorization(
          s3_request("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, ""),
          kS3Scope,
          kS3Key),
      EndsWith(
          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(Signer, PathsKeepTheirSlashesAndLoseNoOtherSign) {
  EXPECT_EQ(
      percent_encode("/b/a=1+2 3%.safetensors", Slash::kKept),
      "/b/a%3D1%2B2%203%25.safetensors");
  EXPECT_EQ(percent_encode("a/b", Slash::kEncoded), "a%2Fb");
}

TEST(Signer, KeysOfAListingAreDecoded) {
  EXPECT_EQ(percent_decode("a%2Fb+c%2B%E1%88%B4"), "a/b c+\xe1\x88\xb4");
  EXPECT_EQ(percent_decode("100%"), "100%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("%zz%41"), "%zzA");
}

TEST(Signer, TimeIsWrittenWithoutSigns) {
  EXPECT_EQ(signing_time(1'440'938'160'999), "20150830T123600Z");
}

TEST(Signer, SecretIsNotPartOfWhatIsSent) {
  EXPECT_THAT(
      authorization(s3_request("GET", "/", {}, {}, ""), kS3Scope, kS3Key),
      Not(HasSubstr(kS3Key.secret)));
}

}  // namespace
}  // namespace swavd::state
