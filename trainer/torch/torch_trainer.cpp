#include "trainer/torch/torch_trainer.h"

#include <chrono>
#include <cmath>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "trainer/device/device_choice.h"
#include "trainer/model/check_options.h"
#include "trainer/model/hf_config.h"
#include "trainer/model/kept_activations.h"
#include "trainer/model/timm_config.h"
#include "trainer/nn/autocast.h"
#include "trainer/optim/loss_scale.h"
#include "trainer/optim/optimizer.h"
#include "trainer/swav/embedding_queue.h"
#include "trainer/torch/averaged_model.h"
#include "trainer/torch/caching_allocator.h"
#include "trainer/torch/crop_tensors.h"
#include "trainer/torch/initial_tensors.h"
#include "trainer/torch/snapshot_tensors.h"
#include "trainer/torch/step_figures.h"
#include "trainer/torch/step_loss.h"
#include "trainer/torch/swav_model.h"
#include "trainer/torch/torch_errors.h"
#include "trainer/torch/trainer_device.h"

namespace swavd::trainer {

namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kHeadFile = "head.safetensors";
constexpr const char* kStateFile = "state.safetensors";
constexpr const char* kRawPrefix = "raw.";
constexpr const char* kNonFiniteLoss = "nonfinite_loss";
constexpr const char* kNonFiniteGradient = "nonfinite_grad";

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
    const Optimizer& optimizer,
    const EmbeddingQueue& queue,
    const LossScale& loss_scale) {
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
  if (loss_scale.active()) {
    state_file.push_back({kStateFile, "loss_scale.scale", loss_scale.scale()});
    state_file.push_back(
        {kStateFile, "loss_scale.good_steps", loss_scale.good_steps()});
  }
  std::vector<SnapshotTensor> all = std::move(model_file);
  all.insert(all.end(), head_file.begin(), head_file.end());
  all.insert(all.end(), state_file.begin(), state_file.end());
  all.insert(all.end(), raw.begin(), raw.end());
  return all;
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

/// Why a step must not be completed; empty: it may.
std::string why_not(const StepReport& report) {
  if (!std::isfinite(report.loss)) {
    return kNonFiniteLoss;
  }
  return std::isfinite(report.grad_norm) ? "" : kNonFiniteGradient;
}

class TorchTrainer final : public Trainer {
 public:
  TorchTrainer(
      const TrainerOptions& options,
      TrunkDesign design,
      std::shared_ptr<const DeviceLink> link)
      : options_(options),
        design_(std::move(design)),
        device_(std::move(link)),
        model_(design_, options.head, device_.place()),
        parameters_(model_.store.of_role(Role::kParameter)),
        optimizer_(parameters_, options.optimizer, device_.link()),
        queue_(
            options.swav.assign_crops,
            options.swav.queue_images,
            options.head.out,
            device_.place()),
        loss_scale_(options.precision),
        average_(
            options.ema > 0 ? std::make_unique<AveragedModel>(
                                  model_,
                                  design_,
                                  options.head,
                                  options.ema)
                            : nullptr),
        layout_(layout_with(average_.get())),
        staging_(std::make_unique<Staging>(layout_, device_.staging())),
        random_json_(fmt::format(
            R"({{"generator":"philox4x32-10","seed":{}}})",
            options.seed)) {
    use_threads();
    model_.store.initialise(options.seed);
    if (average_ != nullptr) {
      average_->start_over();
    }
    model_.trunk.recomputed =
        checkpoint_ends(design_, options.checkpoint_groups);
  }

  loader::BufferAllocator allocator() override { return device_.allocator(); }

  bool looks_ahead() const override { return device_.link() != nullptr; }

  void expect(const loader::Batch& batch) override;

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
    layout_ = layout_with(nullptr);
    staging_ = std::make_unique<Staging>(layout_, device_.staging());
  }

  Status begin_with(const InitialWeights& weights) override {
    return catch_torch<std::monostate>("begin with given weights", [&] {
      const Status copied = copy_initial_tensors(layout_with(nullptr), weights);
      if (copied.ok() && average_ != nullptr) {
        average_->start_over();
      }
      return copied;
    });
  }

  Result<Features> embed(const loader::Batch& batch) override;

  Result<Choices> assign(const loader::Batch& batch) override;

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

  /// What snapshots hold, with this average or none.
  [[nodiscard]] std::vector<SnapshotTensor> layout_with(
      const AveragedModel* average) const {
    return snapshot_layout(model_, average, optimizer_, queue_, loss_scale_);
  }

  [[nodiscard]] at::Tensor pooled_features(const loader::Batch& batch);
  void use_threads();
  void forget_gradients();
  [[nodiscard]] at::Tensor gradient_norm() const;
  [[nodiscard]] StepReport train_on(
      const std::vector<at::Tensor>& crops,
      std::int64_t images,
      double learning_rate);
  [[nodiscard]] StepReport try_step(
      const std::vector<at::Tensor>& crops,
      std::int64_t images,
      double learning_rate);
  [[nodiscard]] Status restore_from(
      state::SnapshotReader& snapshot,
      const std::vector<SnapshotTensor>& tensors,
      Coverage coverage);

  TrainerOptions options_;
  TrunkDesign design_;
  TrainerDevice device_;
  SwavModel model_;
  std::vector<at::Tensor> parameters_;
  Optimizer optimizer_;
  EmbeddingQueue queue_;
  LossScale loss_scale_;
  std::unique_ptr<AveragedModel> average_;  ///< nullptr: none
  std::vector<SnapshotTensor> layout_;
  std::unique_ptr<Staging> staging_;
  std::string random_json_;
  std::uint64_t steps_ = 0;
  double last_loss_ = 0;
  std::thread::id thread_;  ///< which thread's pool has been sized
};

