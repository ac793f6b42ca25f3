"""Snapshots of the other trunks open in transformers, timm and torchvision, and
give swavd's features there."""
import json

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file
from timm.data import create_transform, resolve_model_data_config
from transformers import AutoModel, CLIPImageProcessorPil

from runs import assert_close, embedded, opened, pull, train

RESNET = 'trunk = "resnet"\nstage_depths = [1, 2, 1, 1]\n'
TRANSFORMERS = {
    "regnet_x": 'trunk = "regnet_x"\n',
    "resnet": RESNET,
    "resnet of basic blocks": RESNET + 'block = "basic"\n',
    "resnet w2": RESNET + 'block = "basic"\nwiden = 2\n',
}
TIMM = {
    "resnext": RESNET + "groups = 8\nwidth_per_group = 8\n",
    "wide inside": RESNET + "width_per_group = 32\n",
}
SMALL_PICTURES = (
    'trunk = "resnet"\nblock = "basic"\nstage_depths = [2, 2, 2, 2]\n'
    'stem = "cifar"\n')


# Photos resized to this short side, and cut to it.
SIDE = 64


class Run:
    """A run of two steps, its snapshot pulled, and the photos embedded."""

    def __init__(self, folder, photos, model):
        data = folder / "run"
        data.mkdir()
        train(data, photos, model)
        self.pulled = pull(data, folder / "model")
        self.names, self.features = embedded(
            data, photos, folder / "features.safetensors")
        self.config = json.loads((self.pulled / "config.json").read_text())
        self.weights = load_file(self.pulled / "model.safetensors")
        # By its class: AutoImageProcessor follows a config.json of timm's.
        processor = CLIPImageProcessorPil.from_pretrained(self.pulled)
        self.pictures = list(opened(photos, self.names))
        self.views = [processor(picture, return_tensors="pt").pixel_values
                      for picture in self.pictures]


def features(model, views):
    """What `model` makes of the views: its pooled output, [photos, features]."""
    with torch.no_grad():
        rows = [model(view) for view in views]
    return np.stack([row.flatten().numpy() for row in rows])


def assert_same_weights(model, stored):
    own = model.state_dict()
    assert set(own) == set(stored)
    for name, tensor in own.items():
        assert torch.equal(tensor, stored[name]), name


@pytest.mark.parametrize("model", TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_transformers_opens_it_with_equal_features(model, photos, tmp_path):
    run = Run(tmp_path, photos, model)
    opened_model, report = AutoModel.from_pretrained(
        run.pulled, output_loading_info=True)
    for kind, names in report.items():
        assert not names, f"{kind}: {names}"
    assert_same_weights(opened_model, run.weights)
    opened_model.eval()
    assert_close(run.features, features(
        lambda view: opened_model(view).pooler_output, run.views))


@pytest.mark.parametrize("model", TIMM.values(), ids=TIMM)
def test_timm_opens_it_with_equal_features(model, photos, tmp_path):
    run = Run(tmp_path, photos, model)
    assert run.config["tensor_names"] == "timm"
    opened_model = timm.create_model(f"local-dir:{run.pulled}", pretrained=True)
    assert_same_weights(opened_model, run.weights)
    assert_close(run.features, features(opened_model.eval(), run.views))
    assert_timm_makes_the_same_views(opened_model, run)


def assert_timm_makes_the_same_views(model, run):
    """What timm reads out of the snapshot for preprocessing gives the same
    views, but for a pixel: half a pixel it rounds to even, others down."""
    transform = create_transform(
        **resolve_model_data_config(model), is_training=False)
    compared = 0
    for picture, view in zip(run.pictures, run.views, strict=True):
        margin = SIDE * max(picture.size) // min(picture.size) - SIDE
        theirs = transform(picture).unsqueeze(0)
        assert theirs.shape == view.shape == (1, 3, SIDE, SIDE)
        if margin % 4 != 3:
            compared += 1
            assert (theirs - view).abs().max() <= 1e-5, (picture.size, margin)
    assert compared > len(run.pictures) // 2


def with_the_small_stem(model):
    model.conv1 = torch.nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
    model.maxpool = torch.nn.Identity()
    model.fc = torch.nn.Identity()
    return model


def test_a_stem_for_small_pictures_is_put_in_by_hand(photos, tmp_path):
    run = Run(tmp_path, photos, SMALL_PICTURES)
    assert run.config["stem"] == (
        "Conv2d(3, 64, 3, stride=1, padding=1, bias=False), no pooling")
    for library in (torchvision.models.resnet18(),
                    timm.create_model("resnet18", num_classes=0)):
        model = with_the_small_stem(library)
        model.load_state_dict(run.weights)
        assert_close(run.features, features(model.eval(), run.views))
    # Nobody gets wrong features by overlooking it.
    with pytest.raises(RuntimeError, match="conv1.weight"):
        timm.create_model(f"local-dir:{run.pulled}", pretrained=True)
