// Prometheus' own linter on what the registry serves.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "metrics/registry.h"

namespace swavd::metrics {
namespace {

bool installed(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

struct Outcome {
  int status = 0;
  std::string output;
};

Outcome run_shell(const std::string& command) {
  Outcome outcome;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char chunk[4096];
  while (pipe != nullptr && std::fgets(chunk, sizeof chunk, pipe) != nullptr) {
    outcome.output += chunk;
  }
  outcome.status = pipe == nullptr ? -1 : ::pclose(pipe);
  return outcome;
}

void touch(Registry& registry, const Definition& metric, LabelValues values) {
  switch (metric.type) {
    case Type::kCounter:
      registry.add(metric.id, 1, values);
      break;
    case Type::kGauge:
      registry.set(metric.id, 1, values);
      break;
    case Type::kHistogram:
      registry.observe(metric.id, 1, values);
      break;
  }
}

// One series of every metric, so that none escapes the linter.
void touch_everything(Registry& registry) {
  for (const Definition& metric : definitions()) {
    if (metric.labels.empty()) {
      touch(registry, metric, {});
    } else if (metric.labels.find(',') == std::string_view::npos) {
      touch(registry, metric, {"a"});
    } else {
      touch(registry, metric, {"a", "b"});
    }
  }
}

TEST(Promtool, HasNothingToSayAboutOurMetrics) {
  if (!installed("promtool")) {
    GTEST_SKIP() << "promtool (Debian package prometheus) is not installed";
  }
  Registry registry;
  touch_everything(registry);
  const auto path = std::filesystem::temp_directory_path() /
                    ("swavd-metrics-" + std::to_string(::getpid()));
  for (const std::string& text :
       {Registry().serialize(), registry.serialize()}) {
    std::ofstream(path) << text;
    const Outcome outcome =
        run_shell("promtool check metrics < " + path.string());
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.output, "");
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace swavd::metrics
