#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ingest/source.h"
#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// The files of a PATH, listed once, for passes over some of them in any
/// order. What the PATH holds must not change meanwhile. Not thread-safe; the
/// sources it gives may be polled by another thread and outlive it.
class FileSet {
 public:
  /// Bytes of images that a tar may hold to be given in another order than its
  /// own: they are kept in memory, a tar has no other access.
  static constexpr std::size_t kMaxTarBytes = std::size_t{4} << 30U;

  /// Lists a folder or a tar file. Errors: those of `for_each_file`.
  [[nodiscard]] static Result<FileSet> open(
      const std::string& path,
      std::size_t max_tar_bytes = kMaxTarBytes);

  [[nodiscard]] const std::string& path() const { return path_; }

  /// In the order of `for_each_file`.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  /// The first folder of each name; empty where it has none.
  [[nodiscard]] const std::vector<std::string>& labels() const {
    return labels_;
  }

  /// A finite Source over the files at these places of `names`, in this order,
  /// each with its name and label: one partition, offsets 0…, topic = `path`.
  /// Ascending places are read as they come; a tar is loaded for any other
  /// order, once. Errors: those of `for_each_file`; kInvalidArgument, a tar
  /// with more than `max_tar_bytes`.
  [[nodiscard]] Result<std::unique_ptr<Source>> source(
      std::vector<std::size_t> places);

 private:
  FileSet() = default;

  [[nodiscard]] Status load_tar();

  std::string path_;
  std::size_t max_tar_bytes_ = kMaxTarBytes;
  bool is_tar_ = false;
  std::vector<std::string> names_;
  std::vector<std::string> labels_;
  /// Of a tar, once loaded. Shared with the sources.
  std::shared_ptr<const std::vector<ByteVector>> contents_;
};

}  // namespace swavd::ingest
