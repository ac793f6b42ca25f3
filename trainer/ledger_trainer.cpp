#include <array>
#include <cmath>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "ops/base/sha256.h"
#include "state/safetensors.h"
#include "trainer/trainer.h"

namespace swavd::trainer {

namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kCountName = "ledger.count";
constexpr const char* kHashName = "ledger.hash";

struct LedgerWeights {
  std::int64_t count = 0;
  std::uint64_t hash = 0;
};

/// The first eight bytes, little-endian, of SHA-256("TOPIC/PARTITION/OFFSET").
/// Written out here so that it checks the stream's own ledger independently.
std::uint64_t address_hash(const ingest::Address& address) {
  const std::string text =
      fmt::format("{}/{}/{}", address.topic, address.partition, address.offset);
  return load_u64_le(sha256(as_bytes(text)).data());
}

Status read_scalar(
    const state::SafetensorsView& file,
    const char* name,
    state::DType dtype,
    void* value) {
  const state::TensorView* tensor = file.find(name);
  if (tensor == nullptr || tensor->dtype != dtype || !tensor->shape.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{}: tensor {} is not a {} scalar: not a ledger trainer's snapshot",
            kModelFile,
            name,
            state::to_string(dtype))};
  }
  std::memcpy(value, tensor->data.data(), sizeof(std::uint64_t));
  return ok_status();
}

class LedgerTrainer final : public Trainer {
 public:
  loader::BufferAllocator allocator() override {
    return loader::host_allocator();
  }

  Result<StepReport> step(const loader::Batch& batch, double learning_rate)
      override {
    if (!std::isfinite(learning_rate)) {
      return Error{
          ErrorCode::kInvalidArgument, "the learning rate is not finite"};
    }
    for (const loader::Slot& slot : batch.slots) {
      add(slot.address);
    }
    for (const loader::Rejected& rejected : batch.rejected) {
      add(rejected.record.address);
    }
    ++steps_;
    StepReport report;
    report.trained = true;
    report.step = steps_;
    return report;
  }

  state::FrozenState freeze() override {
    // Sixteen bytes need no staging memory: each frozen state has its own.
    auto copy = std::make_shared<LedgerWeights>(weights_);
    const auto view = [](const void* value) {
      return Bytes(
          static_cast<const std::uint8_t*>(value), sizeof(std::uint64_t));
    };
    state::FrozenState frozen;
    frozen.step = steps_;
    frozen.tensor_files.push_back(
        {kModelFile,
         {{kCountName, state::DType::kI64, {}, view(&copy->count)},
          {kHashName, state::DType::kU64, {}, view(&copy->hash)}},
         {}});
    frozen.text_files.emplace_back(
        "config.json", "{\"model_type\": \"swavd-ledger\"}\n");
    frozen.owner = std::move(copy);
    return frozen;
  }

  Status restore(state::SnapshotReader& snapshot) override {
    const Result<ByteVector> bytes = state::read_verified(snapshot, kModelFile);
    if (!bytes.ok()) {
      return bytes.error();
    }
    const Result<state::SafetensorsView> file =
        state::parse_safetensors(bytes.value());
    if (!file.ok()) {
      return file.error().with_context(kModelFile);
    }
    LedgerWeights weights;
    SWAVD_RETURN_IF_ERROR(read_scalar(
        file.value(), kCountName, state::DType::kI64, &weights.count));
    SWAVD_RETURN_IF_ERROR(read_scalar(
        file.value(), kHashName, state::DType::kU64, &weights.hash));
    weights_ = weights;
    steps_ = snapshot.manifest().step;
    return ok_status();
  }

  Status restore_model(state::SnapshotReader& snapshot, Weights /*weights*/)
      override {
    return restore(snapshot);
  }

  Status begin_with(const InitialWeights& /*weights*/) override {
    return Error{
        ErrorCode::kInvalidArgument, "the ledger trainer has no weights"};
  }

  void stop_averaging() override {}

  Result<Features> embed(const loader::Batch& /*batch*/) override {
    return Error{
        ErrorCode::kInvalidArgument, "the ledger trainer has no features"};
  }

  Result<Choices> assign(const loader::Batch& /*batch*/) override {
    return Error{
        ErrorCode::kInvalidArgument, "the ledger trainer has no prototypes"};
  }

  std::uint64_t steps() const override { return steps_; }

  std::int64_t prototypes() const override { return 0; }

 private:
  void add(const ingest::Address& address) {
    ++weights_.count;
    weights_.hash += address_hash(address);  // modulo 2^64
  }

  LedgerWeights weights_;
  std::uint64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Trainer> make_ledger_trainer() {
  return std::make_unique<LedgerTrainer>();
}

}  // namespace swavd::trainer
