#include "state/weights/model_folder.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/files.h"
#include "state/content/snapshot_content.h"
#include "state/content/strict_json.h"
#include "state/weight_files.h"

namespace swavd::state {

namespace {

namespace fs = std::filesystem;

constexpr const char* kModelName = "model.safetensors";
constexpr const char* kHeadName = "head.safetensors";
constexpr const char* kIndexName = "model.safetensors.index.json";
constexpr const char* kExtension = ".safetensors";
/// {"metadata": {…}, "weight_map": {…}}
constexpr std::size_t kIndexDepth = 8;

Error unfit_folder(const fs::path& folder, std::string_view what) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("{}: {}", folder.string(), what)};
}

/// The files that an index names, ascending. Errors: kCorruption, kIo.
Result<std::set<std::string>> files_in_index(const fs::path& index) {
  const auto text = read_file(index);
  if (!text.ok()) {
    return text.error();
  }
  const auto json =
      parse_strict_json<nlohmann::json>(as_text(text.value()), kIndexDepth);
  if (!json.ok()) {
    return json.error().with_context(index.string());
  }
  const auto corrupt = [&](const std::string& what) {
    return Error{ErrorCode::kCorruption, index.string() + ": " + what};
  };
  if (!json.value().is_object() || !json.value().contains("weight_map") ||
      !json.value()["weight_map"].is_object()) {
    return corrupt("there is no weight_map in it");
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : json.value()["weight_map"].items()) {
    if (!file.is_string() || !is_plain_name(file.get<std::string>())) {
      return corrupt(fmt::format(
          "{} is said to be in {}, which is no name of a file beside it",
          tensor,
          file.dump()));
    }
    names.insert(file.get<std::string>());
  }
  if (names.empty()) {
    return corrupt("its weight_map is empty");
  }
  return names;
}

/// The names of all regular files in `folder`, ascending. Errors: kIo.
Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_regular_file(error)) {
      names.push_back(entry.path().filename().string());
    }
  }
  if (error) {
    return errno_error(error.value(), "look into", folder);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A folder without any of the names that everybody uses.
Result<std::vector<std::string>> only_file(
    const fs::path& folder,
    const std::vector<std::string>& names) {
  std::vector<std::string> found;
  bool pickle = false;
  for (const std::string& name : names) {
    pickle = pickle || is_pickle_name(name);
    if (fs::path(name).extension() == kExtension && name != kHeadName) {
      found.push_back(name);
    }
  }
  if (found.size() == 1) {
    return found;
  }
  if (found.empty() && pickle) {
    return unfit_folder(
        folder,
        fmt::format("there are only pickles in it: {}", kConvertPickle));
  }
  return unfit_folder(
      folder,
      found.empty() ? fmt::format("there is no {} in it", kModelName)
                    : fmt::format(
                          "there is no {} in it and {} others: name the file",
                          kModelName,
                          found.size()));
}

}  // namespace

Result<std::vector<std::string>> files_of_model(const fs::path& folder) {
  const auto names = names_in(folder);
  if (!names.ok()) {
    return names.error();
  }
  const auto has = [&](const char* name) {
    return std::binary_search(names.value().begin(), names.value().end(), name);
  };
  std::vector<std::string> chosen;
  if (has(kIndexName)) {
    const auto shards = files_in_index(folder / kIndexName);
    if (!shards.ok()) {
      return shards.error();
    }
    chosen.assign(shards.value().begin(), shards.value().end());
  } else if (has(kModelName)) {
    chosen = {kModelName};
  } else {
    auto only = only_file(folder, names.value());
    if (!only.ok()) {
      return only.error();
    }
    chosen = std::move(only).value();
  }
  if (has(kHeadName)) {
    chosen.emplace_back(kHeadName);
  }
  return chosen;
}

}  // namespace swavd::state
