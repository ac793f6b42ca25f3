#!/usr/bin/env python3
"""Checks training steps of swavd from outside, against the float64
implementation in this folder. Needs NumPy and no part of swavd.

  check_step.py crops OUT [--images B] [--sizes S...] [--seed N]
      writes random crops for `swavd replay-step --crops`

  check_step.py step BEFORE AFTER CROPS [CROPS...]
      BEFORE and AFTER are snapshots as folders, with state.safetensors. Takes
      a step on each file of crops from BEFORE, at the rate the snapshot's
      schedule has come to, and compares with AFTER. Prints the greatest
      distance of a tensor, relative to its norm, of each kind; exits 1 when one
      is beyond its bound, and names it. Also prints how near an input of a ReLU
      came to zero: below 1e-6 or so, float32 may take the other side.
"""
import argparse
import json
import pathlib
import sys
import tomllib

import numpy as np

import regnet
import swav
import tensor_file

# |ours - theirs| / |theirs| of each tensor, for fp32 on a CPU.
WEIGHTS_AFTER_ONE, WEIGHTS_AFTER_MORE = 2e-5, 2e-4
MOMENTA_AFTER_ONE = 1e-3


class Snapshot:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.config = tomllib.loads(self.manifest["config"])
        if self.config["precision"]["compute"] != "fp32":
            sys.exit(f"{folder}: precision.compute is not fp32: there is no "
                     "bound to check")
        tensors = (tensor_file.read(folder / "model.safetensors")
                   | tensor_file.read(folder / "head.safetensors"))
        momenta = {n.removeprefix("momentum."): t for n, t in tensor_file.read(
            folder / "state.safetensors").items() if n.startswith("momentum.")}
        self.state = swav.State(tensors, momenta, self.manifest["step"],
                                self.manifest["schedule"]["images"])
        self._check_names()

    def _check_names(self):
        """The tensors of this snapshot are those the configuration asks for."""
        wanted = regnet.initial_tensors(self.config)
        found = self.state.tensors
        for name in sorted(set(wanted) | set(found)):
            if name not in wanted or name not in found:
                sys.exit(f"tensor {name} is of another model than this script "
                         "knows")
            if wanted[name].shape != found[name].shape:
                sys.exit(f"tensor {name} has shape {found[name].shape}, not "
                         f"{wanted[name].shape}")


def read_crops(path):
    stored = tensor_file.read(path)
    return [stored[f"crop.{i}"].astype(np.float64) for i in range(len(stored))]


def distance(ours, theirs):
    """Relative to the norm of `theirs`; 0 when both are zeros."""
    away = np.linalg.norm(ours.astype(np.float64) - theirs)
    size = np.linalg.norm(theirs)
    return away / size if size else (np.inf if away else 0.0)


def report(kind, ours, theirs, bound, exempt):
    """Prints a line for a kind of tensors; gives whether all are near."""
    away = {n: distance(ours[n], theirs[n]) for n in ours if n not in exempt}
    worst = max(away, key=away.get)
    far = [] if bound is None else [n for n in away if away[n] > bound]
    print(f"{kind:<8} {len(away):>4} tensors, farthest {away[worst]:.1e} "
          f"(bound {bound or 'none'}): {worst}")
    for name in far:
        print(f"  too far: {name} {away[name]:.3e}")
    return not far


def check(before, after, crop_files):
    start, end = Snapshot(before), Snapshot(after)
    state = start.state.cast(np.float64)
    halvings, margin = start.manifest["schedule"]["halvings"], np.inf
    for path in crop_files:
        rate = swav.learning_rate(start.config, state.images, halvings)
        state, gradients = swav.step(state, start.config, read_crops(path), rate)
        print(json.dumps({"loss": gradients.loss, "grad_norm": gradients.norm,
                          "learning_rate": rate}))
        margin = min(margin, gradients.least_margin)
    # Their gradient is zero but for rounding, which LARC brings to full size.
    exempt = regnet.biases_before_batch_norm(start.config["model"])
    one = len(crop_files) == 1
    counters = [n for n, t in state.tensors.items() if t.dtype.kind == "i"]
    weights = {n: end.state.tensors[n] for n in state.tensors
               if n not in counters}
    near = report("weights", weights, state.tensors,
                  WEIGHTS_AFTER_ONE if one else WEIGHTS_AFTER_MORE, exempt)
    near &= report("momenta", end.state.momenta, state.momenta,
                   MOMENTA_AFTER_ONE if one else None, exempt)
    for name in counters:
        if state.tensors[name] != end.state.tensors[name]:
            print(f"  {name} is {end.state.tensors[name]}, not "
                  f"{state.tensors[name]}")
            near = False
    if end.state.step != state.step:
        print(f"  step is {end.state.step}, not {state.step}")
        near = False
    print(f"exempt: {', '.join(exempt) or 'none'}")
    # Nearer than float32 can tell: its gradient may be that of the other side.
    print(f"nearest input of a ReLU to zero: {margin:.1e} deviations")
    return near


def write_crops(out, images, sizes, seed):
    generator = np.random.default_rng(seed)
    colour = generator.uniform(-1, 1, (images, 3, 1, 1))
    tensor_file.write(out, {
        f"crop.{i}": np.float32(
            colour + generator.uniform(-1, 1, (images, 3, size, size)))
        for i, size in enumerate(sizes)})


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    crops = commands.add_parser("crops")
    crops.add_argument("out")
    crops.add_argument("--images", type=int, default=8)
    crops.add_argument("--sizes", type=int, nargs="+", default=[32, 32, 16, 16])
    crops.add_argument("--seed", type=int, default=0)
    step = commands.add_parser("step")
    step.add_argument("before")
    step.add_argument("after")
    step.add_argument("crops", nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "crops":
        write_crops(arguments.out, arguments.images, arguments.sizes,
                    arguments.seed)
        return 0
    near = check(arguments.before, arguments.after, arguments.crops)
    return 0 if near else 1


if __name__ == "__main__":
    sys.exit(main())
