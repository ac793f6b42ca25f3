#include "ops/daemon/labelled_images.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ops/daemon/subsets.h"

namespace swavd::daemon {

namespace {

void count_classes(
    LabelledImages& images,
    const std::vector<std::int32_t>& numbers) {
  std::vector<std::uint64_t> counts(images.classes.names().size());
  for (const std::size_t place : images.places) {
    ++counts[static_cast<std::size_t>(numbers[place])];
  }
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  images.least_per_class = *least;
  images.most_per_class = *most;
}

}  // namespace

Result<LabelledImages> list_images(const ClassifierQuery& query) {
  auto train = ingest::FileSet::open(query.train);
  if (!train.ok()) {
    return train.error();
  }
  auto test = ingest::FileSet::open(query.test);
  if (!test.ok()) {
    return test.error();
  }
  auto classes = ClassNames::of(train.value());
  if (!classes.ok()) {
    return classes.error();
  }
  auto numbers = classes.value().numbers(train.value());
  if (!numbers.ok()) {
    return numbers.error();
  }
  SWAVD_RETURN_IF_ERROR(classes.value().numbers(test.value()));
  LabelledImages images{
      std::move(train).value(),
      std::move(test).value(),
      std::move(classes).value(),
      {}};
  images.places = query.protocol.kind == trainer::ProtocolKind::kLowShot
                      ? balanced_subset(
                            numbers.value(),
                            images.classes.count(),
                            query.fraction,
                            query.seed)
                      : all_places(images.train.names().size());
  count_classes(images, numbers.value());
  const auto batch = static_cast<std::size_t>(query.protocol.batch);
  if (images.places.size() < batch) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} images to learn from are fewer than a batch of {}: set a "
            "smaller --batch",
            images.places.size(),
            batch)};
  }
  return images;
}

}  // namespace swavd::daemon
