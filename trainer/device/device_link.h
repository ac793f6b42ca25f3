#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "trainer/cuda/plugin_interface.h"

namespace swavd::trainer {

/// What the functions below throw: a device that failed is an accident, as for
/// LibTorch's operators, and is caught where theirs are.
class DeviceFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One device behind the plugin. Thread-safe, and immutable.
class DeviceLink {
 public:
  /// `plugin` lives as long as the process.
  DeviceLink(const CudaPlugin& plugin, std::int32_t index)
      : plugin_(plugin),
        index_(index) {}

  /// No device at all: tests let the host's memory stand in for its own.
  [[nodiscard]] bool on_host() const { return plugin_.on_host != 0; }

  [[nodiscard]] std::int32_t index() const { return index_; }

  /// To be called by a thread before it makes or fills streams.
  void select() const { check(plugin_.select(index_)); }

  [[nodiscard]] PluginMemory memory() const;

  void forget_peak() const { check(plugin_.forget_peak(index_)); }

  /// nullptr when there is no memory.
  [[nodiscard]] void* allocate_pinned(std::size_t bytes) const;
  void release_pinned(void* memory) const noexcept;

  /// The one LibTorch's operators of the calling thread run on.
  [[nodiscard]] PluginStream* current_stream() const;

  /// Puts a copy between the device and pinned memory into `stream`.
  void copy(void* to, const void* from, std::size_t bytes, PluginStream* stream)
      const {
    check(plugin_.copy(to, from, bytes, stream));
  }

  // Jobs, put into the current stream.
  void sinkhorn(const SinkhornJob& job) const {
    check(plugin_.sinkhorn(&job, current_stream()));
  }

  void trust_ratios(const RatioJob& job) const {
    check(plugin_.trust_ratios(&job, current_stream()));
  }

  void update(const UpdateJob& job) const {
    check(plugin_.update(&job, current_stream()));
  }

 private:
  friend class DeviceStream;
  friend class DeviceEvent;

  static void check(PluginError error) {
    if (error != nullptr) {
      throw DeviceFailure(error);
    }
  }

  const CudaPlugin& plugin_;
  std::int32_t index_;
};

/// A stream of its own, beside the one LibTorch's operators run on.
class DeviceStream {
 public:
  explicit DeviceStream(std::shared_ptr<const DeviceLink> link);
  DeviceStream(const DeviceStream&) = delete;
  DeviceStream& operator=(const DeviceStream&) = delete;
  ~DeviceStream();

  [[nodiscard]] PluginStream* get() const { return stream_; }

 private:
  std::shared_ptr<const DeviceLink> link_;
  PluginStream* stream_ = nullptr;
};

/// A point in a stream that others wait for. Nobody waits before the first
/// `record`.
class DeviceEvent {
 public:
  explicit DeviceEvent(std::shared_ptr<const DeviceLink> link);
  DeviceEvent(const DeviceEvent&) = delete;
  DeviceEvent& operator=(const DeviceEvent&) = delete;
  ~DeviceEvent();

  /// Stands from now on for all that is in `stream` by now.
  void record(PluginStream* stream);

  /// What is put into `stream` from now on runs after it.
  void hold(PluginStream* stream) const;

  /// Blocks the caller until it has come.
  void synchronise() const;

 private:
  std::shared_ptr<const DeviceLink> link_;
  PluginEvent* event_ = nullptr;
};

}  // namespace swavd::trainer
