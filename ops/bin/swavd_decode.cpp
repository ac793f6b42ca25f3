// swavd-decode: a process that turns image files into pixels for one worker of
// `swavd`'s loader and can do nothing else. `swavd` starts it.

#include "dedup_free_loader/decode_server.h"

int main() {
  return swavd::loader::serve_decoding();
}
