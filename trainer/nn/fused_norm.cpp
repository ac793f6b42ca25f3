#include "trainer/nn/fused_norm.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/nn/batch_norm.h"
#include "trainer/nn/norm_kernels.h"
#include "trainer/nn/row_elements.h"

namespace swavd::trainer {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A tensor seen as rows of channels, cut into pieces that fit a core's cache.
/// The cut depends on the shape alone, so sums do, too.
struct RowChunks {
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  std::int64_t chunk_rows = 0;
  std::int64_t chunks = 0;

  explicit RowChunks(const at::Tensor& x)
      : rows(x.numel() / x.size(1)),
        channels(x.size(1)) {
    constexpr std::int64_t kChunkFloats = 32768;
    constexpr std::int64_t kLeastRows = 64;  // or sums outweigh their rows
    chunk_rows = std::max(kLeastRows, kChunkFloats / channels);
    chunks = (rows + chunk_rows - 1) / chunk_rows;
  }

  [[nodiscard]] std::int64_t rows_of(std::int64_t chunk) const {
    return std::min(chunk_rows, rows - chunk * chunk_rows);
  }

  /// Calls body(chunk, offset in floats, rows) for all chunks, in parallel.
  template <typename Body>
  void for_each(const Body& body) const {
    at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        body(i, i * chunk_rows * channels, rows_of(i));
      }
    });
  }
};

/// Two numbers for every channel of every chunk.
class ChunkSums {
 public:
  explicit ChunkSums(const RowChunks& cut)
      : channels_(cut.channels),
        values_(static_cast<std::size_t>(2 * cut.chunks * cut.channels)) {}

  float* first(std::int64_t chunk) {
    return values_.data() + 2 * chunk * channels_;
  }

  float* second(std::int64_t chunk) { return first(chunk) + channels_; }

 private:
  std::int64_t channels_;
  std::vector<float> values_;
};

/// Like `x`, dense in memory: rows of channels.
at::Tensor dense_rows(const at::Tensor& x) {
  return x.contiguous(
      x.dim() == 4 ? at::MemoryFormat::ChannelsLast
                   : at::MemoryFormat::Contiguous);
}

/// Mean and 1 / standard deviation by channel; moves the running statistics
/// where there are any.
struct BatchStatistics {
  std::vector<float> mean;
  std::vector<float> inverse_deviation;

  BatchStatistics(
      const RowChunks& cut,
      const at::Tensor& x,
      const FusedNormTensors& norm);
};

BatchStatistics::BatchStatistics(
    const RowChunks& cut,
    const at::Tensor& x,
    const FusedNormTensors& norm)
    : mean(static_cast<std::size_t>(cut.channels)),
      inverse_deviation(mean.size()) {
  ChunkSums sums(cut);
  with_elements_of(x, [&]<typename Element>(Element) {
    const auto* values = x.const_data_ptr<Element>();
    cut.for_each([&](std::int64_t i, std::int64_t offset, std::int64_t rows) {
      row_statistics(
          values + offset, rows, cut.channels, sums.first(i), sums.second(i));
    });
  });
  const bool moves = norm.running_mean.defined();
  auto* running_mean =
      moves ? norm.running_mean.mutable_data_ptr<float>() : nullptr;
  auto* running_var =
      moves ? norm.running_var.mutable_data_ptr<float>() : nullptr;
  const auto count = static_cast<double>(cut.rows);
  for (std::int64_t c = 0; c < cut.channels; ++c) {
    // Chan's rule for joining the moments of parts.
    double sum = 0;
    for (std::int64_t i = 0; i < cut.chunks; ++i) {
      sum += static_cast<double>(cut.rows_of(i)) * sums.first(i)[c];
    }
    const double middle = sum / count;
    double squares = 0;
    for (std::int64_t i = 0; i < cut.chunks; ++i) {
      const double off = sums.first(i)[c] - middle;
      squares +=
          sums.second(i)[c] + static_cast<double>(cut.rows_of(i)) * off * off;
    }
    const auto index = static_cast<std::size_t>(c);
    mean[index] = static_cast<float>(middle);
    inverse_deviation[index] = static_cast<float>(
        1.0 / std::sqrt(squares / count + BatchNorm::kEpsilon));
    const auto move = [](float& running, double value) {
      running = static_cast<float>(
          (1.0 - BatchNorm::kMomentum) * running +
          BatchNorm::kMomentum * value);
    };
    if (moves) {
      move(running_mean[c], middle);
      move(running_var[c], squares / (count - 1.0));
    }
  }
}

