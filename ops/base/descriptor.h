#pragma once

#include <utility>

#include <unistd.h>

namespace swavd {

/// Owns a file descriptor and closes it. Below 0: owns none.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}

  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}

  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() { close(); }

  [[nodiscard]] int get() const { return number_; }

  /// The descriptor, from now on the caller's to close.
  [[nodiscard]] int release() { return std::exchange(number_, -1); }

  void close() {
    if (number_ >= 0) {
      ::close(release());
    }
  }

 private:
  int number_;
};

}  // namespace swavd
