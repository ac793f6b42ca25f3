"""Training steps agree with the float64 implementation in
tests/golden/trainer/reference, which needs NumPy alone."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

BIN = pathlib.Path(os.environ["SWAVD_BIN_DIR"])
REFERENCE = (pathlib.Path(__file__).parent.parent
             / "golden" / "trainer" / "reference")


def run(*words):
    done = subprocess.run(list(map(str, words)), check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def script(name, *words):
    return run(sys.executable, REFERENCE / name, *words)


def take_step(before, after, crops):
    """Steps and compares; False, nothing said, when a ReLU came so near its
    kink that float32 and float64 may be on two sides of it."""
    printed = run(BIN / "swavd", "replay-step", "--snapshot", before,
                  "--crops", crops, "--out", after)
    done = subprocess.run(
        [sys.executable, REFERENCE / "check_step.py", "step", before, after,
         crops], check=False, capture_output=True, text=True)
    print(done.stdout, done.stderr)
    margin = re.search("nearest .*: (.*) deviations", done.stdout)
    if float(margin[1]) < 2e-6:
        return False
    assert done.returncode == 0, done.stdout
    ours, theirs = json.loads(printed), json.loads(done.stdout.split("\n")[0])
    assert ours.keys() == theirs.keys()
    for figure, value in theirs.items():
        assert ours[figure] == pytest.approx(value, rel=2e-5), figure
    return True


def test_the_golden_files_are_what_the_script_makes():
    script("make_steps.py", "--check")


@pytest.mark.parametrize("batch_norm", ["true", "false"])
def test_a_step_of_a_trained_snapshot_agrees(tmp_path, batch_norm):
    """Not from the first values: momenta, statistics and biases are at work."""
    run(BIN / "swavd", "init", "--out", tmp_path / "0",
        "--config", REFERENCE.parent / "steps" / "two-stages.toml",
        "--set", f"model.head_batch_norm={batch_norm}",
        "--set", "swav.freeze_prototypes_steps=2",
        "--set", "optimizer.weight_decay=1e-3")
    crops, seed = tmp_path / "crops.safetensors", 0
    for step in range(4):
        compared = False
        while not compared:
            seed += 1
            assert seed < 100
            script("check_step.py", "crops", crops, "--seed", seed,
                   "--sizes", 24, 24, 16)
            compared = take_step(tmp_path / str(step), tmp_path / str(step + 1),
                                 crops)
