#include "trainer/torch/device_reader.h"

#include <utility>

#include <ATen/ops/from_blob.h>

namespace swavd::trainer {

DeviceReader::DeviceReader(
    std::shared_ptr<const DeviceLink> link,
    std::shared_ptr<PinnedMemory> pinned)
    : link_(std::move(link)),
      block_(std::move(pinned)),
      arrived_(link_) {}

at::Tensor DeviceReader::fetch(const at::Tensor& values) {
  const at::Tensor dense = values.contiguous();
  std::byte* memory = block_.at_least(dense.nbytes());
  PluginStream* stream = link_->current_stream();
  link_->copy(memory, dense.const_data_ptr(), dense.nbytes(), stream);
  arrived_.record(stream);
  arrived_.synchronise();
  return at::from_blob(memory, dense.sizes(), at::dtype(dense.scalar_type()));
}

at::Tensor on_host(const at::Tensor& values, DeviceReader* reader) {
  return reader == nullptr ? values.contiguous() : reader->fetch(values);
}

}  // namespace swavd::trainer
