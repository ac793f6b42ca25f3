#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "ops/base/descriptor.h"
#include "ops/base/stage.h"
#include "ops/service/net/listener.h"
#include "ops/service/net/wake.h"

namespace swavd::service {

/// A client whose request's head has arrived.
struct Connection {
  Descriptor socket;     ///< not blocking
  std::string received;  ///< the head, and what came behind it
};

struct GateOptions {
  std::size_t most_waiting = 256;  ///< the oldest gives way to a new one
  std::size_t most_head_bytes = 8192;
  std::chrono::milliseconds head_timeout{5000};
};

/// Accepts clients and keeps each until the head of its request is there, on
/// one thread that never blocks. A client that sends half a request, or none,
/// so costs a descriptor for some seconds and holds up nobody.
class Gate {
 public:
  /// Takes a connection; must not block.
  using Deliver = std::function<void(Connection)>;
  /// Told the status code of an answer that the gate gave by itself.
  using Refused = std::function<void(int code)>;

  Gate(
      Listener listener,
      const GateOptions& options,
      Deliver deliver,
      Refused refused);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Waiting {
    Connection connection;
    Time deadline;
    bool gone = false;
  };

  void run(const std::stop_token& stop);
  void accept_all(Time now);
  void read_head(Waiting& waiting);
  void expire(Time now);
  void refuse(Waiting& waiting, int code);
  [[nodiscard]] int poll_timeout_ms(Time now) const;

  Listener listener_;
  GateOptions options_;
  Deliver deliver_;
  Refused refused_;
  std::deque<Waiting> waiting_;  // oldest first; of the thread alone
  Time accept_again_;            // out of descriptors until then
  Wake wake_;
  Stage thread_;
};

/// Sends a short answer that ends the connection, as far as the socket takes
/// it at once.
void send_refusal(const Descriptor& socket, int code);

/// "/readyz" of "GET /readyz?verbose HTTP/1.1".
[[nodiscard]] std::string_view path_of_head(std::string_view head);

}  // namespace swavd::service
