#!/usr/bin/env python3
"""Fail when the include graph breaks the layering rules of the architecture page.

Rules, all on the text of #include lines (no compiler needed, < 1 s):
  L1 a file may include only its own module and the modules it is allowed;
  L2 across modules only depth-1 headers (`trainer/trainer.h`), never
     `trainer/nn/regnet.h`: sub-folders are private;
  L3 public headers (depth 1) include no third-party header;
  L4 third-party headers appear only where they are granted;
  L5 umbrella headers are banned everywhere;
  L6 the allowed-dependency table itself is acyclic;
usage: check_layers.py [ROOT]
"""
import pathlib
import re
import sys

import tree

# module -> modules it may include. Longest prefix wins.
ALLOWED = {
    "ops/base": set(),
    "metrics": {"ops/base"},
    "scheduler": {"ops/base"},
    "state": {"ops/base", "metrics"},
    "ingest": {"ops/base", "metrics"},
    "dedup_free_loader": {"ops/base", "metrics", "ingest"},
    "trainer": {"ops/base", "metrics", "dedup_free_loader", "state"},
    "ops/service": {"ops/base", "metrics", "scheduler", "state", "ingest"},
    "ops/daemon": {"ops/base", "ops/service", "metrics", "scheduler", "state",
                   "ingest", "dedup_free_loader", "trainer"},
    "ops/bin": {"ops/base", "ops/service", "ops/daemon", "metrics", "scheduler",
                "state", "ingest", "dedup_free_loader", "trainer"},
}
TESTS = "tests"
# third-party prefix -> path prefixes that may include it.
GRANTS = {
    r"(torch|ATen|c10|gloo)/": ("trainer/", "tests/trainer/", "tests/bench/"),
    r"(cuda|cublas|cudnn|nccl|curand|nvrtc)": ("trainer/cuda/",),
    r"librdkafka/": ("ingest/kafka/", "tests/ingest/"),
    r"rocksdb/": ("state/rocks/", "ingest/log/", "ingest/crawl/",
                 "ops/base/rocks_log.cpp"),
    r"curl/": ("state/s3/", "ingest/crawl/", "ops/service/admin/", "tests/"),
    r"openssl/": ("ops/base/sha256.cpp", "tests/"),
    r"systemd/": ("ops/service/lifecycle/",),
    r"(archive|zlib)": ("ingest/files/", "tests/odd_files/"),
    r"gumbo": ("ingest/crawl/",),
    r"prometheus/": ("metrics/prom/", "tests/metrics/"),
    r"(turbojpeg|jpeglib|spng|gif_lib|tiffio|lcms2|avif/|webp/)":
        ("dedup_free_loader/decode/", "tests/e2e/", "tests/odd_files/"),
    r"hwy/": ("dedup_free_loader/render/",),
    r"(toml\+\+|CLI)/": ("ops/service/config/", "ops/bin/"),
    r"httplib": ("ops/service/http/", "tests/"),
    r"nlohmann/": ("ops/service/", "ops/daemon/", "ops/bin/", "state/",
                   "ingest/", "tests/"),
    r"spdlog/": ("ops/base/log.cpp",),
    r"fmt/": ("",),
    r"(gtest|gmock|benchmark)/": ("tests/",),
}
BANNED = {"torch/torch.h", "torch/all.h", "torch/nn.h", "torch/optim.h",
          "torch/extension.h", "torch/script.h", "torch/data.h",
          "torch/python.h", "bits/stdc++.h", "iostream"}
POSIX = re.compile(r"(sys|linux|netinet|arpa)/|[a-z_0-9]+\.h$")
STD = re.compile(r"[a-z_0-9]+$")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
SUFFIXES = (".h", ".cuh", ".cpp", ".cu")


def module_of(path):
    """Longest module prefix of a repository-relative path, or None."""
    hits = [m for m in ALLOWED if path == m or path.startswith(m + "/")]
    if path.startswith(TESTS + "/"):
        return TESTS
    return max(hits, key=len) if hits else None


def is_public(path, module):
    """True for a header directly in the module's folder; programs have none."""
    rest = path[len(module) + 1:]
    return (path.endswith(".h") and "/" not in rest
            and module != "ops/bin")


def find_cycle():
    """Return a list of modules forming a cycle in ALLOWED, or None."""
    done, stack = set(), []

    def visit(node):
        if node in stack:
            return stack[stack.index(node):] + [node]
        if node in done:
            return None
        stack.append(node)
        for dep in sorted(ALLOWED[node]):
            cycle = visit(dep)
            if cycle:
                return cycle
        stack.pop()
        done.add(node)
        return None

    for name in ALLOWED:
        cycle = visit(name)
        if cycle:
            return cycle
    return None


def check_project(path, module, target):
    owner = module_of(target)
    if owner is None:
        return f"L1 includes {target}, which belongs to no module"
    if module == TESTS or owner == module:
        return None
    if owner not in ALLOWED[module]:
        return f"L1 {module} may not include {owner} ({target})"
    if not is_public(target, owner):
        return f"L2 {target} is private to {owner}"
    return None


def check_third_party(path, module, target):
    if target in BANNED:
        return f"L5 <{target}> is banned"
    if STD.match(target):
        return None
    for pattern, places in GRANTS.items():
        if re.match(pattern, target):
            if not path.startswith(places):
                return f"L4 <{target}> is not granted here"
            if module != TESTS and is_public(path, module):
                return f"L3 public header includes <{target}>"
            return None
    if POSIX.match(target):
        return None
    return f"L4 <{target}> is granted nowhere: add it to GRANTS"


def check_file(root, path):
    module = module_of(path)
    lines = (root / path).read_text(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, target = match.groups()
        project = module_of(target) is not None
        check = check_project if project or bracket == '"' else check_third_party
        message = check(path, module, target)
        if message:
            yield number, message


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT
    failures = 0
    cycle = find_cycle()
    if cycle:
        print("L6 cycle in ALLOWED: " + " -> ".join(cycle))
        failures += 1
    files = tree.files(*SUFFIXES, root=root)
    for path in files:
        if module_of(path) is None:
            continue
        for number, message in check_file(root, path):
            print(f"{path}:{number}: {message}")
            failures += 1
    print(f"check_layers: {len(files)} files, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
