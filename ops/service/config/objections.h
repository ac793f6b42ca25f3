#pragma once

#include <optional>
#include <string>

namespace swavd::service {

// What is wrong with a text, and what to write instead; see Objection.

/// A run's name: 1-64 of a-z, 0-9, '-', '_', '.', beginning with a letter or
/// digit. It becomes part of object keys and group names.
[[nodiscard]] std::optional<std::string> object_to_run(const std::string& text);

[[nodiscard]] std::optional<std::string> object_to_folder(
    const std::string& text);

/// Empty, or a STREAM.
[[nodiscard]] std::optional<std::string> object_to_stream(
    const std::string& text);

[[nodiscard]] std::optional<std::string> object_to_start(
    const std::string& text);

/// Empty, or as `parse_cores` takes it.
[[nodiscard]] std::optional<std::string> object_to_cores(
    const std::string& text);

[[nodiscard]] std::optional<std::string> object_to_dead_letter(
    const std::string& text);

/// Empty, file:///FOLDER or s3://BUCKET[/PREFIX].
[[nodiscard]] std::optional<std::string> object_to_object_store(
    const std::string& text);

/// Empty or http[s]://HOST[:PORT].
[[nodiscard]] std::optional<std::string> object_to_endpoint(
    const std::string& text);

/// Empty or an absolute path.
[[nodiscard]] std::optional<std::string> object_to_optional_path(
    const std::string& text);

/// Empty or an absolute path, not that of a pickle.
[[nodiscard]] std::optional<std::string> object_to_init_from(
    const std::string& text);

/// auto, cpu, cuda or cuda:N.
[[nodiscard]] std::optional<std::string> object_to_device(
    const std::string& text);

/// Empty or HOST:PORT.
[[nodiscard]] std::optional<std::string> object_to_listen(
    const std::string& text);

/// Empty or an absolute path that fits a Unix socket's address.
[[nodiscard]] std::optional<std::string> object_to_socket(
    const std::string& text);

[[nodiscard]] std::optional<std::string> object_to_preset(
    const std::string& text);

}  // namespace swavd::service
