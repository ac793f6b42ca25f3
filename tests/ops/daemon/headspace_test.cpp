#include "ops/daemon/headspace.h"

#include <gtest/gtest.h>

namespace swavd::daemon {
namespace {

std::string_view limit(double loader, double step, double together) {
  HeadspaceReport report;
  report.loader_rate = loader;
  report.step_rate = step;
  report.together_rate = together;
  return limit_of(report);
}

TEST(HeadspaceReport, NamesTheLoaderThatBringsNoMoreThanTheStepsTake) {
  EXPECT_EQ(limit(90, 100, 88), "loader");
  EXPECT_EQ(limit(105, 100, 99), "loader");
}

TEST(HeadspaceReport, NamesTheStepWhereTheLoaderCostsItNothing) {
  EXPECT_EQ(limit(1000, 100, 98), "step");
}

TEST(HeadspaceReport, NamesTheCoresWhereTheLoaderSlowsTheStepsDown) {
  EXPECT_EQ(limit(400, 100, 80), "cores");
}

}  // namespace
}  // namespace swavd::daemon
