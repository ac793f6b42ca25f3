#include "trainer/torch/snapshot_tensors.h"

#include <cstring>
#include <deque>
#include <utility>

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/base/check.h"
#include "state/safetensors.h"

namespace swavd::trainer {

namespace {

state::DType snapshot_dtype(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kLong) {
    return state::DType::kI64;
  }
  SWAVD_CHECK(tensor.scalar_type() == at::kFloat);
  return state::DType::kF32;
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

Staging::Staging(std::vector<SnapshotTensor> tensors)
    : tensors_(std::move(tensors)) {}

std::shared_ptr<Staging::Set> Staging::take_set() {
  for (std::shared_ptr<Set>& set : sets_) {
    if (set == nullptr) {
      set = std::make_shared<Set>();
      for (const SnapshotTensor& source : tensors_) {
        set->tensors.push_back(
            at::empty(source.tensor.sizes(), source.tensor.scalar_type()));
      }
    }
    if (!set->in_use.exchange(true, std::memory_order_acquire)) {
      return set;
    }
  }
  return nullptr;
}

Staging::Copy Staging::copy() noexcept {
  const at::NoGradGuard no_grad;
  const std::shared_ptr<Set> set = take_set();
  SWAVD_CHECK(set != nullptr);
  Copy result;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const SnapshotTensor& source = tensors_[i];
    set->tensors[i].copy_(source.tensor);
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
