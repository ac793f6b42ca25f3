"""One SwAV training step: codes, loss, gradients, LARC-SGD, schedule."""
import math

import numpy as np

import regnet
import tape

ASSIGN_CROPS = 2  # the first two crops give codes
LARC_EPSILON = 1e-8
PROTOTYPES = "prototypes.weight"
RESCUE_MASS = 1e-12  # for all entries, when a prototype has no mass left


def sinkhorn(scores, epsilon, iterations):
    """Codes [N, K] of scores [N, K]: VISSL's variant of Sinkhorn-Knopp."""
    plan = np.exp((scores - scores.max()) / epsilon)
    plan = plan / plan.sum()
    samples, prototypes = plan.shape
    for _ in range(iterations):
        mass = plan.sum(0, keepdims=True)
        if (mass == 0).any():
            plan = plan + RESCUE_MASS
            mass = plan.sum(0, keepdims=True)
        plan = plan / (mass * prototypes)
        plan = plan / (plan.sum(1, keepdims=True) * samples)
    return plan / plan.sum(1, keepdims=True)


def codes_of(scores, images, swav):
    """The codes of each assigning crop, from scores [crops * images, K]."""
    return [sinkhorn(scores[c * images:(c + 1) * images], swav["epsilon"],
                     swav["sinkhorn_iterations"]) for c in range(ASSIGN_CROPS)]


def swapped_loss(scores, codes, images, swav):
    """Each crop's codes are predicted from every other crop: the mean over
    images and over pairs of crops, in nats."""
    crops = len(scores.value) // images
    targets = np.zeros_like(scores.value)
    for giver, code in enumerate(codes):
        for crop in range(crops):
            if crop != giver:
                targets[crop * images:(crop + 1) * images] += code
    predictions = tape.log_softmax(tape.times(scores, 1 / swav["temperature"]))
    pairs = len(codes) * (crops - 1)
    return tape.weighted_sum(predictions, -targets / (images * pairs))


def is_learnt(name):
    """Or is it a statistic or a counter of a BatchNorm?"""
    return not name.endswith((".running_mean", ".running_var",
                              ".num_batches_tracked"))


def larc_sgd(value, velocity, gradient, rate, optimizer):
    """New (value, velocity). A tensor, or a gradient, of zeros is not scaled
    and does not decay."""
    size, slope = np.linalg.norm(value), np.linalg.norm(gradient)
    decay = optimizer["weight_decay"]
    if size != 0 and slope != 0:
        trust = optimizer["trust"] * size / (slope + decay * size + LARC_EPSILON)
        gradient = trust * (gradient + decay * value)
    velocity = optimizer["momentum"] * velocity + gradient
    return value - rate * velocity, velocity


class State:
    """Everything a step changes: tensors and momenta by name, the number of
    steps and of images trained."""

    def __init__(self, tensors, momenta=None, step=0, images=0):
        self.tensors = dict(tensors)
        self.momenta = momenta or {
            n: np.zeros_like(t) for n, t in tensors.items() if is_learnt(n)}
        self.step, self.images = step, images

    def cast(self, dtype):
        """The same in another float type."""
        def convert(group):
            return {n: t.astype(dtype) if t.dtype.kind == "f" else t
                    for n, t in group.items()}
        return State(convert(self.tensors), convert(self.momenta), self.step,
                     self.images)


class Gradients:
    """The first half of a step: the loss, what it depends on, and by how much.
    `codes` given: they are taken instead of the scores' own."""

    def __init__(self, state, config, crops, codes=None):
        tensors = dict(state.tensors)
        prototypes = tape.Node(tensors[PROTOTYPES])
        tensors[PROTOTYPES] = tape.normalise_rows(prototypes).value
        nodes = {n: tape.Node(t) for n, t in tensors.items() if is_learnt(n)}
        self.tensors = tensors  # prototypes at length one, new statistics
        forward = regnet.Forward(config["model"], nodes, tensors)
        scores = forward.scores(crops)
        images = len(crops[0])
        self.codes = codes or codes_of(scores.value, images, config["swav"])
        node = swapped_loss(scores, self.codes, images, config["swav"])
        tape.backward(node)
        self.loss = float(node.value)
        self.slopes = {n: node.gradient for n, node in nodes.items()}
        self.norm = math.sqrt(sum(float((g.astype(np.float64) ** 2).sum())
                                  for g in self.slopes.values()))
        self.least_margin = forward.least_margin


def step(state, config, crops, rate):
    """The state after a step on `crops` ([B, 3, S, S], in order), and its
    `Gradients`."""
    gradients = Gradients(state, config, crops)
    tensors, momenta = gradients.tensors, dict(state.momenta)
    frozen = state.step < config["swav"]["freeze_prototypes_steps"]
    for name, slope in gradients.slopes.items():
        if not (frozen and name == PROTOTYPES):
            tensors[name], momenta[name] = larc_sgd(
                tensors[name], momenta[name], slope, rate, config["optimizer"])
    images = state.images + len(crops[0])
    return State(tensors, momenta, state.step + 1, images), gradients


def learning_rate(config, images, halvings=0):
    """The rate of the step that begins after `images` images."""
    schedule = config["schedule"]
    peak, warmup = schedule["learning_rate"], schedule["warmup_images"]
    if images < warmup:
        start = schedule["warmup_start"] or peak * min(
            1.0, config["loader"]["batch_images"] / warmup)
        return start + images / warmup * (peak - start)
    if schedule["kind"] == "constant":
        return peak
    if schedule["kind"] == "fixed-then-halving":
        return max(peak / 2 ** halvings, min(schedule["floor"], peak))
    skipped = warmup if schedule["cosine"] == "rescaled" else 0
    length = max(1, schedule["total_images"] - skipped)
    along = min(1.0, max(0.0, (images - skipped) / length))
    end = schedule["end_learning_rate"]
    return end + (peak - end) / 2 * (1 + math.cos(math.pi * along))
