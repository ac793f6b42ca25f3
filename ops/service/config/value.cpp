#include "ops/service/config/value.h"

#include <cmath>

#include <fmt/format.h>

namespace swavd::service {
namespace {

bool is_bare_key(std::string_view key) {
  constexpr std::string_view kBare =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !key.empty() && key.find_first_not_of(kBare) == std::string_view::npos;
}

struct Printer {
  std::string operator()(const std::string& text) const { return quoted(text); }

  std::string operator()(std::int64_t number) const {
    return fmt::format("{}", number);
  }

  std::string operator()(double number) const {
    std::string text = fmt::format("{}", number);
    // "4" would read back as an integer.
    if (std::isfinite(number) &&
        text.find_first_of(".e") == std::string::npos) {
      text += ".0";
    }
    return text;
  }

  std::string operator()(bool flag) const { return flag ? "true" : "false"; }

  std::string operator()(const Value::List& list) const {
    std::string text;
    for (const Value& item : list) {
      text += text.empty() ? "" : ", ";
      text += to_toml(item);
    }
    return "[" + text + "]";
  }

  std::string operator()(const Value::Table& table) const {
    std::string text;
    for (const auto& [key, item] : table) {
      text += text.empty() ? "" : ", ";
      text += is_bare_key(key) ? key : quoted(key);
      text += " = " + to_toml(item);
    }
    return text.empty() ? "{}" : "{" + text + "}";
  }
};

}  // namespace

std::string to_toml(const Value& value) {
  return std::visit(Printer{}, value.data);
}

std::string_view kind_of(const Value& value) {
  constexpr std::string_view kKinds[] = {
      "a text", "an integer", "a number", "true or false", "a list", "a table"};
  return kKinds[value.data.index()];
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (const auto code = static_cast<unsigned char>(c);
               code < 0x20 || code == 0x7f) {
      out += fmt::format("\\u{:04X}", code);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace swavd::service
