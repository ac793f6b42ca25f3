#include "state/s3/xml.h"

#include <string>

#include <gtest/gtest.h>

namespace swavd::state {
namespace {

TEST(Xml, ElementsTextAndEntitiesAreRead) {
  const auto parsed = parse_xml(
      "<?xml version=\"1.0\"?>\n<!-- c --><r xmlns=\"u\">\n"
      "<s3:a>1 &lt; 2 &amp; &#65;&#x1234;</s3:a><a>x</a><e/>"
      "<c><![CDATA[<&>]]></c></r >\n");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const XmlElement& root = parsed.value();
  EXPECT_EQ(root.name, "r");
  ASSERT_EQ(root.children.size(), 4U);
  EXPECT_EQ(root.text_of("a"), "1 < 2 & A\xe1\x88\xb4");
  EXPECT_EQ(root.children[1].text, "x");
  EXPECT_EQ(root.text_of("e"), "");
  EXPECT_EQ(root.text_of("c"), "<&>");
  EXPECT_EQ(root.child("absent"), nullptr);
}

TEST(Xml, AnythingElseIsRefused) {
  for (const std::string text :
       {"",
        "no",
        "<a>",
        "<a></b>",
        "<a>&unknown;</a>",
        "<a>&amp</a>",
        "<a>&#x110000;</a>",
        "<a/><b/>",
        "<a/>rest",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a/>",
        "<a><!-- no end</a>",
        "<>x</>"}) {
    EXPECT_FALSE(parse_xml(text).ok()) << text;
  }
}

TEST(Xml, DepthIsBounded) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) {
      text = "<a>" + text + "</a>";
    }
    return text;
  };
  EXPECT_TRUE(parse_xml(nested(16)).ok());
  EXPECT_FALSE(parse_xml(nested(17)).ok());
  EXPECT_FALSE(parse_xml(nested(1000)).ok());
}

TEST(Xml, EscapedTextReadsAsItWas) {
  const std::string text = "a<b>&\"c'";
  EXPECT_EQ(parse_xml("<t>" + xml_escape(text) + "</t>").value().text, text);
}

}  // namespace
}  // namespace swavd::state
