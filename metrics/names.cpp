#include "metrics/names.h"

#include <string>

#include <fmt/format.h>

namespace swavd::metrics {
namespace {

constexpr Definition kDefinitions[] = {
#define SWAVD_METRIC_ROW(id, type, name, labels, help) \
  {Id::id, Type::type, name, labels, help},
    SWAVD_METRICS(SWAVD_METRIC_ROW)
#undef SWAVD_METRIC_ROW
};

constexpr std::string_view word(Type type) {
  switch (type) {
    case Type::kCounter:
      return "counter";
    case Type::kGauge:
      return "gauge";
    case Type::kHistogram:
      return "histogram";
  }
  return "";
}

std::string code_list(std::string_view labels) {
  std::string text;
  while (!labels.empty()) {
    const auto comma = labels.find(',');
    text += fmt::format(
        "{}`{}`", text.empty() ? "" : ", ", labels.substr(0, comma));
    labels = comma == std::string_view::npos ? "" : labels.substr(comma + 1);
  }
  return text;
}

std::string make_page() {
  std::string page =
      "# Metrics\n"
      "\n"
      "What `/metrics` serves, in Prometheus text format 0.0.4. Every name is "
      "there from the\n"
      "start; one without labels begins at 0, one with labels gets its series "
      "when there is\n"
      "something to count. Units are in the names. Freshness is `time()` minus "
      "a `_timestamp_seconds`.\n"
      "\n"
      "This page is made from the table in `metrics/names.h`; a test keeps the "
      "two in step.\n"
      "\n"
      "| Name | Type | Labels | Meaning |\n"
      "|---|---|---|---|\n";
  for (const Definition& metric : kDefinitions) {
    page += fmt::format(
        "| `{}` | {} | {} | {} |\n",
        metric.name,
        word(metric.type),
        code_list(metric.labels),
        metric.help);
  }
  page += "\nBuckets of every histogram, in seconds:";
  for (const double bound : kSecondsBuckets) {
    page += fmt::format(" {}", bound);
  }
  page += ".\n";
  return page;
}

}  // namespace

std::span<const Definition> definitions() {
  return kDefinitions;
}

std::string_view reference_page() {
  static const std::string page = make_page();
  return page;
}

}  // namespace swavd::metrics
