"""Exports open in the libraries whose names they carry, and a library's weights
are what a run begins with: RegNetY-400MF, which all of them have."""
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torchvision.models.regnet import BlockParams, RegNet
from transformers import AutoImageProcessor, RegNetConfig, RegNetModel

from runs import BIN, assert_close, embedded, opened, swavd

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPES = {
    "200MF": dict(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8),
    "400MF": dict(depth=16, w0=48, wa=27.89, wm=2.09, group_width=8),
    "800MF": dict(depth=14, w0=56, wa=38.84, wm=2.4, group_width=16),
    "8GF": dict(depth=17, w0=192, wa=76.82, wm=2.19, group_width=56),
}


def config_file(folder, shape):
    model = "\n".join(f"{key} = {value}" for key, value in SHAPES[shape].items())
    path = folder / "swavd.toml"
    path.write_text(f"""
data_dir = "{folder}/data"
[model]
preset = "tiny"
{model}
head_hidden = [16]
head_out = 8
[swav]
prototypes = 12
""")
    return path


def init(folder, shape, source=None):
    """A snapshot of step 0, begun with `source`."""
    out = folder / "snapshot"
    given = ["--set", f"model.init_from={source}"] if source else []
    swavd("swavd", "init", "--config", config_file(folder, shape), *given,
          "--out", out)
    return out


def export(snapshot, folder, layout, *more):
    out = folder / layout
    summary = json.loads(swavd("swavctl", "snapshots", "export", snapshot, out,
                               "--layout", layout, "--json", *more))
    return out, summary


def used(model):
    """The model after some batches: statistics that are not 0 and 1, and
    normalisations that are not the identity."""
    torch.manual_seed(7)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
        model.train()
        for _ in range(8):
            model(torch.randn(8, 3, 64, 64))
    return model.eval()


def torchvision_400mf():
    model = torchvision.models.regnet_y_400mf()
    model.fc = torch.nn.Identity()
    return model


def timm_400mf():
    return timm.create_model("regnety_004", num_classes=0)


class HuggingFace(torch.nn.Module):
    """RegNetModel with the pooled features alone as its output."""

    def __init__(self, config):
        super().__init__()
        self.regnet = RegNetModel(config)

    def forward(self, pixels):
        return self.regnet(pixels).pooler_output


def hf_400mf():
    return HuggingFace(RegNetConfig(
        depths=[1, 3, 6, 6], hidden_sizes=[48, 104, 208, 440], groups_width=8,
        layer_type="y", embedding_size=32))


def prepared(snapshot, photos, names):
    """The photographs as the snapshot's preprocessor_config.json wants them."""
    processor = AutoImageProcessor.from_pretrained(snapshot, backend="pil")
    return [processor(picture, return_tensors="pt")["pixel_values"]
            for picture in opened(photos, names)]


def features_and_pixels(snapshot, photos, folder):
    """(features by `swavd embed`, the prepared photographs)."""
    names, features = embedded(snapshot, photos, folder / "out.safetensors")
    return features, prepared(snapshot, photos, names)


def expect_same_features(model, truth):
    features, pixels = truth
    with torch.no_grad():
        assert_close(features,
                     np.stack([model(one).flatten().numpy() for one in pixels]))


def attempt(program, *arguments):
    """Runs a program that may fail."""
    return subprocess.run([BIN / program, *map(str, arguments)], check=False,
                          capture_output=True, text=True)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """(snapshot, torchvision's model it began with)."""
    folder = tmp_path_factory.mktemp("begun")
    model = used(torchvision_400mf())
    save_file(model.state_dict(), folder / "given.safetensors")
    return init(folder, "400MF", folder / "given.safetensors"), model


@pytest.fixture(scope="module")
def truth(begun, photos, tmp_path_factory):
    return features_and_pixels(begun[0], photos, tmp_path_factory.mktemp("truth"))


def test_begins_with_torchvisions_weights_and_computes_the_same(begun, truth):
    expect_same_features(begun[1], truth)


