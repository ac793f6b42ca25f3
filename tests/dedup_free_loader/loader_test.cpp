#include "dedup_free_loader/loader.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "dedup_free_loader/image.h"
#include "ops/base/philox.h"
#include "ops/base/sha256.h"
#include "tests/dedup_free_loader/golden.h"
#include "tests/ingest/memory_stream.h"

namespace swavd::loader {
namespace {

using ingest::testing::MemoryStream;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::Pair;

constexpr milliseconds kLong{20'000};
constexpr const char* kHelper = SWAVD_TEST_BIN_DIR "/swavd-decode";

/// A small picture whose pixels depend on `number`, as a PNG file.
ByteVector picture(std::uint64_t number, std::int32_t width = 24) {
  Image image;
  image.width = width;
  image.height = 20;
  Random random(number);
  image.rgb.resize(static_cast<std::size_t>(width) * 20 * 3);
  for (auto& byte : image.rgb) {
    byte = static_cast<std::uint8_t>(random.next_u32());
  }
  auto png = encode_png(image);
  SWAVD_CHECK(png.ok());
  return std::move(png).value();
}

LoaderOptions small_options(std::int32_t workers = 2) {
  LoaderOptions options;
  options.seed = 5;
  options.batch_images = 4;
  options.workers = workers;
  options.inflight_records = 4;
  options.crops = {
      {.count = 2, .size = 16, .scale_min = 0.3, .scale_max = 1},
      {.count = 1, .size = 8, .scale_min = 0.1, .scale_max = 0.4}};
  return options;
}

std::unique_ptr<ingest::Source> assigned_source(MemoryStream& stream) {
  auto source = stream.source();
  std::vector<ingest::Position> positions;
  const auto bounds = source->bounds();
  for (const auto& bound : bounds.value()) {
    ingest::Position position;
    position.topic = source->topic();
    position.partition = bound.partition;
    positions.push_back(position);
  }
  SWAVD_CHECK(source->assign(positions).ok());
  return source;
}

std::unique_ptr<Batch> next_batch(Loader& loader) {
  auto next = loader.next(kLong);
  SWAVD_CHECK(next.ok() && next.value().state == NextState::kBatch);
  return std::move(next.value().batch);
}

std::vector<float> floats_of(const Batch& batch) {
  std::vector<float> all;
  for (const CropGroup& group : batch.groups) {
    const std::size_t floats = static_cast<std::size_t>(batch.images) *
                               static_cast<std::size_t>(group.crops) *
                               static_cast<std::size_t>(group.size) *
                               static_cast<std::size_t>(group.size) * 3;
    all.insert(all.end(), group.data.get(), group.data.get() + floats);
  }
  return all;
}

TEST(Loader, GivesExactBatchesInTheOrderTaken) {
  const auto stream = MemoryStream::make("t", 1);
  for (std::uint64_t i = 0; i < 9; ++i) {
    stream->append(0, picture(i));
  }
  const auto source = assigned_source(*stream);
  const auto loader = start_loader(*source, small_options(), host_allocator());
  for (std::int64_t first : {0, 4}) {
    const auto batch = next_batch(*loader);
    ASSERT_EQ(batch->images, 4);
    for (std::int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(
          batch->slots[static_cast<std::size_t>(i)].address.offset, first + i);
    }
  }
  // The ninth waits for three more: a batch is never trained short.
  const auto idle = loader->next(milliseconds(1));
  ASSERT_TRUE(idle.ok());
  EXPECT_EQ(idle.value().state, NextState::kIdle);
}

TEST(Loader, CropsDoNotDependOnTheNumberOfWorkersNorOnWhereTheyDecode) {
  std::vector<std::vector<float>> seen;
  for (const auto& [workers, helper] :
       {std::pair(1, ""),
        std::pair(2, ""),
        std::pair(8, ""),
        std::pair(1, kHelper),
        std::pair(2, kHelper),
        std::pair(8, kHelper)}) {
    const auto stream = MemoryStream::make("t", 1);
    for (std::uint64_t i = 0; i < 16; ++i) {
      stream->append(
          0,
          i % 5 == 3 ? ByteVector{1, 2, 3}
                     : picture(i, 20 + 4 * static_cast<std::int32_t>(i % 3)));
    }
    const auto source = assigned_source(*stream);
    LoaderOptions options = small_options(workers);
    options.decode_helper = helper;
    const auto loader = start_loader(*source, options, host_allocator());
    std::vector<float> all;
    for (int b = 0; b < 3; ++b) {
      const auto floats = floats_of(*next_batch(*loader));
      all.insert(all.end(), floats.begin(), floats.end());
    }
    seen.push_back(std::move(all));
  }
  for (std::size_t i = 1; i < seen.size(); ++i) {
    EXPECT_EQ(seen[0], seen[i]) << i;
  }
}

/// A batch of one photograph, four times, decoded as said.
std::vector<float> crops_of_jpegs(double fidelity, const char* helper) {
  const auto stream = MemoryStream::make("t", 1);
  for (int i = 0; i < 4; ++i) {
    stream->append(
        0,
        testing::read_bytes(
            testing::golden_folder() / "decode" / "rgb420.jpg"));
  }
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options();
  options.crops = {{.count = 2, .size = 6, .scale_min = 0.6, .scale_max = 1}};
  options.decode_helper = helper;
  options.decode_fidelity = fidelity;
  const auto loader = start_loader(*source, options, host_allocator());
  return floats_of(*next_batch(*loader));
}

TEST(Loader, AFidelityLetsItDecodeSmallerWhereverItDecodes) {
  const std::vector<float> full = crops_of_jpegs(0, "");
  EXPECT_EQ(crops_of_jpegs(0, kHelper), full);
  // At 1/2 no crop has four pixels for each of its side.
  EXPECT_EQ(crops_of_jpegs(4, ""), full);
  const std::vector<float> smaller = crops_of_jpegs(1, "");
  EXPECT_NE(smaller, full);
  EXPECT_EQ(crops_of_jpegs(1, kHelper), smaller);
}

TEST(Loader, AFileThatBreaksItsDecoderIsRejectedAndTheRestGoesOn) {
  const auto stream = MemoryStream::make("t", 1);
  const char* const kWords[] = {"!segv", "!loop", "!abort"};
  for (std::uint64_t i = 0; i < 9; ++i) {
    if (i % 3 == 0) {
      stream->append(0, kWords[i / 3]);
    } else {
      stream->append(0, picture(i));
    }
  }
  for (std::uint64_t i = 0; i < 2; ++i) {
    stream->append(0, picture(i));
  }
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options();
  options.decode_helper = SWAVD_TEST_BIN_DIR "/tests/faulty_decode_helper";
  options.image_timeout = milliseconds(50);
  const auto loader = start_loader(*source, options, host_allocator());
  std::map<std::int64_t, RejectReason> rejected;
  for (int b = 0; b < 2; ++b) {
    const auto batch = next_batch(*loader);
    EXPECT_EQ(batch->images, 4);
    for (const Rejected& each : batch->rejected) {
      rejected[each.record.address.offset] = each.rejection.reason;
    }
  }
  EXPECT_THAT(
      rejected,
      ElementsAre(
          Pair(0, RejectReason::kDecoderCrashed),
          Pair(3, RejectReason::kTimeout),
          Pair(6, RejectReason::kDecoderCrashed)));
  EXPECT_EQ(loader->stats().images_rejected, 3U);
}

TEST(Loader, AHelperThatCannotStartEndsTheLoaderWithTheReason) {
  const auto stream = MemoryStream::make("t", 1);
  for (std::uint64_t i = 0; i < 40; ++i) {
    stream->append(0, picture(i % 3));
  }
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options(4);
  options.decode_helper = "/no/such/program";
  const auto loader = start_loader(*source, options, host_allocator());
  const auto next = loader->next(kLong);
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().code, ErrorCode::kUnavailable);
}

void expect_only_core_0(pid_t of) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(of, sizeof(set), &set), 0);
  EXPECT_EQ(CPU_COUNT(&set), 1);
  EXPECT_TRUE(CPU_ISSET(0, &set));
}

