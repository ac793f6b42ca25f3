#!/usr/bin/env python3
"""Writes the golden training steps in ../steps. Needs NumPy.

Each of the configurations there is trained for five steps from the values that
its seed gives, on crops that its seed gives, in float64: with and without
BatchNorm in the head, with the prototypes free and frozen for three steps.

  make_steps.py           writes NAME.safetensors, NAME-plain.safetensors (the
                          head without BatchNorm) and expected.json
  make_steps.py --check   compares with what lies there and writes nothing
  make_steps.py --search NAME
                          the first seed with which no ReLU comes near its kink
                          and float32 agrees; for the configuration's `seed`

A golden file has the weights (statistics and counters among them) after 1 and 5
steps and the momenta after 1, each as one float32 tensor: see `flat`. Names
that end in /frozen are of the run with frozen prototypes. Before it writes, the
script proves the gradients of each configuration by finite differences.
"""
import argparse
import copy
import itertools
import json
import math
import pathlib
import sys
import tomllib

import numpy as np

import philox
import regnet
import swav
import tensor_file

STEPS_FOLDER = pathlib.Path(__file__).parent.parent / "steps"
NAMES = ["four-stages", "two-stages", "one-stage"]
STEPS = 5
FROZEN_STEPS = 3
SCHEDULE_DEFAULTS = {"warmup_start": 0.0, "warmup_images": 0, "floor": 0.0}
# A ReLU nearer to its kink than this, in deviations of its inputs, may take
# another side in float32.
LEAST_MARGIN = 1.5e-6
# Root mean square of what finite differences add to a tensor: less than the
# margin, so that no kink is crossed.
STEP_OF_DIFFERENCES = 1e-7
# Of the bounds that float32 must keep to, so that another order of summation
# has room.
SHARE_OF_BOUND = 0.5
BOUNDS = {"weights 1": 2e-5, "momenta 1": 1e-3, "weights 5": 2e-4}


def load_config(name, batch_norm, frozen_steps=0, seed=None):
    with open(STEPS_FOLDER / f"{name}.toml", "rb") as file:
        config = tomllib.load(file)
    config["model"]["se_ratio"] = 0.25
    config["model"]["head_batch_norm"] = batch_norm
    config["swav"]["freeze_prototypes_steps"] = frozen_steps
    config["schedule"] = SCHEDULE_DEFAULTS | config["schedule"]
    if seed is not None:
        config["model"]["seed"] = seed
    return config


def make_crops(config, step):
    """Crops [B, 3, S, S] in float32: noise around a colour that all crops of
    an image share. From the streams golden/STEP/colour and golden/STEP/CROP."""
    seed, images = config["model"]["seed"], config["loader"]["batch_images"]
    colour = 2 * philox.uniform(seed, f"golden/{step}/colour", images * 3) - 1
    colour = colour.reshape(images, 3, 1, 1)
    sizes = [group["size"] for group in config["loader"]["crops"]
             for _ in range(group["count"])]
    crops = []
    for crop, size in enumerate(sizes):
        noise = 2 * philox.uniform(seed, f"golden/{step}/{crop}",
                                   images * 3 * size * size) - 1
        noise = noise.reshape(images, 3, size, size)
        crops.append(np.float32(noise + colour))
    return crops


class Run:
    """Five steps: the states after each, the figures, the least margin. It
    ends as soon as that is below `least_margin`."""

    def __init__(self, config, dtype=np.float64, least_margin=0.0):
        state = swav.State(regnet.initial_tensors(config)).cast(dtype)
        self.states, self.figures, self.margin = [], [], math.inf
        for number in range(STEPS):
            crops = [c.astype(dtype) for c in make_crops(config, number)]
            rate = swav.learning_rate(config, state.images)
            state, gradients = swav.step(state, config, crops, rate)
            self.states.append(state)
            self.figures.append({"loss": gradients.loss,
                                 "grad_norm": gradients.norm,
                                 "learning_rate": rate})
            self.margin = min(self.margin, gradients.least_margin)
            if self.margin < least_margin:
                break


def distance(a, b):
    """Of two tensors, relative to the norm of the second."""
    away = np.linalg.norm(a.astype(np.float64) - b.astype(np.float64))
    return away and away / np.linalg.norm(b.astype(np.float64))


def farthest(ours, theirs, exempt=()):
    """The greatest distance among tensors of the same names, and its name."""
    return max((distance(ours[n], t), n) for n, t in theirs.items()
               if n not in exempt)


def float32_shares(config, run):
    """How much of each bound float32 uses up, and where."""
    single = Run(config, np.float32)
    exempt = regnet.biases_before_batch_norm(config["model"])
    first, last = run.states[0], run.states[-1]
    found = {
        "weights 1": farthest(single.states[0].tensors, first.tensors, exempt),
        "momenta 1": farthest(single.states[0].momenta, first.momenta, exempt),
        "weights 5": farthest(single.states[-1].tensors, last.tensors, exempt)}
    return {what: (away / BOUNDS[what], where)
            for what, (away, where) in found.items()}


