#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"

namespace swavd::service {

/// One crop group: `{count = 2, size = 224, scale = [0.14, 1.0]}`.
struct CropConfig {
  std::int64_t count = 2;
  std::int64_t size = 224;
  double scale_min = 0.14;
  double scale_max = 1.0;
};

struct StreamConfig {
  std::string url;                 ///< default: log://<data_dir>/stream/images
  std::string start = "earliest";  ///< earliest, latest, RFC 3339 time
  std::string on_gap = "stop";     ///< stop, jump
  std::string dead_letter = "auto";  ///< auto (<topic>.dead), off, a STREAM
  std::uint64_t prefetch_bytes = 256ULL << 20U;
  std::uint64_t max_record_bytes = 16ULL << 20U;
  std::uint64_t retention_bytes = 0;        ///< of an embedded stream
  std::uint64_t retention_age_seconds = 0;  ///< of an embedded stream
  std::uint64_t max_ahead_records = 0;      ///< of an embedded stream's writers
  std::int64_t partitions = 8;              ///< of an embedded stream made here
  std::map<std::string, std::string> client;  ///< [stream.client]
};

struct LoaderConfig {
  std::int64_t batch_images = 128;
  /// 0: one for each of `cores`, else one for every two cores, at least 1.
  std::int64_t workers = 0;
  std::string cores;  ///< of the workers, see `parse_cores`; empty: any
  std::int64_t prefetch_batches = 2;
  std::uint64_t inflight_bytes = 256 << 20;
  std::string order = "arrival";  ///< arrival, round_robin
  std::int64_t shuffle_records = 1024;
  std::uint64_t shuffle_bytes = 256 << 20;
  std::uint64_t shuffle_wait_ms = 1000;
  std::uint64_t max_pixels = 33'554'432;
  bool exif_orientation = false;
  bool color_profiles = false;
  std::string truncated = "reject";   ///< reject, fill
  std::string isolation = "process";  ///< process, none
  std::uint64_t image_timeout_ms = 10'000;
  double decode_fidelity = 0;  ///< 0: JPEG files are decoded at full size
  std::int64_t niceness = 0;
  std::vector<CropConfig> crops;
  double flip_probability = 0.5;
  double jitter_probability = 0.8;
  double jitter_strength = 1.0;
  double gray_probability = 0.2;
  double blur_probability = 0.5;
  double blur_sigma_min = 0.1;
  double blur_sigma_max = 2.0;
  std::vector<double> mean = {0.485, 0.456, 0.406};
  std::vector<double> std = {0.229, 0.224, 0.225};
  std::int64_t eval_resize = 256;
  std::int64_t eval_size = 224;
};

struct ModelConfig {
  std::string trainer = "torch";  ///< torch, ledger
  std::string device = "auto";    ///< auto, cpu, cuda, cuda:N
  std::string preset = "tiny";
  std::uint64_t seed = 0;
  std::string init_from;           ///< empty: a new run begins at random
  std::string trunk = "regnet_y";  ///< regnet_y, regnet_x, resnet
  // regnet_y, regnet_x
  std::int64_t depth = 13;
  std::int64_t w0 = 24;
  double wa = 36.44;
  double wm = 2.49;
  std::int64_t group_width = 8;
  double se_ratio = 0.25;
  std::int64_t stem_width = 32;
  // resnet
  std::string block = "bottleneck";  ///< basic, bottleneck
  std::vector<std::int64_t> stage_depths = {3, 4, 6, 3};
  std::int64_t widen = 1;
  std::int64_t groups = 1;
  std::int64_t width_per_group = 64;
  std::string stem = "imagenet";  ///< imagenet, cifar
  std::vector<std::int64_t> head_hidden = {512, 512};
  std::int64_t head_out = 128;
  bool head_batch_norm = true;
  double ema = 0;  ///< decay a step of the published average; 0: off
};

struct SwavConfig {
  std::vector<std::int64_t> prototypes = {300};  ///< of each set
  double temperature = 0.1;
  double epsilon = 0.05;
  std::int64_t sinkhorn_iterations = 3;
  std::int64_t freeze_prototypes_steps = 0;
  std::int64_t assign_crops = 2;
  std::int64_t hard_assignment_steps = 0;  ///< -1: always
  std::uint64_t queue_images = 0;          ///< 0: no queue
  std::uint64_t queue_start_images = 0;
  bool pass_per_crop = false;
};

struct OptimizerConfig {
  std::string kind = "larc";  ///< larc, sgd, lars
  double momentum = 0.9;
  double weight_decay = 1e-5;
  double trust = 0.001;
  std::int64_t max_skipped_steps = 10;  ///< in a row, then training pauses
};

struct ScheduleConfig {
  std::string kind = "fixed-then-halving";  ///< or cosine, constant
  double learning_rate = 0.3;
  double warmup_start = 0;  ///< rate of the first step; 0: one step's share
  std::uint64_t warmup_images = 0;
  // fixed-then-halving
  double min_improvement = 0.01;
  std::uint64_t patience_images = 2'000'000;
  std::uint64_t cooldown_images = 1'000'000;
  double floor = 0;  ///< the rate never falls below
  // cosine
  std::uint64_t total_images = 0;
  double end_learning_rate = 0;
  std::string cosine = "rescaled";  ///< rescaled (swav), fixed (VISSL)
};

struct PrecisionConfig {
  std::string compute = "fp32";        ///< fp32, bf16, fp16
  std::int64_t checkpoint_groups = 0;  ///< of the trunk's blocks; 0: off
  std::int64_t threads = 0;            ///< of the step; 0: all cores
};

struct SnapshotConfig {
  std::uint64_t every_steps = 0;      ///< 0: off
  std::uint64_t every_seconds = 600;  ///< "10m"; 0: off
  std::int64_t keep_last = 5;
  std::int64_t keep_every = 0;  ///< keeps every k-th commit too; 0: off
  std::int64_t keep_hourly = 0;
  std::int64_t keep_daily = 0;
  std::int64_t keep_weekly = 0;
  std::uint64_t reserve_bytes = 256ULL << 20U;
  std::uint64_t write_rate = 0;  ///< bytes per second; 0: no limit
};

struct ObjectStoreConfig {
  std::string url;         ///< empty: no remote tier
  std::int64_t every = 1;  ///< uploads every k-th snapshot
  std::int64_t keep_last = 20;
  std::int64_t keep_every = 0;  ///< keeps every k-th commit too; 0: off
  std::int64_t keep_hourly = 0;
  std::int64_t keep_daily = 0;
  std::int64_t keep_weekly = 0;
  // of s3://; empty texts: from the usual variables
  std::string endpoint;
  std::string region;
  std::string addressing = "auto";  ///< auto, path, virtual
  std::string credentials_file;
  std::string profile;
  std::string ca_file;
  std::uint64_t upload_bytes_per_second = 0;  ///< 0: no limit
  std::int64_t max_pending = 8;               ///< waiting for their upload
};

/// How two daemons that want the same run are kept apart.
struct LeaseConfig {
  std::uint64_t heartbeat_ms = 10'000;
  std::uint64_t expiry_ms = 60'000;
};

struct HttpConfig {
  std::string listen = "127.0.0.1:9464";  ///< empty: no page
};

struct MetricsConfig {
  std::string listen;  ///< "HOST:PORT"; the probes and /metrics only
};

struct AdminConfig {
  std::string socket;  ///< default: $RUNTIME_DIRECTORY or data_dir/admin.sock
};

/// [probe]: kNN on fresh snapshots.
struct ProbeConfig {
  std::string train;  ///< a PATH with labels; empty: no probes
  std::string test;
  std::int64_t every = 1;  ///< every k-th snapshot
  std::uint64_t bank = 10'000;
  std::uint64_t queries = 2'000;
  std::uint64_t time_limit_seconds = 3'600;
};

struct LogConfig {
  std::string level = "info";   ///< debug, info, warning, error
  std::string format = "text";  ///< text, json
};

/// [crawl], read by swavd-crawl.
struct CrawlConfig {
  std::string user_agent;  ///< required: name, version and a contact URL
  std::vector<std::string> lists;  ///< files of URLs
  std::int64_t max_inflight = 64;
  std::uint64_t per_host_delay_ms = 2000;
  std::uint64_t max_body_bytes = 16ULL << 20U;
  std::uint64_t connect_timeout_ms = 10'000;
  std::uint64_t total_timeout_ms = 30'000;
  std::int64_t max_redirects = 5;
  std::vector<std::int64_t> ports = {80, 443};
  std::vector<std::string> allow_networks;
  bool repeat = false;
};

/// The whole configuration, resolved: flags > SWAVD_SECTION__KEY > conf.d >
/// file > preset > defaults.
struct Config {
  std::string run = "main";
  std::string data_dir = "/var/lib/swavd";
  StreamConfig stream;
  LoaderConfig loader;
  ModelConfig model;
  SwavConfig swav;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  PrecisionConfig precision;
  SnapshotConfig snapshot;
  ObjectStoreConfig object_store;
  LeaseConfig lease;
  HttpConfig http;
  MetricsConfig metrics;
  AdminConfig admin;
  ProbeConfig probe;
  LogConfig log;
  CrawlConfig crawl;
  /// The model-relevant sections as TOML, keys in a fixed order: what a
  /// snapshot carries. A changed one is another lineage.
  std::string lineage_toml;
};

/// When a changed key takes effect.
enum class KeyClass { kReloadable, kRestart, kLineage };

/// One mistake, with its place.
struct ConfigMistake {
  std::string file;
  int line = 0;  ///< 0: not from a file
  std::string key;
  std::string message;  ///< what is wrong and what to write instead
};

/// What a config was read from.
struct ConfigSources {
  std::string file;  ///< empty: defaults and preset only
  /// "section.key=value" pairs from the command line, TOML values.
  std::vector<std::string> overrides;
  /// Environment as NAME=VALUE; SWAVD_SECTION__KEY are read.
  std::vector<std::string> environment;
};

/// A loaded config or all its mistakes (never both).
struct LoadedConfig {
  Config config;
  std::vector<ConfigMistake> mistakes;
  /// What runs, and is likely not what was wanted. Beside a config only.
  std::vector<ConfigMistake> warnings;
};

/// Reads, merges and checks. A syntax error stands alone; otherwise every
/// semantic mistake is listed: unknown keys (with the nearest known one),
/// wrong types, values out of range, contradictions.
[[nodiscard]] LoadedConfig load_config(const ConfigSources& sources);

/// Mistakes as lines "FILE:LINE: key: message".
[[nodiscard]] std::string format_mistakes(
    const std::vector<ConfigMistake>& mistakes);

/// `swavd config`: every key, its effective value and where it came from
/// ("default", "preset tiny", "FILE:LINE", "environment", "flag").
[[nodiscard]] std::string effective_config(const ConfigSources& sources);

/// The values of all keys of class kLineage as TOML, in the table's order: what
/// `lineage_toml` becomes after a change of `config`.
[[nodiscard]] std::string lineage_of(const Config& config);

/// Reads a lineage TOML out of a snapshot back into the model-relevant
/// sections of a Config. Errors: kCorruption.
[[nodiscard]] Result<Config> parse_lineage(std::string_view toml);

/// The names of keys whose values differ between two lineage TOMLs.
[[nodiscard]] std::vector<std::string> lineage_differences(
    std::string_view before,
    std::string_view after);

/// Names of the shipped presets, and the reference page (Markdown) of all
/// keys with unit, range, default and class.
[[nodiscard]] std::vector<std::string> preset_names();
[[nodiscard]] std::string config_reference_page();

/// A key whose value is not what it was.
struct KeyChange {
  std::string key;
  KeyClass key_class = KeyClass::kRestart;
  std::string before;  ///< as TOML
  std::string after;
};

/// What a reload would change, in the order of the reference page.
[[nodiscard]] std::vector<KeyChange> config_changes(
    const Config& before,
    const Config& after);

/// "10m", "30s", "2h", "1d" or "500ms" in milliseconds. Errors:
/// kInvalidArgument.
[[nodiscard]] Result<std::uint64_t> parse_duration_ms(std::string_view text);

/// An RFC 3339 time ("2026-01-31T12:00:00Z") in Unix milliseconds. Errors:
/// kInvalidArgument.
[[nodiscard]] Result<std::int64_t> parse_time_ms(std::string_view text);

/// "2-5,8": CPU cores by number, ascending and each once; of an empty text,
/// none. Errors: kInvalidArgument.
[[nodiscard]] Result<std::vector<std::int32_t>> parse_cores(
    std::string_view text);

}  // namespace swavd::service
