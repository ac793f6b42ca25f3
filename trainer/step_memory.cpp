#include "trainer/step_memory.h"

#include <algorithm>
#include <numeric>

#include "trainer/model/kept_activations.h"
#include "trainer/model/tensor_specs.h"

namespace swavd::trainer {

namespace {

constexpr std::int64_t kFloatBytes = 4;

std::int64_t count_parameters(
    const TrunkDesign& design,
    const HeadOptions& head) {
  std::int64_t count = 0;
  for (const auto& specs :
       {trunk_specs(design), head_specs(design.features(), head)}) {
    for (const TensorSpec& spec : specs) {
      count += spec.role == Role::kParameter ? element_count(spec) : 0;
    }
  }
  return count;
}

/// What the trunk keeps of one pass, in numbers an image.
struct PassActivations {
  std::int64_t inputs = 0;    ///< of the groups that are computed anew
  std::int64_t greatest = 0;  ///< of these groups
  std::int64_t last = 0;      ///< the group that is kept; all without groups
};

PassActivations pass_activations(
    const TrunkDesign& design,
    std::int32_t groups,
    std::int64_t size) {
  const std::vector<std::int64_t> kept = kept_activations(design, size);
  const std::vector<std::int64_t> outputs = block_outputs(design, size);
  PassActivations pass;
  auto begin = kept.begin();
  for (const std::size_t end : checkpoint_ends(design, groups)) {
    const auto next = kept.begin() + static_cast<std::ptrdiff_t>(end);
    pass.greatest =
        std::max(pass.greatest, std::accumulate(begin, next, std::int64_t{0}));
    pass.inputs += outputs[end - 1];  // of the next group
    begin = next;
  }
  pass.last = std::accumulate(begin, kept.end(), std::int64_t{0});
  return pass;
}

/// The backward pass goes from the last pass of the trunk to the first; of the
/// passes before the one at work the last groups are still there.
std::int64_t trunk_numbers(
    const TrunkDesign& design,
    std::int32_t groups,
    const std::vector<CropShape>& crops) {
  std::int64_t inputs = 0;
  std::int64_t waiting = 0;
  std::int64_t most = 0;
  for (const CropShape& shape : crops) {
    const PassActivations pass = pass_activations(design, groups, shape.size);
    inputs += shape.crops * pass.inputs;
    most = std::max(most, inputs + waiting + shape.crops * pass.greatest);
    waiting += shape.crops * pass.last;
    most = std::max(most, inputs + waiting);
  }
  return most;
}

std::int64_t head_bytes(
    const HeadOptions& head,
    std::int64_t features,
    std::int64_t rows,
    std::int64_t reduced_bytes) {
  std::int64_t width = features;  // one row of what all passes gave
  for (const std::int64_t hidden : head.hidden) {
    width += 2 * hidden;  // linear and ReLU
  }
  // Projected, in float32, divided by its length; then the scores, divided by
  // the temperature, their logarithms, the codes and the product of the two.
  constexpr std::int64_t kEmbeddings = 3;
  constexpr std::int64_t kScores = 5;
  const std::int64_t prototypes = std::accumulate(
      head.prototypes.begin(), head.prototypes.end(), std::int64_t{0});
  return rows * (width * reduced_bytes +
                 (kEmbeddings * head.out + kScores * prototypes) * kFloatBytes);
}

}  // namespace

Result<StepMemory> step_memory(
    const TrainerOptions& options,
    const std::vector<CropShape>& crops,
    std::int64_t images) {
  const Result<TrunkDesign> design = design_trunk(options.trunk);
  if (!design.ok()) {
    return design.error();
  }
  const bool reduced = options.precision != Precision::kFloat32;
  const std::int64_t activation_bytes = reduced ? 2 : kFloatBytes;
  const auto bytes = [](std::int64_t count) {
    return static_cast<std::uint64_t>(count);
  };
  std::int64_t rows = 0;
  for (const CropShape& shape : crops) {
    rows += images * shape.crops;
  }
  StepMemory memory;
  const std::int64_t parameters =
      count_parameters(design.value(), options.head);
  memory.parameters = bytes(parameters * kFloatBytes);
  memory.momenta = memory.parameters;
  memory.gradients = memory.parameters;
  memory.cast_weights = reduced ? memory.parameters : 0;
  memory.activations = bytes(
      images * trunk_numbers(design.value(), options.checkpoint_groups, crops) *
      activation_bytes);
  memory.head = bytes(head_bytes(
      options.head, design.value().features(), rows, activation_bytes));
  return memory;
}

}  // namespace swavd::trainer
