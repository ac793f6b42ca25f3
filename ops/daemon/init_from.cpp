#include "ops/daemon/init_from.h"

#include <cstddef>
#include <utility>

#include <nlohmann/json.hpp>

#include "ops/base/log.h"
#include "ops/daemon/options.h"
#include "state/weight_files.h"

namespace swavd::daemon {

namespace {

using OriginJson = nlohmann::ordered_json;

constexpr const char* kKey = "model.init_from";

/// A path in the configuration that holds no such model is a mistake of the
/// configuration; a disk that fails, or memory that runs out, is none.
Error as_mistake(const Error& error) {
  const bool of_path = error.code == ErrorCode::kNotFound ||
                       error.code == ErrorCode::kInvalidArgument ||
                       error.code == ErrorCode::kCorruption;
  return Error{of_path ? ErrorCode::kConfig : error.code, error.message}
      .with_context(kKey);
}

}  // namespace

Result<trainer::InitialWeights> plan_initial_weights(
    const service::Config& config) {
  auto files = state::WeightFiles::open(config.model.init_from);
  if (!files.ok()) {
    return as_mistake(files.error());
  }
  auto weights = trainer::InitialWeights::plan(
      trainer_options(config), std::move(files).value());
  if (!weights.ok()) {
    return as_mistake(weights.error());
  }
  return weights;
}

std::string origin_to_json(
    const trainer::InitialWeights& weights,
    const std::vector<std::string>& digests) {
  const trainer::InitReport& report = weights.report();
  OriginJson files = OriginJson::array();
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const state::WeightFile& file = weights.files().files()[i];
    files.push_back(
        {{"name", file.path.filename().string()},
         {"bytes", file.bytes},
         {"sha256", digests[i]}});
  }
  return OriginJson{
      {"init_from", report.path},
      {"layout", to_string(report.layout)},
      {"trunk", report.trunk.taken},
      {"head", report.head.taken},
      {"prototypes", report.prototypes.taken},
      {"files", files}}
      .dump();
}

Result<std::string> begin_with_given_weights(
    const service::Config& config,
    trainer::Trainer& trainer) {
  if (config.model.init_from.empty()) {
    return std::string();
  }
  const auto weights = plan_initial_weights(config);
  if (!weights.ok()) {
    return weights.error();
  }
  const auto digests = weights.value().files().digests();
  if (!digests.ok()) {
    return as_mistake(digests.error());
  }
  const Status begun = trainer.begin_with(weights.value());
  if (!begun.ok()) {
    return as_mistake(begun.error());
  }
  for (const std::string& line :
       trainer::report_lines(weights.value().report())) {
    log(LogLevel::kInfo, "init_from", line);
  }
  return origin_to_json(weights.value(), digests.value());
}

}  // namespace swavd::daemon
