#!/usr/bin/env python3
"""What people use to make SwAV's crops of JPEG files, on one core:

  plain_loader.py WAY TAR [--images N] [--passes N]

Crops: 2 of 224 pixels of 14 to 100 % of the area, 6 of 96 of 5 to 14 %, flip,
colour jitter, grey, blur, normalised float32. WAY:

  pillow       Pillow decodes once, torchvision's transforms work on its images:
               what SwAV's own loader does
  torchvision  its decoder and its transforms.v2, on uint8 tensors
  dali         DALI's operators on the CPU, one decode for all crops; its colour
               operator is one matrix, without clamping in between
  decode       libjpeg-turbo to full RGB (simplejpeg), no crops: a floor

Prints a line of JSON: images a second of the process's CPU time, the median of
the passes after one that does not count. What loader_peers lays beside
`loader_bench`; pin it to a core.
"""
import argparse
import io
import json
import random
import statistics
import tarfile
import time

CROPS = ((2, 224, (0.14, 1.0)), (6, 96, (0.05, 0.14)))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIGMA = (0.1, 2.0)


def files_of(path, count):
    with tarfile.open(path) as archive:
        members = (member for member in archive if member.isfile())
        return [archive.extractfile(member).read() for member, _ in zip(members, range(count))]


class PillowBlur:
    def __call__(self, image):
        from PIL import ImageFilter
        return image.filter(ImageFilter.GaussianBlur(random.uniform(*SIGMA)))


def pillow():
    from PIL import Image
    from torchvision import transforms

    def view(size, scale):
        return transforms.Compose([
            transforms.RandomResizedCrop(size, scale=scale),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
            transforms.RandomGrayscale(p=0.2),
            transforms.RandomApply([PillowBlur()], p=0.5),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD)])

    views = [view(size, scale) for count, size, scale in CROPS for _ in range(count)]

    def crops(file):
        image = Image.open(io.BytesIO(file)).convert("RGB")
        return [each(image) for each in views]
    return crops


def torchvision():
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg
    from torchvision.transforms import v2

    def view(size, scale):
        return v2.Compose([
            v2.RandomResizedCrop(size, scale=scale, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
            v2.RandomGrayscale(p=0.2),
            # A window of three deviations on either side of the widest blur.
            v2.RandomApply([v2.GaussianBlur(13, SIGMA)], p=0.5),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD)])

    views = [view(size, scale) for count, size, scale in CROPS for _ in range(count)]

    def crops(file):
        image = decode_jpeg(torch.frombuffer(bytearray(file), dtype=torch.uint8), ImageReadMode.RGB)
        return [each(image) for each in views]
    return crops


def decode():
    import simplejpeg
    return lambda file: simplejpeg.decode_jpeg(file, colorspace="RGB")


def one_by_one(make):
    def passes(files):
        work = make()

        def once():
            for file in files:
                work(file)
            return len(files)
        return once
    return passes


def dali(files, batch=32):
    import numpy
    from nvidia.dali import fn, pipeline_def, types

    stored = [numpy.frombuffer(file, numpy.uint8) for file in files]

    def happens(share):
        return fn.random.coin_flip(probability=share, dtype=types.BOOL)

    def view(image, size, scale):
        crop = fn.random_resized_crop(
            image, size=size, random_area=scale, random_aspect_ratio=(3 / 4, 4 / 3),
            interp_type=types.INTERP_LINEAR, antialias=True)
        if happens(0.8):
            crop = fn.color_twist(
                crop, **{name: fn.random.uniform(range=(0.2, 1.8))
                         for name in ("brightness", "contrast", "saturation")},
                hue=fn.random.uniform(range=(-72.0, 72.0)))
        if happens(0.2):
            crop = fn.hsv(crop, saturation=0.0)
        if happens(0.5):
            crop = fn.gaussian_blur(crop, sigma=fn.random.uniform(range=SIGMA))
        return fn.crop_mirror_normalize(
            crop, dtype=types.FLOAT, output_layout="CHW", mirror=fn.random.coin_flip(),
            mean=[255 * level for level in MEAN], std=[255 * level for level in STD])

    @pipeline_def(batch_size=batch, num_threads=1, device_id=None, prefetch_queue_depth=1,
                  enable_conditionals=True)
    def pipeline():
        file = fn.external_source(
            source=lambda info: stored[info.idx_in_epoch % len(stored)], batch=False,
            dtype=types.UINT8)
        image = fn.decoders.image(file, device="cpu", output_type=types.RGB)
        return tuple(view(image, size, scale) for count, size, scale in CROPS for _ in range(count))

    running = pipeline()
    running.build()
    rounds = max(1, len(files) // batch)

    def once():
        for _ in range(rounds):
            running.run()
        return rounds * batch
    return once


WAYS = {"pillow": one_by_one(pillow), "torchvision": one_by_one(torchvision),
        "dali": dali, "decode": one_by_one(decode)}


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("way", choices=WAYS)
    options.add_argument("tar")
    options.add_argument("--images", type=int, default=320)
    options.add_argument("--passes", type=int, default=3)
    chosen = options.parse_args()
    if chosen.way in ("pillow", "torchvision"):
        import torch
        torch.set_num_threads(1)
    once = WAYS[chosen.way](files_of(chosen.tar, chosen.images))
    once()
    rates = []
    for _ in range(chosen.passes):
        begin = time.process_time()
        done = once()
        rates.append(done / (time.process_time() - begin))
    print(json.dumps({"way": chosen.way, "images_per_cpu_s": round(statistics.median(rates), 1)}))


if __name__ == "__main__":
    main()
