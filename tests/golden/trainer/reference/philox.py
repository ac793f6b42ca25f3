"""Philox 4x32-10 (Salmon et al., SC'11) and the streams swavd draws from it.

A stream is named: its key is the first 8 bytes, little-endian, of SHA-256 over
"<seed>/<name>". Its n-th block of four words comes of the counter n.
"""
import hashlib
import math

import numpy as np

WORD = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def stream_key(seed, name):
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def words(key, blocks):
    """The first `blocks` blocks: [blocks, 4] words as uint64."""
    index = np.arange(blocks, dtype=np.uint64)
    zero = np.zeros_like(index)
    c0, c1, c2, c3 = index & WORD, index >> HALF, zero, zero
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        first = np.uint64(0xD2511F53) * c0
        second = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = ((second >> HALF) ^ c1 ^ np.uint64(k0), second & WORD,
                          (first >> HALF) ^ c3 ^ np.uint64(k1), first & WORD)
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1)


def unit(high, low):
    """Two words to a number in [0, 1) of 53 bits."""
    return ((high >> np.uint64(5)).astype(np.float64) * 2.0 ** 26
            + (low >> np.uint64(6)).astype(np.float64)) / 2.0 ** 53


def uniform(seed, name, count):
    """`count` numbers in [0, 1), two words each."""
    pairs = words(stream_key(seed, name), (count + 1) // 2).reshape(-1, 2)
    return unit(pairs[:, 0], pairs[:, 1])[:count]


def normal(seed, name, count):
    """`count` standard normal numbers, four words each (Box and Muller)."""
    w = words(stream_key(seed, name), count)
    radius = np.sqrt(-2.0 * np.log(1.0 - unit(w[:, 0], w[:, 1])))
    return radius * np.cos(2.0 * math.pi * unit(w[:, 2], w[:, 3]))