def test_export_loads_strictly_into_torchvision(begun, truth, tmp_path):
    folder, summary = export(begun[0], tmp_path, "torchvision")
    assert summary["architecture"] == "regnet_y_400mf"
    stored = load_file(folder / "model.safetensors")
    for name, tensor in begun[1].state_dict().items():
        assert torch.equal(stored[name], tensor), name
    model = torchvision_400mf()
    model.load_state_dict(stored, strict=True)
    expect_same_features(model.eval(), truth)


def test_export_opens_in_timm_from_its_folder(begun, truth, tmp_path):
    folder, summary = export(begun[0], tmp_path, "timm")
    assert summary["architecture"] == "regnety_004"
    model = timm.create_model(f"local-dir:{folder}", pretrained=True)
    stored = load_file(folder / "model.safetensors")
    assert set(stored) == set(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(stored[name], tensor), name
    expect_same_features(model.eval(), truth)


def test_timm_prepares_pictures_as_the_snapshot_says(begun, tmp_path):
    folder, _ = export(begun[0], tmp_path, "timm")
    model = timm.create_model(f"local-dir:{folder}", pretrained=True)
    data = timm.data.resolve_model_data_config(model)
    said = json.loads((begun[0] / "preprocessor_config.json").read_text())
    assert data["input_size"][1] == said["crop_size"]["height"]
    assert data["input_size"][1] / data["crop_pct"] == said["size"]["shortest_edge"]
    assert list(data["mean"]) == said["image_mean"]
    assert list(data["std"]) == said["image_std"]
    assert data["interpolation"] == "bilinear" and said["resample"] == 2


def test_export_opens_in_transformers(begun, truth, tmp_path):
    folder, _ = export(begun[0], tmp_path, "hf")
    model, report = RegNetModel.from_pretrained(folder, output_loading_info=True)
    for kind, names in report.items():
        assert not names, f"{kind}: {names}"
    model.eval()
    expect_same_features(lambda pixels: model(pixels).pooler_output, truth)


def vissl_name(name):
    """VISSL's name for torchvision's, from the modules both are made of."""
    name = re.sub(r"^stem\.", "_feature_blocks.conv1.stem.", name)
    name = re.sub(r"^trunk_output\.block(\d)\.",
                  lambda m: f"_feature_blocks.res{int(m[1]) + 1}.", name)
    for theirs, vissl in ((".proj.0.", ".proj."), (".proj.1.", ".bn."),
                          (".f.c.0.", ".f.c."), (".f.c.1.", ".f.final_bn."),
                          (".se.fc1.", ".se.excitation.0."),
                          (".se.fc2.", ".se.excitation.2.")):
        name = name.replace(theirs, vissl)
    return name


def test_export_carries_vissls_names(begun, tmp_path):
    folder, _ = export(begun[0], tmp_path, "vissl", "--with-head")
    stored = load_file(folder / "model.safetensors")
    own = begun[1].state_dict()
    assert set(stored) == {vissl_name(name) for name in own}
    for name, tensor in own.items():
        assert torch.equal(stored[vissl_name(name)], tensor), name
    head = load_file(folder / "head.safetensors")
    assert head["0.prototypes0.weight"].shape == (12, 8)
    assert head["0.projection_head.3.weight"].shape == (8, 16)


@pytest.mark.parametrize("make", [timm_400mf, hf_400mf])
def test_begins_with_a_librarys_weights(make, photos, tmp_path):
    model = used(make())
    save_file(model.state_dict(), tmp_path / "given.safetensors")
    snapshot = init(tmp_path, "400MF", tmp_path / "given.safetensors")
    expect_same_features(model, features_and_pixels(snapshot, photos, tmp_path))


def test_begins_with_a_sharded_folder_of_transformers(tmp_path):
    model = used(hf_400mf()).regnet
    model.save_pretrained(tmp_path / "given", max_shard_size="4MB")
    assert (tmp_path / "given" / "model.safetensors.index.json").exists()
    snapshot = init(tmp_path, "400MF", tmp_path / "given")
    stored = load_file(snapshot / "model.safetensors")
    for name, tensor in model.state_dict().items():
        assert torch.equal(stored[name], tensor), name
    origin = json.loads((snapshot / "manifest.json").read_text())["origin"]
    assert len(origin["files"]) > 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(dtype, tmp_path):
    given = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor
             for name, tensor in used(timm_400mf()).state_dict().items()}
    save_file(given, tmp_path / "given.safetensors")
    snapshot = init(tmp_path, "400MF", tmp_path / "given.safetensors")
    out, _ = export(snapshot, tmp_path, "timm")
    stored = load_file(out / "model.safetensors")
    for name, tensor in given.items():
        expected = tensor.float() if tensor.is_floating_point() else tensor
        assert torch.equal(stored[name], expected), name