std::vector<float> scale_of(
    const at::Tensor& weight,
    const float* inverse_deviation) {
  const auto* gamma = weight.const_data_ptr<float>();
  std::vector<float> scale(static_cast<std::size_t>(weight.numel()));
  for (std::size_t c = 0; c < scale.size(); ++c) {
    scale[c] = gamma[c] * inverse_deviation[c];
  }
  return scale;
}

at::Tensor tensor_of(const std::vector<float>& values) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<float>());
  return tensor;
}

/// The channel sums of g and g * (x - mean) over all chunks.
struct GradientTotals {
  std::vector<double> sum;
  std::vector<double> dot;
};

/// What a backward pass knows of its rows: the gradient of the output, the
/// input, and with a residual also the output and a place for g.
template <typename Element>
struct GradientRows {
  const Element* dy = nullptr;
  const Element* x = nullptr;
  const Element* y = nullptr;  ///< null: the mask follows from x
  Element* g = nullptr;        ///< with y: where g is put
};

template <typename Element>
GradientTotals gradient_totals(
    const RowChunks& cut,
    const GradientRows<Element>& in,
    const NormCoefficients& norm,
    bool relu) {
  ChunkSums sums(cut);
  cut.for_each([&](std::int64_t i, std::int64_t offset, std::int64_t rows) {
    const Element* dy = in.dy + offset;
    if (in.y != nullptr) {
      Element* g = in.g + offset;
      mask_gradient(dy, in.y + offset, rows * cut.channels, g);
      dy = g;
    }
    gradient_sums(
        dy,
        in.x + offset,
        rows,
        cut.channels,
        norm,
        relu && in.y == nullptr,
        sums.first(i),
        sums.second(i));
  });
  GradientTotals totals;
  totals.sum.resize(static_cast<std::size_t>(cut.channels));
  totals.dot.resize(totals.sum.size());
  for (std::int64_t i = 0; i < cut.chunks; ++i) {
    for (std::size_t c = 0; c < totals.sum.size(); ++c) {
      totals.sum[c] += sums.first(i)[c];
      totals.dot[c] += sums.second(i)[c];
    }
  }
  return totals;
}

struct FusedNorm : torch::autograd::Function<FusedNorm> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& weight,
      const at::Tensor& bias,
      const std::optional<at::Tensor>& residual,
      const FusedNormTensors& norm,
      bool relu);

  static variable_list backward(
      AutogradContext* context,
      const variable_list& gradients);
};

at::Tensor FusedNorm::forward(
    AutogradContext* context,
    const at::Tensor& input,
    const at::Tensor& weight,
    const at::Tensor& bias,
    const std::optional<at::Tensor>& residual,
    const FusedNormTensors& norm,
    bool relu) {
  const at::Tensor x = dense_rows(input);
  const at::Tensor add = residual ? dense_rows(*residual) : at::Tensor();
  const RowChunks cut(x);
  const BatchStatistics statistics(cut, x, norm);
  const std::vector<float> scale =
      scale_of(weight, statistics.inverse_deviation.data());
  const NormCoefficients coefficients{
      statistics.mean.data(), scale.data(), bias.const_data_ptr<float>()};
  at::Tensor y = at::empty_like(x);
  with_elements_of(x, [&]<typename Element>(Element) {
    const auto* in = x.const_data_ptr<Element>();
    const auto* extra = add.defined() ? add.const_data_ptr<Element>() : nullptr;
    auto* out = y.mutable_data_ptr<Element>();
    cut.for_each([&](std::int64_t, std::int64_t offset, std::int64_t rows) {
      normalise(
          in + offset,
          extra == nullptr ? nullptr : extra + offset,
          rows,
          cut.channels,
          coefficients,
          relu,
          out + offset);
    });
  });
  // Without a residual the ReLU's mask follows from x; y need not be kept.
  const bool keep_output = relu && add.defined();
  context->save_for_backward(
      {x,
       weight,
       bias,
       tensor_of(statistics.mean),
       tensor_of(statistics.inverse_deviation),
       keep_output ? y : at::Tensor()});
  context->saved_data["relu"] = relu;
  context->saved_data["residual"] = add.defined();
  return y;
}

