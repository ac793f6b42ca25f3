// What the other tests take from the generator of odd files.
#include "tests/odd_files/odd_files.h"

#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "dedup_free_loader/image.h"

namespace swavd::odd_files {
namespace {

std::string format_in_name(const OddFile& file) {
  return file.name.substr(0, file.name.find('/'));
}

TEST(OddFiles, AreAFunctionOfTheSeed) {
  const auto files = make_odd_files(7);
  const auto again = make_odd_files(7);
  const auto others = make_odd_files(8);
  ASSERT_EQ(files.size(), again.size());
  ASSERT_EQ(files.size(), others.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    EXPECT_EQ(files[i].bytes, again[i].bytes) << files[i].name;
    EXPECT_EQ(files[i].name, others[i].name);
    different += static_cast<std::size_t>(files[i].bytes != others[i].bytes);
  }
  EXPECT_GT(different, files.size() / 2);
}

TEST(OddFiles, HaveEachANameOfItsOwn) {
  std::set<std::string> names;
  for (const OddFile& file : make_odd_files()) {
    EXPECT_TRUE(names.insert(file.name).second) << file.name;
  }
}

TEST(OddFiles, AreOfEveryKindInEveryFormat) {
  std::map<std::string, std::map<Kind, int>> counts;
  for (const OddFile& file : make_odd_files()) {
    const std::string format = format_in_name(file);
    ++counts[format][file.kind];
    if (file.kind == Kind::kGood) {
      EXPECT_EQ(loader::sniff_format(file.bytes), format) << file.name;
    }
    EXPECT_LE(file.bytes.size(), std::size_t{8} << 20U) << file.name;
  }
  for (const char* format :
       {"jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"}) {
    EXPECT_GT(counts[format][Kind::kGood], 15) << format;
    EXPECT_GT(counts[format][Kind::kDamaged], 100) << format;
    EXPECT_GT(counts[format][Kind::kBomb], 5) << format;
  }
  EXPECT_GT(counts["other"][Kind::kDamaged], 20);
}

}  // namespace
}  // namespace swavd::odd_files
