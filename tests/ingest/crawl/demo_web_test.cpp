#include "ops/service/demo_web.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <curl/curl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/crawler.h"
#include "ops/base/clock.h"
#include "tests/ingest/crawl/temp_folder.h"
#include "tests/ingest/memory_stream.h"

namespace swavd::service {
namespace {

using ingest::testing::TempFolder;

struct Answer {
  long status = 0;
  std::string body;
  std::string type;
  std::string redirect;
};

std::size_t keep(char* data, std::size_t size, std::size_t count, void* body) {
  static_cast<std::string*>(body)->append(data, size * count);
  return size * count;
}

Answer get(const std::string& url) {
  Answer answer;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(
      curl_easy_init(), curl_easy_cleanup);
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer.body);
  EXPECT_EQ(curl_easy_perform(easy.get()), CURLE_OK) << url;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  char* text = nullptr;
  curl_easy_getinfo(easy.get(), CURLINFO_CONTENT_TYPE, &text);
  answer.type = text == nullptr ? "" : text;
  curl_easy_getinfo(easy.get(), CURLINFO_REDIRECT_URL, &text);
  answer.redirect = text == nullptr ? "" : text;
  return answer;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// "HASH" of ".../HASH-N.EXT".
std::string hash_of(const std::string& url) {
  return url.substr(url.rfind('/') + 1, 16);
}

std::string host_of(const std::string& url) {
  return url.substr(7, url.find(':', 7) - 7);
}

class DemoWebTest : public ::testing::Test {
 protected:
  /// Files named and filled by their number; in a folder with two classes.
  void make_images(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = (i % 2 == 0 ? "cats/" : "dogs/") +
                               std::to_string(i) + (i == 0 ? ".JPG" : ".png");
      folder_.write(
          "images/" + name, "\x89PNG\r\n\x1a\n image " + std::to_string(i));
    }
    options_.images = (folder_.path() / "images").string();
    options_.hosts = 4;
    options_.slow_delay = std::chrono::milliseconds(1);
  }

  std::unique_ptr<DemoWeb> start() {
    auto web = start_demo_web(options_);
    EXPECT_TRUE(web.ok()) << web.error().message;
    return web.ok() ? std::move(web).value() : nullptr;
  }

  std::string list_path() const { return (folder_.path() / "urls").string(); }

  TempFolder folder_;
  DemoWebOptions options_;
};

TEST_F(DemoWebTest, ListsEveryImageEquallyOftenUnderDifferentUrls) {
  make_images(30);
  const auto web = start();
  const auto report = web->write_url_list(list_path(), 300, 1);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report.value().image_urls, 300U);
  EXPECT_EQ(report.value().dead_links, 3U);
  EXPECT_EQ(report.value().redirects, 2U);
  EXPECT_EQ(report.value().slow, 1U);

  const auto lines = lines_of(list_path());
  EXPECT_EQ(lines.size(), 303U);
  std::map<std::string, int> per_image;
  std::map<std::string, int> per_host;
  for (const std::string& url : lines) {
    ++per_image[hash_of(url)];
    ++per_host[host_of(url)];
  }
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 303U);
  EXPECT_EQ(per_image.size(), 31U);  // with the one dead links share
  for (const auto& [hash, times] : per_image) {
    EXPECT_EQ(times, hash == std::string(16, '0') ? 3 : 10) << hash;
  }
  EXPECT_EQ(per_host.size(), 4U);
  for (const auto& [host, times] : per_host) {
    EXPECT_GT(times, 40) << host;
  }
}

TEST_F(DemoWebTest, SpreadsTheImagesOverEachRound) {
  make_images(30);
  const auto web = start();
  ASSERT_TRUE(web->write_url_list(list_path(), 90, 1).ok());
  std::vector<std::string> images;
  for (const std::string& url : lines_of(list_path())) {
    if (hash_of(url) != std::string(16, '0')) {
      images.push_back(hash_of(url));
    }
  }
  ASSERT_EQ(images.size(), 90U);
  std::set<std::vector<std::string>> orders;
  for (auto at = images.begin(); at != images.end(); at += 30) {
    EXPECT_EQ(std::set<std::string>(at, at + 30).size(), 30U);
    orders.emplace(at, at + 30);
  }
  EXPECT_EQ(orders.size(), 3U);
}

TEST_F(DemoWebTest, WritesTheSameListForTheSameSeedOnly) {
  make_images(30);
  const auto web = start();
  ASSERT_TRUE(web->write_url_list(list_path(), 60, 1).ok());
  const auto first = lines_of(list_path());
  ASSERT_TRUE(web->write_url_list(list_path(), 60, 1).ok());
  EXPECT_EQ(lines_of(list_path()), first);
  ASSERT_TRUE(web->write_url_list(list_path(), 60, 2).ok());
  EXPECT_NE(lines_of(list_path()), first);
}

