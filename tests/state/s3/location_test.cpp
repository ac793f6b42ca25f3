#include "state/s3/location.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/state/s3/fake_surroundings.h"

namespace swavd::state {
namespace {

class LocationTest : public testing::Test {
 protected:
  Result<S3Location> at(const std::string& url) {
    return locate(url, options_, machine_.surroundings());
  }

  FakeMachine machine_;
  S3Options options_;
};

TEST_F(LocationTest, BucketStandsInTheHostAtAws) {
  options_.region = "eu-central-1";
  const auto found = at("s3://models/a/b");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value().host, "models.s3.eu-central-1.amazonaws.com");
  EXPECT_EQ(found.value().prefix, "a/b/");
  EXPECT_EQ(found.value().path_of("a/b/k"), "/a/b/k");
  EXPECT_EQ(found.value().name_of("a/b/k"), "s3://models/a/b/k");
}

TEST_F(LocationTest, BucketWithDotsAndOtherServersHaveItInThePath) {
  EXPECT_EQ(at("s3://my.models").value().host, "s3.us-east-1.amazonaws.com");
  EXPECT_EQ(at("s3://my.models").value().path_of("k"), "/my.models/k");
  options_.endpoint = "http://127.0.0.1:9000/";
  EXPECT_EQ(at("s3://models").value().host, "127.0.0.1:9000");
  EXPECT_EQ(at("s3://models").value().path_of("k"), "/models/k");
  options_.addressing = S3Addressing::kVirtual;
  EXPECT_EQ(at("s3://models").value().host, "models.127.0.0.1:9000");
}

TEST_F(LocationTest, EnvironmentFillsWhatTheOptionsLeaveOpen) {
  machine_.variables = {
      {"AWS_DEFAULT_REGION", "ap-south-1"},
      {"AWS_ENDPOINT_URL", "https://s3.example:8443"}};
  EXPECT_EQ(at("s3://models").value().region, "ap-south-1");
  EXPECT_EQ(at("s3://models").value().host, "s3.example:8443");
  machine_.variables["AWS_ENDPOINT_URL_S3"] = "https://other.example";
  EXPECT_EQ(at("s3://models").value().host, "other.example");
}

TEST_F(LocationTest, OtherTextsAreRefusedWithoutRepeatingPasswords) {
  for (const std::string url : {"s3://", "s3:///x", "s3://a", "s3://b@d/x"}) {
    EXPECT_EQ(at(url).error().code, ErrorCode::kInvalidArgument) << url;
  }
  for (const std::string endpoint :
       {"ftp://h", "h:9000", "https://", "https://u:CANARY@h", "http://h/p"}) {
    options_.endpoint = endpoint;
    const auto found = at("s3://models");
    ASSERT_FALSE(found.ok()) << endpoint;
    EXPECT_THAT(
        found.error().message, testing::Not(testing::HasSubstr("CANARY")));
  }
}

}  // namespace
}  // namespace swavd::state
