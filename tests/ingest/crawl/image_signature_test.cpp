#include "ingest/crawl/image_signature.h"

#include <string>

#include <gtest/gtest.h>

namespace swavd::ingest {
namespace {

using std::string_literals::operator""s;

TEST(LooksLikeImage, KnowsTheFormatsOfTheWeb) {
  for (const std::string& front :
       {"\xff\xd8\xff\xe0"s,
        "\x89PNG\r\n\x1a\n"s,
        "GIF89a"s,
        "RIFF\x24\0\0\0WEBPVP8 "s,
        "\0\0\0\x20"
        "ftypavif"s,
        "\0\0\0\x18"
        "ftypheic"s,
        "BM\x36\0"s,
        "II*\0"s,
        "MM\0*"s,
        "\0\0\1\0"s,
        "\xff\x0a"s}) {
    EXPECT_TRUE(looks_like_image(as_bytes(front))) << front;
  }
}

TEST(LooksLikeImage, RefusesOtherFiles) {
  for (const std::string& front :
       {""s,
        "<!doctype html><html>"s,
        "RIFF\x24\0\0\0WAVEfmt "s,
        "\0\0\0\x20"
        "ftypisom"s,
        "%PDF-1.7"s,
        "\x89PNG"s,
        "RIFF"s}) {
    EXPECT_FALSE(looks_like_image(as_bytes(front))) << front;
  }
}

TEST(NamesImage, WantsTheTypeImageInAnyCase) {
  EXPECT_TRUE(names_image("image/jpeg"));
  EXPECT_TRUE(names_image("Image/PNG; charset=binary"));
  EXPECT_FALSE(names_image("image/"));
  EXPECT_FALSE(names_image("images/png"));
  EXPECT_FALSE(names_image("text/html"));
  EXPECT_FALSE(names_image(""));
}

}  // namespace
}  // namespace swavd::ingest
