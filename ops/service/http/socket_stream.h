#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <httplib.h>

#include "ops/service/http/gate.h"

namespace swavd::service {

/// A connection as httplib reads and writes it: first what the gate received,
/// then the socket. Reading the rest of a request, and writing an answer, may
/// take `patience` each, however slowly the client trickles.
class SocketStream final : public httplib::Stream {
 public:
  SocketStream(Connection connection, std::chrono::milliseconds patience);

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* to, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override;

  /// Ends the answer so that a client that is still sending gets it.
  void finish();

 private:
  using Time = std::chrono::steady_clock::time_point;

  [[nodiscard]] bool wait(short events, Time deadline) const;

  Connection connection_;
  std::size_t consumed_ = 0;  // of connection_.received
  std::chrono::milliseconds patience_;
  Time read_deadline_;
  std::optional<Time> write_deadline_;  // from the first write on
};

}  // namespace swavd::service
