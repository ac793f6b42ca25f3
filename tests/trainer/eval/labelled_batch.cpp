#include "tests/trainer/eval/labelled_batch.h"

#include <cstddef>
#include <memory>

#include "ops/base/philox.h"

namespace swavd::trainer {

namespace {

constexpr std::int32_t kSize = 32;
constexpr std::int32_t kColours = 3;

}  // namespace

LabelledBatch coloured_batch(std::int32_t images, std::uint64_t seed) {
  constexpr std::size_t kPixels = std::size_t{kSize} * kSize;
  Random random(stream_key(seed, "coloured"));
  auto values = std::make_shared<std::vector<float>>();
  LabelledBatch made;
  for (std::int32_t image = 0; image < images; ++image) {
    const std::int32_t label = image % kColours;
    made.labels.push_back(label);
    for (std::size_t i = 0; i < kPixels * kColours; ++i) {
      const bool bright = static_cast<std::int32_t>(i % kColours) == label;
      values->push_back(
          static_cast<float>(0.3 * random.normal() + (bright ? 1.0 : -1.0)));
    }
  }
  made.batch.images = images;
  made.batch.groups = {
      {1, kSize, std::shared_ptr<float>(values, values->data())}};
  return made;
}

LabelledBatch mislabelled_batch(std::int32_t images, std::uint64_t seed) {
  LabelledBatch made = coloured_batch(images, seed);
  Random random(stream_key(seed, "labels"));
  for (std::int32_t& label : made.labels) {
    label = static_cast<std::int32_t>(random.below(kColours));
  }
  return made;
}

}  // namespace swavd::trainer
