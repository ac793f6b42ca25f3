"""Just enough of the Kafka protocol to ask a test broker for its topics.

Two requests in their oldest non-flexible versions that Kafka 4 still answers:
Metadata v1 and CreateTopics v4. Everything else is left to real clients.
"""
import socket
import struct

_METADATA, _CREATE_TOPICS = 3, 19
# https://kafka.apache.org/protocol, table of error codes.
TOPIC_EXISTS = 36


class _Reader:
    def __init__(self, data):
        self._data, self._at = data, 0

    def take(self, layout):
        (value,) = struct.unpack_from(">" + layout, self._data, self._at)
        self._at += struct.calcsize(">" + layout)
        return value

    def string(self):
        size = self.take("h")
        if size < 0:
            return None
        self._at += size
        return self._data[self._at - size:self._at].decode()

    def array(self, read):
        return [read() for _ in range(self.take("i"))]


def _string(text):
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def _receive(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise OSError("the broker closed the connection")
        data += piece
    return data


def _call(port, key, version, body, timeout):
    header = struct.pack(">hhi", key, version, 1) + _string("swavd-tests")
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(struct.pack(">i", len(header + body)) + header + body)
        (size,) = struct.unpack(">i", _receive(connection, 4))
        reply = _Reader(_receive(connection, size))
    reply.take("i")  # the correlation id
    return reply


def metadata(port, timeout=2.0):
    """Returns (ids of the live brokers, {topic: [leader of each partition]})."""
    reply = _call(port, _METADATA, 1, struct.pack(">i", -1), timeout)

    def broker():
        node = reply.take("i")
        reply.string(), reply.take("i"), reply.string()
        return node

    def partition():
        reply.take("h")
        index, leader = reply.take("i"), reply.take("i")
        reply.array(lambda: reply.take("i"))
        reply.array(lambda: reply.take("i"))
        return index, leader

    def topic():
        reply.take("h")
        name = reply.string()
        reply.take("b")
        return name, [lead for _, lead in sorted(reply.array(partition))]

    brokers = reply.array(broker)
    reply.take("i")  # the controller
    return brokers, dict(reply.array(topic))


def create_topic(port, name, partitions, config, timeout=10.0):
    """Returns (error code, message); 0 is success, TOPIC_EXISTS means as named."""
    body = struct.pack(">i", 1) + _string(name)
    body += struct.pack(">ihi", partitions, 1, 0)
    body += struct.pack(">i", len(config))
    for key, value in config.items():
        body += _string(key) + _string(value)
    body += struct.pack(">i?", int(timeout * 1000), False)
    reply = _call(port, _CREATE_TOPICS, 4, body, timeout)
    reply.take("i")  # throttle
    reply.take("i")  # one topic
    reply.string()
    return reply.take("h"), reply.string()
