#!/usr/bin/env python3
"""Fail when a fragment in ops/changelog.d/ says nothing."""
import sys

import tree


def main():
    fragments = [p for p in tree.files() if p.startswith("ops/changelog.d/")]
    empty = [p for p in fragments if not (tree.ROOT / p).read_text().strip()]
    for path in empty:
        print(f"{path}: empty; say in a sentence what a user will notice")
    print(f"check_changelog: {len(fragments)} fragments, {len(empty)} failures")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
