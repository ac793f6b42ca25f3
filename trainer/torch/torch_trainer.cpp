#include <chrono>
#include <cmath>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/std.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "trainer/model/check_options.h"
#include "trainer/model/hf_config.h"
#include "trainer/model/timm_config.h"
#include "trainer/optim/larc.h"
#include "trainer/swav/embedding_queue.h"
#include "trainer/torch/autocast.h"
#include "trainer/torch/averaged_model.h"
#include "trainer/torch/caching_allocator.h"
#include "trainer/torch/crop_tensors.h"
#include "trainer/torch/initial_tensors.h"
#include "trainer/torch/snapshot_tensors.h"
#include "trainer/torch/step_loss.h"
#include "trainer/torch/swav_model.h"
#include "trainer/torch/torch_errors.h"
#include "trainer/trainer.h"

namespace swavd::trainer {

namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kHeadFile = "head.safetensors";
constexpr const char* kStateFile = "state.safetensors";
constexpr std::int64_t kReportedEmbeddings = 16;
constexpr const char* kRawPrefix = "raw.";

/// Seconds since the last call, or since it was made.
class LapTimer {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ =
      std::chrono::steady_clock::now();
};

/// What is published of each tensor, and what training needs beside it.
/// `average`: nullptr when there is none.
std::vector<SnapshotTensor> snapshot_layout(
    const SwavModel& model,
    const AveragedModel* average,
    const Larc& optimizer,
    const EmbeddingQueue& queue) {
  std::vector<SnapshotTensor> model_file;
  std::vector<SnapshotTensor> head_file;
  std::vector<SnapshotTensor> state_file;
  std::vector<SnapshotTensor> raw;
  std::size_t parameter = 0;
  for (const ParameterStore::Entry& entry : model.store.entries()) {
    const std::string& name = entry.spec.name;
    const bool in_head = is_head_tensor(name);
    at::Tensor published = entry.tensor.detach();
    if (average != nullptr && entry.spec.role != Role::kCounter) {
      raw.push_back({kStateFile, kRawPrefix + name, published});
      published = average->model().store.at(name).detach();
    }
    (in_head ? head_file : model_file)
        .push_back({in_head ? kHeadFile : kModelFile, name, published});
    if (entry.spec.role == Role::kParameter) {
      state_file.push_back(
          {kStateFile, "momentum." + name, optimizer.momenta()[parameter]});
      ++parameter;
    }
  }
  if (queue.length() > 0) {
    state_file.push_back({kStateFile, "queue.embeddings", queue.embeddings()});
    state_file.push_back({kStateFile, "queue.images", queue.pushed()});
  }
  std::vector<SnapshotTensor> all = std::move(model_file);
  all.insert(all.end(), head_file.begin(), head_file.end());
  all.insert(all.end(), state_file.begin(), state_file.end());
  all.insert(all.end(), raw.begin(), raw.end());
  return all;
}

/// Every so many rows of `rows` that at most `most` are left.
std::vector<float> spread_rows(const at::Tensor& rows, std::int64_t most) {
  const std::int64_t stride = (rows.size(0) + most - 1) / most;
  const at::Tensor some =
      rows.slice(0, 0, rows.size(0), stride).to(at::kFloat).contiguous();
  const auto* values = some.const_data_ptr<float>();
  return {values, values + some.numel()};
}

std::string config_json(
    const TrunkDesign& design,
    const TrainerOptions& options) {
  return design.names == NameStyle::kTimm
             ? timm_config_json(design, options)
             : hf_config_json(design, options.trunk);
}

Status check_has_crops(const loader::Batch& batch) {
  if (batch.images < 1 || batch.groups.empty() ||
      batch.groups.front().data == nullptr) {
    return Error{ErrorCode::kInvalidArgument, "the batch has no crops"};
  }
  return ok_status();
}

class TorchTrainer final : public Trainer {
 public:
  TorchTrainer(const TrainerOptions& options, TrunkDesign design)
      : options_(options),
        design_(std::move(design)),
        model_(design_, options.head),
        parameters_(model_.store.of_role(Role::kParameter)),
        optimizer_(parameters_, options.optimizer),
        queue_(
            options.swav.assign_crops,
            options.swav.queue_images,
            options.head.out),
        average_(
            options.ema > 0 ? std::make_unique<AveragedModel>(
                                  model_,
                                  design_,
                                  options.head,
                                  options.ema)
                            : nullptr),
        layout_(snapshot_layout(model_, average_.get(), optimizer_, queue_)),
        staging_(layout_),
        random_json_(fmt::format(
            R"({{"generator":"philox4x32-10","seed":{}}})",
            options.seed)) {
    use_threads();
    model_.store.initialise(options.seed);
    if (average_ != nullptr) {
      average_->start_over();
    }
  }

  loader::BufferAllocator allocator() override {
    return loader::host_allocator();
  }

  Result<StepReport> step(const loader::Batch& batch, double learning_rate)
      override;

  state::FrozenState freeze() override;

  Status restore(state::SnapshotReader& snapshot) override {
    return restore_from(snapshot, layout_, Coverage::kWholeFiles);
  }

