// The two small programs stay small: no LibTorch behind them.

#include <string>

#include <gtest/gtest.h>

#include "tests/e2e/process.h"

namespace swavd::e2e {
namespace {

std::string libraries_of(const std::string& program) {
  const Finished ldd = run_program(
      "/usr/bin/ldd", {std::string(SWAVD_TEST_BIN_DIR) + "/" + program});
  EXPECT_EQ(ldd.status, 0) << ldd.err;
  return ldd.out;
}

void expect_no_torch(const std::string& libraries) {
  for (const char* name : {"libtorch", "libc10", "libcuda"}) {
    EXPECT_EQ(libraries.find(name), std::string::npos) << libraries;
  }
}

TEST(Linking, SwavctlHasNoTorch) {
  const std::string libraries = libraries_of("swavctl");
  EXPECT_NE(libraries.find("librocksdb"), std::string::npos) << libraries;
  expect_no_torch(libraries);
}

TEST(Linking, CrawlerHasNoTorch) {
  const std::string libraries = libraries_of("swavd-crawl");
  EXPECT_NE(libraries.find("librdkafka"), std::string::npos) << libraries;
  expect_no_torch(libraries);
}

}  // namespace
}  // namespace swavd::e2e
