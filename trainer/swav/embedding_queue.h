#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace swavd::trainer {

/// The latest embeddings of each assigning crop, first in, first out, so that
/// a small batch's codes are balanced over more images than its own. Holds
/// embeddings and no scores: prototypes move on, scores would be old. Not
/// thread-safe.
class EmbeddingQueue {
 public:
  /// Room on `device` for `images` embeddings [dim] of each of `crops` crops,
  /// none there yet. 0 images: a queue that is never full and takes nothing.
  EmbeddingQueue(
      std::int64_t crops,
      std::int64_t images,
      std::int64_t dim,
      at::Device device = at::kCPU);

  /// Room, in images.
  [[nodiscard]] std::int64_t length() const;

  /// True when every place holds an embedding; before, the places still empty
  /// would draw codes of their own.
  [[nodiscard]] bool full() const;

  /// Takes the first `crops` crops of a batch in, over the oldest ones.
  /// `embeddings` [at least crops * images, dim] float32, crop-major;
  /// `images` at most length().
  void push(const at::Tensor& embeddings, std::int64_t images);

  /// [crops, length, dim] float32. The image pushed n-th (from 0) lies at n
  /// modulo the length.
  [[nodiscard]] const at::Tensor& embeddings() const { return embeddings_; }

  /// Images ever pushed: an int64 scalar of the host, with the embeddings all
  /// there is to restore.
  [[nodiscard]] const at::Tensor& pushed() const { return pushed_; }

 private:
  at::Tensor embeddings_;
  at::Tensor pushed_;
};

}  // namespace swavd::trainer
