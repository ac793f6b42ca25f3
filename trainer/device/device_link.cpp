#include "trainer/device/device_link.h"

#include <utility>

namespace swavd::trainer {

PluginMemory DeviceLink::memory() const {
  PluginMemory figures{};
  check(plugin_.memory(index_, &figures));
  return figures;
}

void* DeviceLink::allocate_pinned(std::size_t bytes) const {
  // Any thread may ask, and one that has selected nothing is taken to mean the
  // first device: the driver would make itself at home there, too.
  void* memory = nullptr;
  const bool made = plugin_.select(index_) == nullptr &&
                    plugin_.allocate_pinned(bytes, &memory) == nullptr;
  return made ? memory : nullptr;
}

void DeviceLink::release_pinned(void* memory) const noexcept {
  (void)plugin_.select(index_);
  (void)plugin_.release_pinned(memory);  // there is nothing to be done about it
}

PluginStream* DeviceLink::current_stream() const {
  PluginStream* stream = nullptr;
  check(plugin_.current_stream(index_, &stream));
  return stream;
}

DeviceStream::DeviceStream(std::shared_ptr<const DeviceLink> link)
    : link_(std::move(link)) {
  DeviceLink::check(link_->plugin_.make_stream(&stream_));
}

DeviceStream::~DeviceStream() {
  (void)link_->plugin_.drop_stream(stream_);
}

DeviceEvent::DeviceEvent(std::shared_ptr<const DeviceLink> link)
    : link_(std::move(link)) {
  DeviceLink::check(link_->plugin_.make_event(&event_));
}

DeviceEvent::~DeviceEvent() {
  (void)link_->plugin_.drop_event(event_);
}

void DeviceEvent::record(PluginStream* stream) {
  DeviceLink::check(link_->plugin_.record(event_, stream));
}

void DeviceEvent::hold(PluginStream* stream) const {
  DeviceLink::check(link_->plugin_.wait(stream, event_));
}

void DeviceEvent::synchronise() const {
  link_->select();
  DeviceLink::check(link_->plugin_.synchronise(event_));
}

}  // namespace swavd::trainer
