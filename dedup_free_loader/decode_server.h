#pragma once

#include <functional>
#include <variant>

#include "dedup_free_loader/image.h"

namespace swavd::loader {

/// What a decode server does with a file: as `decode_image`.
using DecodeFile = std::function<std::variant<Image, Rejection>(
    Bytes file,
    const DecodeOptions& options,
    const ChooseRegion& choose)>;

/// Decodes image files for the worker of a loader that has started this
/// process, and nothing else: the whole of the program `swavd-decode`. It gives
/// up every right but that, answers until the worker goes away, and returns the
/// exit status: 0, 64 when no worker started it, 69 when the rights cannot be
/// given up (told on standard error).
[[nodiscard]] int serve_decoding(const DecodeFile& decode = decode_image);

}  // namespace swavd::loader
