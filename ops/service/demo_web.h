#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ops/base/result.h"

namespace swavd::service {

struct DemoWebOptions {
  /// PATH of the images. A folder's files are read when asked for; those of
  /// a tar file are held in memory.
  std::string images;
  /// Serves only files whose name ends as a picture's does (jpg, jpeg, png,
  /// gif, webp, bmp, tif, tiff, avif, in any case).
  bool pictures_only = false;
  std::uint32_t hosts = 16;  ///< 127.0.0.1 to 127.0.0.N, 1 to 254
  std::uint16_t port = 0;    ///< the same on every host; 0: a free one
  std::size_t threads = 2;   ///< that answer requests, for all hosts, 1 to 64
  std::chrono::milliseconds slow_delay{300};  ///< of slow links
  std::uint64_t max_tar_bytes = 2ULL << 30U;  ///< of all files in a tar
};

/// What a list of URLs holds. Dead links come on top of `image_urls`;
/// redirects and slow links are among them.
struct UrlListReport {
  std::uint64_t image_urls = 0;  ///< lines that lead to an image
  std::uint64_t dead_links = 0;  ///< answered with 404
  std::uint64_t redirects = 0;   ///< answered with 302 to another host
  std::uint64_t slow = 0;        ///< answered after `slow_delay`
};

/// A small web on the loopback device for `swavd demo`: several hosts, each
/// image under as many URLs as asked for, as the real web repeats itself, and
/// a few links that are dead, redirected or slow.
///
/// `http://127.0.0.K:PORT/hK/HASH-N.EXT` is image HASH, whatever N is;
/// `/hK/to/…` redirects to it on the next host, `/hK/slow/…` takes its time.
/// Thread-safe. The destructor stops the servers and joins.
class DemoWeb {
 public:
  DemoWeb(const DemoWeb&) = delete;
  DemoWeb& operator=(const DemoWeb&) = delete;
  ~DemoWeb();

  /// The port all hosts listen on.
  [[nodiscard]] std::uint16_t port() const;

  /// Files served.
  [[nodiscard]] std::uint64_t images() const;

  /// Writes a list with `total_urls` URLs that lead to images, one a line:
  /// round after round over all images, each round in an order of its own, so
  /// that every image stands in it total_urls / images() times (rounded up or
  /// down), each time under another URL on a host drawn anew. The same seed,
  /// images and port give the same list. Errors: kInvalidArgument
  /// (`total_urls` 0), kIo, kExhausted.
  [[nodiscard]] Result<UrlListReport> write_url_list(
      const std::string& path,
      std::uint64_t total_urls,
      std::uint64_t seed) const;

 private:
  class Impl;
  explicit DemoWeb(std::unique_ptr<Impl> impl);
  friend Result<std::unique_ptr<DemoWeb>> start_demo_web(
      const DemoWebOptions& options);

  std::unique_ptr<Impl> impl_;
};

/// Reads the names (of a tar: the files) and starts to serve. Errors:
/// kInvalidArgument (an option out of range, no files, a tar that is too
/// large), kUnavailable (the port is in use), and those of
/// ingest::for_each_file.
[[nodiscard]] Result<std::unique_ptr<DemoWeb>> start_demo_web(
    const DemoWebOptions& options);

}  // namespace swavd::service
