#include "ingest/kafka/client_config.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "ingest/streams.h"
#include "ops/base/bytes.h"
#include "ops/base/files.h"

namespace swavd::ingest {

namespace {

constexpr std::string_view kFileSuffix = "_file";

struct OwnedKey {
  std::string_view name;
  std::string_view because;
};

constexpr std::string_view kUrl = "the stream's URL sets it";
constexpr std::string_view kOffsets =
    "positions live in the snapshots, nowhere else";
constexpr std::string_view kReading = "which records are read depends on it";
constexpr std::string_view kWriting = "no record may be lost or doubled";
constexpr std::string_view kMemory = "the options of the stream bound memory";
constexpr std::string_view kCode = "it would load foreign code";
constexpr std::string_view kFake = "it would replace the brokers";

constexpr std::array<OwnedKey, 29> kOwned = {{
    {"bootstrap.servers", kUrl},
    {"metadata.broker.list", kUrl},
    {"group.id", "run names it"},
    {"group.instance.id", kOffsets},
    {"enable.auto.commit", kOffsets},
    {"auto.commit.enable", kOffsets},
    {"auto.commit.interval.ms", kOffsets},
    {"enable.auto.offset.store", kOffsets},
    {"offset.store.method", kOffsets},
    {"offset.store.path", kOffsets},
    {"auto.offset.reset", kOffsets},
    {"topic.auto.offset.reset", kOffsets},
    {"isolation.level", kReading},
    {"enable.partition.eof", kReading},
    {"allow.auto.create.topics", kReading},
    {"queued.max.messages.kbytes", kMemory},
    {"queue.buffering.max.kbytes", kMemory},
    {"message.max.bytes", kMemory},
    {"enable.idempotence", kWriting},
    {"acks", kWriting},
    {"request.required.acks", kWriting},
    {"message.timeout.ms", kWriting},
    {"delivery.timeout.ms", kWriting},
    {"transactional.id", kWriting},
    {"compression.type", "images do not compress"},
    {"compression.codec", "images do not compress"},
    {"plugin.library.paths", kCode},
    {"ssl.engine.location", kCode},
    {"test.mock.num.brokers", kFake},
}};

constexpr std::array<std::string_view, 6> kSecrets = {
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password"};

bool is_secret(std::string_view name) {
  return std::find(kSecrets.begin(), kSecrets.end(), name) != kSecrets.end();
}

Error bad_key(std::string_view name, std::string_view why) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("stream.client \"{}\": {}", name, why)};
}

/// The first line of a secret's file.
Result<std::string> read_secret(
    std::string_view name,
    const std::string& path) {
  const auto bytes = read_file(path);
  if (!bytes.ok()) {
    return bad_key(name, bytes.error().message);
  }
  std::string text(as_text(bytes.value()));
  // A PEM has line breaks of its own: only the end is trimmed.
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  if (text.empty()) {
    return bad_key(name, path + " is empty");
  }
  return text;
}

/// The user's table with secrets read and owned keys refused.
Result<Properties> resolve_user(
    const std::map<std::string, std::string>& user) {
  Properties properties;
  for (const auto& [key, value] : user) {
    const bool from_file = key.ends_with(kFileSuffix);
    const std::string name =
        from_file ? key.substr(0, key.size() - kFileSuffix.size()) : key;
    const auto owned = std::find_if(
        kOwned.begin(), kOwned.end(), [&name](const OwnedKey& candidate) {
          return candidate.name == name;
        });
    if (owned != kOwned.end()) {
      return bad_key(
          key, fmt::format("swavd owns this key: {}", owned->because));
    }
    if (is_secret(name) && !from_file) {
      return bad_key(
          key, fmt::format("give a secret by file: {}_file = \"...\"", name));
    }
    if (!from_file) {
      properties.emplace_back(name, value);
      continue;
    }
    auto secret = read_secret(key, value);
    if (!secret.ok()) {
      return secret.error();
    }
    properties.emplace_back(name, std::move(secret).value());
  }
  return properties;
}

Status set_all(rd_kafka_conf_t& conf, const Properties& properties) {
  std::array<char, 512> why{};
  for (const auto& [name, value] : properties) {
    const auto outcome = rd_kafka_conf_set(
        &conf, name.c_str(), value.c_str(), why.data(), why.size());
    if (outcome == RD_KAFKA_CONF_UNKNOWN) {
      return bad_key(name, "librdkafka knows no such property");
    }
    if (outcome != RD_KAFKA_CONF_OK) {
      // The library's words may repeat the value.
      return bad_key(
          name, is_secret(name) ? "the value is refused" : why.data());
    }
  }
  return ok_status();
}

Result<ConfHandle> make_conf(const ClientProperties& properties) {
  ConfHandle conf(rd_kafka_conf_new());
  SWAVD_RETURN_IF_ERROR(set_all(*conf, properties.defaults));
  const auto user = resolve_user(properties.user);
  if (!user.ok()) {
    return user.error();
  }
  SWAVD_RETURN_IF_ERROR(set_all(*conf, user.value()));
  SWAVD_RETURN_IF_ERROR(set_all(*conf, properties.fixed));
  return conf;
}

}  // namespace

Status check_client(const std::map<std::string, std::string>& client) {
  const auto conf = make_conf({{}, {}, client});
  return conf.ok() ? ok_status() : Status(conf.error());
}

Result<KafkaHandle> make_client(
    rd_kafka_type_t type,
    const ClientProperties& properties,
    ClientListener& listener) {
  auto conf = make_conf(properties);
  if (!conf.ok()) {
    return conf.error();
  }
  attach_listener(*conf.value(), listener);
  std::array<char, 512> why{};
  KafkaHandle client(
      rd_kafka_new(type, conf.value().get(), why.data(), why.size()));
  if (client == nullptr) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("stream.client: librdkafka refuses: {}", why.data())};
  }
  (void)conf.value().release();  // the client owns it now
  return client;
}

}  // namespace swavd::ingest
