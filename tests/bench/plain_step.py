#!/usr/bin/env python3
"""One training step of SwAV as one writes it in eager PyTorch, on random crops:

  plain_step.py MODEL VARIANT [--steps N]

MODEL: regnet_y_400mf (torchvision's) or regnety_002 (timm's). VARIANT:

  fp32, bf16  channels_last, a trunk pass per resolution, LARC and SGD over
              torch._foreach lists; bf16 by autocast, its loss in float32
  lightly     lightly's head, prototypes and loss as its documentation joins
              them: a pass per crop, contiguous tensors, Adam

Prints a line of JSON: the mean seconds of a step and of its parts, after three
that do not count. What step_peers lays beside `trainer_bench`.
"""
import argparse
import contextlib
import json
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH, GROUPS = 32, ((2, 96), (4, 48))
HIDDEN, DIM, PROTOTYPES = 512, 128, 300
TEMPERATURE, EPSILON, ITERATIONS = 0.1, 0.02, 3
RATE, MOMENTUM, DECAY, TRUST = 0.05, 0.9, 1e-5, 1e-3
WARM = 3


def trunk_of(model):
    if model == "regnety_002":
        import timm
        trunk = timm.create_model(model, num_classes=0)
        return trunk, trunk.num_features
    import torchvision
    trunk = getattr(torchvision.models, model)(weights=None)
    width = trunk.fc.in_features
    trunk.fc = nn.Identity()
    return trunk, width


def codes(scores):
    """Sinkhorn-Knopp over [images, prototypes]."""
    weights = torch.exp((scores - scores.max()) / EPSILON).T
    weights /= weights.sum()
    rows, columns = weights.shape
    for _ in range(ITERATIONS):
        weights /= weights.sum(dim=1, keepdim=True) * rows
        weights /= weights.sum(dim=0, keepdim=True) * columns
    return (weights * columns).T


def swapped_loss(scores):
    crops = scores.shape[0] // BATCH
    likelihood = F.log_softmax(scores / TEMPERATURE, dim=1).split(BATCH)
    assign = GROUPS[0][0]
    total = scores.new_zeros(())
    for crop, part in enumerate(scores.detach().split(BATCH)[:assign]):
        target = codes(part)
        others = [likelihood[i] for i in range(crops) if i != crop]
        total = total - sum((target * other).sum(1).mean() for other in others) / len(others)
    return total / assign


class Larc:
    """Momentum SGD whose rate each tensor scales by its trust ratio."""

    def __init__(self, parameters):
        self.parameters = list(parameters)
        self.momenta = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self):
        gradients = [p.grad for p in self.parameters]
        length = torch.stack(torch._foreach_norm(self.parameters))
        slope = torch.stack(torch._foreach_norm(gradients))
        moves = (length != 0) & (slope != 0)
        ratio = TRUST * length / (slope + DECAY * length + 1e-8)
        decay = torch.where(moves, DECAY, 0.0).unbind()
        torch._foreach_add_(gradients, torch._foreach_mul(self.parameters, list(decay)))
        torch._foreach_mul_(gradients, list(torch.where(moves, ratio, 1.0).unbind()))
        torch._foreach_mul_(self.momenta, MOMENTUM)
        torch._foreach_add_(self.momenta, gradients)
        torch._foreach_add_(self.parameters, self.momenta, alpha=-RATE)


def plain(model, variant):
    trunk, width = trunk_of(model)
    trunk = trunk.to(memory_format=torch.channels_last)
    head = nn.Sequential(
        nn.Linear(width, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(inplace=True),
        nn.Linear(HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(inplace=True),
        nn.Linear(HIDDEN, DIM))
    prototypes = nn.Linear(DIM, PROTOTYPES, bias=False)
    parameters = [*trunk.parameters(), *head.parameters(), *prototypes.parameters()]
    crops = [torch.randn(count * BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
             for count, size in GROUPS]
    autocast = (torch.autocast("cpu", torch.bfloat16) if variant == "bf16"
                else contextlib.nullcontext())

    def forward():
        with torch.no_grad():
            prototypes.weight.copy_(F.normalize(prototypes.weight, dim=1))
        with autocast:
            features = torch.cat([trunk(group) for group in crops])
            scores = prototypes(F.normalize(head(features), dim=1))
        return swapped_loss(scores.float())

    return parameters, forward, Larc(parameters)


def lightly(model):
    from lightly.loss import SwaVLoss
    from lightly.models.modules import SwaVPrototypes
    from lightly.models.modules.heads import ProjectionHead
    trunk, width = trunk_of(model)
    # Its SwaVProjectionHead has two layers; its base class makes the three that
    # the other variants have.
    head = ProjectionHead([
        (width, HIDDEN, nn.BatchNorm1d(HIDDEN), nn.ReLU()),
        (HIDDEN, HIDDEN, nn.BatchNorm1d(HIDDEN), nn.ReLU()),
        (HIDDEN, DIM, None, None)])
    prototypes = SwaVPrototypes(DIM, PROTOTYPES)
    criterion = SwaVLoss(TEMPERATURE, ITERATIONS, EPSILON)
    parameters = [*trunk.parameters(), *head.parameters(), *prototypes.parameters()]
    crops = [torch.randn(BATCH, 3, size, size) for count, size in GROUPS for _ in range(count)]
    assign = GROUPS[0][0]

    def forward():
        prototypes.normalize()
        scores = [prototypes(F.normalize(head(trunk(crop).flatten(1)), dim=1)) for crop in crops]
        return criterion(scores[:assign], scores[assign:])

    return parameters, forward, torch.optim.Adam(parameters, lr=1e-3)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("model", choices=("regnet_y_400mf", "regnety_002"))
    options.add_argument("variant", choices=("fp32", "bf16", "lightly"))
    options.add_argument("--steps", type=int, default=12)
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    made = lightly(chosen.model) if chosen.variant == "lightly" else plain(chosen.model, chosen.variant)
    parameters, forward, optimizer = made
    parts = {"forward": 0.0, "backward": 0.0, "optimizer": 0.0}
    for step in range(WARM + chosen.steps):
        begin = time.perf_counter()
        for parameter in parameters:
            parameter.grad = None
        loss = forward()
        loss_at = time.perf_counter()
        loss.backward()
        gradient_at = time.perf_counter()
        optimizer.step()
        end = time.perf_counter()
        if step >= WARM:
            parts["forward"] += loss_at - begin
            parts["backward"] += gradient_at - loss_at
            parts["optimizer"] += end - gradient_at
    print(json.dumps({
        "model": chosen.model, "variant": chosen.variant, "parameters": sum(p.numel() for p in parameters),
        "torch": torch.__version__, "step_ms": round(1000 * sum(parts.values()) / chosen.steps, 1),
        **{f"{name}_ms": round(1000 * seconds / chosen.steps, 1) for name, seconds in parts.items()}}))


if __name__ == "__main__":
    main()
