#include "ops/daemon/tiers.h"

#include <utility>

#include "ops/base/files.h"
#include "ops/service/object_store.h"

namespace swavd::daemon {

namespace {

using metrics::Id;

}  // namespace

std::string local_folder(const service::Config& config) {
  return config.data_dir + "/snapshots";
}

Result<std::unique_ptr<state::SnapshotStore>> open_local(
    const service::Config& config) {
  SWAVD_RETURN_IF_ERROR(make_folders(config.data_dir));
  return state::open_local_store(
      {local_folder(config), config.snapshot.reserve_bytes});
}

Status open_remote(
    const service::Config& config,
    metrics::Registry& registry,
    const Patience& patience,
    Tiers& tiers) {
  if (config.object_store.url.empty()) {
    return ok_status();
  }
  auto objects = service::open_object_store(
      config.object_store,
      [&registry](std::string_view reason) {
        registry.add(Id::kObjectStoreRetries, 1, {reason});
      },
      [&patience] { return patience.ended(); });
  if (!objects.ok()) {
    return objects.error();
  }
  tiers.objects = std::move(objects).value();
  tiers.remote = state::open_remote_run(*tiers.objects, config.run);
  return ok_status();
}

}  // namespace swavd::daemon
