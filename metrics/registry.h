#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "metrics/names.h"

namespace swavd::metrics {

/// Values of a metric's labels, in the order of the table.
using LabelValues = std::initializer_list<std::string_view>;

/// All metrics of one process. Every metric of the table exists from the
/// start; those without labels begin at 0. Thread-safe.
class Registry {
 public:
  Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  /// Counters: adds `amount`, at least 0.
  void add(Id id, double amount = 1.0, LabelValues labels = {});

  /// Counters that mirror a total kept elsewhere (a queue's statistics):
  /// raises the counter to `total`; a smaller total changes nothing.
  void raise_to(Id id, double total, LabelValues labels = {});

  /// Gauges.
  void set(Id id, double value, LabelValues labels = {});

  /// Histograms.
  void observe(Id id, double value, LabelValues labels = {});

  /// Current value of a counter or gauge, 0 when never touched.
  [[nodiscard]] double value(Id id, LabelValues labels = {}) const;

  /// Prometheus text format 0.0.4.
  [[nodiscard]] std::string serialize() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace swavd::metrics
