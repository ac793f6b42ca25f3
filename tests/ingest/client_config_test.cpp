#include "ingest/kafka/client_config.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "ingest/kafka/reader_config.h"
#include "ingest/streams.h"

namespace swavd::ingest {

namespace {

std::string refusal(const std::map<std::string, std::string>& client) {
  const Status status = check_client(client);
  if (status.ok()) {
    ADD_FAILURE() << client.begin()->first << " was accepted";
    return "";
  }
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(
      status.error().message.find("\"" + client.begin()->first + "\""),
      std::string::npos)
      << status.error().message;
  return status.error().message;
}

void expect_refusal(
    const std::map<std::string, std::string>& client,
    std::string_view about) {
  const std::string message = refusal(client);
  EXPECT_NE(message.find(about), std::string::npos) << message;
}

/// A file that goes with the test.
class SecretFile {
 public:
  explicit SecretFile(const std::string& text) {
    path_ = ::testing::TempDir() + "secretXXXXXX";
    ::close(::mkstemp(path_.data()));
    std::ofstream(path_) << text;
  }

  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;

  ~SecretFile() { ::unlink(path_.c_str()); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string value_of(rd_kafka_t& client, const char* name) {
  char text[512];
  std::size_t size = sizeof(text);
  EXPECT_EQ(
      rd_kafka_conf_get(rd_kafka_conf(&client), name, text, &size),
      RD_KAFKA_CONF_OK)
      << name;
  return text;
}

}  // namespace

TEST(StreamClient, AnyPropertyOfTheLibraryPasses) {
  EXPECT_TRUE(check_client({}).ok());
  EXPECT_TRUE(check_client({{"security.protocol", "SASL_SSL"},
                            {"sasl.mechanism", "SCRAM-SHA-512"},
                            {"sasl.username", "swavd"},
                            {"ssl.ca.location", "/etc/ca.pem"},
                            {"linger.ms", "50"},
                            {"fetch.wait.max.ms", "100"}})
                  .ok());
}

TEST(StreamClient, KeysThatSwavdOwnsAreRefusedByName) {
  for (const std::string key :
       {"bootstrap.servers",
        "group.id",
        "enable.auto.commit",
        "auto.offset.reset",
        "isolation.level",
        "enable.idempotence",
        "acks",
        "compression.type",
        "message.timeout.ms",
        "plugin.library.paths",
        "queued.max.messages.kbytes",
        "test.mock.num.brokers"}) {
    expect_refusal({{key, "1"}}, "swavd owns this key");
    expect_refusal({{key + "_file", "/x"}}, "swavd owns this key");
  }
}

TEST(StreamClient, UnknownKeysAndWrongValuesAreRefused) {
  expect_refusal({{"linger.msec", "5"}}, "no such property");
  expect_refusal({{"linger.ms", "soon"}}, "linger.ms");
}

TEST(StreamClient, SecretsComeFromFilesOnly) {
  expect_refusal({{"sasl.password", "hunter2"}}, "sasl.password_file");
  EXPECT_EQ(
      refusal({{"sasl.password", "hunter2"}}).find("hunter2"),
      std::string::npos);
  const SecretFile secret("hunter2\n");
  EXPECT_TRUE(check_client({{"sasl.password_file", secret.path()}}).ok());
  expect_refusal({{"sasl.password_file", "/absent/secret"}}, "/absent/secret");
  const SecretFile empty("\n");
  expect_refusal({{"sasl.password_file", empty.path()}}, "is empty");
}

TEST(StreamClient, TheClientGetsTheSecretAndWhatSwavdFixes) {
  const SecretFile secret("hunter2\r\n");
  SourceOptions options;
  options.run = "r1";
  options.client = {
      {"sasl.password_file", secret.path()}, {"fetch.wait.max.ms", "77"}};
  StreamUrl url;
  url.brokers = "127.0.0.1:1";
  ClientListener listener;
  const auto client = make_client(
      RD_KAFKA_CONSUMER, reader_properties(url, options, 4 << 20), listener);
  ASSERT_TRUE(client.ok()) << client.error().message;
  rd_kafka_t& raw = *client.value();
  EXPECT_EQ(value_of(raw, "sasl.password"), "hunter2");
  EXPECT_EQ(value_of(raw, "fetch.wait.max.ms"), "77");
  EXPECT_EQ(value_of(raw, "group.id"), "swavd-r1");
  EXPECT_EQ(value_of(raw, "enable.auto.commit"), "false");
  EXPECT_EQ(value_of(raw, "enable.auto.offset.store"), "false");
  EXPECT_EQ(value_of(raw, "isolation.level"), "read_uncommitted");
  EXPECT_EQ(value_of(raw, "auto.offset.reset"), "error");
  EXPECT_EQ(value_of(raw, "queued.max.messages.kbytes"), "4096");
}

TEST(PrefetchShare, IsTheWholeAmongThePartitions) {
  const PrefetchShare share = share_prefetch(256 << 20, 8);
  EXPECT_EQ(8 * (share.client_bytes + share.ready_bytes), 256U << 20U);
  // Never so little that a partition could not hold a second's worth of a
  // slow stream.
  EXPECT_GE(share_prefetch(0, 1000).client_bytes, 1U << 20U);
}

}  // namespace swavd::ingest
