#include "trainer/swav/embedding_queue.h"

#include <vector>

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

/// Embeddings [3 crops * images, 1]: a hundred for the crop, ten for the batch,
/// one for the image.
at::Tensor batch_of(int batch, std::int64_t images) {
  std::vector<float> rows;
  for (int crop = 0; crop < 3; ++crop) {
    for (std::int64_t image = 0; image < images; ++image) {
      rows.push_back(
          100.0F * static_cast<float>(crop) +
          10.0F * static_cast<float>(batch) + static_cast<float>(image));
    }
  }
  return at::tensor(rows).view({-1, 1});
}

std::vector<float> held(const EmbeddingQueue& queue, std::int64_t crop) {
  const at::Tensor row = queue.embeddings()[crop].contiguous();
  const auto* values = row.const_data_ptr<float>();
  return {values, values + row.numel()};
}

TEST(EmbeddingQueue, IsFullOnceEveryPlaceHoldsAnEmbedding) {
  EmbeddingQueue queue(2, 4, 1);
  EXPECT_FALSE(queue.full());
  queue.push(batch_of(1, 2), 2);
  EXPECT_FALSE(queue.full());
  queue.push(batch_of(2, 2), 2);
  EXPECT_TRUE(queue.full());
  EXPECT_EQ(held(queue, 0), (std::vector<float>{10, 11, 20, 21}));
  EXPECT_EQ(held(queue, 1), (std::vector<float>{110, 111, 120, 121}));
}

TEST(EmbeddingQueue, TheOldestMakeRoomForTheNewest) {
  EmbeddingQueue queue(2, 4, 1);
  for (int batch = 1; batch <= 3; ++batch) {
    queue.push(batch_of(batch, 2), 2);
  }
  EXPECT_EQ(held(queue, 0), (std::vector<float>{30, 31, 20, 21}));
  EXPECT_EQ(queue.pushed().item<std::int64_t>(), 6);
}

TEST(EmbeddingQueue, ABatchMayGoRoundTheEnd) {
  EmbeddingQueue queue(1, 4, 1);
  queue.push(batch_of(1, 3), 3);
  queue.push(batch_of(2, 3), 3);
  EXPECT_EQ(held(queue, 0), (std::vector<float>{21, 22, 12, 20}));
}

TEST(EmbeddingQueue, KeepsNoGradient) {
  EmbeddingQueue queue(1, 2, 1);
  queue.push(batch_of(1, 2).requires_grad_(true), 2);
  EXPECT_FALSE(queue.embeddings().requires_grad());
}

TEST(EmbeddingQueue, WithoutRoomTakesNothingAndIsNeverFull) {
  EmbeddingQueue queue(2, 0, 1);
  queue.push(batch_of(1, 2), 2);
  EXPECT_FALSE(queue.full());
  EXPECT_EQ(queue.pushed().item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace swavd::trainer
