// What `swavd validate` says.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/service/config.h"
#include "tests/ops/service/temp_folder.h"

namespace swavd::service {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<ConfigMistake> mistakes_of(const std::string& toml) {
  const TempFolder folder;
  return load_config({folder.write("swavd.toml", toml), {}, {}}).mistakes;
}

auto mistake(int line, const std::string& key, const std::string& words) {
  return AllOf(
      Field(&ConfigMistake::line, line),
      Field(&ConfigMistake::key, key),
      Field(&ConfigMistake::message, HasSubstr(words)));
}

TEST(ConfigMistakes, FiveInOneFileAreAllNamedWithTheirLines) {
  const auto mistakes = mistakes_of(R"(run = "main"
[stream]
on_gap = "jmp"
prefetch_bites = 3
[loader]
batch_images = 0
flip_probability = "often"
[snapshots]
keep_last = 5
)");
  EXPECT_THAT(
      mistakes,
      ElementsAre(
          mistake(3, "stream.on_gap", "did you mean \"jump\"?"),
          mistake(
              4,
              "stream.prefetch_bites",
              "did you mean stream.prefetch_bytes?"),
          mistake(6, "loader.batch_images", "an integer from 1 to 1048576"),
          mistake(7, "loader.flip_probability", "a number from 0 to 1"),
          mistake(8, "[snapshots]", "did you mean [snapshot]?")));
}

TEST(ConfigMistakes, AreWrittenAsFileLineKeyAndMessage) {
  EXPECT_EQ(
      format_mistakes(
          {{"/etc/swavd/swavd.toml", 4, "stream.on_gap", "must be"},
           {"flag", 0, "log.level", "must not be"},
           {"/etc/x.toml", 2, "", "no TOML"}}),
      "/etc/swavd/swavd.toml:4: stream.on_gap: must be\n"
      "flag: log.level: must not be\n"
      "/etc/x.toml:2: no TOML\n");
}

TEST(ConfigMistakes, ASyntaxErrorStandsAloneWithItsLine) {
  const auto mistakes = mistakes_of("rnu = 3\n[stream]\nurl = \n");
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].line, 3);
  EXPECT_THAT(mistakes[0].message, HasSubstr("no TOML"));
}

TEST(ConfigMistakes, AMissingFileIsNamed) {
  const auto mistakes = load_config({"/nowhere/swavd.toml", {}, {}}).mistakes;
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].file, "/nowhere/swavd.toml");
  EXPECT_THAT(mistakes[0].message, HasSubstr("No such file"));
}

TEST(ConfigMistakes, AKeyInTheWrongSectionIsSentToTheRightOne) {
  EXPECT_THAT(
      mistakes_of("[swav]\nlearning_rate = 1.0\n"),
      ElementsAre(mistake(
          2, "swav.learning_rate", "did you mean schedule.learning_rate?")));
}

TEST(ConfigMistakes, AnUnknownWordGetsNoFarFetchedSuggestion) {
  const auto mistakes = mistakes_of("[swav]\nzzzzzzzz = 1\n");
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].message, "there is no such key");
}

TEST(ConfigMistakes, AnUnknownPresetIsAnsweredWithTheList) {
  EXPECT_THAT(
      mistakes_of("[model]\npreset = \"seer-256g\"\n"),
      ElementsAre(mistake(
          2, "model.preset", "swav-rn50, tiny; did you mean \"seer-256gf\"?")));
}

TEST(ConfigMistakes, FlagsAndVariablesAreNamedAsSuch) {
  const auto mistakes =
      load_config(
          {"",
           {"loader.batch_images=many", "nonsense"},
           {"SWAVD_LOG__LEVEL=loud", "SWAVD_UNRELATED=1", "HOME=/root"}})
          .mistakes;
  EXPECT_THAT(
      mistakes,
      ElementsAre(
          AllOf(
              Field(&ConfigMistake::file, "environment"),
              mistake(0, "log.level", "one of debug, info, warning, error")),
          AllOf(
              Field(&ConfigMistake::file, "flag"),
              mistake(0, "nonsense", "section.key=value")),
          AllOf(
              Field(&ConfigMistake::file, "flag"),
              mistake(0, "loader.batch_images", "an integer"))));
}

