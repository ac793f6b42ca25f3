#include "trainer/swav/embedding_queue.h"

#include <algorithm>

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "ops/base/check.h"

namespace swavd::trainer {

EmbeddingQueue::EmbeddingQueue(
    std::int64_t crops,
    std::int64_t images,
    std::int64_t dim,
    at::Device device)
    : embeddings_(at::zeros(
          {crops, images, dim},
          at::dtype(at::kFloat).device(device))),
      pushed_(at::zeros({}, at::kLong)) {}

std::int64_t EmbeddingQueue::length() const {
  return embeddings_.size(1);
}

bool EmbeddingQueue::full() const {
  return length() > 0 && *pushed_.const_data_ptr<std::int64_t>() >= length();
}

void EmbeddingQueue::push(const at::Tensor& embeddings, std::int64_t images) {
  if (length() == 0) {
    return;
  }
  SWAVD_CHECK(images <= length());
  const at::NoGradGuard no_grad;
  const std::int64_t crops = embeddings_.size(0);
  const at::Tensor by_crop = embeddings.detach()
                                 .narrow(0, 0, crops * images)
                                 .view({crops, images, embeddings_.size(2)});
  auto& pushed = *pushed_.mutable_data_ptr<std::int64_t>();
  const std::int64_t begin = pushed % length();
  const std::int64_t until_end = std::min(images, length() - begin);
  embeddings_.narrow(1, begin, until_end)
      .copy_(by_crop.narrow(1, 0, until_end));
  if (until_end < images) {
    const std::int64_t rest = images - until_end;
    embeddings_.narrow(1, 0, rest).copy_(by_crop.narrow(1, until_end, rest));
  }
  pushed += images;
}

}  // namespace swavd::trainer
