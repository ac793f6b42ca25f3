#include "trainer/nn/checkpoint.h"

#include <memory>
#include <utility>

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include "trainer/nn/autocast.h"

namespace swavd::trainer {

namespace {

using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

/// In the graph where the segment's own operators would be.
class RecomputeNode final : public Node {
 public:
  RecomputeNode(Segment segment, const at::Tensor& x)
      : Node(torch::autograd::collect_next_edges(x)),
        segment_(std::move(segment)),
        x_(x, /*is_output=*/false),
        precision_(current_precision(x.device().type())) {}

  void release_variables() override { x_.reset_data(); }

 private:
  variable_list apply(variable_list&& gradients) override {
    const at::Tensor saved = x_.unpack();
    const at::Tensor x = saved.detach();
    x.requires_grad_(saved.requires_grad());
    at::Tensor y;
    {
      const c10::AutoGradMode with_gradient(true);
      const AutocastGuard autocast(precision_, x.device().type());
      y = segment_(x, Mode::kRecompute);
    }
    torch::autograd::backward({y}, gradients);
    return {x.grad()};
  }

  Segment segment_;
  SavedVariable x_;
  Precision precision_;
};

}  // namespace

at::Tensor checkpointed(Segment segment, const at::Tensor& x) {
  if (!c10::GradMode::is_enabled()) {
    return segment(x, Mode::kTrain);
  }
  at::Tensor y;
  {
    const c10::NoGradGuard no_grad;
    y = segment(x, Mode::kTrain);
  }
  const std::shared_ptr<Node> node(
      new RecomputeNode(std::move(segment), x), torch::autograd::deleteNode);
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace swavd::trainer
