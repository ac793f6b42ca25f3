#pragma once

namespace swavd::service {

/// Makes a thread that polls descriptors return: `poll` its descriptor too.
class Wake {
 public:
  /// Aborts when the process is out of descriptors.
  Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  ~Wake();

  /// The descriptor is readable from now on. Thread-safe.
  void wake() const;

  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace swavd::service
