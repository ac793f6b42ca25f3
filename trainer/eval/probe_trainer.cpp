#include <cmath>
#include <utility>

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "trainer/eval/eval_model.h"
#include "trainer/eval/grouped_sgd.h"
#include "trainer/eval/linear_probe.h"
#include "trainer/probe.h"
#include "trainer/torch/caching_allocator.h"
#include "trainer/torch/torch_errors.h"

namespace swavd::trainer {

namespace {

constexpr std::int64_t kPlanes = 3;

/// A pooled map that probes read: of which of the last maps, on which grid.
struct ProbeInput {
  std::size_t map = 0;
  std::int64_t channels = 0;
  ProbeGrid grid;

  [[nodiscard]] std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(channels * grid.height * grid.width) *
           sizeof(float);
  }
};

/// What is probed, worked out from the maps of one image.
struct ProbePlan {
  std::vector<ProbeInput> inputs;
  std::vector<ProbeSpec> probes;
};

void add_probe(ProbePlan& plan, std::string name, bool norm) {
  const ProbeInput& input = plan.inputs.back();
  plan.probes.push_back(
      {std::move(name),
       plan.inputs.size() - 1,
       input.channels,
       input.grid,
       norm});
}

ProbePlan plan_probes(const std::vector<at::Tensor>& maps, ProbeSet set) {
  constexpr std::size_t kLastStage = 5;  // VISSL's name of the last is res5
  ProbePlan plan;
  for (std::size_t i = 0; set == ProbeSet::kLayers && i < maps.size(); ++i) {
    const at::Tensor& map = maps[i];
    plan.inputs.push_back(
        {i, map.size(1), probe_grid(map.size(1), map.size(2), map.size(3))});
    add_probe(
        plan, fmt::format("res{}", kLastStage + 1 + i - maps.size()), true);
  }
  plan.inputs.push_back({maps.size() - 1, maps.back().size(1), {1, 1}});
  if (set == ProbeSet::kLayers) {
    add_probe(plan, "res5avg", /*norm=*/true);
  }
  add_probe(plan, "res5avg-linear", /*norm=*/false);
  return plan;
}

std::vector<TensorSpec> plan_specs(
    const ProbePlan& plan,
    std::int32_t classes) {
  std::vector<TensorSpec> specs;
  for (const ProbeSpec& probe : plan.probes) {
    for (TensorSpec& spec : probe_specs(probe, classes)) {
      specs.push_back(std::move(spec));
    }
  }
  return specs;
}

std::vector<LinearProbe> make_probes(
    const ParameterStore& store,
    const ProbePlan& plan) {
  std::vector<LinearProbe> probes;
  for (const ProbeSpec& probe : plan.probes) {
    probes.emplace_back(store, probe);
  }
  return probes;
}

class TorchProbeTrainer final : public ProbeTrainer {
 public:
  TorchProbeTrainer(
      std::unique_ptr<EvalModel> model,
      const ProbeOptions& options)
      : options_(options),
        model_(std::move(model)),
        plan_(plan_probes(
            model_->last_maps(at::zeros(
                {1, kPlanes, options.image_size, options.image_size},
                at::dtype(at::kFloat).device(model_->place()))),
            options.set)),
        store_(plan_specs(plan_, options.classes), model_->place()),
        probes_(make_probes(store_, plan_)),
        optimizer_(options.sgd),
        chunks_(plan_.inputs.size()),
        kept_(plan_.inputs.size()) {
    store_.initialise(options.seed);
    optimizer_.add(store_, RateOf::kHead);
    for (const ProbeSpec& probe : plan_.probes) {
      heads_.push_back({probe.name, probe.features()});
    }
  }

  loader::BufferAllocator allocator() override {
    return model_->device().allocator();
  }

  const std::vector<HeadInfo>& heads() const override { return heads_; }

  std::uint64_t bytes_per_image() const override {
    std::uint64_t bytes = sizeof(std::int32_t);
    for (const ProbeInput& input : plan_.inputs) {
      bytes += input.bytes();
    }
    return bytes;
  }

  Result<double> step(
      const loader::Batch& batch,
      const std::vector<std::int32_t>& labels,
      const StepRates& rates) override;

  Result<Predictions> predict(const loader::Batch& batch) override;

  Status remember(
      const loader::Batch& batch,
      const std::vector<std::int32_t>& labels) override;

  std::int64_t remembered() const override {
    return static_cast<std::int64_t>(kept_labels_.size());
  }

  Result<double> step_remembered(
      const std::vector<std::int64_t>& images,
      const StepRates& rates) override;

 private:
  /// The pooled maps [N, C, h, w] that the probes read.
  [[nodiscard]] std::vector<at::Tensor> pooled_maps(const loader::Batch& batch);
  [[nodiscard]] Status check_images(const loader::Batch& batch) const;
  [[nodiscard]] Result<double> update(
      const std::vector<at::Tensor>& maps,
      const at::Tensor& labels,
      const StepRates& rates);
  void join_chunks();