void TorchTrainer::use_threads() {
  if (thread_ == std::this_thread::get_id()) {
    return;
  }
  if (options_.threads > 0) {
    at::set_num_threads(options_.threads);  // of the calling thread only
  }
  if (device_.link() != nullptr) {
    device_.link()->select();  // likewise
  }
  thread_ = std::this_thread::get_id();
}

void TorchTrainer::expect(const loader::Batch& batch) {
  if (device_.upload() == nullptr ||
      !check_training_batch(batch, options_.swav.assign_crops).ok()) {
    return;
  }
  // What goes wrong here goes wrong again in the step, which tells of it.
  (void)catch_torch<std::monostate>("upload of crops", [&]() -> Status {
    use_threads();
    device_.upload()->begin(batch.groups, batch.images);
    return ok_status();
  });
}

void TorchTrainer::forget_gradients() {
  for (const at::Tensor& parameter : parameters_) {
    parameter.mutable_grad().reset();
  }
}

at::Tensor TorchTrainer::gradient_norm() const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) {
      gradients.push_back(parameter.grad());
    }
  }
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)));
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
  CachingAllocator& memory = CachingAllocator::install();
  memory.forget_peak();
  Result<StepReport> report = catch_torch<StepReport>("training step", [&] {
    use_threads();
    const DeviceLink* link = device_.link().get();
    if (link != nullptr) {
      link->forget_peak();
    }
    const TrainerDevice::Crops crops(device_, batch, batch.groups.size());
    StepReport made = train_on(crops.groups(), batch.images, learning_rate);
    made.peak_bytes =
        link != nullptr ? link->memory().peak_bytes : memory.peak_bytes();
    return made;
  });
  forget_gradients();
  memory.end_step();
  return report;
}

StepReport TorchTrainer::train_on(
    const std::vector<at::Tensor>& crops,
    std::int64_t images,
    double learning_rate) {
  const LossScale::State scale_before = loss_scale_.state();
  StepReport report = try_step(crops, images, learning_rate);
  while (report.skip_reason == kNonFiniteGradient && loss_scale_.back_off()) {
    const std::int32_t overflows = report.overflows + 1;
    report = try_step(crops, images, learning_rate);
    report.overflows = overflows;
  }
  if (report.trained) {
    loss_scale_.grow();
  } else {
    loss_scale_.set_state(scale_before);  // the batch is to blame
  }
  report.loss_scale = loss_scale_.value();
  return report;
}

