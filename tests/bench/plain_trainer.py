#!/usr/bin/env python3
"""SwAV on images from Kafka as one writes it with PyTorch and confluent-kafka:
the client commits offsets as it goes, torch.save keeps the weights every
--save-every steps, and after a crash the newest save is loaded. What kill_table
kills beside swavd. Resizing, cropping and the network are those of the preset
`tiny` in kind and size.

--trained FILE: a line `step partition:offset ...` a step, for the count of what
was lost and doubled; nothing reads it here.
"""
import argparse
import io
import os

import confluent_kafka
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms as T

BATCH, PROTOTYPES, TEMPERATURE, EPSILON = 64, 300, 0.1, 0.02


def views():
    def crop(size, low, high):
        return T.Compose([
            T.RandomResizedCrop(size, (low, high)), T.RandomHorizontalFlip(),
            T.RandomApply([T.ColorJitter(0.32, 0.32, 0.32, 0.08)], 0.8), T.RandomGrayscale(0.2),
            T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    return [crop(48, 0.3, 1.0)] * 2 + [crop(24, 0.15, 0.5)] * 4


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = timm.create_model("regnety_002", num_classes=0)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(self.trunk.num_features, 512), torch.nn.BatchNorm1d(512), torch.nn.ReLU(),
            torch.nn.Linear(512, 128))
        self.prototypes = torch.nn.Linear(128, PROTOTYPES, bias=False)

    def forward(self, crops):
        big, small = torch.cat(crops[:2]), torch.cat(crops[2:])
        z = F.normalize(self.head(torch.cat([self.trunk(big), self.trunk(small)])), dim=1)
        return self.prototypes(z)


@torch.no_grad()
def codes(scores):
    q = torch.exp((scores - scores.max()) / EPSILON)
    for _ in range(3):
        q /= q.sum(0, keepdim=True)
        q /= q.sum(1, keepdim=True)
    return q


def loss_of(scores):
    log_p = F.log_softmax(scores / TEMPERATURE, dim=1).split(BATCH)
    total = 0
    for i in range(2):
        q = codes(scores[i * BATCH:(i + 1) * BATCH].detach())
        others = [p for j, p in enumerate(log_p) if j != i]
        total -= sum((q * p).sum(1).mean() for p in others) / len(others)
    return total / 2


def batches(consumer, transforms):
    """A list of crops, and the addresses of the images, for ever."""
    samples, addresses = [], []
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        try:
            image = Image.open(io.BytesIO(message.value())).convert("RGB")
        except OSError:
            continue
        samples.append([transform(image) for transform in transforms])
        addresses.append(f"{message.partition()}:{message.offset()}")
        if len(samples) == BATCH:
            yield [torch.stack(crop) for crop in zip(*samples)], addresses
            samples, addresses = [], []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--save", required=True)
    parser.add_argument("--save-every", type=int, default=10)
    parser.add_argument("--trained", required=True)
    options = parser.parse_args()

    torch.set_num_threads(2)
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), 0.03, momentum=0.9, weight_decay=1e-5)
    step = 0
    if os.path.exists(options.save):
        saved = torch.load(options.save)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    trained = open(options.trained, "a")
    print(f"start {step}", file=trained, flush=True)
    # A crashed member holds its partitions for so long: 45 s by default, 6 s is
    # the least that brokers allow by theirs.
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": options.bootstrap, "group.id": "plain",
        "auto.offset.reset": "earliest", "session.timeout.ms": 6000})
    consumer.subscribe([options.topic])
    for crops, addresses in batches(consumer, views()):
        with torch.no_grad():
            model.prototypes.weight.copy_(F.normalize(model.prototypes.weight, dim=1))
        loss = loss_of(model(crops))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        print(step, *addresses, file=trained, flush=True)
        if step % options.save_every == 0:
            scratch = options.save + ".new"
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, scratch)
            os.replace(scratch, options.save)


if __name__ == "__main__":
    main()
