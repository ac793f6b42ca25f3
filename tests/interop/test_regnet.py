"""A pulled snapshot opens in transformers, and its features are swavd's."""
import json
import os
import pathlib
import subprocess
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file
from transformers import AutoImageProcessor, RegNetModel

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


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    if DATA:
        real_photos(folder)
    else:
        generated_photos(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, photos):
    """A data folder of a run that has trained a few steps on the photos."""
    data = tmp_path_factory.mktemp("run")
    swavd("swavd-crawl", "push", "--to", f"log://{data}/stream/images", photos)
    config = data / "swavd.toml"
    config.write_text(f"""
run = "interop"
data_dir = "{data}"
[model]
preset = "tiny"
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
    return data


@pytest.fixture(scope="module")
def pulled(tmp_path_factory, trained):
    folder = tmp_path_factory.mktemp("pulled") / "model"
    swavd("swavctl", "snapshots", "pull", trained, folder)
    return folder


def test_transformers_finds_every_weight_and_no_other(pulled):
    _, report = RegNetModel.from_pretrained(pulled, output_loading_info=True)
    for kind, names in report.items():
        assert not names, f"{kind}: {names}"


def test_weights_are_those_of_the_file(pulled):
    model = RegNetModel.from_pretrained(pulled)
    stored = load_file(pulled / "model.safetensors")
    own = model.state_dict()
    assert set(own) == set(stored)
    for name, tensor in own.items():
        assert np.array_equal(tensor.numpy(), stored[name]), name


def test_features_agree_with_embed_on_photographs(pulled, trained, photos,
                                                  tmp_path):
    out = tmp_path / "features.safetensors"
    swavd("swavd", "embed", "--snapshot", trained, "--images", photos,
          "--out", out)
    with safe_open(out, "np") as file:
        ours = file.get_tensor("features")
        names = json.loads(file.metadata()["paths"])
    assert names == sorted(names) and len(names) == len(ours) == PHOTOS

    processor = AutoImageProcessor.from_pretrained(pulled, backend="pil")
    model = RegNetModel.from_pretrained(pulled).eval()
    theirs = []
    with torch.no_grad():
        for name in names:
            with Image.open(photos / name) as picture:
                pixels = processor(picture.convert("RGB"), return_tensors="pt")
            theirs.append(model(**pixels).pooler_output.flatten().numpy())
    theirs = np.stack(theirs)
    worst = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"largest difference {worst:.2e} of the largest feature")
    assert worst <= 1e-4


def test_a_snapshot_is_plain_safetensors_without_pickle(trained, tmp_path):
    folder = tmp_path / "all"
    swavd("swavctl", "snapshots", "pull", trained, folder, "--with-state")
    files = sorted(p.name for p in folder.iterdir())
    assert files == ["config.json", "head.safetensors", "manifest.json",
                     "model.safetensors", "preprocessor_config.json",
                     "state.safetensors"]
    head = load_file(folder / "head.safetensors")
    assert head["prototypes.weight"].shape == (32, 128)
    state = load_file(folder / "state.safetensors")
    assert all(name.startswith("momentum.") for name in state)
