#!/usr/bin/env python3
"""unpack_wheels.py SET DEST WHEEL...: what C++ needs of torch and CUDA wheels.

SET is `cpu` (build and run on the CPU) or `cuda` (also compile the GPU
plug-in). torch/ and nvidia/ stay side by side below DEST: the libraries find
each other relative to their own place.
"""
import os
import pathlib
import shutil
import sys
import zipfile

CPU = (
    "torch/include/",
    "torch/lib/libc10.so",
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libgomp.so.1",
    # libtorch_cpu.so links to these two even where there is no GPU.
    "nvidia/cu13/lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13",
)
CUDA = CPU + (
    "torch/lib/libc10_cuda.so",
    "torch/lib/libtorch_cuda.so",
    "torch/lib/libtorch_cuda_linalg.so",
    "torch/lib/libtorch_nvshmem.so",
    "torch/lib/libcaffe2_nvrtc.so",
    "nvidia/",
)
KEEP = {"cpu": CPU, "cuda": CUDA}
LICENCES = ("LICENSE", "License", "NOTICE")
# Links that compilers look for and wheels cannot carry.
LINKS = {
    "nvidia/cu13/lib64": "lib",
    "nvidia/cu13/lib/libcudart.so": "libcudart.so.13",
    "nvidia/nccl/lib/libnccl.so": "libnccl.so.2",
}


def wanted(name, keep):
    """True for a member that is kept: a listed file, or below a listed folder."""
    if ".dist-info/" in name:
        return name.rsplit("/", 1)[1].startswith(LICENCES)
    return any(name == k or (k.endswith("/") and name.startswith(k))
               for k in keep)


def unpack(wheel, dest, keep):
    count = size = 0
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir() or not wanted(member.filename, keep):
                continue
            target = dest / member.filename
            if ".." in pathlib.PurePosixPath(member.filename).parts:
                sys.exit(f"{wheel}: refusing the path {member.filename}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            # zipfile forgets the run bits, which nvcc and its helpers need.
            executable = (member.external_attr >> 16) & 0o111
            target.chmod(0o755 if executable else 0o644)
            count += 1
            size += member.file_size
    print(f"{os.path.basename(wheel)}: {count} files, {size >> 20} MB")


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in KEEP:
        sys.exit(__doc__)
    keep, dest = KEEP[sys.argv[1]], pathlib.Path(sys.argv[2])
    for wheel in sys.argv[3:]:
        unpack(wheel, dest, keep)
    for link, target in LINKS.items():
        if sys.argv[1] == "cuda" and (dest / link).parent.is_dir():
            (dest / link).symlink_to(target)
    missing = [k for k in keep if not (dest / k).exists()]
    if missing:
        sys.exit("the wheels lack " + ", ".join(missing))


if __name__ == "__main__":
    main()
