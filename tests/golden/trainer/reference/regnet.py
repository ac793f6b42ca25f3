"""RegNetY with the SwAV head: what tensors there are, what they begin as, and
the forward pass of a training step."""
import math
import sys

import numpy as np

import philox
import tape

RUNNING_SHARE = 0.1  # of a batch in the running statistics


class Stage:
    def __init__(self, depth, width, group_width):
        self.depth, self.width, self.group_width = depth, width, group_width


def design(model):
    """The stages of a [model] section. Python's `round` is half-to-even, as
    RegNet's generator wants it."""
    widths = []
    for block in range(model["depth"]):
        linear = model["w0"] + model["wa"] * block
        power = round(math.log(linear / model["w0"]) / math.log(model["wm"]))
        widths.append(8 * round(model["w0"] * model["wm"] ** power / 8))
    stages = []
    for width in widths:
        if not stages or stages[-1].width != width:
            stages.append(Stage(0, width, 0))
        stages[-1].depth += 1
    for stage in stages:
        stage.group_width = min(model["group_width"], stage.width)
        stage.width = round(stage.width / stage.group_width) * stage.group_width
    return stages


def blocks(model):
    """(name, stage, channels that come in, is it the first of its stage?)"""
    channels = model["stem_width"]
    for s, stage in enumerate(design(model)):
        for b in range(stage.depth):
            yield f"encoder.stages.{s}.layers.{b}", stage, channels, b == 0
            channels = stage.width


def head_layers(model):
    """(name, inputs, outputs, name of the BatchNorm behind it or None)"""
    inputs = design(model)[-1].width
    spacing = 3 if model["head_batch_norm"] else 2
    for i, width in enumerate(model["head_hidden"]):
        norm = (f"projection_head.{spacing * i + 1}"
                if model["head_batch_norm"] else None)
        yield f"projection_head.{spacing * i}", inputs, width, norm
        inputs = width
    last = spacing * len(model["head_hidden"])
    yield f"projection_head.{last}", inputs, model["head_out"], None


def biases_before_batch_norm(model):
    """The Linear biases whose gradient is zero: the BatchNorm behind them takes
    away whatever they add."""
    return [f"{name}.bias" for name, _, _, norm in head_layers(model) if norm]


class _Initial:
    """Collects tensors as they are before the first step, in float32."""

    def __init__(self, seed):
        self.seed, self.tensors = seed, {}

    def normal(self, name, shape):
        """N(0, 2 / fan-out); a grouped convolution's is not divided."""
        deviation = math.sqrt(2.0 / (shape[0] * shape[2] * shape[3]))
        values = deviation * philox.normal(
            self.seed, f"init/{name}", math.prod(shape))
        self.tensors[name] = np.float32(values).reshape(shape)

    def uniform(self, name, shape, inputs):
        bound = 1.0 / math.sqrt(inputs)
        values = -bound + 2 * bound * philox.uniform(
            self.seed, f"init/{name}", math.prod(shape))
        self.tensors[name] = np.float32(values).reshape(shape)

    def batch_norm(self, name, width):
        one, zero = np.ones(width, np.float32), np.zeros(width, np.float32)
        self.tensors |= {
            f"{name}.weight": one, f"{name}.bias": zero,
            f"{name}.running_mean": zero, f"{name}.running_var": one,
            f"{name}.num_batches_tracked": np.zeros((), np.int64)}

    def conv_norm(self, name, shape):
        self.normal(f"{name}.convolution.weight", shape)
        self.batch_norm(f"{name}.normalization", shape[0])