struct OneMistake {
  std::string toml;
  int line;
  std::string key;
  std::string words;
};

class SingleMistake : public testing::TestWithParam<OneMistake> {};

TEST_P(SingleMistake, IsFoundOnceWithItsPlaceAndWhatToWrite) {
  const OneMistake& p = GetParam();
  EXPECT_THAT(mistakes_of(p.toml), ElementsAre(mistake(p.line, p.key, p.words)))
      << p.toml;
}

INSTANTIATE_TEST_SUITE_P(
    OfOneKey,
    SingleMistake,
    testing::Values(
        OneMistake{"run = \"Main\"", 1, "run", "cannot name a run"},
        OneMistake{"run = 3", 1, "run", "a text, not 3"},
        OneMistake{"data_dir = \"data\"", 1, "data_dir", "absolute"},
        OneMistake{"[stream]\nurl = \"kafka:/x\"", 2, "stream.url", "log:///"},
        OneMistake{
            "[loader]\ncores = \"1..3\"",
            2,
            "loader.cores",
            "\"2-5,8\""},
        OneMistake{
            "[model]\ninit_from = \"/models/seer.torch\"",
            2,
            "model.init_from",
            "ops/docs/weights.md"},
        OneMistake{
            "[model]\ninit_from = \"models/seer\"",
            2,
            "model.init_from",
            "absolute"},
        OneMistake{
            "[stream]\nstart = \"yesterday\"",
            2,
            "stream.start",
            "earliest"},
        OneMistake{
            "[stream]\nstart = \"latst\"",
            2,
            "stream.start",
            "\"latest\"?"},
        OneMistake{
            "[stream]\ndead_letter = \"no\"",
            2,
            "stream.dead_letter",
            "off"},
        OneMistake{
            "[stream]\nmax_record_bytes = \"16MB\"",
            2,
            "stream.max_record_bytes",
            "16MiB"},
        OneMistake{
            "[stream]\nmax_record_bytes = \"16TiB\"",
            2,
            "stream.max_record_bytes",
            "from 1KiB to 1GiB"},
        OneMistake{
            "[snapshot]\nevery = 600",
            2,
            "snapshot.every",
            "such as \"10m\""},
        OneMistake{
            "[snapshot]\nevery = \"1500ms\"",
            2,
            "snapshot.every",
            "whole seconds"},
        OneMistake{
            "[optimizer]\nkind = \"lar\"",
            2,
            "optimizer.kind",
            "one of larc, sgd, lars"},
        OneMistake{
            "[precision]\ncompute = \"half\"",
            2,
            "precision.compute",
            "one of fp32, bf16, fp16"},
        OneMistake{"[model]\nw0 = 20", 2, "model.w0", "a multiple of 8"},
        OneMistake{"[model]\nwm = 1", 2, "model.wm", "above 1"},
        OneMistake{
            "[swav]\ntemperature = nan",
            2,
            "swav.temperature",
            "above 0"},
        OneMistake{
            "[loader]\nmean = [0.5, 0.5]",
            2,
            "loader.mean",
            "a list of 3"},
        OneMistake{
            "[model]\nhead_hidden = [512, \"x\"]",
            2,
            "model.head_hidden",
            "integers from 1"},
        OneMistake{
            "[swav]\nprototypes = [300, 1]",
            2,
            "swav.prototypes",
            "an integer from 2 to 1048576, or a list"},
        OneMistake{
            "[swav]\nprototypes = []",
            2,
            "swav.prototypes",
            "or a list"},
        OneMistake{
            "[swav]\nhard_assignment_steps = -2",
            2,
            "swav.hard_assignment_steps",
            "at least -1"},
        OneMistake{
            "[object_store]\nurl = \"gs://b\"",
            2,
            "object_store.url",
            "s3://BUCKET"},
        OneMistake{
            "[object_store]\nendpoint = \"minio:9000\"",
            2,
            "object_store.endpoint",
            "https://HOST"},
        OneMistake{"[http]\nlisten = \"9464\"", 2, "http.listen", "HOST:PORT"},
        OneMistake{
            "[http]\nlisten = \"h:99999\"",
            2,
            "http.listen",
            "HOST:PORT"},
        OneMistake{"[admin]\nsocket = \"a\"", 2, "admin.socket", "absolute"},
        OneMistake{"stream = 3", 1, "stream", "there is no such key"}));