def check_gradients(config):
    """Compares the gradients, tensor by tensor, with finite differences of the
    loss along random directions. The codes are not part of the gradient."""
    state = swav.State(regnet.initial_tensors(config)).cast(np.float64)
    crops = [c.astype(np.float64) for c in make_crops(config, 0)]
    # At length one, so that normalising them changes nothing.
    state.tensors = swav.Gradients(state, config, crops).tensors
    base = swav.Gradients(state, config, crops)
    zero = regnet.biases_before_batch_norm(config["model"])
    for name in zero:
        assert np.abs(base.slopes[name]).max() < 1e-12 * base.norm, name
    generator = np.random.default_rng(0)
    worst = 0.0
    for name, slope in base.slopes.items():
        if name in zero:
            continue
        direction = generator.standard_normal(slope.shape)
        if name == swav.PROTOTYPES:  # along the sphere: their lengths are fixed
            unit = state.tensors[name]
            direction -= unit * (direction * unit).sum(1, keepdims=True)
        h = STEP_OF_DIFFERENCES / np.sqrt((direction ** 2).mean())
        losses = []
        for sign in (1, -1):
            moved = copy.copy(state)
            moved.tensors = state.tensors | {
                name: state.tensors[name] + sign * h * direction}
            losses.append(
                swav.Gradients(moved, config, crops, base.codes).loss)
        measured = (losses[0] - losses[1]) / (2 * h)
        told = float((slope * direction).sum())
        scale = np.linalg.norm(slope) * np.linalg.norm(direction)
        # The loss is known to some 1e-15 of itself, the quotient to that / h.
        floor = 1e-15 * base.loss / h
        assert abs(measured - told) < 1e-6 * scale + 10 * floor, (
            name, measured, told)
        worst = max(worst, abs(measured - told) / scale if scale else 0)
    return worst


def is_robust(name, batch_norm, frozen_steps, seed):
    config = load_config(name, batch_norm, frozen_steps, seed)
    run = Run(config, least_margin=LEAST_MARGIN)
    return run.margin >= LEAST_MARGIN and all(
        share < SHARE_OF_BOUND
        for share, _ in float32_shares(config, run).values())


def search(name):
    """The first seed that is robust in all four runs of a configuration."""
    for seed in itertools.count(1):
        if all(is_robust(name, batch_norm, frozen_steps, seed)
               for batch_norm in (True, False)
               for frozen_steps in (0, FROZEN_STEPS)):
            print(f"{name}: seed = {seed}")
            return


def flat(tensors):
    """All numbers of all tensors, these in ascending order of their names."""
    return np.concatenate(
        [np.ravel(tensors[n]).astype(np.float32) for n in sorted(tensors)])


def golden_tensors(free, frozen):
    tensors = {"1/weights": flat(free.states[0].tensors),
               "1/momenta": flat(free.states[0].momenta),
               "5/weights": flat(free.states[-1].tensors),
               "5/weights/frozen": flat(frozen.states[-1].tensors)}
    # Frozen or not, the first step is the same but for the prototypes.
    for name, tensor in free.states[0].tensors.items():
        assert name == swav.PROTOTYPES or np.array_equal(
            tensor, frozen.states[0].tensors[name])
    tensors["1/prototypes/frozen"] = flat(
        {"": frozen.states[0].tensors[swav.PROTOTYPES]})
    return tensors


def check_tensors(path, tensors):
    """The biases with a gradient of zero are noise, but of no size."""
    stored = tensor_file.read(path)
    assert set(stored) == set(tensors), f"{path}: other tensors"
    for name, tensor in tensors.items():
        assert distance(stored[name], tensor) < 1e-6, f"{path}: {name}"


def make(name, batch_norm, check):
    free_config = load_config(name, batch_norm)
    print(f"{name}, {'with' if batch_norm else 'without'} BatchNorm: finite "
          f"differences are off by {check_gradients(free_config):.1e}")
    free = Run(free_config)
    frozen_config = load_config(name, batch_norm, FROZEN_STEPS)
    frozen = Run(frozen_config)
    for what, config, run in (("free", free_config, free),
                              ("frozen", frozen_config, frozen)):
        print(f"  {what}: least margin {run.margin:.1e}, float32 uses up "
              + ", ".join(f"{share:.2f} of {bound} ({where})" for bound,
                          (share, where) in float32_shares(config, run).items()))
    path = STEPS_FOLDER / (name + ("" if batch_norm else "-plain")
                           + ".safetensors")
    tensors = golden_tensors(free, frozen)
    exempt = regnet.biases_before_batch_norm(free_config["model"])
    if check:
        check_tensors(path, tensors)
    else:
        tensor_file.write(path, tensors)
    return {"free": free.figures, "frozen": frozen.figures,
            "zero_gradient": exempt}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--search", choices=NAMES)
    arguments = parser.parse_args()
    if arguments.search:
        return search(arguments.search)
    expected = {}
    for name in NAMES:
        for batch_norm in (True, False):
            expected[name + ("" if batch_norm else "-plain")] = make(
                name, batch_norm, arguments.check)
    path = STEPS_FOLDER / "expected.json"
    if not arguments.check:
        path.write_text(json.dumps(expected, indent=1) + "\n")
        return 0
    for case, values in json.loads(path.read_text()).items():
        for kind in ("free", "frozen"):
            for ours, theirs in zip(values[kind], expected[case][kind]):
                for figure, value in ours.items():
                    assert math.isclose(value, theirs[figure], rel_tol=1e-9), (
                        case, kind, figure)
    print("the golden files are what this script makes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
