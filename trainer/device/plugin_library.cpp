#include "trainer/device/plugin_library.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace swavd::trainer {

namespace {

constexpr const char* kFile = "libswavd_cuda.so";
constexpr const char* kVariable = "SWAVD_CUDA_PLUGIN";

std::string last_dlerror() {
  const char* text = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc's is
  return text == nullptr ? "no reason given" : text;
}

Error unusable(const std::string& path, std::string_view why) {
  return {ErrorCode::kUnavailable, fmt::format("{} {}", path, why)};
}

/// Of another build? Nothing but the first word is looked at before it fits.
Result<const CudaPlugin*> check(
    const std::string& path,
    const CudaPlugin* plugin) {
  constexpr const char* kWhatToDo =
      "install the swavd and the libswavd_cuda.so of one build";
  if (plugin == nullptr) {
    return unusable(path, "gives no functions");
  }
  if (plugin->abi != kPluginAbi || plugin->bytes != sizeof(CudaPlugin)) {
    return unusable(
        path,
        fmt::format(
            "has version {} of the plugin's interface, this program has {}: {}",
            plugin->abi,
            kPluginAbi,
            kWhatToDo));
  }
  if (plugin->build != plugin_build()) {
    return unusable(
        path,
        fmt::format(
            "is of \"{}\", this program of \"{}\": {}",
            plugin->build,
            plugin_build(),
            kWhatToDo));
  }
  return plugin;
}

std::string program_folder() {
  std::array<char, 4096> path{};
  const ssize_t length =
      ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  const std::string_view file(
      path.data(), length < 0 ? 0 : static_cast<std::size_t>(length));
  return std::string(file.substr(0, file.rfind('/') + 1));
}

}  // namespace

std::string_view plugin_build() {
  return SWAVD_PLUGIN_BUILD;
}

std::vector<std::string> plugin_paths() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it while we run
  if (const char* given = std::getenv(kVariable); given != nullptr) {
    return *given == '\0' ? std::vector<std::string>()
                          : std::vector<std::string>{given};
  }
  const std::string folder = program_folder();
  return {folder + kFile, folder + "../lib/" + kFile};
}

Result<const CudaPlugin*> open_plugin(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (::access(path.c_str(), F_OK) != 0) {
      continue;
    }
    // Lazily: LibTorch's CUDA part names functions that only GPUs of some kinds
    // need. For all to see: its operators register with the program's LibTorch.
    void* library = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_GLOBAL);
    if (library == nullptr) {
      return unusable(path, "cannot be loaded: " + last_dlerror());
    }
    const auto entry =
        reinterpret_cast<PluginEntry>(::dlsym(library, kPluginSymbol));
    if (entry == nullptr) {
      return unusable(path, "is no plugin of swavd: " + last_dlerror());
    }
    return check(path, entry());
  }
  return Error{
      ErrorCode::kNotFound,
      paths.empty()
          ? fmt::format("${} is empty: no plugin for GPUs is wanted", kVariable)
          : fmt::format(
                "no plugin for GPUs is installed (looked for {})",
                fmt::join(paths, ", "))};
}

}  // namespace swavd::trainer
