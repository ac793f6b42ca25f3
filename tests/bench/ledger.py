"""What swavd's ledger says of a snapshot, recomputed from its positions alone.

A record counts under its address TOPIC/PARTITION/OFFSET: the first 8 bytes of
the address's SHA-256, little endian, are added up (modulo 2^64).
"""
import hashlib
import json
import subprocess
import sys

from programs import BIN


def manifest(ref):
    """The manifest of the newest snapshot of `ref`, as `swavctl` shows it."""
    shown = subprocess.run([BIN / "swavctl", "snapshots", "show", ref, "--json"],
                           check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(shown)


def account(snapshot, topic):
    """{"lost", "twice", "images"}: how far the ledger's count is from that of the
    positions. Ends the program when the hashes differ."""
    count, total = 0, 0
    for position in snapshot["positions"]:
        ranges = [(position["start"], position["next"] - 1), *position["done_above"]]
        for first, last in ranges:
            for offset in range(first, last + 1):
                address = f"{topic}/{position['partition']}/{offset}".encode()
                total += int.from_bytes(hashlib.sha256(address).digest()[:8], "little")
            count += last - first + 1
    ledger = snapshot["ledger"]
    if f"{total % 2**64:016x}" != ledger["hash"]:
        sys.exit(f"swavd: the ledger is not that of its positions: {ledger}")
    difference = count - ledger["count"]
    return {"lost": max(0, difference), "twice": max(0, -difference), "images": count}
