// `swavd init` and five `swavd replay-step` against an independent float64
// implementation, whose results are committed (tests/golden/trainer/steps;
// written by tests/golden/trainer/reference/make_steps.py).

#include "tests/e2e/golden_steps.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;

constexpr int kSteps = 5;

/// How far a tensor may be from float64's, relative to the norm of that.
constexpr double kWeightsAfterOne = 2e-5;
constexpr double kMomentaAfterOne = 1e-3;
constexpr double kWeightsAfterFive = 2e-4;

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += value * value;
  }
  return std::sqrt(sum);
}

/// |ours - theirs| / |theirs|; 0 for two tensors of zeros.
double distance(
    const std::vector<double>& ours,
    const std::vector<double>& theirs) {
  std::vector<double> away(theirs);
  for (std::size_t i = 0; i < away.size(); ++i) {
    away[i] -= ours[i];
  }
  const double length = norm(away);
  return length == 0 ? 0 : length / norm(theirs);
}

/// Linear biases right in front of a BatchNorm: it takes away whatever they
/// add, so their gradient is zero but for rounding, and LARC brings rounding to
/// the size of a gradient. By name: projection_head.<n>.bias where
/// projection_head.<n + 1> is a BatchNorm.
std::set<std::string> biases_before_batch_norm(const TensorReader& head) {
  std::set<std::string> names;
  for (int n = 0; n < 8; ++n) {
    if (head.find(fmt::format("projection_head.{}.running_mean", n + 1))) {
      names.insert(fmt::format("projection_head.{}.bias", n));
    }
  }
  return names;
}

class GoldenSteps : public ::testing::TestWithParam<GoldenRun> {
 protected:
  [[nodiscard]] std::string folder(int step) const {
    return (folder_.path() / std::to_string(step)).string();
  }

  /// Steps from `step` to the next; compares what is printed.
  void take_step(int step, const json& expected) {
    const std::string crops = folder(step) + ".crops.safetensors";
    write_crops(crops, golden_crops(GetParam(), step));
    const Finished finished = replay(folder(step), crops, folder(step + 1));
    ASSERT_EQ(finished.status, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    const json printed = json::parse(finished.out, nullptr, false);
    ASSERT_EQ(printed.size(), 3U) << finished.out;
    const auto ratio = [&](const char* figure) {
      return printed.at(figure).get<double>() /
             expected.at(figure).get<double>();
    };
    EXPECT_NEAR(ratio("learning_rate"), 1, 1e-12) << finished.out;
    EXPECT_NEAR(ratio("loss"), 1, step == 0 ? 1e-5 : 1e-4) << finished.out;
    EXPECT_NEAR(ratio("grad_norm"), 1, step == 0 ? 5e-5 : 1e-3) << finished.out;
  }

  /// Compares the tensors of some files of the snapshot after `step` steps.
  void expect_agreement(
      int step,
      const std::vector<std::string>& files,
      const std::string& group,
      double bound,
      const std::set<std::string>& exempt) {
    std::map<std::string, std::vector<double>> ours;
    for (const std::string& file : files) {
      const TensorReader reader(folder(step) + "/" + file);
      for (const state::TensorView& tensor : reader.tensors()) {
        ours[tensor.name] = numbers_of(tensor);
      }
    }
    std::vector<double> flat = golden(group);
    auto theirs = flat.begin();
    for (const auto& [name, numbers] : ours) {
      const auto count = static_cast<std::ptrdiff_t>(numbers.size());
      ASSERT_LE(count, flat.end() - theirs) << name;
      std::vector<double> expected(theirs, theirs + count);
      theirs += count;
      if (GetParam().frozen && step == 1 && name == "prototypes.weight") {
        expected = golden("1/prototypes/frozen");
        ASSERT_EQ(expected.size(), numbers.size());
      }
      if (GetParam().frozen && step == 1 &&
          name == "momentum.prototypes.weight") {
        expected.assign(expected.size(), 0);
      }
      const double away = distance(numbers, expected);
      if (exempt.contains(name)) {
        exempt_distances_.push_back(away);
        continue;
      }
      const bool counter = name.ends_with(".num_batches_tracked");
      EXPECT_LE(away, counter ? 0 : bound)
          << name << " after " << step << " steps";
    }
    EXPECT_TRUE(theirs == flat.end());
  }

  /// A group of tensors, one behind the other in ascending order of names.
  [[nodiscard]] std::vector<double> golden(const std::string& group) const {
    const state::TensorView* found = golden_.find(group);
    EXPECT_NE(found, nullptr) << group;
    return found != nullptr ? numbers_of(*found) : std::vector<double>{};
  }

  const ingest::testing::TempFolder folder_;
  const TensorReader golden_{
      golden_steps_path(GetParam().file() + ".safetensors")};
  std::vector<double> exempt_distances_;
};

TEST_P(GoldenSteps, ReplayedAgreeWithFloat64AfterOneAndAfterFive) {
  const json expected =
      json::parse(read_text(golden_steps_path("expected.json")))
          .at(GetParam().file());
  const Finished made = init_golden(GetParam(), folder(0));
  ASSERT_EQ(made.status, 0) << made.err;
  for (int step = 0; step < kSteps && !HasFatalFailure(); ++step) {
    take_step(
        step, expected.at(GetParam().frozen ? "frozen" : "free").at(step));
  }
  ASSERT_FALSE(HasFatalFailure());

  const std::set<std::string> biases =
      biases_before_batch_norm(TensorReader(folder(1) + "/head.safetensors"));
  // The script has found their gradients, and no others, to be zero.
  EXPECT_EQ(biases, expected.at("zero_gradient").get<std::set<std::string>>());
  EXPECT_EQ(biases.empty(), !GetParam().batch_norm);
  std::set<std::string> momenta;
  for (const std::string& name : biases) {
    momenta.insert("momentum." + name);
  }
  const std::vector<std::string> weights = {
      "model.safetensors", "head.safetensors"};
  expect_agreement(1, weights, "1/weights", kWeightsAfterOne, biases);
  expect_agreement(
      5,
      weights,
      GetParam().frozen ? "5/weights/frozen" : "5/weights",
      kWeightsAfterFive,
      biases);
  exempt_distances_.clear();
  expect_agreement(
      1, {"state.safetensors"}, "1/momenta", kMomentaAfterOne, momenta);
  // Where decay is small, those momenta are mostly rounding.
  if (GetParam().configuration == "two-stages") {
    EXPECT_EQ(exempt_distances_.size(), biases.size());
    for (const double away : exempt_distances_) {
      EXPECT_GT(away, kMomentaAfterOne) << "no exemption is needed";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Runs,
    GoldenSteps,
    ::testing::ValuesIn([] {
      std::vector<GoldenRun> runs;
      for (const char* name : {"four-stages", "two-stages", "one-stage"}) {
        for (const bool batch_norm : {true, false}) {
          for (const bool frozen : {false, true}) {
            runs.push_back({name, batch_norm, frozen});
          }
        }
      }
      return runs;
    }()),
    [](const auto& run) {
      std::string name = run.param.configuration;
      std::replace(name.begin(), name.end(), '-', '_');
      return name + (run.param.batch_norm ? "_batch_norm" : "_plain") +
             (run.param.frozen ? "_frozen" : "_free");
    });

}  // namespace
}  // namespace swavd::e2e
