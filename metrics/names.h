#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace swavd::metrics {

enum class Type : std::uint8_t { kCounter, kGauge, kHistogram };

// The one table of metric names: id, type, name, labels (comma-separated),
// help. The registry, the reference page and the checks are made from it.
// All histograms are of seconds and share `kSecondsBuckets`. The process_*
// names are those every Prometheus client uses; the registry keeps them.
// clang-format off
#define SWAVD_METRICS(X) \
  X(kBuildInfo, kGauge, "swavd_build_info", "version,trainer", "Always 1; the labels say what is running.") \
  X(kComputeDevice, kGauge, "swavd_compute_device", "device", "Always 1; the label says what steps are computed on: `cpu` or `cuda:N`.") \
  X(kState, kGauge, "swavd_state", "state", "Life-cycle state: exactly one is 1.") \
  X(kLogMessages, kCounter, "swavd_log_messages_total", "level", "Log lines by level.") \
  X(kLogDropped, kCounter, "swavd_log_dropped_total", "", "Log lines left out because nobody read stderr.") \
  X(kWatchdogPing, kGauge, "swavd_watchdog_last_ping_timestamp_seconds", "", "When progress was last told to the service manager.") \
  X(kRunGeneration, kGauge, "swavd_run_generation", "", "Generation under which this process owns the run.") \
  X(kLeaseState, kGauge, "swavd_lease_state", "state", "How the run is held: exactly one is 1.") \
  X(kLeaseRenewals, kCounter, "swavd_lease_renewals_total", "outcome", "Renewals of the lease, `ok` or why not.") \
  X(kLeaseRenewed, kGauge, "swavd_lease_last_renewal_timestamp_seconds", "", "When the lease was last renewed.") \
  X(kStreamConsumed, kCounter, "swavd_stream_consumed_records_total", "partition", "Records handed to the trainer and consumed.") \
  X(kStreamPosition, kGauge, "swavd_stream_position_offset", "partition", "Next offset the run will consume.") \
  X(kStreamSnapshotOffset, kGauge, "swavd_stream_snapshot_offset", "partition", "Position in the newest durable snapshot.") \
  X(kStreamEnd, kGauge, "swavd_stream_end_offset", "partition", "One above the newest record of the stream.") \
  X(kStreamLag, kGauge, "swavd_stream_lag_records", "partition", "Records up to the end that are not consumed.") \
  X(kStreamFreshness, kGauge, "swavd_stream_last_trained_timestamp_seconds", "partition", "Time stamp of the newest record trained on.") \
  X(kStreamPartitions, kGauge, "swavd_stream_assigned_partitions", "", "Partitions this rank reads.") \
  X(kStreamErrors, kCounter, "swavd_stream_errors_total", "reason", "Errors of the stream that were survived.") \
  X(kStreamGapRecords, kCounter, "swavd_stream_gap_records_total", "reason", "Offsets written off as gone.") \
  X(kRejected, kCounter, "swavd_messages_rejected_total", "reason", "Records dead-lettered, by reason.") \
  X(kDeadLetterFailures, kCounter, "swavd_dead_letter_failures_total", "reason", "Dead letters that could not be delivered.") \
  X(kDecodedImages, kCounter, "swavd_decode_images_total", "outcome", "Images decoded, by outcome; `filled`: its file ended early.") \
  X(kDecodeSeconds, kCounter, "swavd_decode_seconds_total", "", "CPU time spent decoding.") \
  X(kRenderSeconds, kCounter, "swavd_render_seconds_total", "", "CPU time spent making crops.") \
  X(kQueueItems, kGauge, "swavd_pipeline_queue_items", "stage", "Items waiting between two stages.") \
  X(kQueueCapacity, kGauge, "swavd_pipeline_queue_capacity_items", "stage", "Items that fit between two stages.") \
  X(kPipelineWait, kCounter, "swavd_pipeline_wait_seconds_total", "stage,side", "Time a side of a hand-off waited: input (starved) or output (blocked).") \
  X(kInflightBytes, kGauge, "swavd_loader_inflight_bytes", "", "Payload bytes that wait for a decoding thread or are being decoded.") \
  X(kShuffleRecords, kGauge, "swavd_loader_shuffle_records", "", "Records held to be mixed.") \
  X(kShuffleBytes, kGauge, "swavd_loader_shuffle_bytes", "", "Payload bytes of the records held to be mixed.") \
  X(kTrainStep, kGauge, "swavd_train_step", "", "Updates since the run began.") \
  X(kTrainSteps, kCounter, "swavd_train_steps_total", "", "Updates by this process.") \
  X(kTrainImages, kCounter, "swavd_train_images_total", "", "Images trained on by this process.") \
  X(kTrainStepDuration, kHistogram, "swavd_train_step_duration_seconds", "phase", "Wall time of a step by phase.") \
  X(kTrainLoss, kGauge, "swavd_train_loss_nats", "", "Loss of the newest batch before its update.") \
  X(kTrainLossSmoothed, kGauge, "swavd_train_loss_smoothed_nats", "", "The loss the plateau rule watches.") \
  X(kTrainLnK, kGauge, "swavd_train_ln_k_nats", "", "Loss of a model that knows nothing.") \
  X(kTrainLearningRate, kGauge, "swavd_train_learning_rate", "", "Learning rate of the newest step.") \
  X(kTrainLrReductions, kCounter, "swavd_train_learning_rate_reductions_total", "", "Halvings of the learning rate.") \
  X(kTrainLrSets, kCounter, "swavd_train_learning_rate_sets_total", "", "Times an operator gave the learning rate.") \
  X(kTrainLrFloor, kGauge, "swavd_train_learning_rate_at_floor", "", "1 when the rate is not halved any more.") \
  X(kTrainPlateau, kGauge, "swavd_train_plateau_images", "", "Images since the loss the plateau rule watches last improved.") \
  X(kTrainGradNorm, kGauge, "swavd_train_grad_norm", "", "L2 norm of the newest gradient.") \
  X(kTrainTrustRatio, kGauge, "swavd_train_trust_ratio", "percentile", "Factor by which LARC or LARS scaled the newest gradient of a tensor: 10th, 50th and 90th percentile over the tensors.") \
  X(kTrainLossScale, kGauge, "swavd_train_loss_scale", "", "What the loss is multiplied by before the backward pass: 1 unless fp16.") \
  X(kTrainOverflows, kCounter, "swavd_train_overflows_total", "", "Tries of a step that fp16 gradients overflowed, repeated at half the loss scale.") \
  X(kTrainMemoryPeak, kGauge, "swavd_train_memory_peak_bytes", "", "Most tensor memory in use during the newest step.") \
  X(kTrainSkipped, kCounter, "swavd_train_skipped_steps_total", "reason", "Steps skipped, nothing changed.") \
  X(kTrainPauses, kCounter, "swavd_train_pauses_total", "reason", "Pauses of the training, by reason.") \
  X(kTrainLastStep, kGauge, "swavd_train_last_step_timestamp_seconds", "", "When the newest step ended.") \
  X(kSwavPerplexity, kGauge, "swavd_swav_prototype_perplexity", "", "exp(entropy) of prototype use over the last images.") \
  X(kSwavUsed, kGauge, "swavd_swav_used_prototypes", "", "Prototypes chosen by at least one of the last images.") \
  X(kSwavUnused, kGauge, "swavd_swav_unused_prototypes", "", "Prototypes chosen by none of the last images.") \
  X(kSwavRankMe, kGauge, "swavd_swav_rank_me", "", "Effective rank of the last embeddings (RankMe); 0 until there are enough.") \
  X(kSwavFeatureStd, kGauge, "swavd_swav_feature_std", "", "Mean per-dimension deviation of the embeddings; near 0 is collapse.") \
  X(kHealthVerdict, kGauge, "swavd_health_verdict", "verdict", "Verdict on the run: exactly one is 1.") \
  X(kHealthChanges, kCounter, "swavd_health_changes_total", "verdict,reason", "Changes of the verdict, by what it became and why.") \
  X(kSnapshotAttempts, kCounter, "swavd_snapshot_attempts_total", "tier", "Snapshots begun, by tier.") \
  X(kSnapshotFailures, kCounter, "swavd_snapshot_failures_total", "tier,reason", "Snapshots that failed, by tier and reason.") \
  X(kSnapshotPostponed, kCounter, "swavd_snapshot_postponed_total", "", "Freezes put off because the last write was not done.") \
  X(kSnapshotDuration, kHistogram, "swavd_snapshot_duration_seconds", "tier", "From freeze to durable.") \
  X(kSnapshotStall, kHistogram, "swavd_snapshot_stall_seconds", "", "Time the training thread stood still for a freeze.") \
  X(kSnapshotBytes, kGauge, "swavd_snapshot_size_bytes", "tier", "Size of the newest snapshot.") \
  X(kSnapshotLast, kGauge, "swavd_snapshot_last_success_timestamp_seconds", "tier", "When the newest snapshot became durable.") \
  X(kSnapshotLastStep, kGauge, "swavd_snapshot_last_success_step", "tier", "Step of the newest durable snapshot.") \
  X(kSnapshotRetained, kGauge, "swavd_snapshot_retained", "tier", "Snapshots kept.") \
  X(kUploadsPending, kGauge, "swavd_snapshot_uploads_pending", "", "Snapshots that are local and not yet remote.") \
  X(kObjectStoreRetries, kCounter, "swavd_object_store_retries_total", "reason", "Requests to the object store made again, by reason.") \
  X(kRestoreDuration, kGauge, "swavd_restore_duration_seconds", "", "How long the restore at start took.") \
  X(kRestoreSkipped, kCounter, "swavd_restore_skipped_snapshots_total", "reason", "Snapshots passed over at start.") \
  X(kStorageFree, kGauge, "swavd_storage_free_bytes", "area", "Room left on the disk of an area.") \
  X(kProbeTop1, kGauge, "swavd_probe_knn_top1_ratio", "", "Share of right answers of the newest kNN probe.") \
  X(kProbeError, kGauge, "swavd_probe_knn_standard_error_ratio", "", "Its standard error.") \
  X(kProbePixels, kGauge, "swavd_probe_pixels_top1_ratio", "", "The same with raw pixels as features.") \
  X(kProbeStep, kGauge, "swavd_probe_snapshot_step", "", "Step of the snapshot that was probed.") \
  X(kProbeLast, kGauge, "swavd_probe_last_success_timestamp_seconds", "", "When the newest probe ended.") \
  X(kProbeDuration, kHistogram, "swavd_probe_duration_seconds", "", "Time of a probe, at the lowest priority.") \
  X(kProbeSuperseded, kCounter, "swavd_probe_superseded_total", "", "Snapshots whose place in the queue of one a newer one took.") \
  X(kProbeFailures, kCounter, "swavd_probe_failures_total", "reason", "Probes that gave no figure, by reason.") \
  X(kHttpRequests, kCounter, "swavd_http_requests_total", "handler,code", "HTTP requests answered.") \
  X(kHttpDuration, kHistogram, "swavd_http_request_duration_seconds", "handler", "Time to answer an HTTP request.") \
  X(kCrawlRequests, kCounter, "swavd_crawl_requests_total", "outcome", "Fetches, by outcome.") \
  X(kCrawlBlocked, kCounter, "swavd_crawl_blocked_total", "reason", "Fetches refused before they began, by reason.") \
  X(kCrawlBytes, kCounter, "swavd_crawl_response_bytes_total", "", "Bytes of bodies received.") \
  X(kCrawlFrontier, kGauge, "swavd_crawl_frontier_urls", "", "URLs read and not yet fetched.") \
  X(kCrawlInflight, kGauge, "swavd_crawl_inflight_requests", "", "Fetches under way.") \
  X(kCrawlPublished, kCounter, "swavd_crawl_published_records_total", "", "Bodies published to the stream.") \
  X(kProcessCpu, kCounter, "process_cpu_seconds_total", "", "User and system CPU time of the process.") \
  X(kProcessStart, kGauge, "process_start_time_seconds", "", "When the process began, since the epoch.") \
  X(kProcessResident, kGauge, "process_resident_memory_bytes", "", "Memory of the process that is in RAM.") \
  X(kProcessVirtual, kGauge, "process_virtual_memory_bytes", "", "Address space of the process.") \
  X(kProcessOpenFds, kGauge, "process_open_fds", "", "File descriptors that are open.") \
  X(kProcessMaxFds, kGauge, "process_max_fds", "", "File descriptors that may be open.")
// clang-format on

/// Names a metric in code.
enum class Id : std::uint16_t {
#define SWAVD_METRIC_ID(id, type, name, labels, help) id,
  SWAVD_METRICS(SWAVD_METRIC_ID)
#undef SWAVD_METRIC_ID
};

struct Definition {
  Id id;
  Type type;
  std::string_view name;
  std::string_view labels;  ///< comma-separated, empty for none
  std::string_view help;
};

/// Upper bounds of every histogram's buckets, seconds. Changing one breaks
/// the queries and recorded series of everybody: add no bound, drop none.
inline constexpr std::array kSecondsBuckets = {
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0};

/// The table, in the order of `Id`.
[[nodiscard]] std::span<const Definition> definitions();

/// The reference page (Markdown) made from the table.
[[nodiscard]] std::string_view reference_page();

}  // namespace swavd::metrics
