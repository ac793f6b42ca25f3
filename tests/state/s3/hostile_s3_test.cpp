// What a real S3 server rarely answers, from a scripted one, and how often it
// is asked. No test waits: pauses pass at once.
#include "tests/state/s3/hostile_s3.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/s3/s3_object_store.h"
#include "tests/state/s3/fake_surroundings.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr const char* kStamp = "x-amz-meta-swavd-put";
const PutCondition kIfAbsent{PutCondition::Kind::kAbsent, {}};

Reply stored() {
  return {200, "", {{"ETag", "\"e1\""}}};
}

class HostileS3Test : public testing::Test {
 protected:
  HostileS3Test() {
    machine_.variables = {
        {"AWS_ACCESS_KEY_ID", "KEY1"}, {"AWS_SECRET_ACCESS_KEY", "CANARY"}};
  }

  /// A store at a server that follows `script`.
  ObjectStore& open(HostileS3::Script script) {
    server_ = std::make_unique<HostileS3>(std::move(script));
    options_.endpoint = server_->endpoint();
    options_.on_retry = [this](std::string_view reason) {
      reasons_.emplace_back(reason);
    };
    auto store = S3ObjectStore::open(
        "s3://bucket/pre", options_, machine_.surroundings());
    SWAVD_CHECK(store.ok());
    store_ = std::move(store).value();
    return *store_;
  }

  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const SeenRequest& request : server_->seen()) {
      lines.push_back(request.method + " " + request.target);
    }
    return lines;
  }

  FakeMachine machine_;
  S3Options options_;
  std::vector<std::string> reasons_;
  std::unique_ptr<HostileS3> server_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(HostileS3Test, SlowDownIsTriedAgainAfterJitteredPauses) {
  auto& store = open([](const SeenRequest&, std::size_t number) {
    return number < 4 ? s3_error(503, "SlowDown") : stored();
  });
  const auto put = put_text(store, "k", "text", {});
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(put.value(), "e1");
  EXPECT_THAT(lines(), AllOf(SizeIs(5), Each("PUT /bucket/pre/k")));
  EXPECT_THAT(reasons_, AllOf(SizeIs(4), Each("throttled")));
  ASSERT_THAT(machine_.pauses, SizeIs(4));
  milliseconds bound = options_.first_pause;
  for (const milliseconds pause : machine_.pauses) {
    EXPECT_LE(pause, bound);
    bound *= 2;
  }
  EXPECT_EQ(server_->seen().back().body, "text");
}

TEST_F(HostileS3Test, StalledTransferIsGivenUpAndTriedAgain) {
  options_.stall_timeout = std::chrono::seconds(1);
  auto& store = open([](const SeenRequest&, std::size_t number) {
    Reply reply = stored();
    reply.stall = number == 0;
    return reply;
  });
  const auto put = put_text(store, "k", "text", {});
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_THAT(reasons_, ElementsAre("timeout"));
}

