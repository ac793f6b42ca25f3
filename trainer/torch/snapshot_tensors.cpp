#include "trainer/torch/snapshot_tensors.h"

#include <cstring>
#include <deque>
#include <utility>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/base/check.h"
#include "state/safetensors.h"
#include "trainer/torch/tensor_device.h"
#include "trainer/torch/torch_errors.h"

namespace swavd::trainer {

namespace {

state::DType snapshot_dtype(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kLong) {
    return state::DType::kI64;
  }
  SWAVD_CHECK(tensor.scalar_type() == at::kFloat);
  return state::DType::kF32;
}

/// Tensors begin at multiples of this in one piece of memory.
constexpr std::size_t kAlignment = 64;

std::size_t padded(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::int64_t padded_floats(const at::Tensor& tensor) {
  return static_cast<std::int64_t>(padded(tensor.nbytes()) / sizeof(float));
}

Bytes bytes_of(const at::Tensor& contiguous) {
  return {
      static_cast<const std::uint8_t*>(contiguous.const_data_ptr()),
      contiguous.nbytes()};
}

Error misfit(const SnapshotTensor& wanted, std::string_view why) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{}: tensor {} {}: the snapshot is of another model",
          wanted.file,
          wanted.name,
          why)};
}

/// A file's bytes with the views into them.
struct LoadedFile {
  ByteVector bytes;
  state::SafetensorsView view;
};

Status load_file(
    const std::string& name,
    state::SnapshotReader& snapshot,
    LoadedFile& file) {
  Result<ByteVector> bytes = state::read_verified(snapshot, name);
  if (!bytes.ok()) {
    return bytes.error();
  }
  file.bytes = std::move(bytes).value();
  Result<state::SafetensorsView> view = state::parse_safetensors(file.bytes);
  if (!view.ok()) {
    return view.error().with_context(name);
  }
  file.view = std::move(view).value();
  return ok_status();
}

Result<const state::TensorView*> find_fitting(
    const LoadedFile& file,
    const SnapshotTensor& wanted) {
  const state::TensorView* stored = file.view.find(wanted.name);
  if (stored == nullptr) {
    return misfit(wanted, "is missing");
  }
  if (wanted.tensor.sizes() != at::IntArrayRef(stored->shape)) {
    return misfit(
        wanted,
        fmt::format(
            "has shape [{}] instead of [{}]",
            fmt::join(stored->shape, ", "),
            fmt::join(wanted.tensor.sizes().vec(), ", ")));
  }
  const state::DType dtype = snapshot_dtype(wanted.tensor);
  if (stored->dtype != dtype) {
    return misfit(
        wanted,
        fmt::format(
            "has type {} instead of {}",
            state::to_string(stored->dtype),
            state::to_string(dtype)));
  }
  return stored;
}

/// Errors when `file` holds more tensors than the `wanted` ones of its name.
Status check_nothing_extra(
    const LoadedFile& file,
    const std::string& name,
    const std::vector<SnapshotTensor>& tensors) {
  for (const state::TensorView& stored : file.view.tensors) {
    bool known = false;
    for (const SnapshotTensor& wanted : tensors) {
      known = known || (wanted.name == stored.name && wanted.file == name);
    }
    if (!known) {
      return misfit({name, stored.name, {}}, "is not part of this model");
    }
  }
  return ok_status();
}

}  // namespace

Staging::Staging(std::vector<SnapshotTensor> tensors, StagingDevice device)
    : tensors_(std::move(tensors)),
      device_(std::move(device)) {}

Staging::Shadow::~Shadow() {
  try {
    if (read != nullptr) {
      read->synchronise();
    }
  } catch (const DeviceFailure&) {
    // The device is lost: nothing is read there any more.
  }
}

bool Staging::on_device(const at::Tensor& tensor) const {
  return device_.link != nullptr && tensor.scalar_type() == at::kFloat &&
         tensor.device() == tensor_device(device_.link.get());
}

std::shared_ptr<Staging::Set> Staging::make_set() const {
  auto set = std::make_shared<Set>();
  if (device_.link == nullptr) {
    for (const SnapshotTensor& source : tensors_) {
      set->tensors.push_back(
          at::empty(source.tensor.sizes(), source.tensor.scalar_type()));
    }
    return set;
  }
  // The device's part in front, as it lies in the shadow.
  std::vector<std::size_t> offsets(tensors_.size());
  std::size_t end = 0;
  for (const bool device : {true, false}) {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (on_device(tensors_[i].tensor) == device) {
        offsets[i] = end;
        end += padded(tensors_[i].tensor.nbytes());
      }
    }
  }
  set->block = std::make_unique<PinnedBlock>(device_.pinned);
  set->arrived = std::make_shared<DeviceEvent>(device_.link);
  std::byte* memory = set->block->at_least(end);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    set->tensors.push_back(at::from_blob(
        memory + offsets[i],
        tensors_[i].tensor.sizes(),
        at::dtype(tensors_[i].tensor.scalar_type())));
  }
  return set;
}