TEST(Loader, WorkersAndTheirHelpersStayOnTheirCores) {
  const auto stream = MemoryStream::make("t", 1);
  for (std::uint64_t i = 0; i < 16; ++i) {
    stream->append(0, picture(i % 3));
  }
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options(3);
  options.decode_helper = kHelper;
  options.cores = {0};
  const auto loader = start_loader(*source, options, host_allocator());
  (void)next_batch(*loader);
  int workers = 0;
  int helpers = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name.starts_with("loader-") && name != "loader-read") {
      ++workers;
      expect_only_core_0(std::stoi(task.path().filename()));
      std::ifstream children(task.path() / "children");
      for (pid_t child = 0; children >> child; ++helpers) {
        expect_only_core_0(child);
      }
    }
  }
  EXPECT_EQ(workers, 3);
  EXPECT_GE(helpers, 1);
}

TEST(Loader, ACoreThatIsNotThereEndsTheLoaderAndIsNamed) {
  const auto stream = MemoryStream::make("t", 1);
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options(2);
  options.cores = {1023};
  const auto loader = start_loader(*source, options, host_allocator());
  const auto next = loader->next(kLong);
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(next.error().message, ::testing::HasSubstr("core 1023"));
}

TEST(Loader, CropsAreLaidOutCropMajor) {
  const auto stream = MemoryStream::make("t", 1);
  for (std::uint64_t i = 0; i < 4; ++i) {
    stream->append(0, picture(i));
  }
  const auto source = assigned_source(*stream);
  const auto options = small_options();
  const auto loader = start_loader(*source, options, host_allocator());
  const auto batch = next_batch(*loader);
  const CpuRenderer renderer;
  for (std::size_t image = 0; image < 4; ++image) {
    const auto decoded = decode_image(picture(image), {});
    const Image& pixels = std::get<Image>(decoded);
    const auto plans = draw_crop_plans(
        options.seed,
        batch->slots[image].address,
        pixels.width,
        pixels.height,
        options.crops,
        options.augment);
    ASSERT_EQ(plans.size(), 3U);
    for (std::size_t crop = 0; crop < 2; ++crop) {
      std::vector<float> expected(16 * 16 * 3);
      renderer.render(pixels, plans[crop], options.augment, expected.data());
      const float* got =
          batch->groups[0].data.get() + (crop * 4 + image) * expected.size();
      EXPECT_EQ(
          std::memcmp(got, expected.data(), expected.size() * sizeof(float)), 0)
          << "crop " << crop << " of image " << image;
    }
  }
}

