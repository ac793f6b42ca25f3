#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "ops/base/result.h"
#include "ops/service/config.h"
#include "state/object_store.h"

namespace swavd::service {

/// The store of `[object_store]`, whose url must not be empty. `on_retry` and
/// `give_up`: see S3Options. Errors: those of `state::open_object_store`.
[[nodiscard]] Result<std::unique_ptr<state::ObjectStore>> open_object_store(
    const ObjectStoreConfig& config,
    std::function<void(std::string_view reason)> on_retry = {},
    std::function<bool()> give_up = {});

}  // namespace swavd::service
