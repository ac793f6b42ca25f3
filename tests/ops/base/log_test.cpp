#include "ops/base/log.h"

#include <array>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "ops/base/check.h"

namespace swavd {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;

/// Puts a pipe in the place of stderr while it lives.
class PipedStderr {
 public:
  PipedStderr() : kept_(::dup(STDERR_FILENO)) {
    std::array<int, 2> ends{};
    SWAVD_CHECK(::pipe2(ends.data(), O_NONBLOCK) == 0);
    read_ = ends[0];
    write_ = ends[1];
    // Its own file description: a log that blocks would hang this test.
    SWAVD_CHECK(::fcntl(write_, F_SETFL, 0) == 0);
    SWAVD_CHECK(::dup2(write_, STDERR_FILENO) >= 0);
  }

  PipedStderr(const PipedStderr&) = delete;
  PipedStderr& operator=(const PipedStderr&) = delete;

  ~PipedStderr() {
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
    ::close(read_);
    ::close(write_);
  }

  void fill() const {
    SWAVD_CHECK(::fcntl(write_, F_SETFL, O_NONBLOCK) == 0);
    const std::string block(512, '.');
    while (::write(write_, block.data(), block.size()) > 0) {
    }
    SWAVD_CHECK(::fcntl(write_, F_SETFL, 0) == 0);
  }

  /// All that is in it.
  [[nodiscard]] std::string drain() const {
    std::string all;
    std::array<char, 4096> some{};
    for (ssize_t got = 0;
         (got = ::read(read_, some.data(), some.size())) > 0;) {
      all.append(some.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  int kept_;
  int read_ = -1;
  int write_ = -1;
};

TEST(Log, DoesNotWaitForAReaderThatStoppedAndSaysWhatIsMissing) {
  const PipedStderr piped;
  const std::uint64_t before = log_dropped();
  piped.fill();
  log(LogLevel::kInfo, "first", "lost");
  log(LogLevel::kInfo, "second", "lost");
  EXPECT_EQ(log_dropped(), before + 2);
  EXPECT_THAT(piped.drain(), testing::Not(HasSubstr("lost")));
  log(LogLevel::kInfo, "third", "seen");
  const std::string seen = piped.drain();
  EXPECT_THAT(seen, HasSubstr("warning log_lines_dropped"));
  EXPECT_THAT(seen, HasSubstr("lines=2\n"));
  EXPECT_THAT(seen, EndsWith("info    third seen\n"));
  EXPECT_EQ(log_dropped(), before + 2);
}

TEST(Log, LineIsCutToWhatAPipeTakesAtOnce) {
  const PipedStderr piped;
  log(LogLevel::kInfo, "long", std::string(100'000, '\1'), {{"why", "seen"}});
  const std::string seen = piped.drain();
  EXPECT_THAT(seen, SizeIs(testing::Le(4096U)));
  EXPECT_THAT(seen, EndsWith("[cut] why=seen\n"));
}

TEST(Log, ValuesCannotForgeLines) {
  const PipedStderr piped;
  log(LogLevel::kWarning, "fetched", "a\nb", {{"url", "c\r\nerror d"}});
  EXPECT_EQ(piped.drain(), "warning fetched a\\x0ab url=c\\x0d\\x0aerror d\n");
}

}  // namespace
}  // namespace swavd
