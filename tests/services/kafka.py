#!/usr/bin/env python3
"""A real one-node Apache Kafka broker for tests, on 127.0.0.1 only.

  kafka.py start --dir D [--partitions N] [--property K=V ...] [--owner PID]
  kafka.py create-topic --dir D --topic T [--partitions N] [--config K=V ...]
  kafka.py kill --dir D       kill -9, as a crash would
  kafka.py restart --dir D    the same data on the same ports again
  kafka.py freeze --dir D     the process stops answering (SIGSTOP)
  kafka.py thaw --dir D
  kafka.py stop --dir D       clean stop; D stays, to look at or to restart

`start` and `restart` return when the broker answers, leave it running and print
{"bootstrap": "127.0.0.1:PORT", "pid": N}. Everything lives below D: server.properties,
data/, broker.log, broker.json. A topic that is written to without having been
created gets --partitions partitions (default 1). With --owner the broker is killed
as soon as that process is gone, so that a crashed test leaves nothing behind.

Exit status: 0 done, 1 it did not work (the reason is on stderr), 2 usage.
"""
import argparse
import base64
import json
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kafka_wire  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
JARS = pathlib.Path(os.environ.get("SWAVD_DEPS", ROOT / ".deps")) / "kafka"
READY_SECONDS = 60
STOP_SECONDS = 30

# The short broker session makes a restart after kill -9 take 3 s, not 12; the
# start-offset checkpoint keeps deleted records deleted across kill -9.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
num.partitions={partitions}
auto.create.topics.enable=true
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
log.initial.task.delay.ms=1000
log.flush.start.offset.checkpoint.interval.ms=200
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=250
controlled.shutdown.enable=false
"""
LOGGING = """\
status=error
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
logger.server.name=kafka.server
logger.server.level=INFO
"""


class Failure(Exception):
    """Something a person has to read; printed without a traceback."""


class Broker:
    """The broker whose files are below `folder`, running or not."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.properties = self.folder / "server.properties"
        self.log = self.folder / "broker.log"
        self.record = self.folder / "broker.json"

    def read_record(self):
        try:
            return json.loads(self.record.read_text())
        except FileNotFoundError:
            raise Failure(f"no broker was started in {self.folder}") from None

    def write_record(self, **fields):
        scratch = self.record.with_suffix(".new")
        scratch.write_text(json.dumps(fields))
        scratch.rename(self.record)

    def running_pid(self):
        """The pid, or None; never the pid of a stranger that got the number."""
        pid = self.read_record()["pid"]
        if pid is None:
            return None
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return None
        return pid if os.fsencode(self.properties) in command else None

    def require_pid(self):
        pid = self.running_pid()
        if pid is None:
            raise Failure(f"the broker of {self.folder} is not running")
        return pid


def free_ports(count):
    """Ports that nobody listens on, below the range that outgoing connections
    draw from: a client that keeps dialling a dead broker there can be given
    the broker's own port, and then the broker cannot come back."""
    low = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    top = max(int(low.split()[0]), 12000)
    ports = []
    for port in random.SystemRandom().sample(range(10000, top), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise Failure("no free port found on 127.0.0.1")


def java(*arguments):
    if not (JARS / "STAMP").exists():
        raise Failure(f"no Kafka in {JARS}; run: ops/setup/setup test")
    return ["java", "-cp", f"{JARS}/*", *arguments]


def last_lines(path, count=20):
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])


def wait_ready(broker, process, port):
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure("Kafka ended while starting:\n" + last_lines(broker.log))
        try:
            if kafka_wire.metadata(port)[0] == [1]:
                return
        except OSError:
            pass
        # Not an event that can be awaited: another process opens its port.
        time.sleep(0.05)
    process.kill()
    raise Failure(f"Kafka was not ready after {READY_SECONDS} s:\n"
                  + last_lines(broker.log))


