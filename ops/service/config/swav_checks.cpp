#include "ops/service/config/swav_checks.h"

#include <algorithm>

#include <fmt/format.h>

namespace swavd::service {
namespace {

std::uint64_t batch_of(const Config& config) {
  return static_cast<std::uint64_t>(config.loader.batch_images);
}

/// The queue in whole batches.
std::uint64_t queue_kept(const Config& config) {
  return config.swav.queue_images / batch_of(config) * batch_of(config);
}

std::int64_t crops_of(const Config& config) {
  std::int64_t crops = 0;
  for (const CropConfig& group : config.loader.crops) {
    crops += group.count;
  }
  return crops;
}

}  // namespace

void check_swav(const Config& config, std::vector<Contradiction>& found) {
  const SwavConfig& swav = config.swav;
  const std::int64_t crops = crops_of(config);
  if (crops > 0 && swav.assign_crops > crops) {
    found.push_back(
        {{"swav.assign_crops", "loader.crops"},
         fmt::format(
             "{} is more than the {} crops of an image in loader.crops",
             swav.assign_crops,
             crops)});
  }
  if (swav.queue_images > 0 && swav.queue_images < batch_of(config)) {
    found.push_back(
        {{"swav.queue_images", "loader.batch_images"},
         fmt::format(
             "{} is less than a batch: the queue takes whole ones; write {} or "
             "more, or 0 for none",
             swav.queue_images,
             batch_of(config))});
  }
  if (swav.queue_start_images > 0 && swav.queue_images == 0) {
    found.push_back(
        {{"swav.queue_start_images", "swav.queue_images"},
         "starts a queue that is not there: set swav.queue_images too, or "
         "leave it out"});
  }
}

std::vector<Contradiction> doubts_of_swav(const Config& config) {
  std::vector<Contradiction> doubts;
  if (config.model.trainer != "torch") {
    return doubts;
  }
  const SwavConfig& swav = config.swav;
  const std::uint64_t kept = queue_kept(config);
  if (kept != swav.queue_images) {
    doubts.push_back(
        {{"swav.queue_images", "loader.batch_images"},
         fmt::format(
             "{} is no multiple of loader.batch_images = {}: {} are kept",
             swav.queue_images,
             batch_of(config),
             kept)});
  }
  const auto most = static_cast<std::uint64_t>(
      *std::max_element(swav.prototypes.begin(), swav.prototypes.end()));
  if (batch_of(config) + kept < most) {
    doubts.push_back(
        {{"swav.prototypes", "loader.batch_images", "swav.queue_images"},
         fmt::format(
             "a step of one process balances {} images over {} prototypes, so "
             "that most get none; if the loss stays at ln K, set "
             "swav.queue_images, raise loader.batch_images or lower "
             "swav.prototypes",
             batch_of(config) + kept,
             most)});
  }
  return doubts;
}

}  // namespace swavd::service
