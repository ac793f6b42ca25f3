// Where values come from.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/service/config.h"
#include "ops/service/config/binding.h"
#include "ops/service/config/keys.h"
#include "ops/service/config/toml_reader.h"
#include "tests/ops/service/temp_folder.h"

namespace swavd::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

Config load(const ConfigSources& sources) {
  LoadedConfig loaded = load_config(sources);
  EXPECT_THAT(format_mistakes(loaded.mistakes), IsEmpty());
  return loaded.config;
}

Config load_text(const std::string& toml) {
  const TempFolder folder;
  return load({folder.write("swavd.toml", toml), {}, {}});
}

TEST(ConfigValues, EachSourceWinsOverTheOneBelow) {
  const TempFolder folder;
  const std::string main = "[loader]\n";
  ConfigSources sources;
  EXPECT_EQ(load(sources).loader.batch_images, 64);  // the preset `tiny`

  sources.file = folder.write("s.toml", "[loader]\nbatch_images = 1\n");
  EXPECT_EQ(load(sources).loader.batch_images, 1);

  folder.write("conf.d/20-b.toml", "[loader]\nbatch_images = 3\n");
  folder.write("conf.d/10-a.toml", "[loader]\nbatch_images = 2\n");
  folder.write("conf.d/30-c.conf", "[loader]\nbatch_images = 9\n");
  EXPECT_EQ(load(sources).loader.batch_images, 3);

  sources.environment = {"SWAVD_LOADER__BATCH_IMAGES=4"};
  EXPECT_EQ(load(sources).loader.batch_images, 4);

  sources.overrides = {"loader.batch_images=5"};
  EXPECT_EQ(load(sources).loader.batch_images, 5);
}

TEST(ConfigValues, APresetFromAnySourceLiesBelowAllOfThem) {
  const TempFolder folder;
  const ConfigSources sources{
      folder.write("s.toml", "[swav]\nprototypes = 77\n"),
      {"model.preset=seer-256gf"},
      {}};
  const Config config = load(sources);
  EXPECT_EQ(config.model.preset, "seer-256gf");
  EXPECT_EQ(config.swav.prototypes, std::vector<std::int64_t>{77});
  EXPECT_EQ(config.model.group_width, 373);
  EXPECT_EQ(config.swav.sinkhorn_iterations, 10);
}

TEST(ConfigValues, FlagsAndVariablesTakeTextsWithoutQuotes) {
  const Config config = load(
      {"",
       {"snapshot.every=90s",
        "stream.max_record_bytes=32MiB",
        "stream.url=kafka://a:1/t",
        "model.head_hidden=[7, 8]",
        "loader.crops=[{count = 2, size = 32}]"},
       {"SWAVD_RUN=123",
        "SWAVD_OBJECT_STORE__URL=s3://b/p",
        "SWAVD_CRAWL__REPEAT=true",
        "SWAVD_CRAWL__USER_AGENT=\"bot/1 (+https://e.org)\""}});
  EXPECT_EQ(config.snapshot.every_seconds, 90U);
  EXPECT_EQ(config.stream.max_record_bytes, 32U << 20U);
  EXPECT_EQ(config.stream.url, "kafka://a:1/t");
  EXPECT_THAT(config.model.head_hidden, ElementsAre(7, 8));
  EXPECT_EQ(config.loader.crops.at(0).size, 32);
  EXPECT_EQ(config.run, "123");
  EXPECT_EQ(config.object_store.url, "s3://b/p");
  EXPECT_TRUE(config.crawl.repeat);
  EXPECT_EQ(config.crawl.user_agent, "bot/1 (+https://e.org)");
}

TEST(ConfigValues, DerivedDefaultsFollowTheDataFolder) {
  const Config config = load_text("data_dir = \"/srv/x\"\n");
  EXPECT_EQ(config.stream.url, "log:///srv/x/stream/images");
  EXPECT_EQ(config.admin.socket, "/srv/x/admin.sock");
}

TEST(ConfigValues, TheAdminSocketLiesInTheRuntimeFolderWhenThereIsOne) {
  const Config config =
      load({"", {}, {"RUNTIME_DIRECTORY=/run/swavd:/run/other"}});
  EXPECT_EQ(config.admin.socket, "/run/swavd/admin.sock");
}

TEST(ConfigValues, ClientPropertiesMayBeDottedQuotedAndAddedTo) {
  const TempFolder folder;
  const std::string file = folder.write("s.toml", R"([stream]
url = "kafka://h:1/t"
[stream.client]
security.protocol = "SSL"
"ssl.ca.location" = "/ca.pem"
fetch.min.bytes = 10
socket.keepalive.enable = true
)");
  const Config config = load({file, {"stream.client.fetch.min.bytes=20"}, {}});
  EXPECT_THAT(
      config.stream.client,
      ElementsAre(
          Pair("fetch.min.bytes", "20"),
          Pair("security.protocol", "SSL"),
          Pair("socket.keepalive.enable", "true"),
          Pair("ssl.ca.location", "/ca.pem")));
}

