#!/usr/bin/env python3
"""Fail on words that have no place in the repository.

Paths of one particular machine, hosts of package registries (apt, pip and the
rest are used as the user has set them up), and how the tree was written rather
than what it is. The patterns are written so that they do not match themselves.
"""
import re
import sys

import tree

FORBIDDEN = {
    "a path of one machine": [
        r"(?<![\w.])[/](work|root)[/]", r"(?<![\w.])[/]home[/][a-z]",
        r"[/]tmp[/]bash_",
    ],
    "a registry host": [
        r"pypi[.]org", r"pythonhosted[.]", r"repo1?[.]maven", r"crates[.]io",
        r"(deb|security|snapshot)[.]debian[.]org", r"npmjs[.]", r"registry[.]npm",
        r"proxy[.]golang", r"download[.]pytorch", r"ghcr[.]io", r"docker[.]io",
    ],
    "how the tree was written": [
        r"(?i)\bclaud[e]\b", r"(?i)\banthropi[c]\b", r"(?i)\bchat-?gp[t]\b",
        r"(?i)\bcopilo[t]\b", r"(?i)\bas an A[I]\b", r"(?i)\bA[I]-(generated|written)",
        r"(?i)\blanguage mode[l]\b", r"(?i)\bsub-?agent[s]?\b", r"\bCE[O]\b",
        r"(?i)co-authored-b[y]",
        r"(?i)\b(issue|ticket|fixes|closes|PR)s? ?#\d",
        # A TLS or Kafka session is named as such, and is none of these.
        r"(?i)\b(this|last|next|earlier|previous|another|work(ing)?|coding) sessio[n]\b(?![.])",
    ],
    "unfinished": [r"\bTOD[O]\b", r"\bFIXM[E]\b", r"\bXX[X]\b", r"\bHAC[K]\b"],
}
PATTERNS = [(what, re.compile(pattern))
            for what, patterns in FORBIDDEN.items() for pattern in patterns]


def findings(path):
    data = (tree.ROOT / path).read_bytes()
    if b"\0" in data:
        return
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        for what, pattern in PATTERNS:
            if match := pattern.search(line):
                yield number, what, match[0]


def main():
    failures = 0
    paths = tree.files()
    for path in paths:
        for number, what, text in findings(path):
            print(f"{path}:{number}: {what}: {text}")
            failures += 1
    print(f"check_words: {len(paths)} files, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
