#!/usr/bin/env python3
"""standins.py SITE_PACKAGES: lets torch load without 2 GB of CUDA libraries.

The torch wheel is built for CUDA, and its libraries refuse to load unless
cuBLAS, cuDNN and the rest can be found. The interop tests run on the CPU only,
so each library that is missing is replaced by an empty one of the same name and
with the symbol versions that the loader asks for. A call into one would
fail; calls are resolved lazily (see the .pth file that this writes) and, with
every GPU hidden, never happen. Not for a Python that is to use a GPU.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

# Python runs a .pth file's import line at start, before any `import torch`.
PTH = ("import os, sys; sys.setdlopenflags(os.RTLD_LAZY); "
       "os.environ['CUDA_VISIBLE_DEVICES'] = ''\n")
NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
VERSION_FILE = re.compile(r"Version: \d+\s+File: (\S+)")
VERSION_NAME = re.compile(r"Name: (\S+)\s+Flags:")


def readelf(option, library):
    return subprocess.run(["readelf", "--wide", option, library], check=True,
                          capture_output=True, text=True).stdout.splitlines()


def needed_by(first):
    """{name of each library that loading `first` asks for: the symbol versions
    asked of it}, through all libraries beside `first`."""
    needs, todo, seen = {}, [first], set()
    while todo:
        library = todo.pop()
        if library in seen or not library.exists():
            continue
        seen.add(library)
        for line in readelf("--dynamic", library):
            if match := NEEDED.search(line):
                needs.setdefault(match[1], set())
                todo.append(first.parent / match[1])
        current = None
        for line in readelf("--version-info", library):
            if match := VERSION_FILE.search(line):
                current = match[1]
            elif current and (match := VERSION_NAME.search(line)):
                needs.setdefault(current, set()).add(match[1])
    return needs


def installed_names(site):
    names = {path.name for path in site.rglob("*.so*")}
    listing = subprocess.run(["/sbin/ldconfig", "--print-cache"], check=True,
                             capture_output=True, text=True).stdout
    return names | {line.split()[0] for line in listing.splitlines()[1:] if line}


def build(target, versions, folder):
    source, script = folder / "empty.c", folder / "versions.map"
    source.write_text("")
    script.write_text("".join(f"{v} {{ global: *; }};\n" for v in sorted(versions)))
    command = ["gcc", "-shared", "-nostdlib", "-fPIC",
               f"-Wl,-soname,{target.name}", "-o", target, source]
    if versions:
        command.append(f"-Wl,--version-script={script}")
    subprocess.run(command, check=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    site = pathlib.Path(sys.argv[1])
    # Where torch's own libraries look first for CUDA.
    target = site / "nvidia" / "cu13" / "lib"
    needs = needed_by(site / "torch" / "lib" / "libtorch_python.so")
    missing = sorted(set(needs) - installed_names(site))
    with tempfile.TemporaryDirectory() as scratch:
        for name in missing:
            build(target / name, needs[name], pathlib.Path(scratch))
    (site / "swavd_cpu_only.pth").write_text(PTH)
    print(f"{len(missing)} stand-ins: {' '.join(missing)}")


if __name__ == "__main__":
    main()
