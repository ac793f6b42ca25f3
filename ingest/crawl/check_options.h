#pragma once

#include "ingest/crawler.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Checks every range `CrawlOptions` documents. Errors: kInvalidArgument
/// naming the first field that is out of range, and its range.
[[nodiscard]] Status check_options(const CrawlOptions& options);

}  // namespace swavd::ingest
