#!/usr/bin/env python3
"""Fail when a reference page differs from what the program prints about itself,
or when the example config does not validate.

The pages are generated: after a change of a config key or a metric run
  build/bin/swavctl docs config  > ops/docs/config.md
  build/bin/swavctl docs metrics > ops/docs/metrics.md
Exit status 77 (skipped) when the program has not been built.
"""
import difflib
import subprocess
import sys

import tree

BIN = tree.ROOT / "build" / "bin"
PAGES = ("config", "metrics")
EXAMPLE = "ops/deploy/swavd.toml"


def difference(page):
    """The unified diff between page and program; empty when they agree."""
    path = tree.ROOT / "ops" / "docs" / f"{page}.md"
    done = subprocess.run([BIN / "swavctl", "docs", page], capture_output=True,
                          text=True, check=False)
    if done.returncode or not done.stdout:
        return [f"swavctl docs {page} exited {done.returncode}: {done.stderr}"]
    if not path.exists():
        return [f"{path.relative_to(tree.ROOT)} does not exist"]
    return list(difflib.unified_diff(
        path.read_text().splitlines(), done.stdout.splitlines(),
        f"ops/docs/{page}.md", f"swavctl docs {page}", lineterm="", n=1))


def example_is_valid():
    done = subprocess.run(
        [BIN / "swavd", "validate", "--no-environment", "--config",
         tree.ROOT / EXAMPLE], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{EXAMPLE}: swavd validate exited {done.returncode}\n"
              + done.stdout + done.stderr)
    return done.returncode == 0


def main():
    for program in ("swavctl", "swavd"):
        if not (BIN / program).exists():
            print(f"check_docs: SKIPPED, no build/bin/{program} (make build)")
            return 77
    failures = 0 if example_is_valid() else 1
    for page in PAGES:
        lines = difference(page)
        failures += bool(lines)
        for line in lines[:20]:
            print(f"  {line}")
        if lines:
            print(f"ops/docs/{page}.md is out of step; run: "
                  f"build/bin/swavctl docs {page} > ops/docs/{page}.md")
    print(f"check_docs: {len(PAGES)} pages and {EXAMPLE}, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
