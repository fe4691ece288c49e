"""A small RESP2 client: enough to drive a server and to see exactly what it answered.

Blocking, one thread at a time. Its own code rather than a package, so that the tests need nothing
but Python, and so that a lost connection in the middle of a pipeline tells how many replies came.
"""

import socket


class RespError(Exception):
    """An error reply; the text begins with its code, e.g. `ERR syntax error`."""


class Disconnected(Exception):
    """The connection ended. `replies`: those of the pipeline that arrived before."""

    def __init__(self, replies):
        super().__init__(f"connection lost after {len(replies)} replies")
        self.replies = replies


class Client:
    def __init__(self, host, port, password=None, timeout=30.0):
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = self._socket.makefile("rb", buffering=1 << 16)
        if password:
            self.call("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self._input.close()
        self._socket.close()

    def call(self, *words):
        """One command; returns its reply, raises RespError for an error reply."""
        reply = self.pipeline([words])[0]
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, commands):
        """All commands in one write; returns their replies, error replies among them."""
        replies = []
        try:
            self._socket.sendall(b"".join(encode(words) for words in commands))
            for _ in commands:
                replies.append(self._read())
        except (OSError, EOFError) as reason:
            raise Disconnected(replies) from reason
        return replies

    def _line(self):
        line = self._input.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        return line[:-2]

    def _bytes(self, size):
        data = self._input.read(size + 2)
        if len(data) < size + 2:
            raise EOFError
        return data[:-2]

    def _read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RespError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._bytes(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        raise EOFError(f"not RESP2: {line!r}")


def encode(words):
    """The bytes of one command; words are bytes, text or numbers."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)
