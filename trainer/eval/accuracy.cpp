#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "trainer/evaluation.h"

namespace swavd::trainer {

Result<Accuracy> accuracy(
    std::vector<std::int32_t> predicted,
    const std::vector<std::int32_t>& truth) {
  if (predicted.size() != truth.size() || truth.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "accuracy: {} answers to {} questions",
            predicted.size(),
            truth.size())};
  }
  std::int64_t right = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    right += predicted[i] == truth[i] ? 1 : 0;
  }
  constexpr double kPercent = 100.0;
  const auto count = static_cast<double>(truth.size());
  const double share = static_cast<double>(right) / count;
  Accuracy result;
  result.top1 = kPercent * share;
  result.standard_error = kPercent * std::sqrt(share * (1.0 - share) / count);
  result.queries = static_cast<std::int64_t>(truth.size());
  result.predicted = std::move(predicted);
  return result;
}

}  // namespace swavd::trainer
