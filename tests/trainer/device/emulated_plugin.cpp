#include "tests/trainer/device/emulated_plugin.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "tests/trainer/cuda/host_team.h"
#include "trainer/cuda/sinkhorn_functors.h"
#include "trainer/cuda/update_functors.h"

namespace swavd::trainer {

struct PluginStream {
  bool immediate = false;
  std::deque<std::function<void()>> work;
  std::uint64_t put = 0;
  std::uint64_t done = 0;
};

struct PluginEvent {
  PluginStream* stream = nullptr;
  std::uint64_t position = 0;
};

namespace {

struct World {
  std::recursive_mutex mutex;
  PluginStream current{.immediate = true, .work = {}};
  std::map<const std::byte*, std::size_t> pinned;
  EmulationCounts counts;
};

World& world() {
  static World made;
  return made;
}

using Lock = std::lock_guard<std::recursive_mutex>;

void work_up_to(PluginStream& stream, std::uint64_t position) {
  while (stream.done < position) {
    const auto next = std::move(stream.work.front());
    stream.work.pop_front();
    ++stream.done;
    next();
  }
}

void put(PluginStream& stream, std::function<void()> work) {
  ++stream.put;
  stream.work.push_back(std::move(work));
  if (stream.immediate) {
    work_up_to(stream, stream.put);
  }
}

bool is_pinned(const void* memory, std::size_t bytes) {
  const auto* begin = static_cast<const std::byte*>(memory);
  auto& blocks = world().pinned;
  const auto above = blocks.upper_bound(begin);
  if (above == blocks.begin()) {
    return false;
  }
  const auto& [block, size] = *std::prev(above);
  return begin + bytes <= block + size;
}

PluginError device_count(std::int32_t* count) {
  *count = 2;
  return nullptr;
}

PluginError describe(std::int32_t /*device*/, PluginDevice* about) {
  std::snprintf(about->name, sizeof about->name, "an emulated device");
  about->memory_bytes = std::uint64_t{3} << 29U;
  about->free_bytes = std::uint64_t{1} << 30U;
  return nullptr;
}

PluginError select(std::int32_t /*device*/) {
  return nullptr;
}

PluginError memory(std::int32_t /*device*/, PluginMemory* figures) {
  *figures = {1000, 2000, 3000, 4};
  return nullptr;
}

PluginError forget_peak(std::int32_t /*device*/) {
  return nullptr;
}

PluginError allocate_pinned(std::size_t bytes, void** memory) {
  constexpr std::size_t kAlignment = 64;
  const Lock lock(world().mutex);
  *memory = std::aligned_alloc(
      kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (*memory == nullptr) {
    return "out of memory";
  }
  world().pinned[static_cast<const std::byte*>(*memory)] = bytes;
  ++world().counts.pinned_allocations;
  return nullptr;
}

PluginError release_pinned(void* memory) {
  const Lock lock(world().mutex);
  if (world().pinned.erase(static_cast<const std::byte*>(memory)) == 0) {
    return "this memory is not pinned";
  }
  std::free(memory);
  return nullptr;
}

PluginError current_stream(std::int32_t /*device*/, PluginStream** stream) {
  *stream = &world().current;
  return nullptr;
}

PluginError make_stream(PluginStream** stream) {
  *stream = new PluginStream();
  return nullptr;
}

PluginError drop_stream(PluginStream* stream) {
  const Lock lock(world().mutex);
  work_up_to(*stream, stream->put);
  delete stream;
  return nullptr;
}

PluginError make_event(PluginEvent** event) {
  *event = new PluginEvent();
  return nullptr;
}

PluginError drop_event(PluginEvent* event) {
  delete event;
  return nullptr;
}

PluginError record(PluginEvent* event, PluginStream* stream) {
  const Lock lock(world().mutex);
  *event = {stream, stream->put};
  return nullptr;
}

PluginError wait(PluginStream* stream, PluginEvent* event) {
  const Lock lock(world().mutex);
  put(*stream, [from = *event] {
    if (from.stream != nullptr) {
      work_up_to(*from.stream, from.position);
    }
  });
  return nullptr;
}

PluginError synchronise(PluginEvent* event) {
  const Lock lock(world().mutex);
  if (event->stream != nullptr) {
    work_up_to(*event->stream, event->position);
  }
  return nullptr;
}

PluginError
copy(void* to, const void* from, std::size_t bytes, PluginStream* stream) {
  const Lock lock(world().mutex);
  // Which of two pieces is the device's cannot be told here.
  if (!is_pinned(to, bytes) && !is_pinned(from, bytes)) {
    return "copy: one side is pageable memory";
  }
  ++world().counts.copies;
  world().counts.late_copies += stream->immediate ? 0 : 1;
  put(*stream, [to, from, bytes] { std::memcpy(to, from, bytes); });
  return nullptr;
}

PluginError sinkhorn(const SinkhornJob* job, PluginStream* stream) {
  const Lock lock(world().mutex);
  ++world().counts.sinkhorns;
  put(*stream, [job = *job] { run_sinkhorn(job, SerialLaunch{}); });
  return nullptr;
}

// The tables of these two are gone when the call returns: run at once.
PluginError trust_ratios(const RatioJob* job, PluginStream* /*stream*/) {
  run_trust_ratios(*job, SerialLaunch{});
  return nullptr;
}

PluginError update(const UpdateJob* job, PluginStream* /*stream*/) {
  const Lock lock(world().mutex);
  ++world().counts.updates;
  run_update(*job, SerialLaunch{});
  return nullptr;
}

const CudaPlugin kPlugin = {
    kPluginAbi,
    sizeof(CudaPlugin),
    SWAVD_PLUGIN_BUILD,
    /*on_host=*/1,
    &device_count,
    &describe,
    &select,
    &memory,
    &forget_peak,
    &allocate_pinned,
    &release_pinned,
    &current_stream,
    &make_stream,
    &drop_stream,
    &make_event,
    &drop_event,
    &record,
    &wait,
    &synchronise,
    &copy,
    &sinkhorn,
    &trust_ratios,
    &update,
};

}  // namespace

const CudaPlugin& emulated_plugin() {
  return kPlugin;
}

EmulationCounts emulation_counts() {
  const Lock lock(world().mutex);
  EmulationCounts counts = world().counts;
  counts.pinned_blocks = world().pinned.size();
  return counts;
}

}  // namespace swavd::trainer
