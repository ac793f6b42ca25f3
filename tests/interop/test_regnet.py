"""A pulled snapshot opens in transformers, and its features are swavd's."""
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoImageProcessor, RegNetModel

from runs import assert_close, embedded, opened, pull, swavd, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory, photos):
    data = tmp_path_factory.mktemp("run")
    train(data, photos, "")
    return data


@pytest.fixture(scope="module")
def pulled(tmp_path_factory, trained):
    return pull(trained, tmp_path_factory.mktemp("pulled") / "model")


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
    names, ours = embedded(trained, photos, tmp_path / "features.safetensors")
    processor = AutoImageProcessor.from_pretrained(pulled, backend="pil")
    model = RegNetModel.from_pretrained(pulled).eval()
    theirs = []
    with torch.no_grad():
        for picture in opened(photos, names):
            pixels = processor(picture, return_tensors="pt")
            theirs.append(model(**pixels).pooler_output.flatten().numpy())
    assert_close(ours, np.stack(theirs))


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