def documented_python():
    """The code blocks of the page that tells how to convert a pickle."""
    page = (ROOT / "ops" / "docs" / "weights.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    return {"in": blocks[0], "out": blocks[1]}


def run_documented(code, folder):
    script = folder / "documented.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script], cwd=folder, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_documented_lines_convert_vissls_checkpoints_both_ways(begun, tmp_path):
    own = begun[1].state_dict()
    trunk = {vissl_name(name): tensor for name, tensor in own.items()}
    # As sharded training names them.
    trunk = {re.sub(r"(res\d)\.block(\d)-(\d+)", r"\1.block\2-part\3.block\2-\3",
                    name): tensor for name, tensor in trunk.items()}
    head = {"0.projection_head.0.weight": torch.randn(16, 440),
            "0.prototypes0.weight": torch.randn(12, 8)}
    torch.save({"phase_idx": 1, "classy_state_dict": {"base_model": {
        "model": {"trunk": trunk, "heads": head}, "meta": {}}}},
        tmp_path / "seer.torch")
    run_documented(documented_python()["in"], tmp_path)
    snapshot = init(tmp_path, "400MF", tmp_path / "seer.safetensors")
    exported, _ = export(snapshot, tmp_path, "torchvision")
    stored = load_file(exported / "model.safetensors")
    for name, tensor in own.items():
        assert torch.equal(stored[name], tensor), name

    export(snapshot, tmp_path, "vissl", "--with-head")
    run_documented(documented_python()["out"], tmp_path)
    again = torch.load(tmp_path / "swavd.torch", weights_only=True)
    model = again["classy_state_dict"]["base_model"]["model"]
    for name, tensor in own.items():
        assert torch.equal(model["trunk"][vissl_name(name)], tensor), name
    assert model["heads"]["0.prototypes0.weight"].shape == (12, 8)


def test_shapes_without_a_name_are_built_from_the_files_own_numbers(photos,
                                                                    tmp_path):
    snapshot = init(tmp_path, "200MF")
    folder, summary = export(snapshot, tmp_path, "torchvision")
    assert summary["architecture"] is None and "BlockParams" in summary["note"]
    with safe_open(folder / "model.safetensors", "pt") as file:
        said = file.metadata()
    depths, widths = json.loads(said["depths"]), json.loads(said["widths"])
    stages = len(depths)
    model = RegNet(BlockParams(depths, widths, [int(said["group_width"])] * stages,
                               [1.0] * stages, [2] * stages, 0.25))
    model.fc = torch.nn.Identity()
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    model.eval()
    expect_same_features(model, features_and_pixels(snapshot, photos, tmp_path))


@pytest.mark.parametrize("shape, name", [("800MF", "regnet_y_800mf"),
                                         ("8GF", "regnet_y_8gf")])
def test_torchvisions_deviating_models_are_refused_both_ways(shape, name,
                                                             tmp_path):
    given = tmp_path / "given.safetensors"
    save_file(getattr(torchvision.models, name)().state_dict(), given)
    done = attempt("swavd", "init", "--config", config_file(tmp_path, shape),
                   "--set", f"model.init_from={given}", "--out", tmp_path / "snapshot")
    assert done.returncode == 78, done.stderr
    assert "torchvision rounds widths" in done.stderr
    snapshot = init(tmp_path, shape)
    done = attempt("swavctl", "snapshots", "export", snapshot, tmp_path / "out",
                   "--layout", "torchvision")
    assert done.returncode == 64 and name in done.stderr, done.stderr
    # timm has the same widths as we.
    folder, summary = export(snapshot, tmp_path, "timm")
    model = timm.create_model(f"local-dir:{folder}", pretrained=True)
    assert set(model.state_dict()) == set(load_file(folder / "model.safetensors"))
    assert summary["architecture"] in ("regnety_008", "regnety_080")
