#pragma once

#include <cstdint>
#include <string>

#include "ops/base/bytes.h"

namespace swavd::state {

// Keys of the column family "snapshots"; ops/docs/formats/snapshot.md.

/// In front of everything commit number `commit` holds.
inline std::string commit_prefix(std::uint64_t commit) {
  return u64_be(commit) + "/";
}

/// The first key after everything of `commit`: '0' follows '/' in ASCII.
inline std::string commit_end(std::uint64_t commit) {
  return u64_be(commit) + "0";
}

/// In front of the chunks of one file.
inline std::string file_prefix(std::uint64_t commit, const std::string& file) {
  return commit_prefix(commit) + file + "/";
}

/// Piece number `chunk` of a file.
inline std::string
chunk_key(std::uint64_t commit, const std::string& file, std::uint32_t chunk) {
  std::string key = file_prefix(commit, file);
  for (unsigned shift = 32; shift > 0; shift -= 8U) {
    key += static_cast<char>(chunk >> (shift - 8U) & 0xffU);
  }
  return key;
}

/// The manifest: '~' sorts after any file name, so it is written last.
inline std::string manifest_key(std::uint64_t commit) {
  return commit_prefix(commit) + "~";
}

// Keys of the column family "default".

/// A short text that outlives the process.
inline std::string note_key(const std::string& name) {
  return "note/" + name;
}

}  // namespace swavd::state
