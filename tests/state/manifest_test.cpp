#include "state/manifest.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ops/base/bytes.h"
#include "ops/base/sha256.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::HasSubstr;

std::string golden(const std::string& name) {
  std::ifstream file(
      std::string(SWAVD_TEST_SOURCE_DIR) + "/tests/golden/state/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.ends_with('\n')) {
    text.pop_back();
  }
  return text;
}

/// The manifest of the worked example in ops/docs/formats/snapshot.md.
Manifest example() {
  Manifest manifest;
  manifest.generation = 3;
  manifest.commit = 17;
  manifest.step = 1200;
  manifest.images = 153'600;
  manifest.parent = "000000001000-5be1c9d2";
  manifest.created_ms = 1'764'000'000'123;
  manifest.stream_json =
      R"({"id":"kafka:images","order":{"mode":"arrival","turn":0}})";
  manifest.positions_json =
      R"([{"topic":"images","partition":0,"start":0,"next":38400,)"
      R"("done_above":[[38402,38405]],"gaps":[{"from":100,"to":119,)"
      R"("reason":"retention"}],"trained":38380,"rejected":4,"skipped":0,)"
      R"("last":{"offset":38399,"timestamp_ms":1763999999000,)"
      R"("sha256":"ab"}}])";
  manifest.schedule_json = R"({"rate":0.6,"best":4.25,"halvings":1})";
  manifest.random_json = R"({"key":18446744073709551615,"position":4096})";
  manifest.ledger_json = R"({"count":153604,"hash":"0123456789abcdef",)"
                         R"("content":"fedcba9876543210"})";
  manifest.config_toml = "[model]\npreset = \"tiny\"\n";
  manifest.config_sha256 = sha256_hex(as_bytes(manifest.config_toml));
  manifest.health = {"healthy", 4.51, 5.7, 213.0, true};
  manifest.files = {
      {"config.json", 2, sha256_hex(as_bytes("{}"))},
      {"model.safetensors", 4, sha256_hex(as_bytes("abcd"))}};
  manifest.state_sha256 = compute_state_sha256(manifest);
  return manifest;
}

TEST(Manifest, TextIsThatOfTheGoldenFile) {
  EXPECT_EQ(to_json(example()), golden("manifest.json"));
}

