#include "ingest/streams.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace swavd::ingest {

namespace {

constexpr std::string_view kKafkaScheme = "kafka://";
constexpr std::string_view kLogScheme = "log://";
constexpr std::string_view kForms =
    "a stream is kafka://HOST:PORT[,HOST:PORT...]/TOPIC or "
    "log:///FOLDER/TOPIC";
constexpr std::size_t kLongestTopic = 249;  // Kafka's own limit

Error bad_url(std::string_view text, std::string_view why) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("stream \"{}\": {}; {}", text, why, kForms)};
}

/// Empty when `topic` is one that Kafka takes, else what is wrong.
std::string topic_objection(std::string_view topic) {
  if (topic.empty()) {
    return "it names no topic";
  }
  if (topic.size() > kLongestTopic || topic == "." || topic == "..") {
    return fmt::format("\"{}\" cannot be a topic", topic);
  }
  const auto wrong = std::find_if(topic.begin(), topic.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    return !letter && !digit && c != '.' && c != '_' && c != '-';
  });
  if (wrong != topic.end()) {
    return fmt::format(
        "a topic is made of letters, digits, '.', '_' and '-', not '{}'",
        *wrong);
  }
  return "";
}

/// Empty when `broker` is HOST:PORT or [IPV6]:PORT, else what is wrong.
std::string broker_objection(std::string_view broker) {
  const std::size_t colon = broker.rfind(':');
  const std::size_t bracket = broker.rfind(']');
  const bool bare = colon == std::string_view::npos ||
                    (bracket != std::string_view::npos && colon < bracket);
  if (broker.empty() || colon == 0) {
    return "a broker has no host";
  }
  if (bare) {
    return fmt::format(
        "broker \"{}\" has no port (Kafka's usual one is 9092)", broker);
  }
  if (broker.find(':') != colon && broker.front() != '[') {
    return fmt::format(
        "write the IPv6 address of broker \"{}\" in brackets", broker);
  }
  const std::string_view digits = broker.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const bool whole = end == digits.data() + digits.size();
  if (error != std::errc{} || !whole || port == 0 || port > 65535) {
    return fmt::format(
        "port \"{}\" of broker \"{}\" is not a number from 1 to 65535",
        digits,
        broker);
  }
  return "";
}

std::string brokers_objection(std::string_view brokers) {
  while (true) {
    const std::size_t comma = brokers.find(',');
    const std::string why = broker_objection(brokers.substr(0, comma));
    if (!why.empty() || comma == std::string_view::npos) {
      return why;
    }
    brokers.remove_prefix(comma + 1);
  }
}

Result<StreamUrl> parse_kafka(std::string_view text) {
  const std::string_view rest = text.substr(kKafkaScheme.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) {
    return bad_url(text, "it names no topic");
  }
  StreamUrl url;
  url.kind = StreamUrl::Kind::kKafka;
  url.brokers = rest.substr(0, slash);
  url.topic = rest.substr(slash + 1);
  if (const std::string why = brokers_objection(url.brokers); !why.empty()) {
    return bad_url(text, why);
  }
  if (const std::string why = topic_objection(url.topic); !why.empty()) {
    return bad_url(text, why);
  }
  return url;
}

Result<StreamUrl> parse_log(std::string_view text) {
  const std::string_view path = text.substr(kLogScheme.size());
  if (path.empty() || path.front() != '/') {
    return bad_url(text, "the folder must be absolute: three slashes");
  }
  const std::size_t slash = path.rfind('/');
  if (slash == 0) {
    return bad_url(text, "it names no folder");
  }
  StreamUrl url;
  url.kind = StreamUrl::Kind::kLog;
  url.folder = path.substr(0, slash);
  url.topic = path.substr(slash + 1);
  if (const std::string why = topic_objection(url.topic); !why.empty()) {
    return bad_url(text, why);
  }
  return url;
}

}  // namespace

Result<StreamUrl> parse_stream_url(std::string_view text) {
  if (text.starts_with(kKafkaScheme)) {
    return parse_kafka(text);
  }
  if (text.starts_with(kLogScheme)) {
    return parse_log(text);
  }
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    return bad_url(
        text, fmt::format("unknown scheme \"{}\"", text.substr(0, scheme)));
  }
  if (text.starts_with('/')) {
    return bad_url(text, fmt::format("did you mean \"log://{}\"?", text));
  }
  return bad_url(text, "it has no scheme");
}

std::string to_string(const StreamUrl& url) {
  if (url.kind == StreamUrl::Kind::kKafka) {
    return fmt::format("{}{}/{}", kKafkaScheme, url.brokers, url.topic);
  }
  return fmt::format("{}{}/{}", kLogScheme, url.folder, url.topic);
}

StreamUrl dead_letter_url(const StreamUrl& url, std::int32_t rank) {
  StreamUrl dead = url;
  dead.topic += ".dead";
  if (url.kind == StreamUrl::Kind::kLog) {
    // An embedded stream has one writer: each rank gets a stream of its own.
    dead.folder += "/" + dead.topic;
    dead.topic = std::to_string(rank);
  }
  return dead;
}

}  // namespace swavd::ingest
