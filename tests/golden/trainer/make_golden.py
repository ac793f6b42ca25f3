#!/usr/bin/env python3
"""Writes the reference run beside this file: three SwAV steps of a small
RegNetY in plain PyTorch, in float64.

The trunk is Hugging Face's RegNetModel, the head an nn.Sequential, the loss
and LARC-SGD are written out term by term, so nothing here shares code with
what is tested. Needs torch, transformers and safetensors; run without
arguments.

  initial/   model.safetensors, head.safetensors before the first step
  after/     all tensors after three steps, momenta as momentum.<name>
  expected.json  per step loss and gradient norm; settings; pooled features of
                 the trained trunk in evaluation mode
"""
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import RegNetConfig, RegNetModel

HERE = pathlib.Path(__file__).parent
# Generator parameters depth 4, w0 8, wa 8, wm 2, group width 8 give these.
DEPTHS, WIDTHS, GROUP_WIDTH = [1, 1, 2], [8, 16, 32], 8
HIDDEN, OUT, PROTOTYPES = 16, 8, 12
IMAGES, CROPS = 6, [(2, 32), (2, 16)]
TEMPERATURE, EPSILON, ITERATIONS, ASSIGN = 0.1, 0.05, 3, 2
MOMENTUM, DECAY, TRUST, FREEZE = 0.9, 1e-3, 0.01, 1
RATES = [0.5, 1.0, 0.75]
SEED = 24


def hashed(index, salt):
    """Exactly representable numbers in [-1, 1) from MurmurHash3's finaliser."""
    x = index.astype(np.uint64) + np.uint64(salt * 1000003)
    mask = np.uint64(0xFFFFFFFF)
    x &= mask
    x ^= x >> np.uint64(16)
    x = x * np.uint64(0x85EBCA6B) & mask
    x ^= x >> np.uint64(13)
    x = x * np.uint64(0xC2B2AE35) & mask
    x ^= x >> np.uint64(16)
    return (x >> np.uint64(16)).astype(np.float64) / 32768.0 - 1.0


def group(step, number, crops, size):
    """Crops [crops * IMAGES, 3, size, size]: a colour for each image, the same
    in all its crops, and noise."""
    rows = crops * IMAGES
    noise = hashed(np.arange(rows * size * size * 3), 10 * step + number)
    noise = noise.reshape(rows, size, size, 3).transpose(0, 3, 1, 2)
    colour = hashed(np.arange(IMAGES * 3), 100 + step).reshape(IMAGES, 3)
    colour = np.tile(colour, (crops, 1))[:, :, None, None]
    return torch.from_numpy(noise + colour)


def sinkhorn(scores):
    q = torch.exp((scores - scores.max()) / EPSILON).t()
    q = q / q.sum()
    k, n = q.shape
    for _ in range(ITERATIONS):
        q = q / q.sum(1, keepdim=True) / k
        q = q / q.sum(0, keepdim=True) / n
    return (q / q.sum(0, keepdim=True)).t()


def swav_loss(scores):
    crops = scores.split(IMAGES)
    total = 0.0
    for assign in range(ASSIGN):
        codes = sinkhorn(crops[assign].detach())
        for other in range(len(crops)):
            if other != assign:
                log_p = F.log_softmax(crops[other] / TEMPERATURE, dim=1)
                total = total - (codes * log_p).sum(1).mean()
    return total / (ASSIGN * (len(crops) - 1))