TEST(Loader, ARejectedRecordCostsItselfAndTheNextTakesItsPlace) {
  const auto stream = MemoryStream::make("t", 1);
  stream->append(0, picture(0));
  stream->append(0, ByteVector{});
  stream->append(0, ByteVector(100, 7));
  for (std::uint64_t i = 1; i < 4; ++i) {
    stream->append(0, picture(i));
  }
  const auto source = assigned_source(*stream);
  const auto loader = start_loader(*source, small_options(), host_allocator());
  const auto batch = next_batch(*loader);
  EXPECT_EQ(batch->images, 4);
  EXPECT_EQ(batch->slots[1].address.offset, 3);
  ASSERT_EQ(batch->rejected.size(), 2U);
  EXPECT_EQ(batch->rejected[0].rejection.reason, RejectReason::kEmpty);
  EXPECT_EQ(batch->rejected[1].rejection.reason, RejectReason::kUnknownFormat);
  EXPECT_EQ(batch->rejected[1].record.payload.size(), 100U);
  EXPECT_EQ(loader->stats().images_rejected, 2U);
}

TEST(Loader, AFloodOfRejectedRecordsIsGivenBeforeItsBatch) {
  constexpr std::size_t kBytes = 1000;
  constexpr std::size_t kBad = 50;
  const auto stream = MemoryStream::make("t", 1);
  stream->append(0, picture(0));
  for (std::size_t i = 0; i < kBad; ++i) {
    stream->append(0, ByteVector(kBytes, 7));
  }
  for (std::uint64_t i = 1; i < 4; ++i) {
    stream->append(0, picture(i));
  }
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options();
  options.rejected_bytes = 4 * kBytes;
  const auto loader = start_loader(*source, options, host_allocator());
  std::vector<std::int64_t> early;
  std::unique_ptr<Batch> batch;
  while (batch == nullptr) {
    auto next = loader->next(kLong);
    ASSERT_TRUE(next.ok());
    EXPECT_LE(next.value().rejected.size(), 5U);
    for (const Rejected& rejected : next.value().rejected) {
      early.push_back(rejected.record.address.offset);
      EXPECT_EQ(rejected.record.payload.size(), kBytes);
      EXPECT_FALSE(rejected.given_before);
      EXPECT_FALSE(rejected.rejection.detail.empty());
    }
    batch = std::move(next.value().batch);
  }
  // All are in their batch, in their order, and each payload once.
  ASSERT_EQ(batch->rejected.size(), kBad);
  for (std::size_t i = 0; i < kBad; ++i) {
    const Rejected& rejected = batch->rejected[i];
    EXPECT_EQ(rejected.record.address.offset, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(rejected.payload_sha256, sha256(ByteVector(kBytes, 7)));
    EXPECT_EQ(rejected.given_before, i < early.size());
    EXPECT_EQ(rejected.record.payload.empty(), i < early.size());
    if (i < early.size()) {
      EXPECT_EQ(early[i], rejected.record.address.offset);
    }
  }
  EXPECT_GE(early.size(), kBad - 4);
  EXPECT_EQ(batch->images, 4);
}

TEST(Loader, RoundRobinTakesStrictTurnsAndSaysWhoseIsNext) {
  const auto stream = MemoryStream::make("t", 3);
  for (std::uint64_t i = 0; i < 4; ++i) {
    for (std::int32_t p = 0; p < 3; ++p) {
      stream->append(p, picture(i));
    }
  }
  const auto source = assigned_source(*stream);
  auto options = small_options();
  options.order = Order::kRoundRobin;
  options.partitions = {0, 1, 2};
  options.first_turn = 1;
  const auto loader = start_loader(*source, options, host_allocator());
  const auto batch = next_batch(*loader);
  std::vector<std::int32_t> partitions;
  for (const Slot& slot : batch->slots) {
    partitions.push_back(slot.address.partition);
  }
  EXPECT_THAT(partitions, ElementsAre(1, 2, 0, 1));
  EXPECT_EQ(batch->turn_after, 2);
}

TEST(Loader, AStoppedTrainerStopsTheReader) {
  const auto stream = MemoryStream::make("t", 1);
  for (std::uint64_t i = 0; i < 200; ++i) {
    stream->append(0, picture(i % 3));
  }
  const auto source = assigned_source(*stream);
  const auto options = small_options();
  const auto loader = start_loader(*source, options, host_allocator());
  const auto first = next_batch(*loader);
  // Whatever is in flight fits the bounds: the batches held ready and being
  // filled, the queue, and one record in each worker's and the reader's hand.
  const std::uint64_t bound = static_cast<std::uint64_t>(
      (options.prefetch_batches + 2) * options.batch_images +
      options.inflight_records + options.workers + 1);
  for (int i = 0; i < 20; ++i) {
    std::this_thread::yield();
    EXPECT_LE(loader->stats().records_taken, bound);
  }
}

TEST(Loader, HoldsNoMoreThanItsBytesForTheWorkers) {
  const auto stream = MemoryStream::make("t", 1);
  std::uint64_t largest = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ByteVector file = picture(i % 3);
    largest = std::max<std::uint64_t>(largest, file.size());
    stream->append(0, std::move(file));
  }
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options();
  options.inflight_records = 100;
  options.inflight_bytes = 5 * largest;
  {
    const auto loader = start_loader(*source, options, host_allocator());
    for (int b = 0; b < 10; ++b) {
      EXPECT_EQ(next_batch(*loader)->images, options.batch_images);
      EXPECT_LE(loader->stats().inflight_bytes, options.inflight_bytes);
    }
  }
}