TEST(ConfigValues, CropsMayBeWrittenAsTablesOfAnArray) {
  const Config config = load_text(R"([[loader.crops]]
count = 2
size = 96
[[loader.crops]]
size = 32
scale = [0.05, 1]
)");
  ASSERT_EQ(config.loader.crops.size(), 2U);
  EXPECT_EQ(config.loader.crops[0].size, 96);
  EXPECT_EQ(config.loader.crops[1].scale_min, 0.05);
  EXPECT_EQ(config.loader.crops[1].scale_max, 1.0);
}

TEST(ConfigValues, AStartTimeMayBeATextOrATomlDate) {
  EXPECT_EQ(
      load_text("[stream]\nstart = 2026-01-31T12:00:00Z\n").stream.start,
      load_text("[stream]\nstart = \"2026-01-31T12:00:00Z\"\n").stream.start);
}

TEST(ConfigValues, EveryPresetLoadsAndIsListed) {
  for (const std::string& name : preset_names()) {
    const Config config = load({"", {"model.preset=" + name}, {}});
    EXPECT_EQ(config.model.preset, name);
    EXPECT_GE(config.loader.crops.at(0).count, 2) << name;
  }
  EXPECT_THAT(preset_names(), testing::Contains("tiny"));
  EXPECT_THAT(preset_names(), testing::Contains("learning-bar"));
}