class Swav(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = RegNetModel(RegNetConfig(
            embedding_size=32, hidden_sizes=WIDTHS, depths=DEPTHS,
            groups_width=GROUP_WIDTH, layer_type="y", hidden_act="relu",
            downsample_in_first_stage=True))
        self.projection_head = nn.Sequential(
            nn.Linear(WIDTHS[-1], HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, OUT))
        self.prototypes = nn.Linear(OUT, PROTOTYPES, bias=False)

    def forward(self, groups):
        features = [self.trunk(x).pooler_output.flatten(1) for x in groups]
        z = self.projection_head(torch.cat(features))
        return self.prototypes(F.normalize(z, dim=1))


def larc_sgd(parameters, velocity, rate):
    for name, p in parameters:
        if p.grad is None:
            continue
        g, p_norm, g_norm = p.grad, p.norm(), p.grad.norm()
        if p_norm != 0 and g_norm != 0:
            adapted = TRUST * p_norm / (g_norm + DECAY * p_norm + 1e-8)
            g = adapted * (g + DECAY * p)
        velocity[name] = MOMENTUM * velocity[name] + g
        p.sub_(rate * velocity[name])


def split(model):
    """State as (trunk, rest), float32 and contiguous, snapshot names."""
    trunk, rest = {}, {}
    for name, value in model.state_dict().items():
        value = value.float() if value.is_floating_point() else value
        target = trunk if name.startswith("trunk.") else rest
        target[name.removeprefix("trunk.")] = value.contiguous().clone()
    return trunk, rest


def make_model():
    # A seed for which no unit stands so near a kink that float32 and float64
    # part ways there; `main` prints how far they are apart in the end.
    torch.manual_seed(SEED)
    model = Swav()
    with torch.no_grad():  # values that exercise biases and BN weights, too
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.1 * torch.randn_like(p))
    return model.train()


def train(model):
    """Three steps; gives their losses and gradient norms, and the momenta."""
    dtype = model.prototypes.weight.dtype
    names = [(n.removeprefix("trunk."), p) for n, p in model.named_parameters()]
    velocity = {n: torch.zeros_like(p) for n, p in names}
    steps = []
    for step, rate in enumerate(RATES):
        with torch.no_grad():
            weight = model.prototypes.weight
            weight.copy_(F.normalize(weight, dim=1))
        model.zero_grad(set_to_none=True)
        loss = swav_loss(model([group(step, i, c, s).to(dtype)
                                for i, (c, s) in enumerate(CROPS)]))
        loss.backward()
        norm = math.sqrt(sum((p.grad ** 2).sum().item() for _, p in names))
        if step < FREEZE:
            model.prototypes.weight.grad = None
        with torch.no_grad():
            larc_sgd(names, velocity, rate)
        steps.append({"loss": loss.item(), "grad_norm": norm})
    return steps, velocity


def rounding_distance(model, velocity):
    """Greatest relative distance of a tensor from the run in float32."""
    single = make_model()
    _, single_velocity = train(single)
    pairs = list(zip(single.state_dict().values(), model.state_dict().values()))
    pairs += [(single_velocity[n], v) for n, v in velocity.items()]
    return max(((a.double() - b.double()).norm() /
                (b.double().norm() + 1e-6)).item() for a, b in pairs)


def main():
    model = make_model().double()
    folder = HERE / "initial"
    folder.mkdir(exist_ok=True)
    trunk, head = split(model)
    save_file(trunk, folder / "model.safetensors", {"format": "pt"})
    save_file(head, folder / "head.safetensors", {"format": "pt"})
    steps, velocity = train(model)
    print("float32 differs by", rounding_distance(model, velocity))

    after = HERE / "after"
    after.mkdir(exist_ok=True)
    trunk, head = split(model)
    momenta = {f"momentum.{n}": v.float().contiguous().clone()
               for n, v in velocity.items()}
    save_file(trunk, after / "model.safetensors", {"format": "pt"})
    save_file(head, after / "head.safetensors", {"format": "pt"})
    save_file(momenta, after / "state.safetensors", {"format": "pt"})
    model.eval()
    with torch.no_grad():
        features = model.trunk(group(7, 0, *CROPS[0])).pooler_output.flatten(1)
    (HERE / "expected.json").write_text(json.dumps({
        "steps": steps, "rates": RATES,
        "features": [[round(v, 8) for v in row] for row in features.tolist()],
    }, indent=1) + "\n")


if __name__ == "__main__":
    main()
