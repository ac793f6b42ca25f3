"""What the services that tests start have in common: one process with all its
files below one folder, a record of it there, ports, and an end that is sure."""
import fcntl
import json
import os
import pathlib
import random
import select
import signal
import socket
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("SWAVD_DEPS", ROOT / ".deps"))
STOP_SECONDS = 30
_reservations = []  # the open file whose byte N stands for port N


class Failure(Exception):
    """Something a person has to read; printed without a traceback."""


class Service:
    """The service whose files are below `folder`, running or not."""

    name = "service"

    def __init__(self, folder, stem):
        self.folder = pathlib.Path(folder).resolve()
        self.log = self.folder / f"{stem}.log"
        self.record = self.folder / f"{stem}.json"

    def mark(self):
        """Bytes that the command line of this very process holds."""
        raise NotImplementedError

    def read_record(self):
        try:
            return json.loads(self.record.read_text())
        except FileNotFoundError:
            raise Failure(f"no {self.name} was started in {self.folder}") from None

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
        return pid if self.mark() in command else None

    def require_pid(self):
        pid = self.running_pid()
        if pid is None:
            raise Failure(f"the {self.name} of {self.folder} is not running")
        return pid

    def last_lines(self, count=20):
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-count:])

    def end(self, number):
        """Sends the signal and waits until the process is gone."""
        record, pid = self.read_record(), self.require_pid()
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)  # a frozen process cannot act on SIGTERM
        if not await_end(pid, STOP_SECONDS):
            raise Failure(f"pid {pid} did not end within {STOP_SECONDS} s:\n"
                          + self.last_lines())
        self.write_record(**{**record, "pid": None})


CONTROLS = {
    "kill": lambda service, _: service.end(signal.SIGKILL),
    "stop": lambda service, _: service.end(signal.SIGTERM),
    "freeze": lambda service, _: os.kill(service.require_pid(), signal.SIGSTOP),
    "thaw": lambda service, _: os.kill(service.require_pid(), signal.SIGCONT),
}


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reserve(port):
    """False when somebody listens there, or another process of this user has
    reserved it. A reservation lasts as long as this process: until its service
    listens, for services take a second or two to get there."""
    path = pathlib.Path(tempfile.gettempdir()) / f"swavd-test-ports-{os.getuid()}"
    if not _reservations:
        _reservations.append(open(path, "a"))
    try:
        fcntl.lockf(_reservations[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return is_free(port)


def free_ports(count, twin=0):
    """Ports that are reserved for this process, and so is each plus `twin`; all
    below the range that outgoing connections draw from: a client that keeps
    dialling a dead service there can be given the service's own port, and then
    it cannot come back."""
    low = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    top = max(int(low.split()[0]), 12000 + twin) - twin
    ports = []
    for port in random.SystemRandom().sample(range(10000, top), 200):
        if reserve(port) and (not twin or reserve(port + twin)):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise Failure("no free port found on 127.0.0.1")


def watch_owner(service, owner):
    """Leaves a process behind that kills the service when `owner` is gone."""
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
        pid = service.running_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    except (Failure, OSError):
        pass
    os._exit(0)


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
