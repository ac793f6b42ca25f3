#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "ops/base/result.h"

namespace swavd::ingest {

/// Reads list files line by line, one line of each file in turn, holding
/// nothing but one line of each. Not thread-safe.
class UrlLists {
 public:
  /// Errors: kNotFound, kIo, naming the file.
  [[nodiscard]] static Result<UrlLists> open(
      const std::vector<std::string>& paths,
      bool repeat);

  /// The next line that is neither empty nor a comment, without blanks around
  /// it; a line over 4 KiB is cut there, so that it reads as malformed. Empty
  /// at the end. Errors: kIo; kInvalidArgument when it should repeat but a
  /// whole pass gave nothing.
  [[nodiscard]] Result<std::optional<std::string>> next();

 private:
  struct List {
    std::string path;
    std::ifstream in;
    bool ended = false;
  };

  UrlLists(std::vector<List> lists, bool repeat)
      : lists_(std::move(lists)),
        repeat_(repeat) {}

  /// One line of `list`; empty at its end or for a line without a URL.
  [[nodiscard]] Result<std::optional<std::string>> read_line(List& list);

  [[nodiscard]] Status rewind();

  std::vector<List> lists_;
  bool repeat_;
  std::size_t turn_ = 0;
  std::size_t ended_ = 0;
  std::uint64_t given_in_pass_ = 0;
};

}  // namespace swavd::ingest