TEST(Loader, AFileLargerThanAllItsBytesIsDecodedAlone) {
  const auto stream = MemoryStream::make("t", 1);
  for (std::uint64_t i = 0; i < 8; ++i) {
    stream->append(0, picture(i));
  }
  const auto source = assigned_source(*stream);
  LoaderOptions options = small_options();
  options.inflight_bytes = 1;
  const auto loader = start_loader(*source, options, host_allocator());
  EXPECT_EQ(next_batch(*loader)->images, options.batch_images);
  EXPECT_EQ(next_batch(*loader)->images, options.batch_images);
}

TEST(Loader, CloseWakesABlockedNext) {
  const auto stream = MemoryStream::make("t", 1);
  const auto source = assigned_source(*stream);
  const auto loader = start_loader(*source, small_options(), host_allocator());
  ErrorCode code = ErrorCode::kInternal;
  std::thread waiter([&] { code = loader->next(kLong).error().code; });
  stream->wait_for_blocked_pollers(1);
  loader->close();
  source->close();
  waiter.join();
  EXPECT_EQ(code, ErrorCode::kCancelled);
}

TEST(Loader, AnErrorThatEndsTheSourceComesAfterTheFinishedBatches) {
  const auto stream = MemoryStream::make("t", 1);
  for (std::uint64_t i = 0; i < 4; ++i) {
    stream->append(0, picture(i));
  }
  const auto source = assigned_source(*stream);
  const auto loader = start_loader(*source, small_options(), host_allocator());
  const auto batch = next_batch(*loader);
  EXPECT_EQ(batch->images, 4);
  // Five more come and are gone again before they are read: retention.
  stream->make_hole(0, 5);
  stream->drop_below(0, 9);
  auto next = loader->next(kLong);
  while (next.ok() && next.value().state == NextState::kIdle) {
    next = loader->next(kLong);
  }
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().code, ErrorCode::kNotFound);
}

TEST(Loader, BuffersAreReusedAndReturnedToTheAllocator) {
  std::atomic<int> alive = 0;
  std::atomic<int> allocated = 0;
  {
    const auto stream = MemoryStream::make("t", 1);
    for (std::uint64_t i = 0; i < 80; ++i) {
      stream->append(0, picture(i % 4));
    }
    const auto source = assigned_source(*stream);
    const BufferAllocator host = host_allocator();
    const BufferAllocator counting = {
        [&](std::size_t bytes) {
          ++alive;
          ++allocated;
          return host.allocate(bytes);
        },
        [&](void* memory, std::size_t bytes) {
          --alive;
          host.release(memory, bytes);
        }};
    const auto options = small_options();
    const auto loader = start_loader(*source, options, counting);
    for (int i = 0; i < 20; ++i) {
      (void)next_batch(*loader);
    }
    // Two groups a batch; the batches held, plus the one in our hand.
    EXPECT_LE(allocated, 2 * (options.prefetch_batches + 2));
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace swavd::loader
