// Each source of credentials, which is asked first, and when again.
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/s3/credential_sources.h"
#include "tests/state/s3/fake_surroundings.h"
#include "tests/state/s3/hostile_s3.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() {
    machine_.variables["AWS_EC2_METADATA_DISABLED"] = "true";
    machine_.variables["HOME"] = folder_.path().string();
  }

  std::string write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(
        std::filesystem::path(folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  Result<Credentials> read() {
    return credential_chain(options_, "eu-west-1", machine_.surroundings())();
  }

  TemporaryFolder folder_;
  FakeMachine machine_;
  S3Options options_;
};

TEST_F(CredentialsTest, FileOfTheOptionsIsTheOnlyPlaceAsked) {
  machine_.variables["AWS_ACCESS_KEY_ID"] = "ENV";
  machine_.variables["AWS_SECRET_ACCESS_KEY"] = "s";
  options_.credentials_file = write(
      "keys",
      "# c\n[other]\naws_access_key_id = O\naws_secret_access_key = o\n"
      "[default]\r\n aws_access_key_id=FILE \naws_secret_access_key = a=b\n"
      "aws_session_token = t\n");
  const auto found = read();
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found.value().key.id, "FILE");
  EXPECT_EQ(found.value().key.secret, "a=b");
  EXPECT_EQ(found.value().session_token, "t");
  options_.profile = "other";
  EXPECT_EQ(read().value().key.id, "O");
  options_.profile = "absent";
  const auto absent = read();
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kConfig);
  EXPECT_THAT(absent.error().message, HasSubstr("\"absent\""));
}

TEST_F(CredentialsTest, EnvironmentComesBeforeTheSharedFiles) {
  write(
      ".aws/credentials",
      "[default]\naws_access_key_id=F\naws_secret_access_key=f\n");
  EXPECT_EQ(read().value().key.id, "F");
  machine_.variables["AWS_ACCESS_KEY_ID"] = "ENV";
  EXPECT_EQ(read().error().code, ErrorCode::kConfig);  // half of a key
  machine_.variables["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_EQ(read().value().key.id, "ENV");
}

TEST_F(CredentialsTest, ConfigFileNamesProfilesInItsOwnWay) {
  write(
      ".aws/config",
      "[profile p]\naws_access_key_id=P\naws_secret_access_key=p\n");
  machine_.variables["AWS_PROFILE"] = "p";
  EXPECT_EQ(read().value().key.id, "P");
}

TEST_F(CredentialsTest, NoneAnywhereSaysWhatToSet) {
  const auto none = read();
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorCode::kConfig);
  EXPECT_THAT(none.error().message, HasSubstr("credentials_file"));
}

TEST_F(CredentialsTest, ProcessPrintsThem) {
  write(
      ".aws/config",
      "[default]\ncredential_process = printf '"
      R"({"Version":1,"AccessKeyId":"PROC","SecretAccessKey":"s",)"
      R"("SessionToken":"t","Expiration":"2027-01-15T09:00:00Z"})"
      "'\n");
  const auto found = read();
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found.value().key.id, "PROC");
  EXPECT_EQ(found.value().session_token, "t");
  EXPECT_EQ(found.value().expires_unix_ms, 1'800'003'600'000);
}

TEST_F(CredentialsTest, WhatAProcessPrintsIsInNoMessage) {
  for (const std::string command :
       {"echo CANARY; exit 3",
        "echo CANARY >&2; false",
        "echo CANARY",
        R"(echo '{"AccessKeyId":"CANARY"}')"}) {
    const auto found = process_credentials(command);
    ASSERT_FALSE(found.ok()) << command;
    EXPECT_THAT(found.error().message, Not(HasSubstr("CANARY")));
  }
}

TEST_F(CredentialsTest, WebIdentityIsExchangedForARole) {
  HostileS3 sts([](const SeenRequest&, std::size_t) {
    return Reply{
        200,
        "<AssumeRoleWithWebIdentityResponse xmlns=\"u\">"
        "<AssumeRoleWithWebIdentityResult><Credentials>"
        "<AccessKeyId>WEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        "<SessionToken>t</SessionToken>"
        "<Expiration>2027-01-15T09:00:00Z</Expiration></Credentials>"
        "</AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>"};
  });
  machine_.variables["AWS_ENDPOINT_URL_STS"] = sts.endpoint();
  machine_.variables["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/x";
  machine_.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = write("token", "tok+en");
  const auto found = read();
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found.value().key.id, "WEB");
  EXPECT_EQ(found.value().expires_unix_ms, 1'800'003'600'000);
  ASSERT_EQ(sts.seen().size(), 1U);
  EXPECT_THAT(sts.seen()[0].body, HasSubstr("WebIdentityToken=tok%2Ben"));
  EXPECT_THAT(
      sts.seen()[0].body, HasSubstr("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole"));
}

