// Prometheus' own linter on what the registry serves.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "metrics/registry.h"
#include "tests/services/outside.h"

namespace swavd::metrics {
namespace {

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
  Registry registry;
  touch_everything(registry);
  for (const std::string& text :
       {Registry().serialize(), registry.serialize()}) {
    const auto verdict = services::promtool_verdict(text);
    if (!verdict) {
      GTEST_SKIP() << services::kNoPromtool;
    }
    EXPECT_EQ(*verdict, "");
  }
}

}  // namespace
}  // namespace swavd::metrics
