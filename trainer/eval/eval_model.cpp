#include "trainer/eval/eval_model.h"

#include <cmath>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "trainer/device/device_choice.h"
#include "trainer/model/check_options.h"
#include "trainer/nn/autocast.h"
#include "trainer/torch/caching_allocator.h"
#include "trainer/torch/snapshot_tensors.h"
#include "trainer/torch/torch_errors.h"

namespace swavd::trainer {

namespace {

Error bad_labels(std::string why) {
  return {ErrorCode::kInvalidArgument, "labelled batch: " + std::move(why)};
}

std::vector<SnapshotTensor> published_tensors(
    const ParameterStore& store,
    EvalParts parts) {
  std::vector<SnapshotTensor> trunk;
  std::vector<SnapshotTensor> head;
  for (const ParameterStore::Entry& entry : store.entries()) {
    const bool in_head = is_head_tensor(entry.spec.name);
    (in_head ? head : trunk)
        .push_back(
            {in_head ? "head.safetensors" : "model.safetensors",
             entry.spec.name,
             entry.tensor.detach()});
  }
  if (parts == EvalParts::kTrunkAndHead) {
    trunk.insert(trunk.end(), head.begin(), head.end());
  }
  return trunk;
}

}  // namespace

EvalModel::EvalModel(
    const TrainerOptions& options,
    const TrunkDesign& design,
    std::shared_ptr<const DeviceLink> link)
    : options_(options),
      device_(std::move(link)),
      model_(design, options.head, device_.place()) {
  use_threads();
  model_.store.initialise(options.seed);
}

Result<std::unique_ptr<EvalModel>> EvalModel::load(
    const TrainerOptions& options,
    state::SnapshotReader& snapshot,
    EvalParts parts) {
  SWAVD_RETURN_IF_ERROR(check_options(options));
  const Result<TrunkDesign> design = design_trunk(options.trunk);
  if (!design.ok()) {
    return design.error();
  }
  auto chosen = choose_here(options.device);
  if (!chosen.ok()) {
    return chosen.error();
  }
  return catch_torch<std::unique_ptr<EvalModel>>(
      "snapshot " + snapshot.id(), [&]() -> Result<std::unique_ptr<EvalModel>> {
        CachingAllocator::install();
        std::unique_ptr<EvalModel> made(
            new EvalModel(options, design.value(), chosen.value().link));
        SWAVD_RETURN_IF_ERROR(restore_tensors(
            published_tensors(made->model_.store, parts), snapshot));
        return made;
      });
}

void EvalModel::use_threads() const {
  if (options_.threads > 0) {
    at::set_num_threads(options_.threads);  // of the calling thread only
  }
  if (device_.link() != nullptr) {
    device_.link()->select();  // likewise
  }
}

at::Tensor EvalModel::features(const at::Tensor& images, Mode mode) const {
  const AutocastGuard autocast(options_.precision, images.device().type());
  return model_.trunk.forward(images, mode).to(at::kFloat);
}

std::vector<at::Tensor> EvalModel::last_maps(const at::Tensor& images) const {
  constexpr std::size_t kStages = 2;
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> maps;
  {
    const AutocastGuard autocast(options_.precision, images.device().type());
    maps = model_.trunk.stage_maps(images, Mode::kEval, kStages);
  }
  for (at::Tensor& map : maps) {
    map = map.to(at::kFloat);
  }
  return maps;
}

Status check_labelled_images(const loader::Batch& batch) {
  if (batch.images < 1 || batch.groups.empty() ||
      batch.groups.front().data == nullptr) {
    return bad_labels("there are no crops");
  }
  if (batch.groups.front().crops != 1) {
    return bad_labels(fmt::format(
        "{} crops an image instead of one", batch.groups.front().crops));
  }
  return ok_status();
}

Result<at::Tensor> label_tensor(
    const std::vector<std::int32_t>& labels,
    std::int64_t images,
    std::int32_t classes) {
  if (labels.size() != static_cast<std::size_t>(images)) {
    return bad_labels(
        fmt::format("{} labels for {} images", labels.size(), images));
  }
  for (const std::int32_t label : labels) {
    if (label < 0 || label >= classes) {
      return bad_labels(
          fmt::format("label {} with {} classes", label, classes));
    }
  }
  return at::tensor(labels, at::dtype(at::kLong));
}

std::vector<std::int32_t> best_classes(const at::Tensor& logits) {
  const at::Tensor best = logits.argmax(1).to(at::kCPU, at::kInt).contiguous();
  const auto* values = best.const_data_ptr<std::int32_t>();
  return {values, values + best.numel()};
}

Result<double> finite_loss(const at::Tensor& loss) {
  const double value = loss.item<double>();
  if (std::isfinite(value)) {
    return value;
  }
  return Error{
      ErrorCode::kInvalidArgument,
      "the loss is not finite: the learning rate is too high for these "
      "features, set a smaller one"};
}

}  // namespace swavd::trainer
