#include "trainer/model/initial_values.h"

#include <algorithm>
#include <cmath>

#include "ops/base/philox.h"

namespace swavd::trainer {

namespace {

// 32-bit words that one draw of `Random` takes.
constexpr std::uint64_t kWordsOfNormal = 4;
constexpr std::uint64_t kWordsOfUniform = 2;

Random
stream_at(const TensorSpec& spec, std::uint64_t seed, std::uint64_t position) {
  return Random(stream_key(seed, "init/" + spec.name), /*address=*/0, position);
}

}  // namespace

void initial_values(
    const TensorSpec& spec,
    std::uint64_t seed,
    std::int64_t begin,
    std::span<float> out) {
  const auto first = static_cast<std::uint64_t>(begin);
  const auto fan = static_cast<double>(spec.fan);
  switch (spec.init) {
    case Init::kOnes:
      std::fill(out.begin(), out.end(), 1.0F);
      return;
    case Init::kZeros:
      std::fill(out.begin(), out.end(), 0.0F);
      return;
    case Init::kNormalFanOut: {
      Random random = stream_at(spec, seed, first * kWordsOfNormal);
      const double deviation = std::sqrt(2.0 / fan);
      for (float& value : out) {
        value = static_cast<float>(deviation * random.normal());
      }
      return;
    }
    case Init::kUniformFanIn: {
      Random random = stream_at(spec, seed, first * kWordsOfUniform);
      const double bound = 1.0 / std::sqrt(fan);
      for (float& value : out) {
        value = static_cast<float>(random.uniform(-bound, bound));
      }
      return;
    }
  }
}

}  // namespace swavd::trainer
