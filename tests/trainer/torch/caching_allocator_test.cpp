#include "trainer/torch/caching_allocator.h"

#include <cstdint>
#include <thread>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

constexpr std::int64_t kBigFloats = 1000000;

TEST(CachingAllocator, ABigBlockIsHandedOutAgain) {
  CachingAllocator::install();
  at::Tensor tensor = at::empty({kBigFloats});
  const void* const memory = tensor.const_data_ptr();
  tensor.reset();
  EXPECT_GE(CachingAllocator::install().idle_bytes(), 4U * kBigFloats);
  // A little smaller: the same class of sizes.
  tensor = at::empty({kBigFloats - 100});
  EXPECT_EQ(tensor.const_data_ptr(), memory);
}

TEST(CachingAllocator, MemoryIsAlignedAndZeroBytesAreFine) {
  CachingAllocator::install();
  for (const std::int64_t size : {0, 1, 17, 5000, 100000}) {
    const at::Tensor tensor = at::ones({size});
    EXPECT_EQ(
        reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % 64, 0U);
    EXPECT_EQ(tensor.sum().item<double>(), static_cast<double>(size));
  }
}

TEST(CachingAllocator, BlocksThatLieIdleGoBack) {
  CachingAllocator& allocator = CachingAllocator::install();
  at::Tensor tensor = at::empty({kBigFloats});
  tensor.reset();
  EXPECT_GT(allocator.idle_bytes(), 0U);
  for (int i = 0; i < 17; ++i) {
    allocator.end_step();
  }
  EXPECT_EQ(allocator.idle_bytes(), 0U);
}

TEST(CachingAllocator, BlocksMayBeLetGoOfByAnotherThread) {
  CachingAllocator::install();
  std::vector<at::Tensor> tensors;
  for (int i = 0; i < 8; ++i) {
    tensors.push_back(at::ones({kBigFloats}));
  }
  std::thread other([&tensors] { tensors.clear(); });
  std::vector<at::Tensor> more;
  for (int i = 0; i < 8; ++i) {
    more.push_back(at::ones({kBigFloats}));
  }
  other.join();
  for (const at::Tensor& tensor : more) {
    EXPECT_EQ(tensor.sum().item<double>(), static_cast<double>(kBigFloats));
  }
}

TEST(CachingAllocator, ThePeakIsTheMostThatWasInUseAtOnce) {
  CachingAllocator& allocator = CachingAllocator::install();
  const at::Tensor kept = at::empty({kBigFloats});
  allocator.forget_peak();
  const std::size_t before = allocator.used_bytes();
  EXPECT_EQ(allocator.peak_bytes(), before);
  at::Tensor first = at::empty({kBigFloats});
  first.reset();
  at::Tensor second = at::empty({kBigFloats});
  at::Tensor little = at::empty({10});
  const std::size_t most = allocator.used_bytes();
  EXPECT_GE(most, before + sizeof(float) * (kBigFloats + 10));
  second.reset();
  little.reset();
  EXPECT_EQ(allocator.used_bytes(), before);
  EXPECT_EQ(allocator.peak_bytes(), most);
  allocator.forget_peak();
  EXPECT_EQ(allocator.peak_bytes(), before);
}

TEST(CachingAllocator, AnImpossibleRequestIsAnExceptionThatSaysSo) {
  CachingAllocator::install();
  try {
    static_cast<void>(at::empty({std::int64_t{1} << 50}));
    ADD_FAILURE() << "got a petabyte";
  } catch (const c10::Error& error) {
    EXPECT_NE(
        std::string(error.what()).find("allocate memory"), std::string::npos);
  }
}

}  // namespace
}  // namespace swavd::trainer