TEST(Manifest, GoldenFileComesBackByteForByte) {
  const std::string text = golden("manifest.json");
  const auto parsed = parse_manifest(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(to_json(parsed.value()), text);
  EXPECT_EQ(parsed.value().positions_json, example().positions_json);
  EXPECT_EQ(parsed.value().created_ms, 1'764'000'000'123);
  EXPECT_EQ(parsed.value().health.verdict, "healthy");
  EXPECT_EQ(parsed.value().files.size(), 2U);
}

TEST(Manifest, StateDigestIsWhatThePageSays) {
  const Manifest manifest = example();
  const std::string text =
      manifest.files[0].sha256 + "  config.json\n" + manifest.files[1].sha256 +
      "  model.safetensors\n" + manifest.positions_json + "\n" +
      manifest.schedule_json + "\n" + manifest.random_json + "\n";
  EXPECT_EQ(manifest.state_sha256, sha256_hex(as_bytes(text)));
}

TEST(Manifest, StateDigestIgnoresOwnerAndTimeButNoStatePart) {
  const std::string before = compute_state_sha256(example());
  Manifest same = example();
  same.generation = 9;
  same.commit = 99;
  same.parent = "x";
  same.created_ms = 0;
  same.positions_json = " " + same.positions_json + "\n";
  EXPECT_EQ(compute_state_sha256(same), before);
  for (auto part :
       {&Manifest::positions_json,
        &Manifest::schedule_json,
        &Manifest::random_json}) {
    Manifest other = example();
    other.*part = R"({"other":1})";
    EXPECT_NE(compute_state_sha256(other), before);
  }
  Manifest other = example();
  other.files[0].sha256[0] ^= 1;
  EXPECT_NE(compute_state_sha256(other), before);
}

TEST(Manifest, IdIsStepAndDigestOfTheText) {
  EXPECT_EQ(snapshot_id(1200, "abc"), "000000001200-ba7816bf");
  EXPECT_NE(
      snapshot_id(1, to_json(sample_manifest(1))),
      snapshot_id(1, to_json(sample_manifest(2))));
}

TEST(Manifest, HealthHasItsReasonAndFiguresOrNoneOfThem) {
  Manifest manifest = example();
  EXPECT_EQ(to_json(manifest).find("rank_me"), std::string::npos);
  Health& health = manifest.health;
  health.verdict = "collapsing";
  health.reason = "low_rank";
  health.used_prototypes = 12;
  health.best_loss = 4.25;
  health.feature_std = 0.0625;
  health.rank_me = 1.5;
  health.accepted = true;
  const std::string text = to_json(manifest);
  EXPECT_THAT(
      text,
      HasSubstr(R"("finite":true,"reason":"low_rank","used_prototypes":12,)"
                R"("best_loss":4.25,"feature_std":0.0625,"rank_me":1.5,)"
                R"("accepted":true})"));
  const auto parsed = parse_manifest(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(to_json(parsed.value()), text);
  EXPECT_EQ(parsed.value().health.reason, "low_rank");
  EXPECT_TRUE(parsed.value().health.accepted);
}

TEST(Manifest, HealthWithAReasonAndHalfItsFiguresIsRefused) {
  Manifest manifest = example();
  manifest.health.reason = "learning";
  std::string text = to_json(manifest);
  const std::string gone = R"("rank_me":0.0,)";
  ASSERT_NE(text.find(gone), std::string::npos) << text;
  text.erase(text.find(gone), gone.size());
  const auto parsed = parse_manifest(text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(parsed.error().message, HasSubstr("health.rank_me"));
}

TEST(Manifest, NumbersThatAreNoneBecomeNullAndComeBack) {
  Manifest manifest = example();
  manifest.health.loss = std::numeric_limits<double>::quiet_NaN();
  manifest.health.finite = false;
  const std::string text = to_json(manifest);
  EXPECT_THAT(text, HasSubstr("\"loss\":null"));
  const auto parsed = parse_manifest(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_TRUE(std::isnan(parsed.value().health.loss));
  EXPECT_FALSE(parsed.value().health.finite);
}

TEST(Manifest, UnknownKeysAreLeftForLaterVersions) {
  nlohmann::ordered_json json =
      nlohmann::ordered_json::parse(golden("manifest.json"));
  json["later"] = 1;
  EXPECT_TRUE(parse_manifest(json.dump()).ok());
}

TEST(Manifest, OnlyABranchSaysThatItIsOne) {
  EXPECT_EQ(to_json(example()).find("\"branch\""), std::string::npos);
  Manifest branch = example();
  branch.branch_json = R"({"kind":"anneal","run":"main"})";
  const std::string text = to_json(branch);
  EXPECT_THAT(
      text, HasSubstr(R"("branch":{"kind":"anneal","run":"main"},"files":[)"));
  const auto parsed = parse_manifest(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().branch_json, branch.branch_json);
  EXPECT_EQ(to_json(parsed.value()), text);
  branch.branch_json = "true";
  const auto wrong = parse_manifest(to_json(branch));
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().message, HasSubstr("branch"));
}

TEST(Manifest, AnotherFormatIsRefusedByName) {
  auto json = nlohmann::ordered_json::parse(golden("manifest.json"));
  json["format"] = "swavd-snapshot/2";
  const auto parsed = parse_manifest(json.dump());
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(parsed.error().message, HasSubstr("swavd-snapshot/2"));
}

TEST(Manifest, EachMissingOrWrongFieldIsNamed) {
  const auto whole = nlohmann::ordered_json::parse(golden("manifest.json"));
  for (const auto& [key, value] : whole.items()) {
    auto missing = whole;
    missing.erase(key);
    auto wrong = whole;
    wrong[key] = value.is_boolean() ? nlohmann::ordered_json("x")
                                    : nlohmann::ordered_json(true);
    for (const auto& json : {missing, wrong}) {
      const auto parsed = parse_manifest(json.dump());
      ASSERT_FALSE(parsed.ok()) << key;
      EXPECT_EQ(parsed.error().code, ErrorCode::kCorruption);
      EXPECT_THAT(parsed.error().message, HasSubstr(key));
    }
  }
}

TEST(Manifest, FileNamesThatLeaveTheFolderAreRefused) {
  for (const std::string name : {"../x", "/etc/passwd", "a/b", "", ".x"}) {
    auto json = nlohmann::ordered_json::parse(golden("manifest.json"));
    json["files"][0]["name"] = name;
    EXPECT_FALSE(parse_manifest(json.dump()).ok()) << name;
  }
}

TEST(Manifest, EveryTruncationIsRefused) {
  const std::string whole = golden("manifest.json");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_manifest(whole.substr(0, length)).ok()) << length;
  }
}

TEST(Manifest, TimesOutOfShapeAreRefused) {
  for (const std::string time :
       {"2026-13-01T00:00:00.000Z",
        "2026-02-30T00:00:00.000Z",
        "2026-01-01T24:00:00.000Z",
        "2026-01-01T00:00:00.000",
        "2026-01-01 00:00:00.000Z",
        "20x6-01-01T00:00:00.000Z"}) {
    auto json = nlohmann::ordered_json::parse(golden("manifest.json"));
    json["created"] = time;
    EXPECT_FALSE(parse_manifest(json.dump()).ok()) << time;
  }
}

TEST(Manifest, OriginIsThereOnlyWhenTheRunHasOne) {
  Manifest manifest = example();
  EXPECT_EQ(to_json(manifest).find("origin"), std::string::npos);
  EXPECT_EQ(parse_manifest(to_json(manifest)).value().origin_json, "");
  const std::string state = compute_state_sha256(manifest);
  manifest.origin_json = R"({"init_from":"/models/seer","layout":"vissl"})";
  const std::string text = to_json(manifest);
  const auto parsed = parse_manifest(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().origin_json, manifest.origin_json);
  EXPECT_EQ(to_json(parsed.value()), text);
  EXPECT_EQ(compute_state_sha256(manifest), state);
}

TEST(Manifest, OriginThatIsNoObjectIsRefused) {
  Manifest manifest = example();
  manifest.origin_json = "7";
  const auto parsed = parse_manifest(to_json(manifest));
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(parsed.error().message, HasSubstr("origin"));
}

}  // namespace
}  // namespace swavd::state
