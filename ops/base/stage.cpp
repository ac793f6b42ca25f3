#include "ops/base/stage.h"

#include <utility>

#include <pthread.h>

namespace swavd {

Stage::Stage(std::string name, std::function<void(std::stop_token)> body)
    : thread_([name = std::move(name),
               body = std::move(body)](const std::stop_token& stop) {
        constexpr std::size_t kKernelLimit = 15;
        pthread_setname_np(
            pthread_self(), name.substr(0, kKernelLimit).c_str());
        body(stop);
      }) {}

}  // namespace swavd
