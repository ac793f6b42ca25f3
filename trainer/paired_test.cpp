#include <algorithm>
#include <cmath>

#include "ops/base/check.h"
#include "trainer/evaluation.h"

namespace swavd::trainer {

namespace {

double log_choose(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

}  // namespace

double paired_p(
    const std::vector<std::uint8_t>& before,
    const std::vector<std::uint8_t>& after) {
  SWAVD_CHECK(before.size() == after.size());
  std::int64_t gained = 0;
  std::int64_t lost = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    gained += after[i] > before[i] ? 1 : 0;
    lost += after[i] < before[i] ? 1 : 0;
  }
  // Under the hypothesis of no change each pair that differs is a fair coin:
  // p = P(Binomial(gained + lost, 1/2) >= gained).
  const std::int64_t pairs = gained + lost;
  const auto n = static_cast<double>(pairs);
  double p = 0.0;
  for (std::int64_t k = gained; k <= pairs; ++k) {
    p += std::exp(log_choose(n, static_cast<double>(k)) - n * std::log(2.0));
  }
  return std::min(p, 1.0);
}

}  // namespace swavd::trainer
