#include "dedup_free_loader/assembly/assembly.h"

#include <cstring>
#include <utility>

namespace swavd::loader {

namespace {

std::size_t crop_floats(const CropSpec& spec) {
  constexpr std::size_t kChannels = 3;
  const auto side = static_cast<std::size_t>(spec.size);
  return side * side * kChannels;
}

void append_slot(Batch& batch, const Taken& taken) {
  Slot slot;
  slot.address = taken.record.address;
  slot.timestamp_ms = taken.record.timestamp_ms;
  slot.payload_sha256 = taken.payload_sha256;
  slot.label = taken.record.label;
  slot.name = ingest::find_header(taken.record.headers, "name");
  batch.slots.push_back(std::move(slot));
}

}  // namespace

Assembly::Assembly(
    const LoaderOptions& options,
    const BufferAllocator& allocator)
    : images_(options.batch_images),
      depth_(static_cast<std::size_t>(options.prefetch_batches) + 1),
      drop_incomplete_(options.drop_incomplete),
      rejected_bytes_(options.rejected_bytes),
      crops_(options.crops) {
  if (options.center) {
    crops_.resize(1);
    crops_[0].count = 1;
  }
  stats_.capacity = depth_;
  for (const CropSpec& spec : crops_) {
    pools_.emplace_back(
        allocator,
        crop_floats(spec) * static_cast<std::size_t>(spec.count) *
            static_cast<std::size_t>(images_));
  }
}

bool Assembly::has_room() const {
  return early_.empty() &&
         (open_.size() < depth_ || (!open_.empty() && !open_.back().full));
}

bool Assembly::wait_for_turn(std::uint64_t ticket) {
  if (!cancelled_ && serving_ == ticket && !has_room()) {
    // Full because the trainer is the slower side: this is back-pressure.
    const auto since = std::chrono::steady_clock::now();
    turn_.wait(mutex_, [this]() SWAVD_REQUIRES(mutex_) {
      return cancelled_ || has_room();
    });
    stats_.producer_wait += std::chrono::steady_clock::now() - since;
  }
  turn_.wait(mutex_, [this, ticket]() SWAVD_REQUIRES(mutex_) {
    return cancelled_ || (serving_ == ticket && has_room());
  });
  return !cancelled_;
}

OpenBatch& Assembly::filling() {
  if (open_.empty() || open_.back().full) {
    OpenBatch fresh;
    fresh.batch = std::make_unique<Batch>();
    for (std::size_t i = 0; i < crops_.size(); ++i) {
      fresh.batch->groups.push_back(
          {crops_[i].count, crops_[i].size, pools_[i].take()});
    }
    fresh.batch->slots.reserve(static_cast<std::size_t>(images_));
    open_.push_back(std::move(fresh));
  }
  return open_.back();
}

void Assembly::enter(OpenBatch& open, Taken& taken, double decode_seconds) {
  Batch& batch = *open.batch;
  batch.turn_after = taken.turn_after;
  batch.decode_seconds += decode_seconds;
  for (const PartitionRange& gap : taken.gaps) {
    batch.gaps.push_back(gap);
  }
  if (taken.absent) {
    batch.absent.push_back(*taken.absent);
  }
}

void Assembly::end_turn() {
  ++serving_;
  turn_.notify_all();
}

std::optional<Place>
Assembly::take_slot(Taken taken, bool filled, double decode_seconds) {
  const MutexLock lock(mutex_);
  if (!wait_for_turn(taken.ticket)) {
    return std::nullopt;
  }
  OpenBatch& open = filling();
  enter(open, taken, decode_seconds);
  Batch& batch = *open.batch;
  append_slot(batch, taken);
  const auto slot = static_cast<std::size_t>(batch.images);
  Place place;
  place.open = &open;  // deque: stays where it is until popped, which waits
  for (std::size_t i = 0; i < crops_.size(); ++i) {
    const std::size_t floats = crop_floats(crops_[i]);
    for (std::size_t c = 0; c < static_cast<std::size_t>(crops_[i].count);
         ++c) {
      const std::size_t row = c * static_cast<std::size_t>(images_) + slot;
      place.crops.push_back(batch.groups[i].data.get() + row * floats);
    }
  }
  ++open.rendering;
  ++batch.images;
  batch.filled += filled ? 1 : 0;
  open.full = batch.images == images_;
  end_turn();
  return place;
}

bool Assembly::reject(Taken taken, Rejection rejection, double decode_seconds) {
  const MutexLock lock(mutex_);
  if (!wait_for_turn(taken.ticket)) {
    return false;
  }
  OpenBatch& open = filling();
  enter(open, taken, decode_seconds);
  open.rejected_bytes += taken.record.payload.size();
  open.batch->rejected.push_back(
      {std::move(taken.record), taken.payload_sha256, std::move(rejection)});
  if (open.rejected_bytes > rejected_bytes_) {
    give_rejected(open);
  }
  end_turn();
  return true;
}

/// Has `next` give those that the batch holds whole, now.
void Assembly::give_rejected(OpenBatch& open) {
  for (Rejected& kept : open.batch->rejected) {
    if (kept.given_before) {
      continue;
    }
    Rejected whole = std::move(kept);
    kept = {};
    kept.record.address = whole.record.address;
    kept.record.timestamp_ms = whole.record.timestamp_ms;
    kept.payload_sha256 = whole.payload_sha256;
    kept.rejection.reason = whole.rejection.reason;
    kept.given_before = true;
    early_.push_back(std::move(whole));
  }
  open.rejected_bytes = 0;
  ready_.notify_all();
}

void Assembly::rendered(const Place& place, double render_seconds) {
  const MutexLock lock(mutex_);
  place.open->batch->render_seconds += render_seconds;
  --place.open->rendering;
  if (front_ready()) {
    ready_.notify_all();
  }
}

bool Assembly::front_ready() const {
  return !open_.empty() && open_.front().full && open_.front().rendering == 0;
}

void Assembly::close_incomplete() {
  if (open_.empty() || open_.back().full) {
    return;
  }
  if (drop_incomplete_) {
    open_.pop_back();
    return;
  }
  Batch& batch = *open_.back().batch;
  // Crop-major rows were laid out for a full batch: close the holes.
  for (std::size_t i = 0; i < crops_.size(); ++i) {
    const std::size_t floats = crop_floats(crops_[i]);
    const auto have = static_cast<std::size_t>(batch.images);
    float* data = batch.groups[i].data.get();
    for (std::size_t c = 1; c < static_cast<std::size_t>(crops_[i].count);
         ++c) {
      std::memmove(
          data + c * have * floats,
          data + c * static_cast<std::size_t>(images_) * floats,
          have * floats * sizeof(float));
    }
  }
  open_.back().full = true;
}

void Assembly::finish() {
  const MutexLock lock(mutex_);
  close_incomplete();
  finished_ = true;
  ready_.notify_all();
}

void Assembly::fail(Error error) {
  const MutexLock lock(mutex_);
  error_ = std::move(error);
}

void Assembly::cancel() {
  const MutexLock lock(mutex_);
  cancelled_ = true;
  turn_.notify_all();
  ready_.notify_all();
}

void Assembly::abort(Error error) {
  {
    const MutexLock lock(mutex_);
    aborted_ = std::move(error);
  }
  cancel();
}

Result<Next> Assembly::next(std::chrono::milliseconds timeout) {
  const MutexLock lock(mutex_);
  const auto woken = [this]() SWAVD_REQUIRES(mutex_) {
    return cancelled_ || front_ready() || finished_ || !early_.empty();
  };
  if (!woken()) {
    const auto since = std::chrono::steady_clock::now();
    (void)ready_.wait_for(mutex_, timeout, woken);
    stats_.consumer_wait += std::chrono::steady_clock::now() - since;
  }
  if (cancelled_) {
    return aborted_.value_or(
        Error{ErrorCode::kCancelled, "the loader was closed"});
  }
  if (!early_.empty()) {
    Next next{NextState::kRejected, nullptr, std::exchange(early_, {})};
    turn_.notify_all();
    return next;
  }
  if (front_ready()) {
    Next next{NextState::kBatch, std::move(open_.front().batch), {}};
    open_.pop_front();
    ++stats_.popped;
    turn_.notify_all();
    return next;
  }
  if (!finished_) {
    return Next{};
  }
  if (error_) {
    return *error_;
  }
  return Next{NextState::kEnd, nullptr, {}};
}

QueueStats Assembly::stats() const {
  const MutexLock lock(mutex_);
  QueueStats stats = stats_;
  stats.depth = open_.size();
  return stats;
}

}  // namespace swavd::loader