TEST_F(HostileS3Test, StalledTransferEndsOnceItIsGivenUp) {
  std::atomic<bool> given_up = false;
  options_.give_up = [&given_up] { return given_up.load(); };
  auto& store = open([&given_up](const SeenRequest&, std::size_t) {
    given_up = true;
    Reply reply = stored();
    reply.stall = true;
    return reply;
  });
  const auto put = put_text(store, "k", "text", {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(put.error().message, HasSubstr("given_up"));
  EXPECT_EQ(get_text(store, "k").error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(lines(), SizeIs(1));
  EXPECT_THAT(reasons_, SizeIs(0));
}

TEST_F(HostileS3Test, PauseBeforeAnAttemptEndsOnceItIsGivenUp) {
  bool given_up = false;
  options_.give_up = [&] {
    return given_up = given_up || !machine_.pauses.empty();
  };
  auto& store = open([](const SeenRequest&, std::size_t) {
    Reply busy = s3_error(503, "SlowDown");
    busy.headers["Retry-After"] = "15";
    return busy;
  });
  EXPECT_FALSE(put_text(store, "k", "text", {}).ok());
  EXPECT_THAT(lines(), SizeIs(1));
  EXPECT_THAT(machine_.pauses, SizeIs(1));
}

TEST_F(HostileS3Test, RetryAfterIsHeeded) {
  auto& store = open([](const SeenRequest&, std::size_t number) {
    Reply busy = s3_error(429, "TooManyRequests");
    busy.headers["Retry-After"] = "3";
    return number == 0 ? busy : stored();
  });
  ASSERT_TRUE(put_text(store, "k", "text", {}).ok());
  EXPECT_THAT(machine_.pauses, ElementsAre(milliseconds(3000)));
}

TEST_F(HostileS3Test, GivesUpAfterItsAttemptsAndNamesTheObject) {
  options_.attempts = 3;
  auto& store = open([](const SeenRequest&, std::size_t) {
    return s3_error(500, "InternalError");
  });
  const auto put = put_text(store, "k", "text", {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      put.error().message,
      HasSubstr("PUT s3://bucket/pre/k: status 500 InternalError"));
  EXPECT_THAT(lines(), SizeIs(3));
}

TEST_F(HostileS3Test, BrokenDownloadGoesOnWhereItBroke) {
  const std::string body = "0123456789";
  auto& store = open([&](const SeenRequest&, std::size_t number) {
    Reply reply{200, body, {{"ETag", "\"v1\""}}};
    reply.cut = 4;
    if (number == 1) {
      reply = {206, body.substr(6), {{"ETag", "\"v1\""}}};
      reply.headers["Content-Range"] = "bytes 6-9/10";
    }
    return reply;
  });
  std::string got;
  const auto info = store.get("k", [&](Bytes piece) {
    got += as_text(piece);
    return ok_status();
  });
  ASSERT_TRUE(info.ok()) << info.error().message;
  EXPECT_EQ(got, body);
  EXPECT_EQ(info.value().bytes, 10U);
  EXPECT_EQ(info.value().etag, "v1");
  const auto seen = server_->seen();
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_EQ(seen[1].header("range"), "bytes=6-");
  EXPECT_EQ(seen[1].header("if-match"), "\"v1\"");
  EXPECT_THAT(reasons_, ElementsAre("truncated"));
}

TEST_F(HostileS3Test, HalvesOfTwoVersionsAreNotJoined) {
  auto& store = open([](const SeenRequest&, std::size_t number) {
    Reply reply{200, "0123456789", {{"ETag", "\"v1\""}}};
    reply.cut = 4;
    return number == 0 ? reply : s3_error(412, "PreconditionFailed");
  });
  const auto got = get_text(store, "k");
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(lines(), SizeIs(2));
}

TEST_F(HostileS3Test, ServerThatIgnoresRangesIsRefused) {
  auto& store = open([](const SeenRequest&, std::size_t) {
    return Reply{200, "0123456789", {{"ETag", "\"v1\""}}};
  });
  std::string got;
  const auto info = store.get_range("k", 2, 3, "", [&](Bytes piece) {
    got += as_text(piece);
    return ok_status();
  });
  ASSERT_FALSE(info.ok());
  EXPECT_EQ(got, "");
}

/// A put whose answer got lost, tried again, refused, and then looked at: the
/// object there is of the put that `stamp_of` tells.
HostileS3::Script lost_answer(
    const std::function<std::string(const std::string& own)>& stamp_of) {
  auto own = std::make_shared<std::string>();  // by the copies of the script
  return [own, stamp_of](const SeenRequest& request, std::size_t number) {
    if (number == 0) {
      *own = request.header(kStamp);
      Reply lost;
      lost.silent = true;
      return lost;
    }
    return request.method == "HEAD"
               ? Reply{200, "", {{"ETag", "\"e1\""}, {kStamp, stamp_of(*own)}}}
               : s3_error(412, "PreconditionFailed");
  };
}

TEST_F(HostileS3Test, PutWhoseAnswerGotLostFindsThatItWon) {
  auto& store = open(lost_answer([](const std::string& own) { return own; }));
  const auto put = put_text(store, "k", "text", kIfAbsent);
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(put.value(), "e1");
  EXPECT_THAT(
      lines(),
      ElementsAre(
          "PUT /bucket/pre/k", "PUT /bucket/pre/k", "HEAD /bucket/pre/k"));
}

TEST_F(HostileS3Test, PutWhoseAnswerGotLostFindsThatItLost) {
  auto& store = open(lost_answer([](const std::string&) { return "other"; }));
  const auto put = put_text(store, "k", "text", kIfAbsent);
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, ErrorCode::kFenced);
}

TEST_F(HostileS3Test, RefusedConditionIsFencedWithoutFurtherAttempts) {
  for (const int status : {412, 304}) {
    auto& store = open([status](const SeenRequest&, std::size_t) {
      return s3_error(status, "PreconditionFailed");
    });
    EXPECT_EQ(
        put_text(store, "k", "text", kIfAbsent).error().code,
        ErrorCode::kFenced);
    EXPECT_THAT(
        lines(), ElementsAre("PUT /bucket/pre/k", "HEAD /bucket/pre/k"));
    EXPECT_EQ(server_->seen()[0].header("if-none-match"), "*");
  }
}

TEST_F(HostileS3Test, AbsentObjectThatMustMatchIsFenced) {
  auto& store = open([](const SeenRequest&, std::size_t) {
    return s3_error(404, "NoSuchKey");
  });
  const auto put =
      put_text(store, "k", "text", {PutCondition::Kind::kMatches, "e0"});
  EXPECT_EQ(put.error().code, ErrorCode::kFenced);
  EXPECT_EQ(server_->seen()[0].header("if-match"), "\"e0\"");
}

TEST_F(HostileS3Test, ConflictOfTwoPutsIsTriedAgain) {
  auto& store = open([](const SeenRequest&, std::size_t number) {
    return number == 0 ? s3_error(409, "ConditionalRequestConflict") : stored();
  });
  EXPECT_TRUE(put_text(store, "k", "text", kIfAbsent).ok());
  EXPECT_THAT(reasons_, ElementsAre("conflict"));
}

TEST_F(HostileS3Test, WrongClockIsCorrectedByTheServersDate) {
  auto& store = open([](const SeenRequest&, std::size_t number) {
    Reply skewed = s3_error(403, "RequestTimeTooSkewed");
    skewed.headers["Date"] = "Fri, 15 Jan 2027 09:30:00 GMT";
    return number == 0 ? skewed : stored();
  });
  ASSERT_TRUE(put_text(store, "a", "text", {}).ok());
  ASSERT_TRUE(put_text(store, "b", "text", {}).ok());
  const auto seen = server_->seen();
  ASSERT_THAT(seen, SizeIs(3));
  EXPECT_EQ(seen[0].header("x-amz-date"), "20270115T080000Z");
  EXPECT_EQ(seen[1].header("x-amz-date"), "20270115T093000Z");
  EXPECT_EQ(seen[2].header("x-amz-date"), "20270115T093000Z");
  EXPECT_THAT(machine_.pauses, SizeIs(0));
}

TEST_F(HostileS3Test, ServerThatFindsEveryTimeWrongIsAskedTwice) {
  auto& store = open([](const SeenRequest&, std::size_t) {
    Reply skewed = s3_error(403, "RequestTimeTooSkewed");
    skewed.headers["Date"] = "Fri, 15 Jan 2027 09:30:00 GMT";
    return skewed;
  });
  const auto put = put_text(store, "a", "text", {});
  ASSERT_FALSE(put.ok());
  EXPECT_THAT(put.error().message, HasSubstr("set this machine's clock"));
  EXPECT_THAT(lines(), SizeIs(2));
}

TEST_F(HostileS3Test, RotatedKeyIsReadAnewOnce) {
  auto& store = open([this](const SeenRequest&, std::size_t number) {
    machine_.variables["AWS_ACCESS_KEY_ID"] = "KEY2";
    return number == 0 ? s3_error(403, "ExpiredToken") : stored();
  });
  ASSERT_TRUE(put_text(store, "k", "text", {}).ok());
  const auto seen = server_->seen();
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_THAT(seen[0].header("authorization"), HasSubstr("Credential=KEY1/"));
  EXPECT_THAT(seen[1].header("authorization"), HasSubstr("Credential=KEY2/"));
}

TEST_F(HostileS3Test, KeyThatStaysWrongIsSaidAfterOneRequest) {
  auto& store = open([](const SeenRequest&, std::size_t) {
    return s3_error(403, "InvalidAccessKeyId");
  });
  const auto put = put_text(store, "k", "text", {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      put.error().message,
      AllOf(HasSubstr("403 InvalidAccessKeyId"), HasSubstr("replace them")));
  EXPECT_THAT(lines(), SizeIs(1));
}

TEST_F(HostileS3Test, UnknownKeyIsNoAbsentObjectWhateverItsStatus) {
  auto& store = open([](const SeenRequest&, std::size_t) {
    return s3_error(404, "XAdminUserNotFound");
  });
  const auto text = get_text(store, "k");
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(text.error().message, HasSubstr("replace them"));
}

TEST_F(HostileS3Test, SecretsAndStrangersWordsAppearInNoMessage) {
  machine_.variables["AWS_SESSION_TOKEN"] = "CANARYTOKEN";
  auto& store = open([](const SeenRequest& request, std::size_t) {
    Reply echo = s3_error(403, "Denied<!-- -->");
    echo.body = "<Error><Code>AccessDenied</Code><Message>" +
                request.header("x-amz-security-token") + "</Message></Error>";
    return echo;
  });
  const auto put = put_text(store, "k", "text", {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(server_->seen()[0].header("x-amz-security-token"), "CANARYTOKEN");
  EXPECT_THAT(put.error().message, Not(HasSubstr("CANARY")));
  EXPECT_THAT(put.error().message, HasSubstr("403 AccessDenied"));
}

TEST_F(HostileS3Test, BucketOfAnotherRegionIsNamed) {
  auto& store = open([](const SeenRequest&, std::size_t) {
    Reply moved = s3_error(301, "PermanentRedirect");
    moved.headers["x-amz-bucket-region"] = "eu-west-3";
    return moved;
  });
  EXPECT_THAT(
      get_text(store, "k").error().message,
      HasSubstr("set object_store.region to \"eu-west-3\""));
}

/// Answers of an upload in parts; `odd` may answer differently.
HostileS3::Script multipart(
    const std::function<std::optional<Reply>(const SeenRequest&, std::size_t)>&
        odd) {
  return [odd](const SeenRequest& request, std::size_t number) {
    if (auto reply = odd(request, number)) {
      return *std::move(reply);
    }
    if (request.method == "POST" && request.target.ends_with("uploads=")) {
      return Reply{
          200,
          "<InitiateMultipartUploadResult><UploadId>u 1</UploadId>"
          "</InitiateMultipartUploadResult>"};
    }
    if (request.method == "POST") {
      return Reply{
          200,
          "<CompleteMultipartUploadResult><ETag>&quot;whole-3&quot;</ETag>"
          "</CompleteMultipartUploadResult>"};
    }
    return request.method == "DELETE" ? Reply{204} : stored();
  };
}

class HostileParts : public HostileS3Test {
 protected:
  HostileParts() {
    options_.multipart_bytes = 8;
    options_.part_bytes = 4;
  }

  Result<std::string> put(ObjectStore& store) {
    return put_text(store, "k", "0123456789", kIfAbsent);
  }
};

TEST_F(HostileParts, AreSentInOrderAndCompletedUnderTheCondition) {
  auto& store = open(
      multipart([](const SeenRequest&, std::size_t) { return std::nullopt; }));
  const auto etag = put(store);
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  EXPECT_EQ(etag.value(), "whole-3");
  EXPECT_THAT(
      lines(),
      ElementsAre(
          "POST /bucket/pre/k?uploads=",
          "PUT /bucket/pre/k?partNumber=1&uploadId=u%201",
          "PUT /bucket/pre/k?partNumber=2&uploadId=u%201",
          "PUT /bucket/pre/k?partNumber=3&uploadId=u%201",
          "POST /bucket/pre/k?uploadId=u%201"));
  const auto seen = server_->seen();
  EXPECT_EQ(seen[1].body + seen[2].body + seen[3].body, "0123456789");
  EXPECT_EQ(seen[4].header("if-none-match"), "*");
  EXPECT_THAT(seen[4].body, HasSubstr("<PartNumber>3</PartNumber>"));
}

TEST_F(HostileParts, HalfAnUploadIsAborted) {
  auto& store = open(multipart(
      [](const SeenRequest& request, std::size_t) -> std::optional<Reply> {
        if (request.target.find("partNumber=2") != std::string::npos) {
          return s3_error(403, "AccessDenied");
        }
        return std::nullopt;
      }));
  EXPECT_EQ(put(store).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(lines().back(), "DELETE /bucket/pre/k?uploadId=u%201");
}

TEST_F(HostileParts, FailureWithStatus200IsTriedAgain) {
  auto& store = open(multipart(
      [](const SeenRequest&, std::size_t number) -> std::optional<Reply> {
        if (number == 4) {
          return s3_error(200, "InternalError");
        }
        return std::nullopt;
      }));
  EXPECT_EQ(put(store).value(), "whole-3");
  EXPECT_THAT(reasons_, ElementsAre("server_error"));
}

TEST_F(HostileParts, LostRaceIsFencedAndAborted) {
  auto& store = open(multipart(
      [](const SeenRequest&, std::size_t number) -> std::optional<Reply> {
        if (number == 4) {
          return s3_error(412, "PreconditionFailed");
        }
        return std::nullopt;
      }));
  EXPECT_EQ(put(store).error().code, ErrorCode::kFenced);
  EXPECT_EQ(lines().back(), "DELETE /bucket/pre/k?uploadId=u%201");
}

TEST_F(HostileParts, CompletionWhoseAnswerGotLostIsFound) {
  std::string stamp;
  auto& store = open(multipart(
      [&stamp](const SeenRequest& request, std::size_t number)
          -> std::optional<Reply> {
        if (number == 0) {
          stamp = request.header(kStamp);
        } else if (number == 4) {
          Reply lost;
          lost.silent = true;
          return lost;
        } else if (number == 5) {
          return s3_error(404, "NoSuchUpload");
        } else if (request.method == "HEAD") {
          return Reply{200, "", {{"ETag", "\"whole-3\""}, {kStamp, stamp}}};
        }
        return std::nullopt;
      }));
  const auto etag = put(store);
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  EXPECT_EQ(etag.value(), "whole-3");
  EXPECT_THAT(lines().back(), "HEAD /bucket/pre/k");
}

TEST_F(HostileParts, AbandonedUploadsBelowThePrefixAreAborted) {
  auto& store = open([](const SeenRequest& request, std::size_t) {
    return request.method == "DELETE"
               ? Reply{204}
               : Reply{
                     200,
                     "<ListMultipartUploadsResult><IsTruncated>false"
                     "</IsTruncated><Upload><Key>pre/main/x</Key><UploadId>1"
                     "</UploadId></Upload><Upload><Key>pre/other/x</Key>"
                     "<UploadId>2</UploadId></Upload>"
                     "</ListMultipartUploadsResult>"};
  });
  ASSERT_TRUE(store.discard_unfinished("main/").ok());
  EXPECT_THAT(
      lines(),
      ElementsAre(
          "GET /bucket/?prefix=pre%2Fmain%2F&uploads=",
          "DELETE /bucket/pre/main/x?uploadId=1"));
}

TEST_F(HostileS3Test, ListingThatNeverEndsIsEnded) {
  auto& store = open([](const SeenRequest&, std::size_t) {
    return Reply{
        200,
        "<ListBucketResult><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>t</NextContinuationToken><Contents>"
        "<Key>pre%2Fa+b</Key><Size>3</Size></Contents></ListBucketResult>"};
  });
  const auto list = store.list("");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list.value()[0].key, "a b");
  EXPECT_THAT(lines(), SizeIs(2));
}

TEST_F(HostileS3Test, KeysThatServersUnderstandDifferentlyAreRefused) {
  auto& store = open([](const SeenRequest&, std::size_t) { return stored(); });
  for (const std::string key : {"", "/a", "a//b", "a/", "../a", "a/./b"}) {
    EXPECT_EQ(
        put_text(store, key, "x", {}).error().code, ErrorCode::kInvalidArgument)
        << key;
  }
  EXPECT_THAT(lines(), SizeIs(0));
}

TEST_F(HostileS3Test, StoreThatIgnoresConditionsFailsTheProbe) {
  auto& store = open([](const SeenRequest&, std::size_t) { return stored(); });
  const auto probed = probe_conditional_writes(store, "main/");
  ASSERT_FALSE(probed.ok());
  EXPECT_THAT(probed.error().message, HasSubstr("If-None-Match"));
  EXPECT_THAT(lines().back(), HasSubstr("DELETE /bucket/pre/main/validate-"));
}

}  // namespace
}  // namespace swavd::state