TEST_F(DemoWebTest, GivesTheExactBytesUnderEveryUrl) {
  make_images(10);
  const auto web = start();
  ASSERT_TRUE(web->write_url_list(list_path(), 40, 1).ok());
  std::map<std::string, std::set<std::string>> bodies;
  int redirects = 0;
  int dead = 0;
  for (const std::string& url : lines_of(list_path())) {
    Answer answer = get(url);
    if (answer.status == 302) {
      ++redirects;
      EXPECT_NE(host_of(answer.redirect), host_of(url));
      answer = get(answer.redirect);
    }
    if (answer.status == 404) {
      ++dead;
      continue;
    }
    EXPECT_EQ(answer.status, 200) << url;
    EXPECT_EQ(answer.type, url.ends_with(".jpg") ? "image/jpeg" : "image/png");
    bodies[hash_of(url)].insert(answer.body);
  }
  EXPECT_EQ(redirects, 1);
  EXPECT_EQ(dead, 1);
  std::set<std::string> all;
  for (const auto& [hash, different] : bodies) {
    EXPECT_EQ(different.size(), 1U);
    all.insert(different.begin(), different.end());
  }
  std::set<std::string> wanted;
  for (int i = 0; i < 10; ++i) {
    wanted.insert("\x89PNG\r\n\x1a\n image " + std::to_string(i));
  }
  EXPECT_EQ(all, wanted);
}

TEST_F(DemoWebTest, AnswersOnlyForTheHostThatIsAsked) {
  make_images(1);
  const auto web = start();
  ASSERT_TRUE(web->write_url_list(list_path(), 1, 1).ok());
  std::string url = lines_of(list_path()).at(0);
  const std::size_t digit = url.find("/h", 8) + 2;
  url[digit] = url[digit] == '1' ? '2' : '1';
  EXPECT_EQ(get(url).status, 404);
  const std::string root =
      "http://127.0.0.1:" + std::to_string(web->port()) + "/";
  EXPECT_EQ(get(root).status, 404);
  EXPECT_EQ(get(root + "h1/../../etc/passwd").status, 404);
}

TEST_F(DemoWebTest, ServesATarAsItServesTheFolder) {
  make_images(6);
  const std::string tar = (folder_.path() / "images.tar").string();
  const std::string command =
      "tar -C '" + options_.images + "' -cf '" + tar + "' cats dogs";
  ASSERT_EQ(std::system(command.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
  options_.images = tar;
  const auto web = start();
  EXPECT_EQ(web->images(), 6U);
  ASSERT_TRUE(web->write_url_list(list_path(), 6, 1).ok());
  std::set<std::string> bodies;
  for (const std::string& url : lines_of(list_path())) {
    const Answer answer = get(url);
    if (answer.status == 200) {
      bodies.insert(answer.body);
    }
  }
  EXPECT_EQ(bodies.size(), 6U);
}

TEST_F(DemoWebTest, SaysWhatToDoWithATarThatIsTooLarge) {
  make_images(6);
  const std::string tar = (folder_.path() / "images.tar").string();
  const std::string command =
      "tar -C '" + options_.images + "' -cf '" + tar + "' cats dogs";
  ASSERT_EQ(std::system(command.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
  options_.images = tar;
  options_.max_tar_bytes = 20;
  const auto web = start_demo_web(options_);
  ASSERT_FALSE(web.ok());
  EXPECT_EQ(web.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(web.error().message.find("unpack it"), std::string::npos);
}

TEST_F(DemoWebTest, RefusesAnEmptyFolderAndAPortInUse) {
  make_images(1);
  const auto first = start();
  DemoWebOptions second = options_;
  second.port = first->port();
  const auto taken = start_demo_web(second);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::kUnavailable);

  std::filesystem::create_directory(folder_.path() / "empty");
  second.images = (folder_.path() / "empty").string();
  const auto empty = start_demo_web(second);
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(DemoWebTest, AnswersAlthoughSilentClientsHoldConnections) {
  make_images(1);
  const auto web = start();
  ASSERT_TRUE(web->write_url_list(list_path(), 1, 1).ok());
  std::vector<int> silent;
  for (int i = 0; i < 6; ++i) {
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(client, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(web->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(
        connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address),
        0);
    ASSERT_EQ(write(client, "GET /h1", 7), 7);
    silent.push_back(client);
  }
  EXPECT_EQ(get(lines_of(list_path()).at(0)).status, 200);
  for (const int client : silent) {
    close(client);
  }
}

TEST_F(DemoWebTest, IsCrawledToTheLastImage) {
  make_images(50);
  const auto web = start();
  const auto report = web->write_url_list(list_path(), 500, 3);
  ASSERT_TRUE(report.ok());

  ingest::CrawlOptions options;
  options.user_agent = "testbot/1.0 (+https://example.org/bot)";
  options.lists = {list_path()};
  options.allow_networks = {"127.0.0.0/8"};
  options.allowed_ports = {web->port()};
  options.per_host_delay = std::chrono::milliseconds(0);
  const SystemClock clock;
  const auto stream = ingest::testing::MemoryStream::make("images", 1);
  const auto sink = stream->sink();
  auto crawler = ingest::Crawler::create(options, *sink, clock);
  ASSERT_TRUE(crawler.ok());
  const auto summary = crawler.value()->run({});
  ASSERT_TRUE(summary.ok());
  const ingest::CrawlStats& stats = summary.value().stats;
  EXPECT_EQ(stats.published, 500U);
  EXPECT_EQ(stats.redirects, report.value().redirects);
  EXPECT_EQ(
      stats.count(ingest::CrawlOutcome::kHttpError), report.value().dead_links);
  std::map<std::string, int> copies;
  for (const ingest::Record& record : stream->records(0)) {
    ++copies[std::string(as_text(record.payload))];
  }
  EXPECT_EQ(copies.size(), 50U);
  for (const auto& [body, times] : copies) {
    EXPECT_EQ(times, 10);
  }
}

}  // namespace
}  // namespace swavd::service