std::shared_ptr<Staging::Set> Staging::take_set() {
  for (std::shared_ptr<Set>& set : sets_) {
    if (set == nullptr) {
      set = make_set();
    }
    if (!set->in_use.exchange(true, std::memory_order_acquire)) {
      return set;
    }
  }
  return nullptr;
}

void Staging::copy_values(Set& set) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!on_device(tensors_[i].tensor)) {
      set.tensors[i].copy_(tensors_[i].tensor);
    }
  }
  if (device_.link != nullptr) {
    copy_by_device(set);
  }
}

void Staging::copy_by_device(Set& set) {
  const DeviceLink& link = *device_.link;
  if (shadow_ == nullptr) {
    shadow_ = std::make_unique<Shadow>(device_.link);
    shadow_->tensors.resize(tensors_.size());
    std::int64_t end = 0;
    for (const SnapshotTensor& source : tensors_) {
      end += on_device(source.tensor) ? padded_floats(source.tensor) : 0;
    }
    shadow_->whole =
        at::empty({end}, at::dtype(at::kFloat).device(tensor_device(&link)));
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const at::Tensor& source = tensors_[i].tensor;
      if (on_device(source)) {
        shadow_->tensors[i] = shadow_->whole.narrow(0, offset, source.numel())
                                  .view(source.sizes());
        offset += padded_floats(source);
      }
    }
  }
  PluginStream* current = link.current_stream();
  if (shadow_->read != nullptr) {
    shadow_->read->hold(current);
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (shadow_->tensors[i].defined()) {
      shadow_->tensors[i].copy_(tensors_[i].tensor);
    }
  }
  shadow_->copied.record(current);
  shadow_->copied.hold(shadow_->stream.get());
  link.copy(
      set.block->at_least(0),
      shadow_->whole.const_data_ptr(),
      shadow_->whole.nbytes(),
      shadow_->stream.get());
  set.arrived->record(shadow_->stream.get());
  shadow_->read = set.arrived;
}

Staging::Copy Staging::copy() noexcept {
  const at::NoGradGuard no_grad;
  const std::shared_ptr<Set> set = take_set();
  SWAVD_CHECK(set != nullptr);
  copy_values(*set);
  Copy result;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const SnapshotTensor& source = tensors_[i];
    if (result.files.empty() || result.files.back().name != source.file) {
      result.files.push_back({source.file, {}, {}});
    }
    result.files.back().tensors.push_back(
        {source.name,
         snapshot_dtype(source.tensor),
         source.tensor.sizes().vec(),
         bytes_of(set->tensors[i])});
  }
  // The deleter holds the set, so that a copy may outlive the trainer.
  result.owner = std::shared_ptr<const void>(set.get(), [set](const void*) {
    set->in_use.store(false, std::memory_order_release);
  });
  if (device_.link != nullptr) {
    result.wait = [set]() -> Status {
      return catch_torch<std::monostate>(
          "copy the state from the device", [&]() -> Status {
            set->arrived->synchronise();
            return ok_status();
          });
    };
  }
  return result;
}

Status restore_tensors(
    const std::vector<SnapshotTensor>& tensors,
    state::SnapshotReader& snapshot,
    Coverage coverage) {
  std::deque<LoadedFile> files;  // a deque: the views' addresses stay
  std::vector<const state::TensorView*> stored;
  std::string_view current;
  for (const SnapshotTensor& wanted : tensors) {
    if (wanted.file != current) {
      current = wanted.file;
      files.emplace_back();
      SWAVD_RETURN_IF_ERROR(load_file(wanted.file, snapshot, files.back()));
      if (coverage == Coverage::kWholeFiles) {
        SWAVD_RETURN_IF_ERROR(
            check_nothing_extra(files.back(), wanted.file, tensors));
      }
    }
    const Result<const state::TensorView*> found =
        find_fitting(files.back(), wanted);
    if (!found.ok()) {
      return found.error();
    }
    stored.push_back(found.value());
  }
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor& live = tensors[i].tensor;
    // By way of a tensor of its own: a file promises no alignment.
    const at::Tensor values = at::empty(live.sizes(), live.scalar_type());
    std::memcpy(
        values.mutable_data_ptr(), stored[i]->data.data(), values.nbytes());
    live.copy_(values);
  }
  return ok_status();
}

}  // namespace swavd::trainer
