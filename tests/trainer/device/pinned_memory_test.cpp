#include "trainer/device/pinned_memory.h"

#include <array>
#include <cstring>
#include <memory>

#include <gtest/gtest.h>

#include "tests/trainer/device/emulated_plugin.h"

namespace swavd::trainer {
namespace {

std::shared_ptr<const DeviceLink> emulated_link() {
  return std::make_shared<DeviceLink>(emulated_plugin(), 0);
}

TEST(PinnedMemory, KnowsItsOwn) {
  PinnedMemory memory(emulated_link());
  auto* block = static_cast<std::byte*>(memory.allocate(100));
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(memory.holds(block, 100));
  EXPECT_TRUE(memory.holds(block + 40, 60));
  EXPECT_FALSE(memory.holds(block + 40, 61));
  const std::array<std::byte, 8> other{};
  EXPECT_FALSE(memory.holds(other.data(), other.size()));
  memory.release(block);
  EXPECT_FALSE(memory.holds(block, 100));
}

TEST(PinnedMemory, TheLoadersBuffersAreReusedAndOutliveEverybody) {
  const std::uint64_t before = emulation_counts().pinned_blocks;
  auto memory = std::make_shared<PinnedMemory>(emulated_link());
  std::shared_ptr<float> kept;
  {
    loader::BufferPool pool(pinned_allocator(memory), 1000);
    const float* first = pool.take().get();
    kept = pool.take();
    EXPECT_EQ(kept.get(), first);
    EXPECT_EQ(memory->allocations(), 1U);
    EXPECT_TRUE(memory->holds(kept.get(), 1000 * sizeof(float)));
    memory.reset();
  }
  kept.get()[999] = 1.0F;
  kept.reset();
  EXPECT_EQ(emulation_counts().pinned_blocks, before);
}

TEST(PinnedBlock, GrowsAndNeverShrinks) {
  const auto memory = std::make_shared<PinnedMemory>(emulated_link());
  PinnedBlock block(memory);
  const std::byte* small = block.at_least(10);
  EXPECT_EQ(block.at_least(5), small);
  std::byte* large = block.at_least(5000);
  std::memset(large, 1, 5000);
  EXPECT_EQ(block.at_least(10), large);
  EXPECT_EQ(memory->allocations(), 2U);
}

TEST(DeviceEvent, AStreamOfItsOwnWorksNoEarlierThanItIsWaitedFor) {
  const auto link = emulated_link();
  PinnedMemory memory(link);
  auto* from = static_cast<int*>(memory.allocate(sizeof(int)));
  int to = 0;
  *from = 5;
  DeviceStream stream(link);
  DeviceEvent copied(link);
  link->copy(&to, from, sizeof(int), stream.get());
  copied.record(stream.get());
  *from = 6;
  EXPECT_EQ(to, 0);
  copied.synchronise();
  EXPECT_EQ(to, 6);  // what is changed too early arrives changed
  memory.release(from);
}

TEST(DeviceLink, PageableMemoryIsNotCopied) {
  const auto link = emulated_link();
  const int from = 1;
  int to = 0;
  EXPECT_THROW(
      link->copy(&to, &from, sizeof(int), link->current_stream()),
      DeviceFailure);
  EXPECT_EQ(to, 0);
}

}  // namespace
}  // namespace swavd::trainer