TEST_F(CredentialsTest, RefusedWebIdentityIsAnErrorAndNotPassedOver) {
  HostileS3 sts([](const SeenRequest&, std::size_t) {
    return Reply{
        403,
        "<ErrorResponse><Error><Code>InvalidIdentityToken</Code>"
        "<Message>CANARY</Message></Error></ErrorResponse>"};
  });
  machine_.variables["AWS_ENDPOINT_URL_STS"] = sts.endpoint();
  machine_.variables["AWS_ROLE_ARN"] = "arn";
  machine_.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = write("token", "CANARY");
  write(
      ".aws/credentials",
      "[default]\naws_access_key_id=F\naws_secret_access_key=f\n");
  const auto found = read();
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(
      found.error().message,
      AllOf(HasSubstr("InvalidIdentityToken"), Not(HasSubstr("CANARY"))));
}

TEST_F(CredentialsTest, InstanceGivesItsRoleForAToken) {
  HostileS3 metadata([](const SeenRequest& request, std::size_t) {
    if (request.method == "PUT") {
      return Reply{200, "imds-token"};
    }
    if (request.header("x-aws-ec2-metadata-token") != "imds-token") {
      return Reply{401};
    }
    return request.target.ends_with("/")
               ? Reply{200, "role-a\n"}
               : Reply{
                     200,
                     R"({"Code":"Success","AccessKeyId":"INST",)"
                     R"("SecretAccessKey":"s","Token":"t",)"
                     R"("Expiration":"2027-01-15T09:00:00Z"})"};
  });
  machine_.variables.erase("AWS_EC2_METADATA_DISABLED");
  machine_.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = metadata.endpoint();
  const auto found = read();
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found.value().key.id, "INST");
  EXPECT_EQ(found.value().session_token, "t");
  EXPECT_EQ(
      metadata.seen().back().target,
      "/latest/meta-data/iam/security-credentials/role-a");
}

TEST_F(CredentialsTest, AreReadAnewBeforeTheyExpireAndServeToTheirEnd) {
  int reads = 0;
  bool broken = false;
  CredentialCache cache(
      [&]() -> Result<Credentials> {
        ++reads;
        if (broken) {
          return Error{ErrorCode::kUnavailable, "nobody there"};
        }
        Credentials fresh;
        fresh.key.id = std::to_string(reads);
        fresh.expires_unix_ms = machine_.clock->now_ms + 3'600'000;
        return fresh;
      },
      machine_.clock);
  EXPECT_EQ(cache.get().value().key.id, "1");
  machine_.clock->now_ms += 50 * 60'000;
  EXPECT_EQ(cache.get().value().key.id, "1");
  machine_.clock->now_ms += 6 * 60'000;  // four minutes before the end
  broken = true;
  EXPECT_EQ(cache.get().value().key.id, "1");
  EXPECT_EQ(cache.get().value().key.id, "1");
  EXPECT_EQ(reads, 2);  // not asked again at once
  broken = false;
  machine_.clock->now_ms += 31'000;
  EXPECT_EQ(cache.get().value().key.id, "3");
  broken = true;
  machine_.clock->now_ms += 2 * 3'600'000;
  EXPECT_FALSE(cache.get().ok());
}

TEST_F(CredentialsTest, RefusedOnesAreReadAnewOnceForAllCallers) {
  int reads = 0;
  CredentialCache cache(
      [&]() -> Result<Credentials> {
        Credentials fresh;
        fresh.key.id = std::to_string(++reads);
        return fresh;
      },
      machine_.clock);
  const Credentials first = cache.get().value();
  EXPECT_EQ(cache.renew(first).value().key.id, "2");
  EXPECT_EQ(cache.renew(first).value().key.id, "2");
  EXPECT_EQ(reads, 2);
}

TEST(Expiry, IsReadWithAndWithoutAFraction) {
  EXPECT_EQ(parse_expiry("2027-01-15T08:00:00Z"), 1'800'000'000'000);
  EXPECT_EQ(parse_expiry("2027-01-15T08:00:00.5Z"), 1'800'000'000'500);
  EXPECT_EQ(parse_expiry("2027-01-15T08:00:00.123456Z"), 1'800'000'000'123);
  EXPECT_EQ(parse_expiry("2027-01-15T08:00:00+00:00"), 1'800'000'000'000);
  EXPECT_EQ(parse_expiry("soon"), std::nullopt);
  EXPECT_EQ(parse_expiry(""), std::nullopt);
  EXPECT_EQ(parse_expiry("2027-01-15T08:00:00+01:00"), std::nullopt);
}

}  // namespace
}  // namespace swavd::state
