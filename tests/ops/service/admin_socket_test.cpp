#include <filesystem>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ops/service/http_server.h"
#include "ops/service/net/listener.h"
#include "tests/ops/service/raw_client.h"
#include "tests/ops/service/temp_folder.h"

namespace swavd::service {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

HttpAnswer echo(const std::string& command, const std::string& argument) {
  if (command == "bad") {
    return {409, "text/plain", "not while " + argument};
  }
  return {200, "application/json", command + "(" + argument + ")"};
}

class AdminSocket : public testing::Test {
 protected:
  void start() {
    auto server = start_admin_socket(path_, echo);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
  }

  TempFolder folder_;
  std::string path_ = folder_ / "admin.sock";
  std::unique_ptr<HttpServer> server_;
};

TEST_F(AdminSocket, CarriesCommandsWithTheirArguments) {
  start();
  EXPECT_EQ(admin_call(path_, "status", "").value(), "status()");
  EXPECT_EQ(
      admin_call(path_, "snapshot", "now=1&x=%20\n").value(),
      "snapshot(now=1&x=%20\n)");
  EXPECT_EQ(admin_call(path_, "set rate", "0.1").value(), "set rate(0.1)");
  const std::string large(40'000, 'x');
  EXPECT_EQ(admin_call(path_, "pin", large).value(), "pin(" + large + ")");
}

TEST_F(AdminSocket, ARefusalComesBackAsAnErrorWithItsWords) {
  start();
  const auto answer = admin_call(path_, "bad", "draining");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(answer.error().message, "not while draining");
}

TEST_F(AdminSocket, AnArgumentBeyondTheLimitIsRefused) {
  start();
  EXPECT_FALSE(admin_call(path_, "pin", std::string(100'000, 'x')).ok());
  EXPECT_TRUE(admin_call(path_, "status", "").ok());
}

TEST_F(AdminSocket, IsForItsGroupAndNobodyElse) {
  start();

  struct stat info {};

  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);
}

TEST_F(AdminSocket, LookingIsForGetAndDoingForPost) {
  start();
  EXPECT_THAT(
      RawClient(path_).exchange("GET /status HTTP/1.1\r\nHost: x\r\n\r\n"),
      AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("status()")));
  EXPECT_THAT(
      RawClient(path_).exchange("GET /drain HTTP/1.1\r\nHost: x\r\n\r\n"),
      StartsWith("HTTP/1.1 405"));
}

TEST_F(AdminSocket, NobodyThereIsNamed) {
  const auto answer = admin_call(path_, "status", "");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr(path_));
}

TEST_F(AdminSocket, ASecondDaemonIsRefusedAndTheFirstGoesOn) {
  start();
  const auto second = start_admin_socket(path_, echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      second.error().message,
      AllOf(HasSubstr("another daemon serves"), HasSubstr(path_)));
  EXPECT_TRUE(admin_call(path_, "status", "").ok());
}

TEST_F(AdminSocket, TheFileOfADeadDaemonIsReplaced) {
  {
    // What kill -9 leaves: a file without a listener.
    const auto dead = listen_unix(path_);
    ASSERT_TRUE(dead.ok());
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  start();
  EXPECT_TRUE(admin_call(path_, "status", "").ok());
}

TEST_F(AdminSocket, AFileThatIsNoSocketIsLeftAlone) {
  folder_.write("admin.sock", "precious");
  const auto server = start_admin_socket(path_, echo);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().code, ErrorCode::kIo);
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(AdminSocket, AFolderThatIsNotThereIsNamed) {
  const auto server = start_admin_socket(folder_ / "no/admin.sock", echo);
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(server.error().message, HasSubstr("no/admin.sock"));
}

TEST_F(AdminSocket, TheFileIsGoneAfterTheEndUnlessItIsAnothers) {
  start();
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));

  start();
  std::filesystem::remove(path_);
  const auto other = listen_unix(path_);
  ASSERT_TRUE(other.ok());
  server_.reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace swavd::service
