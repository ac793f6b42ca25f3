#include "ingest/crawl/url_lists.h"

#include <array>
#include <cerrno>
#include <limits>
#include <string_view>

#include "ingest/crawl/url.h"
#include "ops/base/files.h"

namespace swavd::ingest {

namespace {

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = line.find_first_not_of(kBlank);
  if (first == std::string_view::npos) {
    return {};
  }
  return line.substr(first, line.find_last_not_of(kBlank) - first + 1);
}

Status open_list(std::ifstream& in, const std::string& path) {
  errno = 0;
  in.open(path, std::ios::binary);
  if (!in.is_open()) {
    return errno_error(errno, "open the URL list", path);
  }
  return ok_status();
}

}  // namespace

Result<UrlLists> UrlLists::open(
    const std::vector<std::string>& paths,
    bool repeat) {
  std::vector<List> lists;
  lists.reserve(paths.size());
  for (const std::string& path : paths) {
    List& list = lists.emplace_back();
    list.path = path;
    SWAVD_RETURN_IF_ERROR(open_list(list.in, path));
  }
  return UrlLists(std::move(lists), repeat);
}

Result<std::optional<std::string>> UrlLists::next() {
  while (true) {
    if (ended_ == lists_.size()) {
      if (!repeat_) {
        return std::optional<std::string>();
      }
      SWAVD_RETURN_IF_ERROR(rewind());
    }
    List& list = lists_[turn_];
    turn_ = (turn_ + 1) % lists_.size();
    if (list.ended) {
      continue;
    }
    auto line = read_line(list);
    if (!line.ok() || line.value()) {
      return line;
    }
  }
}

Result<std::optional<std::string>> UrlLists::read_line(List& list) {
  // A list is untrusted enough to hold a gigabyte without a line break.
  std::array<char, kMaxUrlBytes + 2> buffer{};
  list.in.getline(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  if (list.in.bad()) {
    return errno_error(EIO, "read the URL list", list.path);
  }
  if (list.in.fail() && list.in.gcount() > 0 && !list.in.eof()) {
    list.in.clear();
    list.in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  if (list.in.eof()) {
    list.ended = true;
    ++ended_;
  }
  const std::string_view line = trimmed(buffer.data());
  if (line.empty() || line.front() == '#') {
    return std::optional<std::string>();
  }
  ++given_in_pass_;
  return std::optional<std::string>(line);
}

Status UrlLists::rewind() {
  if (given_in_pass_ == 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        "the URL lists hold no URL, beginning with " + lists_.front().path};
  }
  for (List& list : lists_) {
    list.in = std::ifstream();
    SWAVD_RETURN_IF_ERROR(open_list(list.in, list.path));
    list.ended = false;
  }
  ended_ = 0;
  given_in_pass_ = 0;
  return ok_status();
}

}  // namespace swavd::ingest