variable_list FusedNorm::backward(
    AutogradContext* context,
    const variable_list& gradients) {
  const variable_list saved = context->get_saved_variables();
  const at::Tensor& x = saved[0];
  const at::Tensor& weight = saved[1];
  const at::Tensor& output = saved[5];
  const bool has_residual = context->saved_data["residual"].toBool();
  const RowChunks cut(x);
  const bool relu = context->saved_data["relu"].toBool();
  const at::Tensor dy = dense_rows(gradients[0]);
  // With a residual g itself is wanted: it is that one's gradient.
  const bool keeps_g = output.defined();
  at::Tensor g = keeps_g ? at::empty_like(x) : dy;
  const auto* inverse_deviation = saved[4].const_data_ptr<float>();
  const std::vector<float> scale = scale_of(weight, inverse_deviation);
  const NormCoefficients norm{
      saved[3].const_data_ptr<float>(),
      scale.data(),
      saved[2].const_data_ptr<float>()};
  GradientTotals totals;
  with_elements_of(x, [&]<typename Element>(Element) {
    totals = gradient_totals<Element>(
        cut,
        {dy.const_data_ptr<Element>(),
         x.const_data_ptr<Element>(),
         keeps_g ? output.const_data_ptr<Element>() : nullptr,
         keeps_g ? g.mutable_data_ptr<Element>() : nullptr},
        norm,
        relu);
  });

  at::Tensor weight_gradient = at::empty_like(weight);
  at::Tensor bias_gradient = at::empty_like(weight);
  std::vector<float> along(scale.size());
  std::vector<float> constant(scale.size());
  const auto count = static_cast<double>(cut.rows);
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const double inverse = inverse_deviation[c];
    weight_gradient.mutable_data_ptr<float>()[c] =
        static_cast<float>(totals.dot[c] * inverse);
    bias_gradient.mutable_data_ptr<float>()[c] =
        static_cast<float>(totals.sum[c]);
    along[c] = static_cast<float>(
        -scale[c] * inverse * inverse * totals.dot[c] / count);
    constant[c] = static_cast<float>(-scale[c] * totals.sum[c] / count);
  }
  at::Tensor dx = at::empty_like(x);
  with_elements_of(x, [&]<typename Element>(Element) {
    const auto* slope = g.const_data_ptr<Element>();
    const auto* in = x.const_data_ptr<Element>();
    auto* result = dx.mutable_data_ptr<Element>();
    cut.for_each([&](std::int64_t, std::int64_t offset, std::int64_t rows) {
      input_gradient(
          slope + offset,
          in + offset,
          rows,
          cut.channels,
          norm,
          {scale.data(), along.data(), constant.data()},
          relu && !keeps_g,
          result + offset);
    });
  });
  return {
      dx,
      weight_gradient,
      bias_gradient,
      has_residual ? g : at::Tensor(),
      at::Tensor(),
      at::Tensor()};
}

}  // namespace

bool can_fuse_norm(const at::Tensor& x) {
  return has_plain_rows(x);
}

at::Tensor fused_norm(
    const at::Tensor& x,
    const std::optional<at::Tensor>& residual,
    const FusedNormTensors& norm,
    bool relu) {
  std::optional<at::Tensor> added;
  if (residual) {
    added = residual->to(x.scalar_type());
  }
  return FusedNorm::apply(x, norm.weight, norm.bias, added, norm, relu);
}

}  // namespace swavd::trainer
