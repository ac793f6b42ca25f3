#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::state {

/// Element types by their safetensors names. Snapshots hold no F64; files that
/// others wrote may.
enum class DType { kF32, kF16, kBF16, kF64, kI64, kU64 };

[[nodiscard]] std::string_view to_string(DType dtype);  ///< "F32", …
[[nodiscard]] std::size_t size_of(DType dtype);         ///< bytes

/// A named tensor whose bytes somebody else owns: C-contiguous, little-endian.
struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  ///< empty for a scalar
  Bytes data;
};

/// One safetensors file to be.
struct TensorFile {
  std::string name;  ///< "model.safetensors"
  std::vector<TensorView> tensors;
  std::map<std::string, std::string> metadata;  ///< "format": "pt" is added
};

/// How well training goes, told without labels.
struct Health {
  /// warming, healthy, collapsing, diverging; older ones: starting, stuck
  std::string verdict = "warming";
  double loss = 0;  ///< nats, smoothed
  double ln_k = 0;  ///< loss of a model that knows nothing
  /// exp(entropy) of the prototypes' use, 1 … K.
  double prototype_perplexity = 0;
  bool finite = true;
  /// A word for why; empty in old snapshots, which have none of what follows.
  std::string reason{};
  std::int64_t used_prototypes = 0;  ///< of the last images
  double best_loss = 0;              ///< nats, lowest of the health's own mean
  double feature_std = 0;            ///< mean per dimension of the embeddings
  double rank_me = 0;                ///< their effective rank; 0: not known
  bool accepted = false;  ///< resumed by an operator although collapsing
};

/// A consistent copy of everything a trainer has learnt, frozen at a step
/// boundary. Valid while `owner` lives; reading it races with nothing.
struct FrozenState {
  std::uint64_t step = 0;
  std::vector<TensorFile> tensor_files;
  /// Blocks until the tensors' bytes are there, on their way from a device
  /// meanwhile. To be called by whoever reads them, from any thread; empty:
  /// they are there. Errors: kInternal, the device failed.
  std::function<Status()> wait;
  /// Small files as text: config.json, preprocessor_config.json.
  std::vector<std::pair<std::string, std::string>> text_files;
  Health health;
  std::string random_json = "{}";  ///< state of the trainer's generators
  /// Keeps the bytes alive; shared because writer and uploader both read.
  std::shared_ptr<const void> owner;
};

}  // namespace swavd::state
