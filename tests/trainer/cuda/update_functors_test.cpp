#include "trainer/cuda/update_functors.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "ops/base/philox.h"
#include "tests/trainer/cuda/host_team.h"

namespace swavd::trainer {
namespace {

constexpr double kTrust = 0.02;
constexpr double kDecay = 0.003;
constexpr double kMomentum = 0.9;
constexpr double kRate = 0.3;

/// More tensors than fit into one launch, more elements than one chunk.
std::vector<std::int64_t> sizes() {
  std::vector<std::int64_t> all = {1, 3, 2 * kUpdateChunk + 5, kUpdateChunk};
  while (all.size() < TensorBatch::kMost + 3U) {
    all.push_back(7 + static_cast<std::int64_t>(all.size()));
  }
  return all;
}

struct Tensors {
  std::vector<std::vector<float>> parameters;
  std::vector<std::vector<float>> gradients;
  std::vector<std::vector<float>> momenta;

  Tensors() {
    Random random(3);
    const auto filled = [&](std::int64_t count) {
      std::vector<float> values(static_cast<std::size_t>(count));
      for (float& value : values) {
        value = static_cast<float>(random.uniform(-0.5, 0.5));
      }
      return values;
    };
    for (const std::int64_t size : sizes()) {
      parameters.push_back(filled(size));
      gradients.push_back(filled(size));
      momenta.push_back(filled(size));
    }
    // A tensor that begins as zero, and one that nothing is asked of.
    std::fill(parameters[4].begin(), parameters[4].end(), 0.0F);
    std::fill(gradients[5].begin(), gradients[5].end(), 0.0F);
  }

  /// Every other tensor from the second on is left out of the adaption.
  [[nodiscard]] static bool adapted(std::size_t i) { return i % 2 == 0; }

  std::vector<UpdateTensor> rows(RatioRule rule) {
    std::vector<UpdateTensor> all;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const bool ratio = rule == RatioRule::kLarc || adapted(i);
      all.push_back(
          {parameters[i].data(),
           gradients[i].data(),
           momenta[i].data(),
           static_cast<std::int64_t>(parameters[i].size()),
           ratio ? 1 : 0});
    }
    return all;
  }
};

double norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) {
    squares += value * value;
  }
  return std::sqrt(squares);
}

struct Expected {
  double ratio;  ///< NaN: none
  std::vector<double> parameter;
  std::vector<double> momentum;
};

/// The rules of trainer/optim/optimizer.h for one tensor, in double.
Expected expect_tensor(Tensors& tensors, std::size_t i, RatioRule rule) {
  const std::vector<double> p(
      tensors.parameters[i].begin(), tensors.parameters[i].end());
  std::vector<double> d(
      tensors.gradients[i].begin(), tensors.gradients[i].end());
  Expected out{std::nan(""), p, {}};
  const auto add_decay = [&] {
    for (std::size_t k = 0; k < d.size(); ++k) {
      d[k] += kDecay * p[k];
    }
  };
  if (rule == RatioRule::kLarc) {
    const double g = norm(d);
    if (norm(p) > 0 && g > 0) {
      out.ratio = kTrust * norm(p) / (g + kDecay * norm(p) + 1e-8);
      add_decay();
    }
  } else if (Tensors::adapted(i)) {
    add_decay();
    if (norm(p) > 0 && norm(d) > 0) {
      out.ratio = kTrust * norm(p) / norm(d);
    }
  }
  const double factor = std::isnan(out.ratio) ? 1.0 : out.ratio;
  for (std::size_t k = 0; k < d.size(); ++k) {
    out.momentum.push_back(
        kMomentum * static_cast<double>(tensors.momenta[i][k]) + factor * d[k]);
    out.parameter[k] -= kRate * out.momentum[k];
  }
  return out;
}

void expect_close(
    const std::vector<float>& found,
    const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  double worst = 0;
  for (std::size_t k = 0; k < found.size(); ++k) {
    worst =
        std::max(worst, std::abs(static_cast<double>(found[k]) - expected[k]));
  }
  EXPECT_LE(worst, 1e-6);
}

template <typename Launch>
void expect_update(RatioRule rule, const Launch& launch) {
  Tensors tensors;
  std::vector<Expected> expected;
  for (std::size_t i = 0; i < tensors.parameters.size(); ++i) {
    expected.push_back(expect_tensor(tensors, i, rule));
  }
  const std::vector<UpdateTensor> rows = tensors.rows(rule);
  const auto count = static_cast<std::int64_t>(rows.size());
  std::vector<float> workspace(
      static_cast<std::size_t>(update_workspace(rows.data(), count)));
  std::vector<float> ratios(rows.size());
  std::vector<float> factors(rows.size());
  std::vector<float> decays(rows.size());
  run_trust_ratios(
      {rows.data(),
       count,
       workspace.data(),
       ratios.data(),
       factors.data(),
       decays.data(),
       rule,
       static_cast<float>(kTrust),
       static_cast<float>(kDecay)},
      launch);
  run_update(
      {rows.data(),
       count,
       factors.data(),
       decays.data(),
       0.0F,
       static_cast<float>(kMomentum),
       static_cast<float>(kRate)},
      launch);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(i);
    if (std::isnan(expected[i].ratio)) {
      EXPECT_TRUE(std::isnan(ratios[i]));
      EXPECT_EQ(factors[i], 1.0F);
    } else {
      EXPECT_NEAR(ratios[i], expected[i].ratio, 1e-5 * expected[i].ratio);
      EXPECT_EQ(factors[i], ratios[i]);
    }
    expect_close(tensors.momenta[i], expected[i].momentum);
    expect_close(tensors.parameters[i], expected[i].parameter);
  }
}

TEST(UpdateFunctors, LarcMatchesItsRuleOneThreadOrSeveral) {
  expect_update(RatioRule::kLarc, SerialLaunch{});
  expect_update(RatioRule::kLarc, ThreadLaunch{});
}

TEST(UpdateFunctors, LarsMatchesItsRuleOneThreadOrSeveral) {
  expect_update(RatioRule::kLars, SerialLaunch{});
  expect_update(RatioRule::kLars, ThreadLaunch{});
}

TEST(UpdateFunctors, WithoutFactorsItIsPlainSgd) {
  Tensors tensors;
  const Tensors before = tensors;
  const std::vector<UpdateTensor> rows = tensors.rows(RatioRule::kLarc);
  run_update(
      {rows.data(),
       static_cast<std::int64_t>(rows.size()),
       nullptr,
       nullptr,
       0.5F,
       0.25F,
       2.0F},
      ThreadLaunch{});
  for (const std::size_t i :
       {std::size_t{0}, std::size_t{2}, rows.size() - 1}) {
    const std::size_t last = before.parameters[i].size() - 1;
    const float p = before.parameters[i][last];
    const float v = 0.25F * before.momenta[i][last] +
                    (before.gradients[i][last] + 0.5F * p);
    EXPECT_FLOAT_EQ(tensors.momenta[i][last], v);
    EXPECT_FLOAT_EQ(tensors.parameters[i][last], p - 2.0F * v);
  }
}

}  // namespace
}  // namespace swavd::trainer