  Status restore_model(state::SnapshotReader& snapshot, Weights weights)
      override;

  void stop_averaging() override {
    average_.reset();
    layout_ = snapshot_layout(model_, nullptr, optimizer_, queue_);
    staging_ = Staging(layout_);
  }

  Status begin_with(const InitialWeights& weights) override {
    return catch_torch<std::monostate>("begin with given weights", [&] {
      const Status copied = copy_initial_tensors(
          snapshot_layout(model_, nullptr, optimizer_, queue_), weights);
      if (copied.ok() && average_ != nullptr) {
        average_->start_over();
      }
      return copied;
    });
  }

  Result<Features> embed(const loader::Batch& batch) override;

  Result<std::vector<std::int32_t>> assign(const loader::Batch& batch) override;

  std::uint64_t steps() const override { return steps_; }

  std::int64_t prototypes() const override {
    return options_.head.prototypes.front();
  }

  double ln_k() const override { return untrained_loss(options_.head); }

 private:
  /// What a snapshot publishes.
  [[nodiscard]] const SwavModel& published() const {
    return average_ != nullptr ? average_->model() : model_;
  }

  [[nodiscard]] at::Tensor pooled_features(const loader::Batch& batch) const;
  void use_threads();
  void forget_gradients();
  [[nodiscard]] double gradient_norm() const;
  [[nodiscard]] StepReport train_on(
      const loader::Batch& batch,
      double learning_rate);
  [[nodiscard]] Status restore_from(
      state::SnapshotReader& snapshot,
      const std::vector<SnapshotTensor>& tensors,
      Coverage coverage);

  TrainerOptions options_;
  TrunkDesign design_;
  SwavModel model_;
  std::vector<at::Tensor> parameters_;
  Larc optimizer_;
  EmbeddingQueue queue_;
  std::unique_ptr<AveragedModel> average_;  ///< nullptr: none
  std::vector<SnapshotTensor> layout_;
  Staging staging_;
  std::string random_json_;
  std::uint64_t steps_ = 0;
  double last_loss_ = 0;
  std::thread::id thread_;  ///< which thread's pool has been sized
};

void TorchTrainer::use_threads() {
  if (options_.threads > 0 && thread_ != std::this_thread::get_id()) {
    at::set_num_threads(options_.threads);  // of the calling thread only
    thread_ = std::this_thread::get_id();
  }
}

void TorchTrainer::forget_gradients() {
  for (const at::Tensor& parameter : parameters_) {
    parameter.mutable_grad().reset();
  }
}

double TorchTrainer::gradient_norm() const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) {
      gradients.push_back(parameter.grad());
    }
  }
  const at::Tensor norms = at::stack(at::_foreach_norm(gradients));
  return at::linalg_vector_norm(norms).item<double>();
}

Result<StepReport> TorchTrainer::step(
    const loader::Batch& batch,
    double learning_rate) {
  SWAVD_RETURN_IF_ERROR(
      check_training_batch(batch, options_.swav.assign_crops));
  if (const std::int64_t room = options_.swav.queue_images;
      room > 0 && batch.images > room) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "a batch of {} images does not fit swav.queue_images ({})",
            batch.images,
            room)};
  }
  if (!std::isfinite(learning_rate) || learning_rate < 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("learning rate {} is not usable", learning_rate)};
  }
  use_threads();
  Result<StepReport> report = catch_torch<StepReport>(
      "training step", [&] { return train_on(batch, learning_rate); });
  forget_gradients();
  CachingAllocator::install().end_step();
  return report;
}

StepReport TorchTrainer::train_on(
    const loader::Batch& batch,
    double learning_rate) {
  StepReport report;
  report.step = steps_;
  LapTimer timer;
  StepRollback rollback(model_);
  model_.normalise_prototypes();
  const SwavOptions& swav = options_.swav;
  const std::vector<at::Tensor> passes =
      swav.pass_per_crop ? crop_passes(batch) : resolution_passes(batch);
  const SwavModel::Output output = model_.forward(passes, options_.precision);
  report.phases.forward = timer.lap();

  const at::Tensor loss = swav_loss(
      loss_scores(model_, output, queue_),
      batch.images,
      loss_options(swav, steps_));
  report.loss = loss.item<double>();
  report.phases.sinkhorn = timer.lap();
  if (!std::isfinite(report.loss)) {
    report.skip_reason = "nonfinite_loss";
    return report;
  }

  loss.backward();
  report.grad_norm = gradient_norm();
  report.phases.backward = timer.lap();
  if (!std::isfinite(report.grad_norm)) {
    report.skip_reason = "nonfinite_grad";
    return report;
  }

  if (steps_ < swav.freeze_prototypes_steps) {
    for (const at::Tensor& set : model_.prototypes) {
      set.mutable_grad().reset();
    }
  }
  optimizer_.step(learning_rate);
  if (steps_ >= swav.queue_start_steps) {
    queue_.push(output.embeddings, batch.images);
  }
  model_.count_batches(static_cast<std::int64_t>(passes.size()));
  rollback.keep();
  last_loss_ = report.loss;
  report.trained = true;
  report.step = ++steps_;
  if (average_ != nullptr) {
    average_->update(steps_);
  }

  const at::NoGradGuard no_grad;
  const auto first_crop = [&](const at::Tensor& rows) {
    return rows.narrow(0, 0, batch.images);
  };
  const at::Tensor embeddings = first_crop(output.embeddings);
  report.feature_std =
      embeddings.std(0, /*unbiased=*/false).mean().item<double>();
  report.embeddings = spread_rows(embeddings, kReportedEmbeddings);
  const at::Tensor best =
      first_crop(output.scores.front()).argmax(1).to(at::kInt).contiguous();
  const auto* top = best.const_data_ptr<std::int32_t>();
  report.top_prototypes.assign(top, top + best.numel());
  report.phases.optimizer = timer.lap();
  return report;
}