def initial_tensors(config):
    """Everything `swavd init` writes, by name; no momenta: they are zero."""
    model = config["model"]
    new = _Initial(model["seed"])
    new.conv_norm("embedder.embedder", (model["stem_width"], 3, 3, 3))
    for name, stage, channels, first in blocks(model):
        width, squeezed = stage.width, round(model["se_ratio"] * channels)
        if first:
            new.conv_norm(f"{name}.shortcut", (width, channels, 1, 1))
        new.conv_norm(f"{name}.layer.0", (width, channels, 1, 1))
        new.conv_norm(f"{name}.layer.1", (width, stage.group_width, 3, 3))
        for part, out, inputs in ((0, squeezed, width), (2, width, squeezed)):
            excitation = f"{name}.layer.2.attention.{part}"
            new.normal(f"{excitation}.weight", (out, inputs, 1, 1))
            new.uniform(f"{excitation}.bias", (out,), inputs)
        new.conv_norm(f"{name}.layer.3", (width, width, 1, 1))
    for name, inputs, outputs, norm in head_layers(model):
        new.uniform(f"{name}.weight", (outputs, inputs), inputs)
        new.uniform(f"{name}.bias", (outputs,), inputs)
        if norm:
            new.batch_norm(norm, outputs)
    prototypes = (config["swav"]["prototypes"], model["head_out"])
    new.uniform("prototypes.weight", prototypes, model["head_out"])
    return new.tensors


class Forward:
    """One training-mode forward pass. `parameters`: nodes by name;
    `statistics`: running means, variances and counters by name, which are
    replaced by their new values."""

    def __init__(self, model, parameters, statistics):
        self.model, self.parameters = model, parameters
        self.statistics = statistics
        self.least_margin = math.inf  # how near a ReLU came to its kink

    def scores(self, crops):
        """Crops [B, 3, S, S], one after another, to [crops * B, K]. Neighbours
        of equal size go through the trunk together; each such pass has
        BatchNorm statistics of its own. The head sees all rows at once."""
        passes, sizes = [], []
        for crop in crops:
            if sizes and sizes[-1] == crop.shape[2]:
                passes[-1] = np.concatenate([passes[-1], crop])
            else:
                passes.append(crop)
                sizes.append(crop.shape[2])
        features = [self._trunk(tape.Node(images)) for images in passes]
        embeddings = tape.normalise_rows(self._head(tape.stack_rows(features)))
        return tape.linear(embeddings, self.parameters["prototypes.weight"])

    def _trunk(self, x):
        x = self._conv_norm(x, "embedder.embedder", stride=2, relu=True)
        for name, stage, _, first in blocks(self.model):
            stride = 2 if first else 1
            groups = stage.width // stage.group_width
            y = self._conv_norm(x, f"{name}.layer.0", relu=True)
            y = self._conv_norm(y, f"{name}.layer.1", stride, groups, relu=True)
            y = self._excite(y, f"{name}.layer.2.attention")
            y = self._conv_norm(y, f"{name}.layer.3")
            if first:
                x = self._conv_norm(x, f"{name}.shortcut", stride)
            x = self._relu(tape.add(x, y))
        return tape.mean_of_pixels(x)

    def _excite(self, x, name):
        y = self._relu(self._linear(tape.mean_of_pixels(x), f"{name}.0"))
        return tape.scale_channels(
            x, tape.sigmoid(self._linear(y, f"{name}.2")))

    def _head(self, x):
        layers = list(head_layers(self.model))
        for name, _, _, norm in layers[:-1]:
            x = self._linear(x, name)
            if norm:
                x = self._batch_norm(x, norm)
            x = self._relu(x)
        return self._linear(x, layers[-1][0])

    def _linear(self, x, name):
        return tape.linear(x, self.parameters[f"{name}.weight"],
                           self.parameters[f"{name}.bias"])

    def _conv_norm(self, x, name, stride=1, groups=1, relu=False):
        weight = self.parameters[f"{name}.convolution.weight"]
        y = tape.convolution(x, weight, stride, groups)
        y = self._batch_norm(y, f"{name}.normalization")
        return self._relu(y) if relu else y

    def _batch_norm(self, x, name):
        y, mean, variance = tape.batch_norm(
            x, self.parameters[f"{name}.weight"],
            self.parameters[f"{name}.bias"])
        for kind, value in (("mean", mean), ("var", variance)):
            key = f"{name}.running_{kind}"
            self.statistics[key] = (self.statistics[key] * (1 - RUNNING_SHARE)
                                    + value * RUNNING_SHARE)
        self.statistics[f"{name}.num_batches_tracked"] = (
            self.statistics[f"{name}.num_batches_tracked"] + 1)
        return y

    def _relu(self, x):
        spread = max(np.std(x.value), sys.float_info.min)
        self.least_margin = min(self.least_margin,
                                np.abs(x.value).min() / spread)
        return tape.relu(x)
