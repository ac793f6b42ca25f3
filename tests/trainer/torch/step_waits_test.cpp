// A step must not ask its device for numbers on the way: on a GPU each question
// would wait for all that was queued before it.
#include <map>
#include <memory>
#include <set>
#include <string>

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include "tests/trainer/torch/small_trainer.h"

namespace swavd::trainer {
namespace {

using Calls = std::map<std::string, int>;

/// Counts this thread's operators while it lives.
class OperatorCounts {
 public:
  OperatorCounts() {
    calls().clear();
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&count));
  }

  OperatorCounts(const OperatorCounts&) = delete;
  OperatorCounts& operator=(const OperatorCounts&) = delete;

  ~OperatorCounts() { at::removeCallback(handle_); }

  static Calls& calls() {
    static Calls made;
    return made;
  }

 private:
  static std::unique_ptr<at::ObserverContext> count(
      const at::RecordFunction& function) {
    ++calls()[function.name()];
    return nullptr;
  }

  at::CallbackHandle handle_ = 0;
};

/// Operators whose result, or its shape, is a matter of values: the host needs
/// them before it can go on.
int questions(const Calls& calls) {
  static const std::set<std::string> asking = {
      "aten::_local_scalar_dense",
      "aten::item",
      "aten::is_nonzero",
      "aten::equal",
      "aten::nonzero",
      "aten::masked_select",
      "aten::unique_dim",
      "aten::_unique2"};
  int found = 0;
  for (const auto& [name, times] : calls) {
    found += asking.contains(name) ? times : 0;
  }
  return found;
}

TEST(StepWaits, AStepAsksForNoNumberButItsReports) {
  for (const OptimizerKind kind :
       {OptimizerKind::kLarc, OptimizerKind::kSgd, OptimizerKind::kLars}) {
    for (const Precision precision :
         {Precision::kFloat32, Precision::kFloat16}) {
      TrainerOptions options = small_options();
      options.optimizer.kind = kind;
      options.precision = precision;
      const auto trainer = make_small(options);
      const OperatorCounts counts;
      must_step(*trainer, 0, 0.01);
      EXPECT_EQ(OperatorCounts::calls().count("aten::conv2d"), 1U);
      EXPECT_EQ(questions(OperatorCounts::calls()), 0);
    }
  }
}

TEST(StepWaits, TheCounterSeesAQuestion) {
  const OperatorCounts counts;
  const at::Tensor values = at::ones({3});
  EXPECT_EQ(values.sum().item<double>(), 3);
  EXPECT_GT(questions(OperatorCounts::calls()), 0);
}

}  // namespace
}  // namespace swavd::trainer