state::FrozenState TorchTrainer::freeze() {
  Staging::Copy copy = staging_.copy();
  state::FrozenState frozen;
  frozen.step = steps_;
  frozen.tensor_files = std::move(copy.files);
  frozen.owner = std::move(copy.owner);
  frozen.text_files.emplace_back("config.json", config_json(design_, options_));
  frozen.text_files.emplace_back(
      "preprocessor_config.json", hf_preprocessor_json(options_));
  frozen.health.loss = last_loss_;
  frozen.health.ln_k = ln_k();
  frozen.random_json = random_json_;
  return frozen;
}

Status TorchTrainer::restore_model(
    state::SnapshotReader& snapshot,
    Weights weights) {
  std::vector<SnapshotTensor> trunk;
  if (weights == Weights::kPublished || average_ == nullptr) {
    for (const SnapshotTensor& tensor : layout_) {
      if (tensor.file == kModelFile) {
        trunk.push_back(tensor);
      }
    }
    return restore_from(snapshot, trunk, Coverage::kWholeFiles);
  }
  for (const ParameterStore::Entry& entry : published().store.entries()) {
    const std::string& name = entry.spec.name;
    if (!is_head_tensor(name) && entry.spec.role != Role::kCounter) {
      trunk.push_back({kStateFile, kRawPrefix + name, entry.tensor.detach()});
    }
  }
  return restore_from(snapshot, trunk, Coverage::kParts);
}

Status TorchTrainer::restore_from(
    state::SnapshotReader& snapshot,
    const std::vector<SnapshotTensor>& tensors,
    Coverage coverage) {
  const Status status = catch_torch<std::monostate>(
      "restore", [&] { return restore_tensors(tensors, snapshot, coverage); });
  if (!status.ok()) {
    return status.error().with_context("snapshot " + snapshot.id());
  }
  steps_ = snapshot.manifest().step;
  random_json_ = snapshot.manifest().random_json;
  last_loss_ = snapshot.manifest().health.loss;
  return ok_status();
}

at::Tensor TorchTrainer::pooled_features(const loader::Batch& batch) const {
  const AutocastGuard autocast(options_.precision);
  return published()
      .trunk
      .forward(group_tensor(batch.groups.front(), batch.images), Mode::kEval)
      .to(at::kFloat)
      .contiguous();
}

Result<Features> TorchTrainer::embed(const loader::Batch& batch) {
  SWAVD_RETURN_IF_ERROR(check_has_crops(batch));
  use_threads();
  return catch_torch<Features>("embed", [&] {
    const at::NoGradGuard no_grad;
    const at::Tensor pooled = pooled_features(batch);
    Features features;
    features.rows = pooled.size(0);
    features.dim = pooled.size(1);
    const auto* values = pooled.const_data_ptr<float>();
    features.values.assign(values, values + pooled.numel());
    return features;
  });
}

Result<std::vector<std::int32_t>> TorchTrainer::assign(
    const loader::Batch& batch) {
  SWAVD_RETURN_IF_ERROR(check_has_crops(batch));
  use_threads();
  return catch_torch<std::vector<std::int32_t>>("assign", [&] {
    const at::NoGradGuard no_grad;
    const at::Tensor embeddings = normalise_rows(
        published().head.forward(pooled_features(batch), Mode::kEval));
    // The last update, or an average, has left them at other lengths than one.
    const at::Tensor prototypes = normalise_rows(published().prototypes.front());
    const at::Tensor best =
        at::linear(embeddings, prototypes).argmax(1).to(at::kInt).contiguous();
    const auto* top = best.const_data_ptr<std::int32_t>();
    return std::vector<std::int32_t>(top, top + best.numel());
  });
}

}  // namespace

Result<std::unique_ptr<Trainer>> make_torch_trainer(
    const TrainerOptions& options) {
  SWAVD_RETURN_IF_ERROR(check_options(options));
  Result<TrunkDesign> design = design_trunk(options.trunk);
  if (!design.ok()) {
    return design.error();
  }
  return catch_torch<std::unique_ptr<Trainer>>(
      "make the model", [&]() -> std::unique_ptr<Trainer> {
        CachingAllocator::install();
        return std::make_unique<TorchTrainer>(
            options, std::move(design).value());
      });
}

}  // namespace swavd::trainer