def launch(broker, port, owner):
    with open(broker.log, "ab") as log:
        process = subprocess.Popen(
            java("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC",
                 "-XX:TieredStopAtLevel=1", "-XX:MaxDirectMemorySize=256m",
                 f"-Dlog4j2.configurationFile={broker.folder}/log4j2.properties",
                 "kafka.Kafka", str(broker.properties)),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=broker.folder, start_new_session=True)
    broker.write_record(pid=process.pid, port=port, owner=owner)
    wait_ready(broker, process, port)
    print(json.dumps({"bootstrap": f"127.0.0.1:{port}", "pid": process.pid}),
          flush=True)


def watch_owner(broker, owner):
    """Leaves a process behind that kills the broker when `owner` is gone."""
    try:
        descriptor = os.pidfd_open(owner)
    except OSError as error:
        raise Failure(f"--owner {owner}: {error.strerror}") from None
    if os.fork():
        os.close(descriptor)
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    select.select([descriptor], [], [])
    try:
        pid = broker.running_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    except (Failure, OSError):
        pass
    os._exit(0)


def start(broker, options):
    if broker.record.exists():
        raise Failure(f"{broker.folder} has a broker already; use restart")
    java()  # an absent Kafka is reported before anything is written
    broker.folder.mkdir(parents=True, exist_ok=True)
    port, controller = free_ports(2)
    text = PROPERTIES.format(port=port, controller=controller,
                             data=broker.folder / "data",
                             partitions=options.partitions)
    # Of two lines with one key Java takes the last.
    text += "".join(f"{line}\n" for line in options.property)
    broker.properties.write_text(text)
    (broker.folder / "log4j2.properties").write_text(LOGGING)
    # "r": an identifier may begin with "-", which the tool takes for an option.
    cluster = "r" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    done = subprocess.run(
        java("-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format",
             "-t", cluster, "-c", str(broker.properties)),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure("formatting failed:\n" + done.stdout + done.stderr)
    if options.owner:
        watch_owner(broker, options.owner)
    launch(broker, port, options.owner)


def await_end(pid, seconds):
    """True when the process is gone; it is somebody else's child, so no wait()."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def end(broker, number):
    record, pid = broker.read_record(), broker.require_pid()
    os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)  # a frozen process cannot act on SIGTERM
    if not await_end(pid, STOP_SECONDS):
        raise Failure(f"pid {pid} did not end within {STOP_SECONDS} s:\n"
                      + last_lines(broker.log))
    broker.write_record(**{**record, "pid": None})


def restart(broker, _options):
    record = broker.read_record()
    if broker.running_pid() is not None:
        end(broker, signal.SIGTERM)
    launch(broker, record["port"], record["owner"])


def create_topic(broker, options):
    broker.require_pid()
    port = broker.read_record()["port"]
    config = dict(item.split("=", 1) for item in options.config)
    code, message = kafka_wire.create_topic(
        port, options.topic, options.partitions, config)
    if code:
        raise Failure(f"create-topic {options.topic}: {message} (code {code})")
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        leaders = kafka_wire.metadata(port)[1].get(options.topic, [])
        if leaders == [1] * options.partitions:
            return
        time.sleep(0.02)
    raise Failure(f"topic {options.topic} has no leaders: {leaders}")


COMMANDS = {
    "start": start,
    "restart": restart,
    "create-topic": create_topic,
    "kill": lambda broker, _: end(broker, signal.SIGKILL),
    "stop": lambda broker, _: end(broker, signal.SIGTERM),
    "freeze": lambda broker, _: os.kill(broker.require_pid(), signal.SIGSTOP),
    "thaw": lambda broker, _: os.kill(broker.require_pid(), signal.SIGCONT),
}


def key_value(text):
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return text


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = commands.add_parser(name)
        command.add_argument("--dir", required=True)
        if name in ("start", "create-topic"):
            command.add_argument("--partitions", type=int, default=1)
        if name == "start":
            command.add_argument("--property", type=key_value, action="append",
                                 default=[])
            command.add_argument("--owner", type=int)
        if name == "create-topic":
            command.add_argument("--topic", required=True)
            command.add_argument("--config", type=key_value, action="append",
                                 default=[])
    return parser.parse_args()


def main():
    options = parse()
    try:
        COMMANDS[options.command](Broker(options.dir), options)
    except (Failure, OSError) as error:
        print(f"kafka.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
