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
import signal
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kafka_wire  # noqa: E402
import service  # noqa: E402
from service import Failure  # noqa: E402

JARS = service.DEPS / "kafka"
READY_SECONDS = 60

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


class Broker(service.Service):
    name = "broker"

    def __init__(self, folder):
        super().__init__(folder, "broker")
        self.properties = self.folder / "server.properties"

    def mark(self):
        return os.fsencode(self.properties)


def java(*arguments):
    if not (JARS / "STAMP").exists():
        raise Failure(f"no Kafka in {JARS}; run: ops/setup/setup test")
    return ["java", "-cp", f"{JARS}/*", *arguments]


def wait_ready(broker, process, port):
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure("Kafka ended while starting:\n" + broker.last_lines())
        try:
            if kafka_wire.metadata(port)[0] == [1]:
                return
        except OSError:
            pass
        # Not an event that can be awaited: another process opens its port.
        time.sleep(0.05)
    process.kill()
    raise Failure(f"Kafka was not ready after {READY_SECONDS} s:\n"
                  + broker.last_lines())


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


def start(broker, options):
    if broker.record.exists():
        raise Failure(f"{broker.folder} has a broker already; use restart")
    java()  # an absent Kafka is reported before anything is written
    broker.folder.mkdir(parents=True, exist_ok=True)
    port, controller = service.free_ports(2)
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
        service.watch_owner(broker, options.owner)
    launch(broker, port, options.owner)


def restart(broker, _options):
    record = broker.read_record()
    if broker.running_pid() is not None:
        broker.end(signal.SIGTERM)
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
    **service.CONTROLS,
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
