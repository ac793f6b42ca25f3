#include "tests/state/s3/real_s3.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "tests/services/outside.h"

namespace swavd::state {

namespace {

constexpr const char* kBucket = "swavd-test";

/// $SWAVD_S3_SERVER as tests/services/s3.py takes it.
bool is_versitygw() {
  const char* name = std::getenv("SWAVD_S3_SERVER");
  return name != nullptr && std::string(name) == "versitygw";
}

std::string program_folder() {
  return services::deps_folder() +
         (is_versitygw() ? "/versitygw" : "/seaweedfs");
}

services::Ended service(const std::string& arguments, bool with_errors = true) {
  return services::run_service("s3.py", arguments, with_errors);
}

}  // namespace

RealS3::RealS3(std::string folder, std::string endpoint)
    : folder_(std::move(folder)),
      endpoint_(std::move(endpoint)) {}

std::unique_ptr<RealS3> RealS3::start(std::string& why) {
  if (!std::filesystem::exists(program_folder() + "/STAMP")) {
    why = "no S3 server in " + program_folder() + "; run: ops/setup/setup " +
          (is_versitygw() ? "versitygw" : "test");
    return nullptr;
  }
  std::string folder = testing::TempDir() + "s3XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    why = "no temporary folder";
    return nullptr;
  }
  const auto [text, ok] = service(
      fmt::format(
          "start --dir {} --bucket {} --owner {}", folder, kBucket, ::getpid()),
      false);
  if (!ok) {
    ADD_FAILURE() << "the S3 server did not start: see " << folder;
    why = "the S3 server did not start";
    return nullptr;
  }
  const auto answer = nlohmann::json::parse(text);
  std::ofstream(folder + "/credentials")
      << "[default]\naws_access_key_id = "
      << answer.at("access_key").get<std::string>()
      << "\naws_secret_access_key = "
      << answer.at("secret_key").get<std::string>() << "\n";
  return std::unique_ptr<RealS3>(
      new RealS3(folder, answer.at("endpoint").get<std::string>()));
}

RealS3* RealS3::shared(std::string& why) {
  static std::string reason;
  static const std::unique_ptr<RealS3> server = start(reason);
  why = reason;
  return server.get();
}

RealS3::~RealS3() {
  (void)service("kill --dir " + folder_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string RealS3::new_url() {
  return fmt::format("s3://{}/test{}", kBucket, given_++);
}

std::string RealS3::credentials_file() const {
  return folder_ + "/credentials";
}

S3Options RealS3::options() const {
  S3Options options;
  options.endpoint = endpoint_;
  options.credentials_file = credentials_file();
  return options;
}

void RealS3::kill() const {
  const auto [text, ok] = service("kill --dir " + folder_);
  EXPECT_TRUE(ok) << text;
}

void RealS3::restart() const {
  const auto [text, ok] = service("restart --dir " + folder_);
  EXPECT_TRUE(ok) << text;
}

}  // namespace swavd::state