INSTANTIATE_TEST_SUITE_P(
    OfCrops,
    SingleMistake,
    testing::Values(
        OneMistake{"[loader]\ncrops = []", 2, "loader.crops", "at least one"},
        OneMistake{
            "[loader]\ncrops = [{count = 1, size = 64}]",
            2,
            "loader.crops",
            "group 1: count must be at least 2"},
        OneMistake{
            "[loader]\ncrops = [{}, {sice = 64}]",
            2,
            "loader.crops",
            "group 2: a crop group has no sice; did you mean size?"},
        OneMistake{
            "[loader]\ncrops = [{scale = [0.5, 0.2]}]",
            2,
            "loader.crops",
            "0 < LEAST <= MOST <= 1"},
        OneMistake{
            "[loader]\ncrops = [{size = 4}]",
            2,
            "loader.crops",
            "from 8 to 1024"}));

INSTANTIATE_TEST_SUITE_P(
    OfKeysTogether,
    SingleMistake,
    testing::Values(
        OneMistake{
            "[schedule]\nkind = \"cosine\"",
            2,
            "schedule.kind",
            "set schedule.total_images"},
        OneMistake{
            "[schedule]\nkind = \"cosine\"\ntotal_images = 100\n"
            "warmup_images = 100",
            4,
            "schedule.warmup_images",
            "leaves nothing"},
        OneMistake{
            "[schedule]\nlearning_rate = 0.1\nfloor = 0.2",
            3,
            "schedule.floor",
            "above schedule.learning_rate = 0.1"},
        OneMistake{
            "[model]\npreset = \"learning-bar\"\n[schedule]\n"
            "learning_rate = 0.01",
            4,
            "schedule.end_learning_rate",
            "above schedule.learning_rate"},
        OneMistake{
            "[precision]\ncheckpoint_groups = 1",
            2,
            "precision.checkpoint_groups",
            "write 0 for off, or at least 2"},
        OneMistake{
            "[precision]\ncheckpoint_groups = 14",
            2,
            "precision.checkpoint_groups",
            "13 blocks of the trunk (model.depth)"},
        OneMistake{
            "[stream]\nmax_ahead_records = 6400\n[snapshot]\n"
            "every_steps = 100\nevery = \"0s\"",
            2,
            "stream.max_ahead_records",
            "100 steps of 64 images"},
        OneMistake{
            "[lease]\nheartbeat = \"10s\"\nexpiry = \"29s\"",
            3,
            "lease.expiry",
            "3 heartbeats of 10000 ms"},
        OneMistake{
            "[loader]\nblur_sigma_min = 3.0",
            2,
            "loader.blur_sigma_min",
            "above loader.blur_sigma_max = 2"},
        OneMistake{
            "[loader]\ndecode_fidelity = 0.5",
            2,
            "loader.decode_fidelity",
            "write 1 or more, or 0"},
        OneMistake{
            "[loader]\neval_size = 96\neval_resize = 64",
            2,
            "loader.eval_size",
            "above loader.eval_resize"},
        OneMistake{
            "[model]\ntrainer = \"ledger\"\ninit_from = \"/models/seer\"",
            3,
            "model.init_from",
            "no weights"},
        OneMistake{
            "[swav]\nassign_crops = 7",
            2,
            "swav.assign_crops",
            "more than the 6 crops of an image"},
        OneMistake{
            "[swav]\nqueue_images = 63",
            2,
            "swav.queue_images",
            "write 64 or more, or 0 for none"},
        OneMistake{
            "[swav]\nqueue_start_images = 1000",
            2,
            "swav.queue_start_images",
            "set swav.queue_images too"},
        OneMistake{"[snapshot]\nevery = \"0s\"", 2, "snapshot.every", "both"},
        OneMistake{
            "[model]\ntrunk = \"resnet\"\nw0 = 640",
            2,
            "model.trunk",
            "model.w0 = 640 can only be given to regnet_y and regnet_x"},
        OneMistake{
            "[model]\ngroups = 32\nwidth_per_group = 4",
            2,
            "model.trunk",
            "is \"regnet_y\", but model.groups = 32, model.width_per_group = 4 "
            "can only be given to resnet"},
        OneMistake{
            "[model]\npreset = \"seer-8gf\"\ntrunk = \"resnet\"",
            3,
            "model.trunk",
            "another model.preset"},
        OneMistake{
            "[model]\ntrunk = \"regnet_x\"\nse_ratio = 0.5",
            2,
            "model.trunk",
            "model.se_ratio = 0.5 can only be given to regnet_y"},
        OneMistake{
            "[model]\nse_ratio = 0.5",
            2,
            "model.se_ratio",
            "take model.trunk = \"regnet_x\""},
        OneMistake{
            "[model]\ntrunk = \"resnet\"\nblock = \"basic\"\ngroups = 2",
            3,
            "model.block",
            "has no groups: take \"bottleneck\""},
        OneMistake{
            "[model]\npreset = \"swav-rn50-w2\"\nstem = \"cifar\"",
            3,
            "model.widen",
            "2 is for a ResNet that is plain otherwise"},
        OneMistake{
            "[model]\ntrunk = \"resnet\"\nstage_depths = [3, 4, 6]",
            3,
            "model.stage_depths",
            "a list of 4"},
        OneMistake{
            "[metrics]\nlisten = \"127.0.0.1:9464\"",
            2,
            "metrics.listen",
            "http.listen already"},
        OneMistake{
            "[stream.client]\n\"fetch.min.bytes\" = 1",
            1,
            "stream.client",
            "is for Kafka"},
        OneMistake{
            "[stream]\nurl = \"kafka://h:1/t\"\n[stream.client]\n"
            "sasl.password = \"hunter2\"",
            3,
            "stream.client",
            "\"sasl.password_file\""}));

