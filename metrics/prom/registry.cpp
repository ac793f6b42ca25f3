#include "metrics/registry.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <variant>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>

#include "metrics/procfs/process_stats.h"
#include "ops/base/check.h"
#include "ops/base/mutex.h"

namespace swavd::metrics {
namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;
using HistogramFamily = prometheus::Family<prometheus::Histogram>;

// A family cannot be moved, so each has its place on the heap.
using AnyFamily = std::variant<
    std::unique_ptr<CounterFamily>,
    std::unique_ptr<GaugeFamily>,
    std::unique_ptr<HistogramFamily>>;

const prometheus::Histogram::BucketBoundaries& buckets() {
  static const prometheus::Histogram::BucketBoundaries bounds(
      kSecondsBuckets.begin(), kSecondsBuckets.end());
  return bounds;
}

prometheus::MetricType foreign(Type type) {
  switch (type) {
    case Type::kCounter:
      return prometheus::MetricType::Counter;
    case Type::kGauge:
      return prometheus::MetricType::Gauge;
    case Type::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

template <typename Family>
AnyFamily make_typed_family(const Definition& metric) {
  return std::make_unique<Family>(
      std::string(metric.name), std::string(metric.help), prometheus::Labels{});
}

AnyFamily make_family(const Definition& metric) {
  switch (metric.type) {
    case Type::kCounter:
      return make_typed_family<CounterFamily>(metric);
    case Type::kGauge:
      return make_typed_family<GaugeFamily>(metric);
    case Type::kHistogram:
      break;
  }
  return make_typed_family<HistogramFamily>(metric);
}

std::vector<std::string> split(std::string_view labels) {
  std::vector<std::string> names;
  while (!labels.empty()) {
    const auto comma = labels.find(',');
    names.emplace_back(labels.substr(0, comma));
    labels = comma == std::string_view::npos ? "" : labels.substr(comma + 1);
  }
  return names;
}

}  // namespace

struct Registry::Impl {
  struct Slot {
    AnyFamily family;
    std::vector<std::string> label_names;
  };

  Impl() {
    for (const Definition& metric : definitions()) {
      slots.push_back({make_family(metric), split(metric.labels)});
      if (metric.labels.empty()) {
        begin_at_zero(slots.back().family);
      }
    }
  }

  static void begin_at_zero(const AnyFamily& family) {
    if (const auto* counters = std::get_if<0>(&family)) {
      (*counters)->Add({});
    } else if (const auto* gauges = std::get_if<1>(&family)) {
      (*gauges)->Add({});
    } else {
      std::get<2>(family)->Add({}, buckets());
    }
  }

  [[nodiscard]] prometheus::Labels labels(Id id, LabelValues values) const {
    const auto& names = slots.at(static_cast<std::size_t>(id)).label_names;
    SWAVD_CHECK(names.size() == values.size());
    prometheus::Labels labels;
    std::size_t i = 0;
    for (const std::string_view value : values) {
      labels.emplace(names[i++], value);
    }
    return labels;
  }

  template <typename Family>
  [[nodiscard]] Family& family(Id id) const {
    const auto* family = std::get_if<std::unique_ptr<Family>>(
        &slots.at(static_cast<std::size_t>(id)).family);
    SWAVD_CHECK(family != nullptr);
    return **family;
  }

  [[nodiscard]] prometheus::Counter& counter(Id id, LabelValues values) const {
    return family<CounterFamily>(id).Add(labels(id, values));
  }

  [[nodiscard]] prometheus::Gauge& gauge(Id id, LabelValues values) const {
    return family<GaugeFamily>(id).Add(labels(id, values));
  }

  void raise_to(Id id, double total, LabelValues values) {
    prometheus::Counter& mirror = counter(id, values);
    const MutexLock lock(raising);
    mirror.Increment(std::max(0.0, total - mirror.Value()));
  }

  void refresh_process() {
    const ProcessStats stats = read_process_stats();
    raise_to(Id::kProcessCpu, stats.cpu_seconds, {});
    gauge(Id::kProcessStart, {}).Set(stats.start_time_seconds);
    gauge(Id::kProcessResident, {})
        .Set(static_cast<double>(stats.resident_bytes));
    gauge(Id::kProcessVirtual, {})
        .Set(static_cast<double>(stats.virtual_bytes));
    gauge(Id::kProcessOpenFds, {}).Set(static_cast<double>(stats.open_fds));
    gauge(Id::kProcessMaxFds, {}).Set(static_cast<double>(stats.max_fds));
  }

  // In the order of the table, by Id.
  std::vector<Slot> slots;
  // Makes the read and the increment of `raise_to` one step.
  Mutex raising;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}

Registry::~Registry() = default;

void Registry::add(Id id, double amount, LabelValues labels) {
  SWAVD_CHECK(amount >= 0);
  impl_->counter(id, labels).Increment(amount);
}

void Registry::raise_to(Id id, double total, LabelValues labels) {
  impl_->raise_to(id, total, labels);
}

void Registry::set(Id id, double value, LabelValues labels) {
  impl_->gauge(id, labels).Set(value);
}

void Registry::observe(Id id, double value, LabelValues labels) {
  impl_->family<HistogramFamily>(id)
      .Add(impl_->labels(id, labels), buckets())
      .Observe(value);
}

double Registry::value(Id id, LabelValues labels) const {
  const prometheus::Labels key = impl_->labels(id, labels);
  const auto& any = impl_->slots.at(static_cast<std::size_t>(id)).family;
  if (const auto* counters = std::get_if<0>(&any)) {
    return (*counters)->Has(key) ? (*counters)->Add(key).Value() : 0;
  }
  const GaugeFamily& gauges = impl_->family<GaugeFamily>(id);
  return gauges.Has(key) ? impl_->gauge(id, labels).Value() : 0;
}

std::string Registry::serialize() const {
  impl_->refresh_process();
  std::vector<prometheus::MetricFamily> families;
  for (const Definition& metric : definitions()) {
    const auto& slot = impl_->slots.at(static_cast<std::size_t>(metric.id));
    auto collected =
        std::visit([](const auto& f) { return f->Collect(); }, slot.family);
    if (collected.empty()) {  // no series yet: its help is served all the same
      prometheus::MetricFamily bare;
      bare.name = metric.name;
      bare.help = metric.help;
      bare.type = foreign(metric.type);
      collected.push_back(std::move(bare));
    }
    for (auto& family : collected) {
      std::sort(
          family.metric.begin(),
          family.metric.end(),
          [](const auto& a, const auto& b) { return a.label < b.label; });
    }
    std::ranges::move(collected, std::back_inserter(families));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace swavd::metrics
