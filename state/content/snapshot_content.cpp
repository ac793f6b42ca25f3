#include "state/content/snapshot_content.h"

#include <algorithm>
#include <future>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "ops/base/check.h"
#include "ops/base/sha256.h"
#include "state/safetensors.h"

namespace swavd::state {

namespace {

/// Pieces of at least so many bytes are hashed while they are written: the two
/// take about as long, and starting a thread is little beside either.
constexpr std::size_t kWorthAThread = 1U << 20U;

}  // namespace

bool is_plain_name(std::string_view name) {
  constexpr std::size_t kLongest = 128;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kLongest && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), plain);
}

Result<std::vector<ContentFile>> content_of(
    const Manifest& manifest,
    const FrozenState& state) {
  if (manifest.step != state.step) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "the manifest is for step {}, the state for step {}",
            manifest.step,
            state.step)};
  }
  if (state.wait) {
    SWAVD_RETURN_IF_ERROR(state.wait());
  }
  std::vector<ContentFile> files;
  for (const TensorFile& file : state.tensor_files) {
    files.push_back(
        {file.name, safetensors_bytes(file), [&file](const ByteSink& sink) {
           return write_safetensors(file, sink);
         }});
  }
  for (const auto& [name, text] : state.text_files) {
    const std::string& body = text;
    files.push_back({name, body.size(), [&body](const ByteSink& sink) {
                       return sink(as_bytes(body));
                     }});
  }
  std::set<std::string_view> seen;
  for (const ContentFile& file : files) {
    if (!is_plain_name(file.name) || file.name == kManifestFile ||
        !seen.insert(file.name).second) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format(
              "a snapshot cannot hold a file named \"{}\" (again)", file.name)};
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return a.name < b.name;
  });
  return files;
}

Result<FileEntry> write_content(const ContentFile& file, const ByteSink& sink) {
  FileEntry entry{file.name, 0, {}};
  Sha256 hash;
  SWAVD_RETURN_IF_ERROR(file.write([&](Bytes bytes) {
    entry.bytes += bytes.size();
    if (bytes.size() < kWorthAThread) {
      hash.update(bytes);
      return sink(bytes);
    }
    // Without a policy: where no thread can be had, `wait` does the work.
    const auto hashed = std::async([&] { hash.update(bytes); });
    Status status = sink(bytes);
    hashed.wait();
    return status;
  }));
  SWAVD_CHECK(entry.bytes == file.bytes);
  entry.sha256 = to_hex(hash.finish());
  return entry;
}

Manifest with_files(Manifest manifest, std::vector<FileEntry> files) {
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return a.name < b.name;
  });
  manifest.files = std::move(files);
  manifest.state_sha256 = compute_state_sha256(manifest);
  return manifest;
}

}  // namespace swavd::state
