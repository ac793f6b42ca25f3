#include "state/s3/xml.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

namespace swavd::state {

namespace {

constexpr int kDeepest = 16;
constexpr std::string_view kXmlSpace = " \t\r\n";

const std::vector<std::pair<std::string_view, char>>& entities() {
  static const std::vector<std::pair<std::string_view, char>> kEntities = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  return kEntities;
}

/// `code` in UTF-8.
std::string utf8(std::uint32_t code) {
  const auto tail = [](std::uint32_t bits) {
    return static_cast<char>(0x80U | (bits & 0x3fU));
  };
  if (code < 0x80) {
    return {static_cast<char>(code)};
  }
  if (code < 0x800) {
    return {static_cast<char>(0xc0U | code >> 6U), tail(code)};
  }
  if (code < 0x10000) {
    return {
        static_cast<char>(0xe0U | code >> 12U), tail(code >> 6U), tail(code)};
  }
  return {
      static_cast<char>(0xf0U | code >> 18U),
      tail(code >> 12U),
      tail(code >> 6U),
      tail(code)};
}

/// What "&name;" or "&#number;" stands for.
std::optional<std::string> resolve_entity(std::string_view name) {
  for (const auto& [known, meaning] : entities()) {
    if (name == known) {
      return std::string(1, meaning);
    }
  }
  if (!name.starts_with('#')) {
    return std::nullopt;
  }
  name.remove_prefix(1);
  const int base = name.starts_with('x') ? 16 : 10;
  name.remove_prefix(base == 16 ? 1 : 0);
  std::uint32_t code = 0;
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, code, base);
  constexpr std::uint32_t kLargest = 0x10ffff;
  if (name.empty() || parsed.ec != std::errc() || parsed.ptr != end ||
      code > kLargest) {
    return std::nullopt;
  }
  return utf8(code);
}

/// Reads elements from the front of a document.
class XmlReader {
 public:
  explicit XmlReader(std::string_view document) : rest_(document) {}

  /// The root and nothing behind it.
  std::optional<XmlElement> document() {
    if (!skip_prolog()) {
      return std::nullopt;
    }
    auto root = element(1);
    if (!root || !skip_prolog() || !rest_.empty()) {
      return std::nullopt;
    }
    return root;
  }

 private:
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) {
      return false;
    }
    rest_.remove_prefix(token.size());
    return true;
  }

  /// What stands before `token`, which is taken too.
  std::optional<std::string_view> until(std::string_view token) {
    const std::size_t at = rest_.find(token);
    if (at == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view before = rest_.substr(0, at);
    rest_.remove_prefix(at + token.size());
    return before;
  }

  /// Space, comments and processing instructions; false when one has no end.
  bool skip_prolog() {
    while (true) {
      rest_.remove_prefix(
          std::min(rest_.find_first_not_of(kXmlSpace), rest_.size()));
      if (take("<?")) {
        if (!until("?>")) {
          return false;
        }
      } else if (take("<!--")) {
        if (!until("-->")) {
          return false;
        }
      } else {
        return true;
      }
    }
  }

  std::optional<XmlElement> element(int depth) {
    if (depth > kDeepest || !take("<")) {
      return std::nullopt;
    }
    const auto tag = until(">");
    if (!tag || tag->empty()) {
      return std::nullopt;
    }
    const bool closed = tag->ends_with('/');
    const std::string_view full =
        tag->substr(0, std::min(tag->find_first_of(" \t\r\n/"), tag->size()));
    const std::size_t colon = full.find(':');
    XmlElement found;
    found.name = full.substr(colon == std::string_view::npos ? 0 : colon + 1);
    if (found.name.empty() || found.name.front() == '!') {
      return std::nullopt;
    }
    if (closed || content(found, full, depth)) {
      return found;
    }
    return std::nullopt;
  }

  /// Text and children up to the end tag of `full_name`.
  bool content(XmlElement& into, std::string_view full_name, int depth) {
    while (true) {
      const std::size_t at = rest_.find('<');
      if (at == std::string_view::npos || !add_text(into, at)) {
        return false;
      }
      if (take("</")) {
        const auto name = until(">");
        return name && name->substr(0, name->find_last_not_of(kXmlSpace) + 1) ==
                           full_name;
      }
      if (take("<![CDATA[")) {
        const auto text = until("]]>");
        if (!text) {
          return false;
        }
        into.text += *text;
      } else if (rest_.starts_with("<!--") || rest_.starts_with("<?")) {
        if (!skip_prolog()) {
          return false;
        }
      } else {
        auto child = element(depth + 1);
        if (!child) {
          return false;
        }
        into.children.push_back(*std::move(child));
      }
    }
  }

  /// Adds the first `bytes` of what is left; false at an unknown entity.
  bool add_text(XmlElement& into, std::size_t bytes) {
    std::string_view text = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    while (!text.empty()) {
      const std::size_t amp = std::min(text.find('&'), text.size());
      into.text += text.substr(0, amp);
      text.remove_prefix(amp);
      if (text.empty()) {
        break;
      }
      const std::size_t end = text.find(';');
      if (end == std::string_view::npos) {
        return false;
      }
      const auto meaning = resolve_entity(text.substr(1, end - 1));
      if (!meaning) {
        return false;
      }
      into.text += *meaning;
      text.remove_prefix(end + 1);
    }
    return true;
  }

  std::string_view rest_;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
  for (const XmlElement& one : children) {
    if (one.name == child_name) {
      return &one;
    }
  }
  return nullptr;
}

std::string_view XmlElement::text_of(std::string_view child_name) const {
  const XmlElement* const found = child(child_name);
  return found == nullptr ? std::string_view() : std::string_view(found->text);
}

Result<XmlElement> parse_xml(std::string_view document) {
  auto root = XmlReader(document).document();
  if (!root) {
    return Error{ErrorCode::kCorruption, "the answer is not well-formed XML"};
  }
  return *std::move(root);
}

std::string xml_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    bool known = false;
    for (const auto& [name, meaning] : entities()) {
      if (c == meaning) {
        escaped.append("&").append(name).append(";");
        known = true;
      }
    }
    if (!known) {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace swavd::state
