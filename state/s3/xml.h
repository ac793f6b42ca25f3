#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"

namespace swavd::state {

/// An element of the small XML documents that S3 and STS answer with. Names
/// are without prefix, attributes are passed over.
struct XmlElement {
  std::string name;
  std::string text;  ///< its own, entities resolved, joined
  std::vector<XmlElement> children;

  /// The first child with this name; nullptr when there is none.
  [[nodiscard]] const XmlElement* child(std::string_view child_name) const;

  /// The text of the first child with this name; empty when there is none.
  [[nodiscard]] std::string_view text_of(std::string_view child_name) const;
};

/// The root element. Errors: kCorruption (not well-formed, nested more than 16
/// deep, a document type: nobody who answers properly sends one).
[[nodiscard]] Result<XmlElement> parse_xml(std::string_view document);

/// `text` with &, <, >, " and ' as entities.
[[nodiscard]] std::string xml_escape(std::string_view text);

}  // namespace swavd::state
