#include <utility>

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "trainer/eval/eval_model.h"
#include "trainer/eval/grouped_sgd.h"
#include "trainer/eval/linear_probe.h"
#include "trainer/fine_tune.h"
#include "trainer/nn/autocast.h"
#include "trainer/torch/caching_allocator.h"
#include "trainer/torch/torch_errors.h"

namespace swavd::trainer {

namespace {

constexpr const char* kClassifier = "classifier";
constexpr const char* kNorm = "norm";

/// The parts of SwAV's head that are kept: its first layer.
bool is_first_projection(const std::string& name, const HeadOptions& head) {
  const bool linear = name.starts_with("projection_head.0.");
  return linear || (head.batch_norm && name.starts_with("projection_head.1."));
}

class TorchFineTuner final : public Classifier {
 public:
  TorchFineTuner(
      std::unique_ptr<EvalModel> model,
      const FineTuneOptions& options)
      : options_(options),
        model_(std::move(model)),
        store_(new_tensors(), model_->place()),
        weight_(store_.at(std::string(kClassifier) + ".weight")),
        bias_(store_.at(std::string(kClassifier) + ".bias")),
        optimizer_(options.sgd),
        heads_{{kClassifier, weight_.size(1)}} {
    store_.initialise(options.seed);
    add_parameters();
    if (projected() && !projection().norm) {
      norm_.emplace(store_, kNorm);
    }
  }

  loader::BufferAllocator allocator() override {
    return model_->device().allocator();
  }

  const std::vector<HeadInfo>& heads() const override { return heads_; }

  Result<double> step(
      const loader::Batch& batch,
      const std::vector<std::int32_t>& labels,
      const StepRates& rates) override;

  Result<Predictions> predict(const loader::Batch& batch) override;

 private:
  [[nodiscard]] bool projected() const {
    return options_.head == FineTuneHead::kProjection;
  }

  [[nodiscard]] const SwavHead::Layer& projection() const {
    return model_->model().head.layers.front();
  }

  [[nodiscard]] std::vector<TensorSpec> new_tensors() const;
  void add_parameters();
  /// Logits [N, classes], float32.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, Mode mode) const;

  FineTuneOptions options_;
  std::unique_ptr<EvalModel> model_;
  ParameterStore store_;  ///< of what the snapshot does not have
  at::Tensor weight_;
  at::Tensor bias_;
  std::optional<BatchNorm> norm_;
  GroupedSgd optimizer_;
  std::vector<HeadInfo> heads_;
};

std::vector<TensorSpec> TorchFineTuner::new_tensors() const {
  const std::int64_t inputs =
      projected() ? projection().weight.size(0) : projection().weight.size(1);
  auto specs = linear_specs(kClassifier, inputs, options_.classes);
  if (projected() && !projection().norm) {
    for (TensorSpec& spec : norm_specs(kNorm, inputs)) {
      specs.push_back(std::move(spec));
    }
  }
  return specs;
}

void TorchFineTuner::add_parameters() {
  const ParameterStore& trunk = model_->model().store;
  const HeadOptions& head = model_->options().head;
  optimizer_.add(trunk, RateOf::kTrunk, [](const std::string& name) {
    return !is_head_tensor(name);
  });
  if (projected()) {
    optimizer_.add(trunk, RateOf::kHead, [&head](const std::string& name) {
      return is_first_projection(name, head);
    });
  }
  optimizer_.add(store_, RateOf::kHead);
}

at::Tensor TorchFineTuner::forward(const at::Tensor& images, Mode mode) const {
  at::Tensor x = model_->features(images, mode);
  const AutocastGuard autocast(
      model_->options().precision, images.device().type());
  if (projected()) {
    const SwavHead::Layer& layer = projection();
    x = at::linear(x, layer.weight, layer.bias);
    x = (layer.norm ? *layer.norm : *norm_).forward_relu(x, mode);
  }
  return at::linear(x, weight_, bias_).to(at::kFloat);
}

Result<double> TorchFineTuner::step(
    const loader::Batch& batch,
    const std::vector<std::int32_t>& labels,
    const StepRates& rates) {
  SWAVD_RETURN_IF_ERROR(check_labelled_images(batch));
  auto classes = label_tensor(labels, batch.images, options_.classes);
  if (!classes.ok()) {
    return classes.error();
  }
  if (batch.images < 2) {
    return Error{
        ErrorCode::kInvalidArgument,
        "a step on one image: BatchNorm needs two"};
  }
  auto result =
      catch_torch<double>("fine-tuning step", [&]() -> Result<double> {
        model_->use_threads();
        const TrainerDevice::Crops crops(model_->device(), batch, 1);
        const at::Tensor loss = at::cross_entropy_loss(
            forward(crops.groups().front(), Mode::kTrain),
            classes.value().to(model_->place()));
        auto value = finite_loss(loss);
        if (value.ok()) {
          loss.backward();
          optimizer_.step(rates);
        }
        return value;
      });
  CachingAllocator::install().end_step();
  return result;
}

Result<Predictions> TorchFineTuner::predict(const loader::Batch& batch) {
  SWAVD_RETURN_IF_ERROR(check_labelled_images(batch));
  return catch_torch<Predictions>("classify", [&] {
    model_->use_threads();
    const at::NoGradGuard no_grad;
    const TrainerDevice::Crops crops(model_->device(), batch, 1);
    return Predictions{
        best_classes(forward(crops.groups().front(), Mode::kEval))};
  });
}

}  // namespace

Result<std::unique_ptr<Classifier>> make_fine_tuner(
    const TrainerOptions& model,
    state::SnapshotReader& snapshot,
    const FineTuneOptions& options) {
  if (options.classes < 2) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("a classifier for {} classes", options.classes)};
  }
  const bool projected = options.head == FineTuneHead::kProjection;
  if (projected && model.head.hidden.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        "the snapshot's projection head has no hidden layer to keep: take a "
        "protocol with a linear layer on the pooled features"};
  }
  auto loaded = EvalModel::load(
      model,
      snapshot,
      projected ? EvalParts::kTrunkAndHead : EvalParts::kTrunk);
  if (!loaded.ok()) {
    return loaded.error();
  }
  return catch_torch<std::unique_ptr<Classifier>>(
      "make the classifier", [&]() -> std::unique_ptr<Classifier> {
        return std::make_unique<TorchFineTuner>(
            std::move(loaded).value(), options);
      });
}

}  // namespace swavd::trainer
