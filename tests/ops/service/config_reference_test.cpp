#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/service/config.h"
#include "ops/service/config/keys.h"

namespace swavd::service {
namespace {

const std::filesystem::path kPage =
    std::filesystem::path(SWAVD_TEST_SOURCE_DIR) / "ops/docs/config.md";

// SWAVD_UPDATE_DOCS=1 writes the page anew.
TEST(ConfigReference, PageOnDiskIsInStepWithTheTable) {
  if (std::getenv("SWAVD_UPDATE_DOCS") != nullptr) {
    std::ofstream(kPage, std::ios::binary) << config_reference_page();
  }
  std::ifstream file(kPage, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), config_reference_page())
      << "run this test with SWAVD_UPDATE_DOCS=1";
}

TEST(ConfigReference, ExplainsEveryKeyAndShowsEveryPreset) {
  const std::string page = config_reference_page();
  for (const Key& key : all_keys()) {
    EXPECT_FALSE(key.doc.empty()) << key.name;
    EXPECT_EQ(key.doc.find('|'), std::string_view::npos) << key.name;
    EXPECT_THAT(
        page,
        testing::HasSubstr(
            "| `" + std::string(name_in_section(key.name)) + "` |"));
  }
  for (const std::string& name : preset_names()) {
    EXPECT_THAT(page, testing::HasSubstr("### " + name + "\n"));
  }
}

TEST(ConfigReference, SectionsStandTogether) {
  std::string_view section;
  std::vector<std::string_view> seen;
  for (const Key& key : all_keys()) {
    if (section_of(key.name) != section) {
      section = section_of(key.name);
      EXPECT_THAT(seen, testing::Not(testing::Contains(section)));
      seen.push_back(section);
    }
  }
}

}  // namespace
}  // namespace swavd::service