StepReport TorchTrainer::try_step(
    const std::vector<at::Tensor>& crops,
    std::int64_t images,
    double learning_rate) {
  StepReport report;
  report.step = steps_;
  LapTimer timer;
  forget_gradients();
  StepRollback rollback(model_);
  model_.normalise_prototypes();
  const SwavOptions& swav = options_.swav;
  const std::vector<at::Tensor> passes = swav.pass_per_crop
                                             ? crop_passes(crops, images)
                                             : resolution_passes(crops);
  const SwavModel::Output output = model_.forward(passes, options_.precision);
  report.phases.forward = timer.lap();

  const at::Tensor loss = swav_loss(
      loss_scores(model_, output, queue_),
      images,
      loss_options(swav, steps_, device_.link().get()));
  report.phases.sinkhorn = timer.lap();

  loss_scale_.scaled(loss).backward();
  loss_scale_.unscale(parameters_);
  const at::Tensor grad_norm = gradient_norm();
  if (steps_ < swav.freeze_prototypes_steps) {
    for (const at::Tensor& set : model_.prototypes) {
      set.mutable_grad().reset();
    }
  }
  const Optimizer::Update update = optimizer_.prepare();
  const auto first_crop = [&](const at::Tensor& rows) {
    return rows.narrow(0, 0, images);
  };
  read_figures(
      {loss,
       grad_norm,
       update.trust_ratios,
       first_crop(output.embeddings),
       first_crop(output.scores.front())},
      device_.reader(),
      report);
  report.phases.backward = timer.lap();
  report.skip_reason = why_not(report);
  if (!report.skip_reason.empty()) {
    return report;
  }

  optimizer_.apply(update, learning_rate);
  if (steps_ >= swav.queue_start_steps) {
    queue_.push(output.embeddings, images);
  }
  model_.count_batches(static_cast<std::int64_t>(passes.size()));
  rollback.keep();
  last_loss_ = report.loss;
  report.trained = true;
  report.step = ++steps_;
  if (average_ != nullptr) {
    average_->update(steps_);
  }
  report.phases.optimizer = timer.lap();
  return report;
}

state::FrozenState TorchTrainer::freeze() {
  use_threads();
  Staging::Copy copy = staging_->copy();
  state::FrozenState frozen;
  frozen.step = steps_;
  frozen.tensor_files = std::move(copy.files);
  frozen.owner = std::move(copy.owner);
  frozen.wait = std::move(copy.wait);
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

at::Tensor TorchTrainer::pooled_features(const loader::Batch& batch) {
  const AutocastGuard autocast(options_.precision, device_.place().type());
  const TrainerDevice::Crops crops(device_, batch, 1);
  return published()
      .trunk.forward(crops.groups().front(), Mode::kEval)
      .to(at::kFloat)
      .contiguous();
}

Result<Features> TorchTrainer::embed(const loader::Batch& batch) {
  SWAVD_RETURN_IF_ERROR(check_has_crops(batch));
  return catch_torch<Features>("embed", [&] {
    use_threads();
    const at::NoGradGuard no_grad;
    const at::Tensor pooled = on_host(pooled_features(batch), device_.reader());
    Features features;
    features.rows = pooled.size(0);
    features.dim = pooled.size(1);
    const auto* values = pooled.const_data_ptr<float>();
    features.values.assign(values, values + pooled.numel());
    return features;
  });
}

Result<Choices> TorchTrainer::assign(const loader::Batch& batch) {
  SWAVD_RETURN_IF_ERROR(check_has_crops(batch));
  return catch_torch<Choices>("assign", [&] {
    use_threads();
    const at::NoGradGuard no_grad;
    const at::Tensor embeddings = normalise_rows(
        published().head.forward(pooled_features(batch), Mode::kEval));
    Choices choices;
    for (const at::Tensor& set : published().prototypes) {
      // The last update, or an average, has left other lengths than one.
      const at::Tensor best = on_host(
          at::linear(embeddings, normalise_rows(set)).argmax(1).to(at::kInt),
          device_.reader());
      const auto* top = best.const_data_ptr<std::int32_t>();
      choices.emplace_back(top, top + best.numel());
    }
    return choices;
  });
}

}  // namespace

Result<std::unique_ptr<Trainer>> make_torch_trainer_on(
    const TrainerOptions& options,
    std::shared_ptr<const DeviceLink> link) {
  SWAVD_RETURN_IF_ERROR(check_options(options));
  Result<TrunkDesign> design = design_trunk(options.trunk);
  if (!design.ok()) {
    return design.error();
  }
  return catch_torch<std::unique_ptr<Trainer>>(
      "make the model", [&]() -> std::unique_ptr<Trainer> {
        CachingAllocator::install();
        return std::make_unique<TorchTrainer>(
            options, std::move(design).value(), std::move(link));
      });
}

Result<std::unique_ptr<Trainer>> make_torch_trainer(
    const TrainerOptions& options) {
  auto chosen = choose_here(options.device);
  if (!chosen.ok()) {
    return chosen.error();
  }
  return make_torch_trainer_on(options, std::move(chosen).value().link);
}

}  // namespace swavd::trainer