  ProbeOptions options_;
  std::unique_ptr<EvalModel> model_;
  ProbePlan plan_;
  ParameterStore store_;
  std::vector<LinearProbe> probes_;
  GroupedSgd optimizer_;
  std::vector<HeadInfo> heads_;
  // Remembered images, by input: as they came, and joined at the first step.
  // They may be more than a device holds: they stay with the host.
  std::vector<std::vector<at::Tensor>> chunks_;
  std::vector<at::Tensor> kept_;
  std::vector<std::int32_t> kept_labels_;
};

std::vector<at::Tensor> TorchProbeTrainer::pooled_maps(
    const loader::Batch& batch) {
  const at::NoGradGuard no_grad;
  const TrainerDevice::Crops crops(model_->device(), batch, 1);
  const std::vector<at::Tensor> maps =
      model_->last_maps(crops.groups().front());
  std::vector<at::Tensor> pooled;
  for (const ProbeInput& input : plan_.inputs) {
    pooled.push_back(at::adaptive_avg_pool2d(
        maps[input.map], {input.grid.height, input.grid.width}));
  }
  return pooled;
}

Status TorchProbeTrainer::check_images(const loader::Batch& batch) const {
  SWAVD_RETURN_IF_ERROR(check_labelled_images(batch));
  if (batch.groups.front().size != options_.image_size) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "crops of {} pixels instead of {}",
            batch.groups.front().size,
            options_.image_size)};
  }
  return ok_status();
}

Result<double> TorchProbeTrainer::update(
    const std::vector<at::Tensor>& maps,
    const at::Tensor& labels,
    const StepRates& rates) {
  if (labels.size(0) < 2) {
    return Error{
        ErrorCode::kInvalidArgument,
        "a step on one image: BatchNorm needs two"};
  }
  const at::Tensor loss = probe_loss(probes_, maps, labels);
  auto value = finite_loss(loss);
  if (!value.ok()) {
    return value.error();
  }
  loss.backward();
  optimizer_.step(rates);
  return value.value() / static_cast<double>(probes_.size());
}

Result<double> TorchProbeTrainer::step(
    const loader::Batch& batch,
    const std::vector<std::int32_t>& labels,
    const StepRates& rates) {
  SWAVD_RETURN_IF_ERROR(check_images(batch));
  auto classes = label_tensor(labels, batch.images, options_.classes);
  if (!classes.ok()) {
    return classes.error();
  }
  auto loss = catch_torch<double>("probe step", [&] {
    model_->use_threads();
    return update(
        pooled_maps(batch), classes.value().to(model_->place()), rates);
  });
  CachingAllocator::install().end_step();
  return loss;
}

Result<Predictions> TorchProbeTrainer::predict(const loader::Batch& batch) {
  SWAVD_RETURN_IF_ERROR(check_images(batch));
  return catch_torch<Predictions>("probe", [&] {
    model_->use_threads();
    const at::NoGradGuard no_grad;
    const std::vector<at::Tensor> maps = pooled_maps(batch);
    Predictions predictions;
    for (const LinearProbe& probe : probes_) {
      predictions.push_back(
          best_classes(probe.forward(maps[probe.input], Mode::kEval)));
    }
    return predictions;
  });
}

Status TorchProbeTrainer::remember(
    const loader::Batch& batch,
    const std::vector<std::int32_t>& labels) {
  SWAVD_RETURN_IF_ERROR(check_images(batch));
  auto classes = label_tensor(labels, batch.images, options_.classes);
  if (!classes.ok()) {
    return classes.error();
  }
  return catch_torch<std::monostate>("remember features", [&] {
    model_->use_threads();
    const std::vector<at::Tensor> maps = pooled_maps(batch);
    for (std::size_t i = 0; i < maps.size(); ++i) {
      chunks_[i].push_back(maps[i].contiguous().cpu());
    }
    kept_labels_.insert(kept_labels_.end(), labels.begin(), labels.end());
    return ok_status();
  });
}

void TorchProbeTrainer::join_chunks() {
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i].empty()) {
      continue;
    }
    // One input at a time: never twice the memory of all of them.
    if (kept_[i].defined()) {
      chunks_[i].insert(chunks_[i].begin(), kept_[i]);
    }
    kept_[i] = at::cat(chunks_[i]);
    chunks_[i].clear();
  }
}

Result<double> TorchProbeTrainer::step_remembered(
    const std::vector<std::int64_t>& images,
    const StepRates& rates) {
  for (const std::int64_t image : images) {
    if (image < 0 || image >= remembered()) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format(
              "image {} of {} that are remembered", image, remembered())};
    }
  }
  auto loss = catch_torch<double>("probe step", [&] {
    model_->use_threads();
    join_chunks();
    const at::Tensor rows = at::tensor(images, at::dtype(at::kLong));
    std::vector<at::Tensor> maps;
    for (const at::Tensor& kept : kept_) {
      maps.push_back(kept.index_select(0, rows).to(model_->place()));
    }
    std::vector<std::int64_t> labels;
    for (const std::int64_t image : images) {
      labels.push_back(kept_labels_[static_cast<std::size_t>(image)]);
    }
    return update(
        maps,
        at::tensor(labels, at::dtype(at::kLong)).to(model_->place()),
        rates);
  });
  CachingAllocator::install().end_step();
  return loss;
}

}  // namespace

Result<std::unique_ptr<ProbeTrainer>> make_probe_trainer(
    const TrainerOptions& model,
    state::SnapshotReader& snapshot,
    const ProbeOptions& options) {
  if (options.classes < 2 || options.image_size < 1) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "probes for {} classes on images of {} pixels",
            options.classes,
            options.image_size)};
  }
  auto loaded = EvalModel::load(model, snapshot, EvalParts::kTrunk);
  if (!loaded.ok()) {
    return loaded.error();
  }
  return catch_torch<std::unique_ptr<ProbeTrainer>>(
      "make the probes", [&]() -> std::unique_ptr<ProbeTrainer> {
        return std::make_unique<TorchProbeTrainer>(
            std::move(loaded).value(), options);
      });
}

}  // namespace swavd::trainer
