"""Programs in Python that run as stages of Metanode's graphs (the protocol of docs/stream-protocol.md). Standard library only.

    from metanode_action import serve_action

    def handle(data):            # bytes in
        return data.upper()      # bytes or text, a list of outputs (also dicts, which become JSON), or None

    serve_action(handle)

A raised exception is a nack: the input comes again as often as the graph allows. ``Refused`` is final.
"""

import json
import struct
import sys
import threading

VERSION = 1
_ENGINE = {1: "hello", 2: "record", 3: "end", 4: "commit"}
_lock = threading.Lock()


class Refused(Exception):
    """The input cannot be handled, and trying again would not help."""


def _bytes(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def _outputs(value):
    """The outputs in what a handler returned: bytes, a text and a dict are one output, not their parts."""
    if value is None:
        return []
    if isinstance(value, (bytes, bytearray, memoryview, str, dict)):
        return [_bytes(value)]
    return [_bytes(one) for one in value]


def _write(kind, *parts):
    body = b"".join(parts)
    with _lock:  # heartbeats come from another thread
        sys.stdout.buffer.write(struct.pack(">IB", len(body) + 1, kind) + body)
        sys.stdout.buffer.flush()


def _read_exactly(count):
    data = sys.stdin.buffer.read(count)
    return data if len(data) == count else None


def _frames():
    """What the engine says, until it says no more."""
    while True:
        head = _read_exactly(4)
        if head is None:
            return
        body = _read_exactly(struct.unpack(">I", head)[0])
        if not body:
            return
        yield _ENGINE.get(body[0], "unknown"), body[1:]


def _hello(**more):
    _write(1, json.dumps({"protocol": "metanode", "version": VERSION, **more}).encode())


def heartbeat():
    """Says that the program is still at work on what it has: call it during long work on one input."""
    _write(5)


def serve_action(handle, window=1):
    """Answers inputs, one at a time, until there are no more. ``window``: inputs that may wait in the pipe."""
    _hello(window=window)
    for kind, body in _frames():
        if kind == "end":
            return
        if kind != "record":
            continue
        sequence = body[:8]
        try:
            outputs = _outputs(handle(body[8:]))
        except Exception as error:  # whatever it is, the engine decides what becomes of the input
            _write(4, sequence, bytes([0 if isinstance(error, Refused) else 1]), str(error).encode())
            continue
        for one in outputs:
            _write(2, sequence, one)
        _write(3, sequence)


def serve_source(read, on_commit=None):
    """Gives what ``read(position)`` yields: pairs of a record and the position behind it. ``position`` is None at the very beginning."""
    _hello()
    frames = _frames()
    position = None
    for kind, body in frames:
        if kind == "hello":
            position = json.loads(body).get("position")
            break

    def listen():
        for kind, body in frames:
            if kind == "commit" and on_commit is not None:
                on_commit(body.decode())

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    for record, behind in read(position):
        place = str(behind).encode()
        _write(6, struct.pack(">H", len(place)), place, _bytes(record))
    _write(7)
    listener.join()  # the engine closes the input when it has stored everything
