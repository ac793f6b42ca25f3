#include <limits>

#include "ops/service/config/keys.h"
#include "ops/service/config/objections.h"

namespace swavd::service {
namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kTiB = 1LL << 40U;
constexpr auto kReloadable = KeyClass::kReloadable;
constexpr auto kRestart = KeyClass::kRestart;
constexpr auto kLineage = KeyClass::kLineage;

constexpr std::string_view kGapPolicies[] = {"stop", "jump"};
constexpr std::string_view kIsolations[] = {"process", "none"};
constexpr std::string_view kTruncations[] = {"reject", "fill"};
constexpr std::string_view kOrders[] = {"arrival", "round_robin"};
constexpr std::string_view kTrainers[] = {"torch", "ledger"};
constexpr std::string_view kTrunks[] = {"regnet_y", "regnet_x", "resnet"};
constexpr std::string_view kBlocks[] = {"bottleneck", "basic"};
constexpr std::string_view kStems[] = {"imagenet", "cifar"};
constexpr std::string_view kSchedules[] = {
    "fixed-then-halving",
    "cosine",
    "constant"};
constexpr std::string_view kCosines[] = {"rescaled", "fixed"};
constexpr std::string_view kOptimizers[] = {"larc", "sgd", "lars"};
constexpr std::string_view kPrecisions[] = {"fp32", "bf16", "fp16"};
constexpr std::string_view kAddressings[] = {"auto", "path", "virtual"};
constexpr std::string_view kLogLevels[] = {"debug", "info", "warning", "error"};
constexpr std::string_view kLogFormats[] = {"text", "json"};

// Shapes of the table below.

constexpr Shape text(Objection objection = nullptr) {
  Shape shape;
  shape.objection = objection;
  return shape;
}

constexpr Shape one_of(std::span<const std::string_view> choices) {
  Shape shape;
  shape.choices = choices;
  return shape;
}

constexpr Shape whole(
    Form form,
    std::int64_t least,
    std::int64_t most,
    std::string_view unit = "") {
  Shape shape;
  shape.form = form;
  shape.least = least;
  shape.most = most;
  shape.unit = unit;
  return shape;
}

constexpr Shape
integer(std::int64_t least, std::int64_t most, std::string_view unit = "") {
  return whole(Form::kInteger, least, most, unit);
}

constexpr Shape
real(double lowest, double highest, std::string_view unit = "") {
  Shape shape;
  shape.form = Form::kReal;
  shape.lowest = lowest;
  shape.highest = highest;
  shape.unit = unit;
  return shape;
}

constexpr Shape
real_above(double lowest, double highest, std::string_view unit = "") {
  Shape shape = real(lowest, highest, unit);
  shape.above_lowest = true;
  return shape;
}

constexpr Shape multiple(Shape shape, std::int64_t of) {
  shape.multiple_of = of;
  return shape;
}

constexpr Shape list(Shape item, Form form, std::size_t length = 0) {
  item.form = form;
  item.length = length;
  return item;
}

constexpr Shape maybe_empty(Shape shape) {
  shape.may_be_empty = true;
  return shape;
}

constexpr Shape maybe_single(Shape shape) {
  shape.may_be_single = true;
  return shape;
}

constexpr Shape form_only(Form form) {
  Shape shape;
  shape.form = form;
  return shape;
}

#define SWAVD_FIELD(path) \
  Field(+[](Config & config) -> auto& { return config.path; })

// clang-format off
const Key kKeys[] = {
  {"run", SWAVD_FIELD(run), text(object_to_run), kRestart,
   "Names the lineage of snapshots that this daemon continues."},
  {"data_dir", SWAVD_FIELD(data_dir), text(object_to_folder), kRestart,
   "Folder of the snapshots, the embedded stream and the locks."},

  {"stream.url", SWAVD_FIELD(stream.url), text(object_to_stream), kRestart,
   "The images: `kafka://HOST:PORT[,HOST:PORT…]/TOPIC` or `log:///FOLDER/TOPIC`; empty stands for `log://<data_dir>/stream/images`."},
  {"stream.start", SWAVD_FIELD(stream.start), text(object_to_start), kRestart,
   "Where a run without a snapshot begins: `earliest`, `latest` or an RFC 3339 time."},
  {"stream.on_gap", SWAVD_FIELD(stream.on_gap), one_of(kGapPolicies), kRestart,
   "When retention took records that were not trained on: `stop` with the size of the gap, or `jump` over it and write it into the position."},
  {"stream.dead_letter", SWAVD_FIELD(stream.dead_letter), text(object_to_dead_letter), kRestart,
   "Where rejected records go: `auto` (topic + `.dead`), `off` or a stream."},
  {"stream.prefetch_bytes", SWAVD_FIELD(stream.prefetch_bytes), whole(Form::kBytes, 1 << 20, kTiB, "bytes"), kRestart,
   "Records held ahead of the loader."},
  {"stream.max_record_bytes", SWAVD_FIELD(stream.max_record_bytes), whole(Form::kBytes, 1 << 10, 1 << 30, "bytes"), kRestart,
   "Larger records are rejected as `too_large`."},
  {"stream.retention_bytes", SWAVD_FIELD(stream.retention_bytes), whole(Form::kBytes, 0, kNoLimit, "bytes"), kRestart,
   "Embedded stream: keeps this much, then drops the oldest; 0 keeps all."},
  {"stream.retention_age", SWAVD_FIELD(stream.retention_age_seconds), whole(Form::kSeconds, 0, 3660 * 86'400LL, "duration"), kRestart,
   "Embedded stream: records older than this are dropped while new ones come; 0 keeps them however old."},
  {"stream.max_ahead_records", SWAVD_FIELD(stream.max_ahead_records), integer(0, kNoLimit, "records"), kRestart,
   "Embedded stream: writers wait when they are so far ahead of the slowest reader; 0: never."},
  {"stream.partitions", SWAVD_FIELD(stream.partitions), integer(1, 1024), kRestart,
   "Embedded stream: partitions of one that is created here."},
  {"stream.client", SWAVD_FIELD(stream.client), form_only(Form::kTextTable), kRestart,
   "Any librdkafka property, passed through. Secrets only by file: `\"sasl.password_file\" = \"/path\"`."},

  {"loader.batch_images", SWAVD_FIELD(loader.batch_images), integer(1, 1 << 20, "images"), kLineage,
   "Images of one step on one rank."},
  {"loader.workers", SWAVD_FIELD(loader.workers), integer(0, 1024, "threads"), kRestart,
   "Decoding threads; 0: one for each of `cores`, or else for every two cores of the machine, at least one."},
  {"loader.cores", SWAVD_FIELD(loader.cores), text(object_to_cores), kRestart,
   "Cores of the decoding threads and of the processes that decode for them, such as `2-5,8`, counted from 0: each thread stays on one, so that they keep off those that drive a GPU; empty: any core."},
  {"loader.prefetch_batches", SWAVD_FIELD(loader.prefetch_batches), integer(1, 64, "batches"), kRestart,
   "Finished batches held ready for the trainer."},
  {"loader.inflight_bytes", SWAVD_FIELD(loader.inflight_bytes), whole(Form::kBytes, 1 << 20, kTiB, "bytes"), kRestart,
   "Memory of the image files that wait for a decoding thread or are being decoded, and of as many rejected ones that wait for the rest of their batch; one larger than this is decoded alone."},
  {"loader.order", SWAVD_FIELD(loader.order), one_of(kOrders), kLineage,
   "How partitions are mixed: `arrival` takes what is there, `round_robin` takes strict turns and is reproducible to the byte."},
  {"loader.shuffle_records", SWAVD_FIELD(loader.shuffle_records), integer(1, 1 << 24, "records"), kRestart,
   "Records of a partition are mixed within blocks of so many offsets; 1 leaves them in order. `round_robin` waits for whole blocks."},
  {"loader.shuffle_bytes", SWAVD_FIELD(loader.shuffle_bytes), whole(Form::kBytes, 1 << 20, kTiB, "bytes"), kRestart,
   "Memory of the shuffle window, shared by the partitions: mixes fewer records at a time where a block has more."},
  {"loader.shuffle_wait", SWAVD_FIELD(loader.shuffle_wait_ms), whole(Form::kMilliseconds, 0, 86'400'000, "duration"), kRestart,
   "How long a record waits for the rest of its block where the stream has nothing more; `arrival` only."},
  {"loader.max_pixels", SWAVD_FIELD(loader.max_pixels), integer(1, 1LL << 32U, "pixels"), kRestart,
   "Larger images are rejected as `too_many_pixels`."},
  {"loader.exif_orientation", SWAVD_FIELD(loader.exif_orientation), form_only(Form::kFlag), kLineage,
   "Turns a picture upright that says it is stored otherwise, as phones do (EXIF in JPEG, PNG and WebP, `irot` and `imir` in AVIF); false trains on what is stored, as SEER and torchvision do. A TIFF is turned in any case."},
  {"loader.color_profiles", SWAVD_FIELD(loader.color_profiles), form_only(Form::kFlag), kLineage,
   "Converts pictures with an ICC profile (JPEG, PNG, WebP, TIFF, AVIF) to sRGB; false takes their numbers as they are, as SEER and torchvision do. A profile that cannot be read is not followed."},
  {"loader.truncated", SWAVD_FIELD(loader.truncated), one_of(kTruncations), kLineage,
   "What becomes of an image whose file ends early: `reject` makes it a dead letter; `fill` trains on a JPEG, PNG, GIF or BMP with the missing pixels grey or black, as Pillow gives it with `LOAD_TRUNCATED_IMAGES`."},
  {"loader.isolation", SWAVD_FIELD(loader.isolation), one_of(kIsolations), kRestart,
   "Where images are decoded: `process` has each decoding thread use a process that can do nothing else, so that a file which breaks a decoder costs one record; `none` decodes in swavd itself, for streams you trust."},
  {"loader.image_timeout", SWAVD_FIELD(loader.image_timeout_ms), whole(Form::kMilliseconds, 10, 3'600'000, "duration"), kRestart,
   "CPU time that decoding one image may take before it is rejected as `timeout`; `process` only."},
  {"loader.decode_fidelity", SWAVD_FIELD(loader.decode_fidelity), real(0, 16), kLineage,
   "Large JPEG files may be decoded at 1/2, 1/4 or 1/8, which is faster and changes the crops a little, as long as each crop is cut from at least so many pixels for each one of its side, 1 or more; 0: never. See [architecture.md](architecture.md#decoding)."},
  {"loader.niceness", SWAVD_FIELD(loader.niceness), integer(0, 19), kRestart,
   "Scheduling priority of the decoding threads; higher yields more."},
  {"loader.crops", SWAVD_FIELD(loader.crops), form_only(Form::kCrops), kLineage,
   "Groups of random crops: `{count, size, scale = [LEAST, MOST]}`, size in pixels, scale as shares of the image's area. The first `swav.assign_crops` of them give the codes."},
  {"loader.flip_probability", SWAVD_FIELD(loader.flip_probability), real(0, 1), kLineage,
   "Of mirroring a crop left to right."},
  {"loader.jitter_probability", SWAVD_FIELD(loader.jitter_probability), real(0, 1), kLineage,
   "Of changing brightness, contrast, saturation and hue."},
  {"loader.jitter_strength", SWAVD_FIELD(loader.jitter_strength), real(0, 2), kLineage,
   "Multiplies the ranges .8, .8, .8 and .2 of the colour jitter."},
  {"loader.gray_probability", SWAVD_FIELD(loader.gray_probability), real(0, 1), kLineage,
   "Of dropping all colour."},
  {"loader.blur_probability", SWAVD_FIELD(loader.blur_probability), real(0, 1), kLineage,
   "Of a Gaussian blur."},
  {"loader.blur_sigma_min", SWAVD_FIELD(loader.blur_sigma_min), real_above(0, 100, "pixels"), kLineage,
   "Smallest deviation of the blur."},
  {"loader.blur_sigma_max", SWAVD_FIELD(loader.blur_sigma_max), real_above(0, 100, "pixels"), kLineage,
   "Largest deviation of the blur."},
  {"loader.mean", SWAVD_FIELD(loader.mean), list(real(0, 1), Form::kReals, 3), kLineage,
   "Subtracted from red, green and blue, which are in [0, 1]."},
  {"loader.std", SWAVD_FIELD(loader.std), list(real_above(0, 10), Form::kReals, 3), kLineage,
   "What the difference is divided by."},
  {"loader.eval_resize", SWAVD_FIELD(loader.eval_resize), integer(8, 4096, "pixels"), kLineage,
   "Short side of an image that is evaluated, before its centre crop."},
  {"loader.eval_size", SWAVD_FIELD(loader.eval_size), integer(8, 4096, "pixels"), kLineage,
   "Side of the centre crop."},

  {"model.preset", SWAVD_FIELD(model.preset), text(object_to_preset), kRestart,
   "Shipped values for the sections below and `loader`; every key given elsewhere wins over it."},
  {"model.trainer", SWAVD_FIELD(model.trainer), one_of(kTrainers), kLineage,
   "`torch` learns; `ledger` only accounts for what it was fed."},
  {"model.device", SWAVD_FIELD(model.device), text(object_to_device), kRestart,
   "What steps are computed on: `cpu`, `cuda` or `cuda:N` (an error where it cannot be had), or `auto`: the first GPU if it can be used, else the CPU, and the log says why, see [gpu.md](gpu.md)."},
  {"model.seed", SWAVD_FIELD(model.seed), integer(0, kNoLimit), kLineage,
   "Keys everything random: the first weights, the crops, the order."},
  {"model.init_from", SWAVD_FIELD(model.init_from), text(object_to_init_from), kRestart,
   "A new run begins with these weights: a .safetensors file or a folder with one, in the names of Hugging Face, torchvision, timm or VISSL. Read at step 0 only; every snapshot tells of it under `origin`. Empty: at random."},
  {"model.trunk", SWAVD_FIELD(model.trunk), one_of(kTrunks), kLineage,
   "`regnet_y` has squeeze-and-excitation, `regnet_x` has none; `resnet` is a ResNeXt with groups. Keys of another trunk must be left out."},
  {"model.depth", SWAVD_FIELD(model.depth), integer(1, 128, "blocks"), kLineage,
   "RegNet: blocks in all."},
  {"model.w0", SWAVD_FIELD(model.w0), multiple(integer(8, 1 << 16, "channels"), 8), kLineage,
   "RegNet: width of the first block before quantising."},
  {"model.wa", SWAVD_FIELD(model.wa), real(0, 1e5), kLineage,
   "RegNet: by how much the width grows per block."},
  {"model.wm", SWAVD_FIELD(model.wm), real_above(1, 16), kLineage,
   "RegNet: factor between the widths of stages."},
  {"model.group_width", SWAVD_FIELD(model.group_width), integer(1, 1 << 16, "channels"), kLineage,
   "RegNet: channels of one group of the 3x3 convolutions."},
  {"model.se_ratio", SWAVD_FIELD(model.se_ratio), real(0, 1), kLineage,
   "RegNetY: width of the squeeze-and-excitation as a share of the block's input. Only 0.25, which is what transformers builds."},
  {"model.stem_width", SWAVD_FIELD(model.stem_width), integer(1, 4096, "channels"), kLineage,
   "RegNet: channels of the first convolution."},
  {"model.block", SWAVD_FIELD(model.block), one_of(kBlocks), kLineage,
   "ResNet: `basic` is 3x3, 3x3; `bottleneck` is 1x1, 3x3, 1x1, with the stride in the 3x3."},
  {"model.stage_depths", SWAVD_FIELD(model.stage_depths), list(integer(1, 128, "blocks"), Form::kIntegers, 4), kLineage,
   "ResNet: blocks of each stage."},
  {"model.widen", SWAVD_FIELD(model.widen), integer(1, 16), kLineage,
   "ResNet: factor on all widths, as in SwAV's w2 and w4."},
  {"model.groups", SWAVD_FIELD(model.groups), integer(1, 1024), kLineage,
   "ResNet: groups of the 3x3 convolutions in bottlenecks; 32 or 64 in a ResNeXt."},
  {"model.width_per_group", SWAVD_FIELD(model.width_per_group), integer(1, 1024, "channels"), kLineage,
   "ResNet: channels of each such group in the first stage, twice as many in each further one."},
  {"model.stem", SWAVD_FIELD(model.stem), one_of(kStems), kLineage,
   "ResNet: `imagenet` is 7x7 of stride 2, then pooling; `cifar` is 3x3 of stride 1 and no pooling, for pictures of about 32 pixels."},
  {"model.head_hidden", SWAVD_FIELD(model.head_hidden), maybe_empty(list(integer(1, 1 << 16, "features"), Form::kIntegers)), kLineage,
   "Widths of the projection head between the trunk and its output."},
  {"model.head_out", SWAVD_FIELD(model.head_out), integer(2, 1 << 16, "features"), kLineage,
   "Dimension of the embedding that is compared with the prototypes."},
  {"model.head_batch_norm", SWAVD_FIELD(model.head_batch_norm), form_only(Form::kFlag), kLineage,
   "Batch normalisation behind the hidden layers of the head."},
  {"model.ema", SWAVD_FIELD(model.ema), real(0, 0.999999), kLineage,
   "Decay a step of a moving average of weights and BN statistics, 0.999 for example: snapshots publish the average, and training goes on with the weights in `state.safetensors`; 0: off."},

  {"swav.prototypes", SWAVD_FIELD(swav.prototypes), maybe_single(list(integer(2, 1 << 20), Form::kIntegers)), kLineage,
   "K; a list of several makes as many sets of prototypes, and the loss their mean. Health and choices look at the first. A model that knows nothing has the loss ln K."},
  {"swav.temperature", SWAVD_FIELD(swav.temperature), real_above(0, 10), kLineage,
   "Divides the scores before the softmax."},
  {"swav.epsilon", SWAVD_FIELD(swav.epsilon), real_above(0, 10), kLineage,
   "Sinkhorn's regularisation: smaller gives sharper assignments."},
  {"swav.sinkhorn_iterations", SWAVD_FIELD(swav.sinkhorn_iterations), integer(1, 100), kLineage,
   "Rounds of normalising rows and columns."},
  {"swav.freeze_prototypes_steps", SWAVD_FIELD(swav.freeze_prototypes_steps), integer(0, kNoLimit, "steps"), kLineage,
   "The prototypes keep their first values for so long."},
  {"swav.assign_crops", SWAVD_FIELD(swav.assign_crops), integer(1, 64, "crops"), kLineage,
   "The first so many crops of an image give codes, which all its other crops predict."},
  {"swav.hard_assignment_steps", SWAVD_FIELD(swav.hard_assignment_steps), integer(-1, kNoLimit, "steps"), kLineage,
   "For so many first steps the code of an image is its likeliest prototype alone; 0: never, -1: always."},
  {"swav.queue_images", SWAVD_FIELD(swav.queue_images), integer(0, 1 << 24, "images"), kLineage,
   "Embeddings of the last so many images help to balance the codes of a small batch, once so many are there: whole batches, the rest is cut off; 0: none."},
  {"swav.queue_start_images", SWAVD_FIELD(swav.queue_start_images), integer(0, kNoLimit, "images"), kLineage,
   "The queue begins to fill after so many images."},
  {"swav.pass_per_crop", SWAVD_FIELD(swav.pass_per_crop), form_only(Form::kFlag), kLineage,
   "The trunk sees each crop by itself, with batch statistics of its own, instead of all crops of one size together."},

  {"optimizer.kind", SWAVD_FIELD(optimizer.kind), one_of(kOptimizers), kLineage,
   "How gradients are scaled: `larc` per tensor as SEER does it (apex), `sgd` not at all, `lars` per tensor but for biases and normalisations."},
  {"optimizer.momentum", SWAVD_FIELD(optimizer.momentum), real(0, 0.9999), kLineage,
   "Of stochastic gradient descent."},
  {"optimizer.weight_decay", SWAVD_FIELD(optimizer.weight_decay), real(0, 1), kLineage,
   "L2. `lars` leaves biases and normalisations out, `larc` a tensor whose values or gradients are all zero."},
  {"optimizer.trust", SWAVD_FIELD(optimizer.trust), real_above(0, 1), kLineage,
    "Trust coefficient of `larc` and `lars`."},
  {"optimizer.max_skipped_steps", SWAVD_FIELD(optimizer.max_skipped_steps), integer(1, 1 << 20, "steps"), kRestart,
   "So many steps with a non-finite loss or gradient in a row pause training."},

  {"schedule.kind", SWAVD_FIELD(schedule.kind), one_of(kSchedules), kLineage,
   "`fixed-then-halving` needs no end; `cosine` needs `total_images`."},
  {"schedule.learning_rate", SWAVD_FIELD(schedule.learning_rate), real_above(0, 1000), kLineage,
   "The rate after the warm-up."},
  {"schedule.warmup_start", SWAVD_FIELD(schedule.warmup_start), real(0, 1000), kLineage,
   "The rate of the first step of the warm-up; 0: what one step adds to it."},
  {"schedule.warmup_images", SWAVD_FIELD(schedule.warmup_images), integer(0, kNoLimit, "images"), kLineage,
   "Length of the linear warm-up."},
  {"schedule.min_improvement", SWAVD_FIELD(schedule.min_improvement), real_above(0, 1), kLineage,
   "Halving: by which share the smoothed loss must fall to count as better."},
  {"schedule.patience_images", SWAVD_FIELD(schedule.patience_images), integer(1, kNoLimit, "images"), kLineage,
   "Halving: so long without improvement halves the rate."},
  {"schedule.cooldown_images", SWAVD_FIELD(schedule.cooldown_images), integer(0, kNoLimit, "images"), kLineage,
   "Halving: so long after a halving the loss is not judged."},
  {"schedule.floor", SWAVD_FIELD(schedule.floor), real(0, 1000), kLineage,
   "Halving: the rate never falls below."},
  {"schedule.total_images", SWAVD_FIELD(schedule.total_images), integer(0, kNoLimit, "images"), kLineage,
   "Cosine: where it ends."},
  {"schedule.end_learning_rate", SWAVD_FIELD(schedule.end_learning_rate), real(0, 1000), kLineage,
   "Cosine: the rate there and from there on."},
  {"schedule.cosine", SWAVD_FIELD(schedule.cosine), one_of(kCosines), kLineage,
   "`rescaled`: over what is left after the warm-up (SwAV); `fixed`: over the whole run (VISSL)."},

  {"precision.compute", SWAVD_FIELD(precision.compute), one_of(kPrecisions), kLineage,
   "Of convolutions and matrix products; loss, statistics and weights stay fp32. `fp16` scales the loss, see [precision.md](precision.md)."},
  {"precision.checkpoint_groups", SWAVD_FIELD(precision.checkpoint_groups), integer(0, 128), kRestart,
   "Divides the trunk's blocks into so many groups, of which all but the last compute their activations anew in the backward pass: less memory, more time. 0: off."},
  {"precision.threads", SWAVD_FIELD(precision.threads), integer(0, 4096, "threads"), kRestart,
   "Of a step on CPU; 0: all cores."},

  {"snapshot.every_steps", SWAVD_FIELD(snapshot.every_steps), integer(0, kNoLimit, "steps"), kReloadable,
   "A snapshot after so many steps; 0: off."},
  {"snapshot.every", SWAVD_FIELD(snapshot.every_seconds), whole(Form::kSeconds, 0, 366 * 86'400, "duration"), kReloadable,
   "A snapshot when the last one is so old; `\"0s\"`: off."},
  {"snapshot.keep_last", SWAVD_FIELD(snapshot.keep_last), integer(1, 1 << 20, "snapshots"), kReloadable,
   "How many of the newest are kept on the local disk."},
  {"snapshot.keep_every", SWAVD_FIELD(snapshot.keep_every), integer(0, 1 << 20), kReloadable,
   "Keeps every k-th commit too; 0: off."},
  {"snapshot.keep_hourly", SWAVD_FIELD(snapshot.keep_hourly), integer(0, 1 << 20, "hours"), kReloadable,
   "Of so many hours (UTC), the newest that have one, the last snapshot is kept too; 0: off."},
  {"snapshot.keep_daily", SWAVD_FIELD(snapshot.keep_daily), integer(0, 1 << 20, "days"), kReloadable,
   "Of so many days (UTC), the newest that have one, the last snapshot is kept too; 0: off."},
  {"snapshot.keep_weekly", SWAVD_FIELD(snapshot.keep_weekly), integer(0, 1 << 20, "weeks"), kReloadable,
   "Of so many weeks (UTC), the newest that have one, the last snapshot is kept too; 0: off."},
  {"snapshot.reserve_bytes", SWAVD_FIELD(snapshot.reserve_bytes), whole(Form::kBytes, 1 << 20, kNoLimit, "bytes"), kRestart,
   "Left free on the disk; a snapshot that would use it waits."},
  {"snapshot.write_rate", SWAVD_FIELD(snapshot.write_rate), whole(Form::kBytes, 0, kNoLimit, "bytes"), kReloadable,
   "A snapshot is written at so many bytes a second, to leave cores and memory to the training beside it; 0: as fast as it goes. A drain does not wait for it."},

  {"object_store.url", SWAVD_FIELD(object_store.url), text(object_to_object_store), kRestart,
   "Where snapshots are copied to: `file:///FOLDER` or `s3://BUCKET/PREFIX`; empty: nowhere."},
  {"object_store.every", SWAVD_FIELD(object_store.every), integer(1, 1 << 20), kRestart,
   "Copies every k-th snapshot."},
  {"object_store.keep_last", SWAVD_FIELD(object_store.keep_last), integer(1, 1 << 20, "snapshots"), kReloadable,
   "How many of the newest are kept there."},
  {"object_store.keep_every", SWAVD_FIELD(object_store.keep_every), integer(0, 1 << 20), kReloadable,
   "Keeps every k-th commit there too; 0: off."},
  {"object_store.keep_hourly", SWAVD_FIELD(object_store.keep_hourly), integer(0, 1 << 20, "hours"), kReloadable,
   "Of so many hours (UTC), the newest that have one, the last snapshot is kept too; 0: off."},
  {"object_store.keep_daily", SWAVD_FIELD(object_store.keep_daily), integer(0, 1 << 20, "days"), kReloadable,
   "Of so many days (UTC), the newest that have one, the last snapshot is kept too; 0: off."},
  {"object_store.keep_weekly", SWAVD_FIELD(object_store.keep_weekly), integer(0, 1 << 20, "weeks"), kReloadable,
   "Of so many weeks (UTC), the newest that have one, the last snapshot is kept too; 0: off."},
  {"object_store.endpoint", SWAVD_FIELD(object_store.endpoint), text(object_to_endpoint), kRestart,
   "S3: `https://HOST[:PORT]` of a server that is not AWS; empty stands for `$AWS_ENDPOINT_URL_S3`, `$AWS_ENDPOINT_URL`, else AWS."},
  {"object_store.region", SWAVD_FIELD(object_store.region), text(), kRestart,
   "S3: empty stands for `$AWS_REGION`, `$AWS_DEFAULT_REGION`, else `us-east-1`."},
  {"object_store.addressing", SWAVD_FIELD(object_store.addressing), one_of(kAddressings), kRestart,
   "S3: where the bucket's name stands: `path`, `virtual` (in the host), or `auto`: in the host at AWS, in the path elsewhere."},
  {"object_store.credentials_file", SWAVD_FIELD(object_store.credentials_file), text(object_to_optional_path), kRestart,
   "S3: an INI file with `aws_access_key_id` and `aws_secret_access_key`, or `credential_process`, by profile; empty: the environment, a web identity, `~/.aws`, the instance's role."},
  {"object_store.profile", SWAVD_FIELD(object_store.profile), text(), kRestart,
   "S3: section of that file; empty stands for `$AWS_PROFILE`, else `default`."},
  {"object_store.ca_file", SWAVD_FIELD(object_store.ca_file), text(object_to_optional_path), kRestart,
   "S3: certificates to trust instead of the machine's; empty stands for `$AWS_CA_BUNDLE`."},
  {"object_store.upload_bytes_per_second", SWAVD_FIELD(object_store.upload_bytes_per_second), whole(Form::kBytes, 0, kNoLimit, "bytes"), kRestart,
   "S3: an upload is held to this rate; 0: no limit."},
  {"object_store.max_pending", SWAVD_FIELD(object_store.max_pending), integer(2, 1 << 20, "snapshots"), kRestart,
   "How many wait for their copy, kept on the local disk meanwhile; one more takes the place of the oldest."},

  {"lease.heartbeat", SWAVD_FIELD(lease.heartbeat_ms), whole(Form::kMilliseconds, 10, 3'600'000, "duration"), kRestart,
   "The owner of a run renews its lease in the object store so often."},
  {"lease.expiry", SWAVD_FIELD(lease.expiry_ms), whole(Form::kMilliseconds, 30, 86'400'000, "duration"), kRestart,
   "Another daemon may take a run whose lease was not renewed for so long. It watches that long itself; no two machines' clocks are compared."},

  {"http.listen", SWAVD_FIELD(http.listen), text(object_to_listen), kRestart,
   "Address of the page, the probes and `/metrics`; empty: none. It shows everything to whoever can reach it."},
  {"metrics.listen", SWAVD_FIELD(metrics.listen), text(object_to_listen), kRestart,
   "A second address with `/metrics`, `/livez` and `/readyz` only; empty: none."},
  {"admin.socket", SWAVD_FIELD(admin.socket), text(object_to_socket), kRestart,
   "Unix socket of `swavctl`; empty stands for `$RUNTIME_DIRECTORY/admin.sock`, else `<data_dir>/admin.sock`."},

  {"probe.train", SWAVD_FIELD(probe.train), text(object_to_optional_path), kRestart,
   "Labelled images, a folder or a tar file whose first folders are the labels: fresh snapshots are measured by kNN with these as the bank; empty: no probes."},
  {"probe.test", SWAVD_FIELD(probe.test), text(object_to_optional_path), kRestart,
   "Labelled images, likewise, that are asked for."},
  {"probe.every", SWAVD_FIELD(probe.every), integer(1, 1 << 20, "snapshots"), kRestart,
   "Probes every k-th snapshot."},
  {"probe.bank", SWAVD_FIELD(probe.bank), integer(0, kNoLimit, "images"), kRestart,
   "Of `train` at most, evenly spread over all; 0: all."},
  {"probe.queries", SWAVD_FIELD(probe.queries), integer(0, kNoLimit, "images"), kRestart,
   "Of `test` at most, evenly spread over all; 0: all."},
  {"probe.time_limit", SWAVD_FIELD(probe.time_limit_seconds), whole(Form::kSeconds, 1, 366 * 86'400, "duration"), kRestart,
   "A probe that takes longer is given up. It runs at the lowest priority, so it may have to wait for its turns."},

  {"log.level", SWAVD_FIELD(log.level), one_of(kLogLevels), kReloadable,
   "The least that is written."},
  {"log.format", SWAVD_FIELD(log.format), one_of(kLogFormats), kReloadable,
   "`text` for people and the journal, `json` for machines."},

  {"crawl.user_agent", SWAVD_FIELD(crawl.user_agent), text(), kRestart,
   "Name, version and a URL to complain to. Required by `swavd-crawl run`."},
  {"crawl.lists", SWAVD_FIELD(crawl.lists), maybe_empty(form_only(Form::kTexts)), kRestart,
   "Files with one URL a line."},
  {"crawl.max_inflight", SWAVD_FIELD(crawl.max_inflight), integer(1, 4096, "requests"), kRestart,
   "Fetches under way at most."},
  {"crawl.per_host_delay", SWAVD_FIELD(crawl.per_host_delay_ms), whole(Form::kMilliseconds, 0, 86'400'000, "duration"), kRestart,
   "Between two fetches from one host."},
  {"crawl.max_body_bytes", SWAVD_FIELD(crawl.max_body_bytes), whole(Form::kBytes, 1 << 10, 1 << 30, "bytes"), kRestart,
   "Larger bodies are given up."},
  {"crawl.connect_timeout", SWAVD_FIELD(crawl.connect_timeout_ms), whole(Form::kMilliseconds, 1, 3'600'000, "duration"), kRestart,
   "Of a connection, TLS included."},
  {"crawl.total_timeout", SWAVD_FIELD(crawl.total_timeout_ms), whole(Form::kMilliseconds, 1, 3'600'000, "duration"), kRestart,
   "Of a whole fetch."},
  {"crawl.max_redirects", SWAVD_FIELD(crawl.max_redirects), integer(0, 20), kRestart,
   "Redirects followed, each checked like a first address."},
  {"crawl.ports", SWAVD_FIELD(crawl.ports), list(integer(1, 65'535), Form::kIntegers), kRestart,
   "Ports that may be fetched from."},
  {"crawl.allow_networks", SWAVD_FIELD(crawl.allow_networks), maybe_empty(form_only(Form::kTexts)), kRestart,
   "Private networks that may be fetched from all the same, such as `10.1.0.0/16`."},
  {"crawl.repeat", SWAVD_FIELD(crawl.repeat), form_only(Form::kFlag), kRestart,
   "Begins the lists again at their end."},
};
// clang-format on
#undef SWAVD_FIELD

}  // namespace

std::span<const Key> all_keys() {
  return kKeys;
}

}  // namespace swavd::service
