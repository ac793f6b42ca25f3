#pragma once

#include <memory>
#include <string>

#include "state/s3_options.h"

namespace swavd::state {

/// A real S3 server that tests/services/s3.py runs, in a folder of its own,
/// for as long as this object lives: SeaweedFS, or versitygw when
/// $SWAVD_S3_SERVER is that.
class RealS3 {
 public:
  /// nullptr when it is not installed, or when it does not start: `why` then
  /// says so, with the command that installs it.
  static std::unique_ptr<RealS3> start(std::string& why);

  /// One server for all tests of a program; it ends with the process. As
  /// `start` otherwise.
  static RealS3* shared(std::string& why);

  RealS3(const RealS3&) = delete;
  RealS3& operator=(const RealS3&) = delete;
  ~RealS3();

  /// "s3://BUCKET/" and a prefix that no other call has given.
  [[nodiscard]] std::string new_url();

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

  /// An INI file with the server's keys.
  [[nodiscard]] std::string credentials_file() const;

  /// Endpoint and keys.
  [[nodiscard]] S3Options options() const;

  /// kill -9, and the same server on the same data and ports again.
  void kill() const;
  void restart() const;

 private:
  RealS3(std::string folder, std::string endpoint);

  std::string folder_;
  std::string endpoint_;
  int given_ = 0;
};

}  // namespace swavd::state
