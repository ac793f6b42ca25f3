"""What the interop tests share: swavd's programs, photos, short runs."""
import json
import os
import pathlib
import subprocess
import tarfile

import numpy as np
from PIL import Image
from safetensors import safe_open

BIN = pathlib.Path(os.environ["SWAVD_BIN_DIR"])
DATA = os.environ.get("SWAVD_TEST_DATA")
PHOTOS = 48


def swavd(program, *arguments):
    done = subprocess.run([BIN / program, *map(str, arguments)], check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, f"{program} {arguments}: {done.stderr}"
    return done.stdout


def generated_photos(folder):
    """Smooth random pictures of odd sizes, for machines without real ones.

    None is over twice as tall as wide: those Pillow resizes along y first since
    version 13, and along x first before, as swavd does: a grey level apart.
    """
    generator = np.random.default_rng(0)
    for number in range(PHOTOS):
        width, height = generator.integers(200, 400, 2)
        coarse = generator.integers(0, 256, (7, 9, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height),
                                                 Image.BICUBIC)
        picture.save(folder / f"{number:03}.png")


def real_photos(folder):
    with tarfile.open(pathlib.Path(DATA) / "photos-700.tar") as tar:
        files = [m for m in tar if m.isfile()][:PHOTOS]
        for member in files:
            name = pathlib.PurePath(member.name).name
            (folder / name).write_bytes(tar.extractfile(member).read())


def train(data, photos, model):
    """Makes `data` the data folder of a run that has trained two steps on the
    photos, `model` being lines of its section [model]."""
    swavd("swavd-crawl", "push", "--to", f"log://{data}/stream/images", photos)
    config = data / "swavd.toml"
    config.write_text(f"""
run = "interop"
data_dir = "{data}"
[model]
preset = "tiny"
{model}
[loader]
batch_images = 16
[swav]
prototypes = 32
[http]
listen = ""
[admin]
socket = "{data}/admin.sock"
""")
    swavd("swavd", "run", "--config", config, "--stop-after-images", 32)


def pull(data, folder):
    swavd("swavctl", "snapshots", "pull", data, folder)
    return folder


def embedded(data, photos, out):
    """The names of the photos and swavd's features of each."""
    swavd("swavd", "embed", "--snapshot", data, "--images", photos,
          "--out", out)
    with safe_open(out, "np") as file:
        names = json.loads(file.metadata()["paths"])
        features = file.get_tensor("features")
    assert names == sorted(names) and len(names) == len(features) == PHOTOS
    return names, features


def opened(photos, names):
    for name in names:
        with Image.open(photos / name) as picture:
            yield picture.convert("RGB")


def assert_close(ours, theirs):
    worst = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"largest difference {worst:.2e} of the largest feature")
    assert worst <= 1e-4
