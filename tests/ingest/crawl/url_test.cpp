#include "ingest/crawl/url.h"

#include <string>

#include <gtest/gtest.h>

namespace swavd::ingest {
namespace {

std::variant<Url, CrawlBlock> parse(const std::string& url) {
  return parse_url(url, {80, 443});
}

TEST(ParseUrl, NormalisesWhatItTakes) {
  const auto parsed = parse("HTTP://Example.ORG./A/../b.jpg#part");
  ASSERT_TRUE(std::holds_alternative<Url>(parsed));
  EXPECT_EQ(std::get<Url>(parsed).host, "example.org");
  EXPECT_EQ(std::get<Url>(parsed).port, 80);
  EXPECT_EQ(std::get<Url>(parsed).text.find('#'), std::string::npos);
}

TEST(ParseUrl, KnowsTheDefaultPortOfHttps) {
  const auto parsed = parse("https://example.org/a");
  ASSERT_TRUE(std::holds_alternative<Url>(parsed));
  EXPECT_EQ(std::get<Url>(parsed).port, 443);
}

TEST(ParseUrl, RefusesForOneOfFourReasons) {
  const std::pair<std::string, CrawlBlock> cases[] = {
      {"ftp://example.org/a", CrawlBlock::kScheme},
      {"file:///etc/passwd", CrawlBlock::kScheme},
      {"gopher://example.org/", CrawlBlock::kScheme},
      {"http://example.org:22/", CrawlBlock::kPort},
      {"http://example.org:8080/", CrawlBlock::kPort},
      {"http://user:secret@example.org/", CrawlBlock::kMalformed},
      {"http://", CrawlBlock::kMalformed},
      {"http://example.org:99999/", CrawlBlock::kMalformed},
      {"/relative", CrawlBlock::kMalformed},
      {"no url at all", CrawlBlock::kMalformed},
      {"http://example.org/a\r\nHost: other", CrawlBlock::kMalformed},
      {"http://example.org/" + std::string(kMaxUrlBytes, 'a'),
       CrawlBlock::kMalformed}};
  for (const auto& [url, reason] : cases) {
    const auto parsed = parse(url);
    ASSERT_TRUE(std::holds_alternative<CrawlBlock>(parsed)) << url;
    EXPECT_EQ(std::get<CrawlBlock>(parsed), reason)
        << url << ": " << to_string(std::get<CrawlBlock>(parsed));
  }
}

}  // namespace
}  // namespace swavd::ingest
