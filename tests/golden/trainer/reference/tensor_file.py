"""Safetensors files: a length, a JSON header, bytes."""
import json
import struct

import numpy as np

TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "U64": "<u8"}


def read(path):
    """Arrays by name, as they are stored."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + at for at in entry["data_offsets"])
            flat = np.frombuffer(content[begin:end], TYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def write(path, tensors):
    """Floats as F32, integers as I64; the latter first, so that each tensor
    begins at a multiple of its element's size."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(tensors, key=lambda n: tensors[n].dtype.kind == "f"):
        is_float = tensors[name].dtype.kind == "f"
        begin = len(data)
        data += tensors[name].astype("<f4" if is_float else "<i8").tobytes()
        header[name] = {"dtype": "F32" if is_float else "I64",
                        "shape": list(tensors[name].shape),
                        "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
