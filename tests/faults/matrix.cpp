#include "tests/faults/matrix.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace swavd::faults {

namespace {

std::string outcome() {
  if (::testing::Test::HasFailure()) {
    return "FAILED";
  }
  return ::testing::Test::IsSkipped() ? "skipped" : "holds";
}

/// The name of the running test, as a file name.
std::string file_name() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name =
      fmt::format("{}.{}", test->test_suite_name(), test->name());
  for (char& letter : name) {
    letter = letter == '/' ? '-' : letter;
  }
  return name + ".json";
}

}  // namespace

bool in_full() {
  const char* form = std::getenv("SWAVD_FAULTS");
  return form != nullptr && std::string_view(form) == "full";
}

std::uint64_t repeats(std::uint64_t full, std::uint64_t some) {
  return in_full() ? full : some;
}

Row::Row(std::string fault, std::string expected)
    : fault_(std::move(fault)),
      expected_(std::move(expected)) {}

Row::~Row() {
  const std::string verdict = outcome();
  fmt::print("fault: {} | {} | {}\n", fault_, injections_, verdict);
  std::fflush(stdout);
  if (const char* folder = std::getenv("SWAVD_FAULTS_ROWS")) {
    std::ofstream(fmt::format("{}/{}", folder, file_name()))
        << nlohmann::json({{"fault", fault_},
                           {"expected", expected_},
                           {"injections", injections_},
                           {"outcome", verdict}})
               .dump();
  }
}

}  // namespace swavd::faults
