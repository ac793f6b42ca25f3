"""Where the programs are, and a real broker for benchmarks."""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = ROOT / "build" / "bin"
DEPS = pathlib.Path(os.environ.get("SWAVD_DEPS", ROOT / ".deps"))


def kafka(command, folder, *more):
    """Runs tests/services/kafka.py; gives the JSON it prints, if any."""
    answer = subprocess.run(
        [sys.executable, ROOT / "tests/services/kafka.py", command, "--dir", folder, *more],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(answer) if answer.startswith("{") else None
