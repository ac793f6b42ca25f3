#include "ingest/streams.h"

#include <gtest/gtest.h>

namespace swavd::ingest {

namespace {

/// The complaint about `text`; a failure when there is none.
std::string complaint(std::string_view text) {
  const auto url = parse_stream_url(text);
  if (url.ok()) {
    ADD_FAILURE() << text << " was accepted";
    return "";
  }
  EXPECT_EQ(url.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(url.error().message.find("kafka://HOST:PORT"), std::string::npos);
  return url.error().message;
}

void expect_complaint(std::string_view text, std::string_view about) {
  const std::string message = complaint(text);
  EXPECT_NE(message.find(about), std::string::npos) << message;
}

}  // namespace

TEST(StreamUrl, KafkaNamesBrokersAndTopic) {
  const auto url = parse_stream_url("kafka://a.example:9092,[::1]:9093/images");
  ASSERT_TRUE(url.ok()) << url.error().message;
  EXPECT_EQ(url.value().kind, StreamUrl::Kind::kKafka);
  EXPECT_EQ(url.value().brokers, "a.example:9092,[::1]:9093");
  EXPECT_EQ(url.value().topic, "images");
}

TEST(StreamUrl, LogNamesFolderAndTopic) {
  const auto url = parse_stream_url("log:///var/lib/swavd/stream/images");
  ASSERT_TRUE(url.ok()) << url.error().message;
  EXPECT_EQ(url.value().kind, StreamUrl::Kind::kLog);
  EXPECT_EQ(url.value().folder, "/var/lib/swavd/stream");
  EXPECT_EQ(url.value().topic, "images");
}

TEST(StreamUrl, ItsTextReadsBack) {
  for (const std::string_view text :
       {"kafka://a:1,b:2/images.dead", "log:///a/b c/images"}) {
    EXPECT_EQ(to_string(parse_stream_url(text).value()), text);
  }
}

TEST(StreamUrl, WrongOnesAreExplained) {
  expect_complaint("kafka://localhost/images", "usual one is 9092");
  expect_complaint("kafka://localhost:9092", "no topic");
  expect_complaint("kafka://localhost:9092/", "no topic");
  expect_complaint("kafka://:9092/images", "no host");
  expect_complaint("kafka://a:9092,/images", "no host");
  expect_complaint("kafka://a:99999/images", "99999");
  expect_complaint("kafka://a:x/images", "\"x\"");
  expect_complaint("kafka://::1:9092/images", "brackets");
  expect_complaint("kafka://a:1/im ages", "' '");
  expect_complaint("kafka://a:1/a/b", "'/'");
  expect_complaint("kafka://a:1/..", "cannot be a topic");
  expect_complaint("log://folder/images", "three slashes");
  expect_complaint("log:///images", "no folder");
  expect_complaint("log:///a/", "no topic");
  expect_complaint("kafak://a:1/images", "\"kafak\"");
  expect_complaint("/var/lib/images", "log:///var/lib/images");
  expect_complaint("images", "no scheme");
}

TEST(StreamUrl, DeadLettersHaveAStreamOfTheirOwn) {
  const auto kafka = parse_stream_url("kafka://a:1/images").value();
  EXPECT_EQ(to_string(dead_letter_url(kafka, 3)), "kafka://a:1/images.dead");
  const auto log = parse_stream_url("log:///d/images").value();
  EXPECT_EQ(to_string(dead_letter_url(log, 3)), "log:///d/images.dead/3");
}

}  // namespace swavd::ingest
