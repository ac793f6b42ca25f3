#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "ops/service/http/web_server.h"
#include "ops/service/http_server.h"
#include "ops/service/net/listener.h"

namespace swavd::service {
namespace {

// Tells a socket file from another daemon's that took its place since.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  bool operator==(const FileIdentity&) const = default;
};

FileIdentity identity_of(const std::string& path) {
  struct stat info {};

  return ::lstat(path.c_str(), &info) == 0
             ? FileIdentity{info.st_dev, info.st_ino}
             : FileIdentity{};
}

WebAnswer route(const AdminHandler& handler, const WebRequest& request) {
  const std::string command = request.path.substr(1);
  // Looking is for GET, doing is for POST.
  if (request.method == "GET" && command != "status") {
    return {
        {405, HttpAnswer{}.content_type, "405 commands are POSTed\n"},
        {{"Allow", "POST"}}};
  }
  return {handler(command, request.body), {}};
}

}  // namespace

Result<std::unique_ptr<HttpServer>> start_admin_socket(
    const std::string& path,
    AdminHandler handler) {
  auto listener = listen_unix(path);
  if (!listener.ok()) {
    return listener.error();
  }
  WebOptions options;
  options.accept_post = true;
  options.route = [handler = std::move(handler)](const WebRequest& request) {
    return route(handler, request);
  };
  options.on_end = [path, ours = identity_of(path)] {
    if (identity_of(path) == ours) {
      ::unlink(path.c_str());
    }
  };
  return start_web_server(std::move(listener).value(), std::move(options));
}

}  // namespace swavd::service