TEST(ConfigValues, TheLearningBarIsTheSettingItIsNamedAfter) {
  const Config config = load({"", {"model.preset=learning-bar"}, {}});
  EXPECT_EQ(config.loader.batch_images, 128);
  EXPECT_EQ(config.swav.epsilon, 0.02);
  EXPECT_EQ(config.schedule.kind, "cosine");
  EXPECT_EQ(config.schedule.learning_rate, 4.0);
  EXPECT_EQ(config.schedule.total_images, 120'000U);
  EXPECT_EQ(config.schedule.warmup_images, 30U * 128U);
}

// A value that differs from the default, and that the key takes.
Value another_value(const Key& key) {
  const std::string name(key.name);
  const auto toml = [](const std::string& text) {
    return parse_toml("v = " + text).table.at(0).second;
  };
  if (!key.shape.choices.empty()) {
    return {std::string(key.shape.choices.back())};
  }
  switch (key.shape.form) {
    case Form::kInteger:
      return {key.shape.least + 3 * key.shape.multiple_of};
    case Form::kBytes:
      return {std::string("3MiB")};
    case Form::kSeconds:
    case Form::kMilliseconds:
      return {std::string("7s")};
    case Form::kReal:
      return {key.shape.lowest + (key.shape.highest - key.shape.lowest) / 3};
    case Form::kFlag: {
      Config defaults;
      return {!std::get<Access<bool>>(key.field)(defaults)};
    }
    case Form::kIntegers:
      return toml(key.shape.length == 4 ? "[3, 4, 5, 6]" : "[3, 4]");
    case Form::kReals:
      return toml("[0.25, 0.5, 0.75]");
    case Form::kTexts:
      return toml("[\"a\", \"b \\\" c\"]");
    case Form::kCrops:
      return toml("[{count = 3, size = 40, scale = [0.25, 0.75]}]");
    case Form::kTextTable:
      return toml("{\"a.b\" = \"c\"}");
    case Form::kText:
      break;
  }
  static const std::map<std::string, std::string> texts = {
      {"run", "other"},
      {"data_dir", "/elsewhere"},
      {"stream.url", "kafka://a:1,b:2/t"},
      {"stream.start", "2026-01-31T12:00:00Z"},
      {"stream.dead_letter", "off"},
      {"model.preset", "learning-bar"},
      {"object_store.url", "s3://bucket/prefix"},
      {"object_store.endpoint", "https://s3.example:8443"},
      {"object_store.region", "eu-central-1"},
      {"object_store.credentials_file", "/keys"},
      {"object_store.profile", "other"},
      {"object_store.ca_file", "/ca.pem"},
      {"loader.cores", "2-5,8"},
      {"model.device", "cuda:1"},
      {"model.init_from", "/models/seer"},
      {"http.listen", "[::1]:80"},
      {"metrics.listen", "0.0.0.0:1"},
      {"admin.socket", "/run/x.sock"},
      {"probe.train", "/labelled/train"},
      {"probe.test", "/labelled/test.tar"},
      {"crawl.user_agent", "bot"}};
  return {texts.at(name)};
}

TEST(ConfigValues, EveryKeyRoundTripsThroughTomlAndDiffersFromItsDefault) {
  const Config defaults;
  for (const Key& key : all_keys()) {
    Config first;
    const Value value = another_value(key);
    ASSERT_EQ(bind(key, value, first), std::nullopt) << key.name;
    const std::string text = to_toml(value_of(key, first));
    EXPECT_NE(text, to_toml(value_of(key, defaults))) << key.name;

    const ParsedToml parsed = parse_toml("v = " + text);
    ASSERT_FALSE(parsed.error) << text;
    Config second;
    ASSERT_EQ(bind(key, parsed.table.at(0).second, second), std::nullopt)
        << text;
    EXPECT_EQ(to_toml(value_of(key, second)), text) << key.name;
  }
}

TEST(ConfigValues, EveryKeyHasAFieldOfItsOwn) {
  const Config defaults;
  for (const Key& key : all_keys()) {
    Config changed;
    ASSERT_EQ(bind(key, another_value(key), changed), std::nullopt);
    const auto changes = config_changes(defaults, changed);
    ASSERT_EQ(changes.size(), 1U) << key.name;
    EXPECT_EQ(changes[0].key, key.name);
    EXPECT_EQ(changes[0].key_class, key.key_class);
  }
}

TEST(ConfigValues, EveryDefaultLiesInItsOwnRange) {
  const Config defaults;
  for (const Key& key : all_keys()) {
    Config config;
    if (key.shape.form != Form::kCrops) {
      EXPECT_EQ(bind(key, value_of(key, defaults), config), std::nullopt)
          << key.name;
    }
  }
}

TEST(ConfigValues, TheEffectiveConfigNamesTheOriginOfEachValue) {
  const TempFolder folder;
  const ConfigSources sources{
      folder.write("s.toml", "[loader]\n\nworkers = 3\n"),
      {"log.level=debug"},
      {"SWAVD_HTTP__LISTEN=127.0.0.1:1"}};
  const std::string text = effective_config(sources);
  const auto expect_line =
      [&text](const std::string& value, const std::string& origin) {
        const auto at = text.find("\n" + value + " ");
        ASSERT_NE(at, std::string::npos) << value << "\n" << text;
        const std::string line =
            text.substr(at + 1, text.find('\n', at + 1) - at);
        EXPECT_THAT(line, testing::EndsWith("# " + origin + "\n"));
      };
  expect_line("workers = 3", sources.file + ":3");
  expect_line("level = \"debug\"", "flag");
  expect_line("listen = \"127.0.0.1:1\"", "environment");
  expect_line("prototypes = 300", "preset tiny");
  expect_line("momentum = 0.9", "default");
  EXPECT_EQ(
      load({folder.write("again.toml", text), {}, {}}).lineage_toml,
      load(sources).lineage_toml);
}

TEST(ConfigDuration, ReadsWholeNumbersWithAUnit) {
  EXPECT_EQ(parse_duration_ms("500ms").value(), 500U);
  EXPECT_EQ(parse_duration_ms("30s").value(), 30'000U);
  EXPECT_EQ(parse_duration_ms("10m").value(), 600'000U);
  EXPECT_EQ(parse_duration_ms("2h").value(), 7'200'000U);
  EXPECT_EQ(parse_duration_ms("1d").value(), 86'400'000U);
  for (const char* bad :
       {"", "10", "m", "10 m", "1.5h", "-1s", "10min", "99999999999999999d"}) {
    EXPECT_FALSE(parse_duration_ms(bad).ok()) << bad;
  }
}

TEST(ConfigCores, AreNumbersAndRanges) {
  EXPECT_THAT(parse_cores("").value(), IsEmpty());
  EXPECT_THAT(parse_cores("3").value(), ElementsAre(3));
  EXPECT_THAT(parse_cores("8,2-5,4").value(), ElementsAre(2, 3, 4, 5, 8));
  for (const char* bad :
       {",",
        "1,",
        ",1",
        "a",
        "1-",
        "-1",
        "3-2",
        "1 2",
        "1,,2",
        "0-9999",
        "8192"}) {
    EXPECT_FALSE(parse_cores(bad).ok()) << bad;
  }
}

TEST(ConfigTime, ReadsRfc3339) {
  EXPECT_EQ(parse_time_ms("1970-01-01T00:00:00Z").value(), 0);
  EXPECT_EQ(parse_time_ms("2000-02-29T00:00:00Z").value(), 951'782'400'000);
  EXPECT_EQ(
      parse_time_ms("2026-11-24T08:00:00.123Z").value(), 1'795'507'200'123);
  EXPECT_EQ(
      parse_time_ms("2026-11-24T09:30:00.1239+01:30").value(),
      1'795'507'200'123);
  for (const char* bad :
       {"",
        "2026-11-24",
        "2026-11-24T08:00:00",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T08:00:00.Z",
        "2026-11-24T08:00:00Zx",
        "26-11-24T08:00:00Z"}) {
    EXPECT_FALSE(parse_time_ms(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace swavd::service
