#!/usr/bin/env python3
"""A real S3 server for tests, on 127.0.0.1 only: SeaweedFS, or what
$SWAVD_S3_SERVER names (seaweedfs, versitygw).

  s3.py start --dir D --bucket B [--owner PID]
  s3.py kill --dir D      kill -9, as a crash would
  s3.py restart --dir D   the same data on the same ports again
  s3.py freeze --dir D    the process stops answering (SIGSTOP)
  s3.py thaw --dir D
  s3.py stop --dir D      clean stop; D stays, to look at or to restart

`start` and `restart` return when the server answers for the bucket, leave it
running and print {"endpoint": "http://127.0.0.1:PORT", "access_key": K,
"secret_key": S, "pid": N}. Everything lives below D: data/, keys.json,
server.log, server.json. With --owner the server is killed as soon as that
process is gone, so that a crashed test leaves nothing behind.

Exit status: 0 done, 1 it did not work (the reason is on stderr), 2 usage.
"""
import argparse
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import service  # noqa: E402
from service import Failure  # noqa: E402

READY_SECONDS = 60
# SeaweedFS's parts talk by gRPC on their port plus this.
GRPC_OFFSET = 10000


class Server(service.Service):
    name = "S3 server"

    def __init__(self, folder):
        super().__init__(folder, "server")
        self.data = self.folder / "data"
        self.keys = self.folder / "keys.json"

    def mark(self):
        return os.fsencode(self.data)


class SeaweedFs:
    """Four parts in one process; buckets are folders of its filer."""

    name, program, setup = "SeaweedFS", "seaweedfs/weed", "test"

    @staticmethod
    def ports():
        parts = ("master", "volume", "filer", "s3")
        return dict(zip(parts, service.free_ports(len(parts), twin=GRPC_OFFSET)))

    @staticmethod
    def prepare(server, record):
        server.keys.write_text(json.dumps({"identities": [{
            "name": "test", "actions": ["Admin"],
            "credentials": [{"accessKey": record["access_key"],
                             "secretKey": record["secret_key"]}]}]}))

    @staticmethod
    def command(server, record):
        ports = record["ports"]
        return [
            "-logtostderr", "server", "-dir", str(server.data),
            "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1",
            "-master.port", str(ports["master"]), "-master.telemetry=false",
            "-master.volumeSizeLimitMB", "256", "-volume.max", "64",
            "-volume.port", str(ports["volume"]),
            "-filer", "-filer.port", str(ports["filer"]),
            "-filer.localSocket", str(server.folder / "filer.sock"),
            "-s3", "-s3.port", str(ports["s3"]), "-s3.config", str(server.keys),
            "-s3.localSocket", str(server.folder / "s3.sock"),
            "-s3.port.iceberg", "0", "-s3.port.lance", "0", "-s3.iam=false"]

    @staticmethod
    def is_ready(record):
        """The bucket is there, and a volume can be had to put something on."""
        ports, bucket = record["ports"], record["bucket"]
        local = "http://127.0.0.1"
        return (status_of(f"{local}:{ports['filer']}/buckets/{bucket}/", "POST")
                in (201, 409)
                and status_of(f"{local}:{ports['master']}/dir/assign") == 200)


class VersityGw:
    """A gateway to a folder, whose folders are the buckets."""

    name, program, setup = "versitygw", "versitygw/versitygw", "versitygw"

    @staticmethod
    def ports():
        return {"s3": service.free_ports(1)[0]}

    @staticmethod
    def prepare(server, record):
        (server.data / record["bucket"]).mkdir()

    @staticmethod
    def command(server, record):
        return ["--port", f"127.0.0.1:{record['ports']['s3']}", "--quiet",
                "posix", str(server.data)]

    @staticmethod
    def is_ready(_record):
        return True


KINDS = {"seaweedfs": SeaweedFs, "versitygw": VersityGw}


def program_of(kind):
    path = service.DEPS / kind.program
    if not (path.parent / "STAMP").exists():
        raise Failure(f"no S3 server in {path.parent}; run: ops/setup/setup {kind.setup}")
    return str(path)


def status_of(url, method="GET"):
    """The HTTP status; None when nobody answers."""
    try:
        with urllib.request.urlopen(
                urllib.request.Request(url, method=method), timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def wait_ready(server, process, record):
    """Until the gate of the bucket wants a signature, and it is ready behind it."""
    kind = KINDS[record["kind"]]
    gate = f"http://127.0.0.1:{record['ports']['s3']}/{record['bucket']}/"
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(f"{kind.name} ended while starting:\n" + server.last_lines())
        if status_of(gate) == 403 and kind.is_ready(record):
            return
        # Not an event that can be awaited: another process opens its port.
        time.sleep(0.05)
    process.kill()
    raise Failure(f"{kind.name} was not ready after {READY_SECONDS} s:\n"
                  + server.last_lines())


def launch(server, record):
    kind = KINDS[record["kind"]]
    keys = {"ROOT_ACCESS_KEY": record["access_key"],  # versitygw's way to get them
            "ROOT_SECRET_KEY": record["secret_key"]}
    with open(server.log, "ab") as log:
        process = subprocess.Popen(
            [program_of(kind), *kind.command(server, record)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=server.folder, start_new_session=True, env={**os.environ, **keys})
    server.write_record(**{**record, "pid": process.pid})
    wait_ready(server, process, record)
    print(json.dumps({"endpoint": f"http://127.0.0.1:{record['ports']['s3']}",
                      "access_key": record["access_key"],
                      "secret_key": record["secret_key"],
                      "pid": process.pid}), flush=True)


def start(server, options):
    if server.record.exists():
        raise Failure(f"{server.folder} has a server already; use restart")
    name = os.environ.get("SWAVD_S3_SERVER") or "seaweedfs"
    if name not in KINDS:
        raise Failure(f"SWAVD_S3_SERVER is {name!r}, not one of {', '.join(KINDS)}")
    kind = KINDS[name]
    program_of(kind)  # an absent server is reported before anything is written
    server.data.mkdir(parents=True, exist_ok=True)
    record = {"kind": name, "bucket": options.bucket, "owner": options.owner,
              "access_key": "TEST" + secrets.token_hex(8).upper(),
              "secret_key": secrets.token_urlsafe(30), "ports": kind.ports()}
    kind.prepare(server, record)
    if options.owner:
        service.watch_owner(server, options.owner)
    launch(server, record)


def restart(server, _options):
    record = server.read_record()
    if server.running_pid() is not None:
        server.end(signal.SIGTERM)
    launch(server, record)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = commands.add_parser(name)
        command.add_argument("--dir", required=True)
        if name == "start":
            command.add_argument("--bucket", required=True)
            command.add_argument("--owner", type=int)
    return parser.parse_args()


COMMANDS = {"start": start, "restart": restart, **service.CONTROLS}


def main():
    options = parse()
    try:
        COMMANDS[options.command](Server(options.dir), options)
    except (Failure, OSError) as error:
        print(f"s3.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