TEST(ConfigMistakes, AWrongValueIsNotBlamedTwiceThroughAContradiction) {
  EXPECT_THAT(
      mistakes_of("[schedule]\nkind = \"cosine\"\ntotal_images = -1\n"),
      ElementsAre(mistake(3, "schedule.total_images", "at least 0")));
}

TEST(ConfigMistakes, SecretsAreNeverEchoed) {
  const TempFolder folder;
  const ConfigSources sources{
      folder.write(
          "s.toml",
          "[stream]\nurl = \"kafka://h:1/t\"\n"
          "[stream.client]\n\"sasl.password\" = \"hunter2\"\n"),
      {},
      {}};
  EXPECT_THAT(
      format_mistakes(load_config(sources).mistakes),
      testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(effective_config(sources), testing::Not(HasSubstr("hunter2")));
}

TEST(ConfigMistakes, AProbeNeedsBothItsSetsAndATrainerWithFeatures) {
  EXPECT_THAT(
      mistakes_of("[probe]\ntrain = \"/train\"\n"),
      ElementsAre(mistake(2, "probe.train", "a probe needs both")));
  EXPECT_THAT(
      mistakes_of("[model]\ntrainer = \"ledger\"\n[probe]\n"
                  "train = \"/train\"\ntest = \"/test\"\n"),
      ElementsAre(mistake(4, "probe.train", "a ledger has no features")));
  EXPECT_THAT(
      mistakes_of("[probe]\ntrain = \"train\"\ntest = \"/test\"\n"),
      ElementsAre(mistake(2, "probe.train", "no absolute path")));
  EXPECT_THAT(
      mistakes_of("[probe]\ntrain = \"/train\"\ntest = \"/test.tar\"\n"),
      IsEmpty());
}

TEST(ConfigMistakes, TheLeastThatRunsHasNone) {
  EXPECT_THAT(
      mistakes_of(R"(run = "main"
data_dir = "/var/lib/swavd"
[stream]
url = "kafka://127.0.0.1:9092/images"
start = "earliest"
on_gap = "stop"
[model]
preset = "tiny"
[loader]
batch_images = 128
[snapshot]
every_steps = 200
[object_store]
url = "file:///srv/models"
[http]
listen = "127.0.0.1:9464"
)"),
      IsEmpty());
}

TEST(ConfigMistakes, NoFileAtAllHasNone) {
  EXPECT_THAT(load_config({}).mistakes, IsEmpty());
}

}  // namespace
}  // namespace swavd::service
