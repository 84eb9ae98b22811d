"""What a Metanode processor needs in Python: grpcio, and the published link.proto. Nothing else.

    processor = Processor("greeter")

    @processor.handles("greet.person")
    def greet(data, call):
        return f"Hello, {data['name']}"

    processor.serve()

A processor dials its node over a unix socket, says what it handles, and then both sides exchange batches of frames on
one stream. The rules stand in link.proto; the numbers in the comments below are theirs.
"""

import heapq
import json
import os
import platform
import queue
import sys
import threading
import time
import traceback
import uuid
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path

import grpc

_OCTETS = "application/octet-stream"
_MAX_BATCH_BYTES = 64 * 1024 * 1024
_BATCH_FRAMES = 128
_UNARY, _STREAM, _CAST, _SEND = range(4)


def _proto_folder():
    """Where link.proto lies: METANODE_PROTO, this repository, or an installed @metanode/core."""
    here = Path(__file__).resolve().parent
    candidates = [Path(os.environ["METANODE_PROTO"])] if "METANODE_PROTO" in os.environ else []
    for folder in (here, *here.parents):
        candidates += [folder / "packages/core/proto", folder / "node_modules/@metanode/core/proto"]
    for candidate in candidates:
        if (candidate / "metanode/v1/link.proto").is_file():
            return str(candidate)
    raise FileNotFoundError("metanode/v1/link.proto was not found; set METANODE_PROTO to the folder that holds it")


sys.path.insert(0, _proto_folder())
# Made from the proto as it is loaded: no generated file can fall behind it.
link, services = grpc.protos_and_services("metanode/v1/link.proto")


class Failure(Exception):
    """An error with a stable code, `area.what`. Raise it to fail a call with that code."""

    def __init__(self, code, message, retryable=False, details=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.details = details


class Processor:
    """Handlers by type, served to the node that started this process."""

    def __init__(self, name, concurrency=32):
        """`concurrency` is how many messages are taken at a time; each has a thread of its own."""
        self.name = name
        self.concurrency = concurrency
        self.types = {}

    def handles(self, type_name, version="1", schema=None, output=None, streaming=False, ordered=False, description=""):
        """Registers a handler `f(data, call)`. A streaming one is a generator. `schema` and `output` are JSON Schemas."""

        def register(handler):
            declaration = link.TypeDeclaration(
                type=type_name,
                version=version,
                description=description,
                input_schema=json.dumps(schema) if schema is not None else "",
                output_schema=json.dumps(output) if output is not None else "",
                streaming=streaming,
                ordered=ordered,
            )
            self.types[(type_name, version)] = (handler, declaration)
            return handler

        return register

    def serve(self):
        """Serves until the node ends the link, and then ends this process: with 0 after an orderly end, else with 1."""
        status = 1
        try:
            status = _Link(self).run()
        except grpc.RpcError as error:
            print(f"{self.name}: the link ended: {error.details()}", file=sys.stderr)
        except Exception:  # told before the process ends below, whatever threads still run
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        # At once, for a handler that will not end must not keep an orphan alive.
        os._exit(status)


class Call:
    """One message under way: its envelope, its time, and the way back to the node."""

    def __init__(self, the_link, number, request):
        self._link = the_link
        self._number = number
        self._withdrawn = threading.Event()
        self._credit = threading.Condition()
        self._window = request.window
        self._mode = request.mode
        self._awaited = []
        #: The whole envelope, as in link.proto.
        self.message = request.message
        #: 1 for the first delivery of this message, more for a repeated one.
        self.attempt = request.attempt or 1
        #: In seconds of time.monotonic(); None where the caller set no limit.
        self.deadline = time.monotonic() + request.timeout_ms / 1000 if request.timeout_ms else None

    @property
    def withdrawn(self):
        """Whether nobody waits for the answer any more: cancelled, out of time, or the node is gone."""
        return self._withdrawn.is_set()

    def sleep(self, seconds):
        """Waits; raises Failure as soon as the call is withdrawn."""
        if self._withdrawn.wait(seconds):
            raise Failure("call.cancelled", "the call was withdrawn")

    def time_left(self):
        """Seconds until the deadline; None where there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def call(self, type_name, data=None, timeout=None):
        """Sends a message through the node and waits for the answer, within what is left of this call's own time."""
        return self._link.ask(self, type_name, data, timeout, _UNARY)

    def cast(self, type_name, data=None):
        """One way, at most once; returns when the node has taken it."""
        self._link.ask(self, type_name, data, None, _CAST)

    def send(self, type_name, data=None):
        """One way, at least once; returns when it is stored durably."""
        self._link.ask(self, type_name, data, None, _SEND)

    def _await(self, answer):
        """An answer that is waited for ends with this call."""
        with self._credit:
            self._awaited.append(answer)
        if self.withdrawn:
            answer.cancel()

    def _withdraw(self):
        self._withdrawn.set()
        with self._credit:
            self._credit.notify_all()
            awaited = list(self._awaited)
        for answer in awaited:
            answer.cancel()

    def _add_credit(self, items):
        with self._credit:
            self._window += items
            self._credit.notify_all()

    def _take_credit(self):
        """Waits until an item may be sent (rule 3). False when the call is over."""
        with self._credit:
            while self._window == 0 and not self.withdrawn:
                self._credit.wait()
            self._window -= 1
            return not self.withdrawn


class _Deadlines:
    """One thread for the deadlines of all calls."""

    def __init__(self, on_due):
        self._on_due = on_due
        self._heap = []
        self._news = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, call):
        with self._news:
            heapq.heappush(self._heap, (call.deadline, call._number, call))
            self._news.notify()

    def _run(self):
        while True:
            with self._news:
                while not self._heap or self._heap[0][0] > time.monotonic():
                    self._news.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
                call = heapq.heappop(self._heap)[2]
            self._on_due(call)


class _Link:
    """Frames in and out over one stream."""

    def __init__(self, processor):
        self._processor = processor
        self._outgoing = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._calls = {}  # what the node asks, by number
        self._asked = {}  # what we ask the node, by number
        self._last_number = 0
        self._credit = None
        self._draining = False
        self._workers = ThreadPoolExecutor(max_workers=processor.concurrency)
        self._deadlines = _Deadlines(self._expire)

    def run(self):
        options = [("grpc.max_receive_message_length", _MAX_BATCH_BYTES), ("grpc.max_send_message_length", -1)]
        channel = grpc.insecure_channel(_from_environment("METANODE_ADDRESS"), options=options)
        self._outgoing.put(link.Frame(hello=self._hello()))
        for batch in services.LinkStub(channel).Attach(self._batches()):
            for frame in batch.frames:
                self._receive(frame)
        return 0

    def _hello(self):
        hello = link.Hello(
            version_min=1,
            version_max=1,
            secret=_from_environment("METANODE_SECRET"),
            name=os.environ.get("METANODE_PROCESSOR", self._processor.name),
            types=[declaration for _, declaration in self._processor.types.values()],
            concurrency=self._processor.concurrency,
            runtime=f"python {platform.python_version()}",
            pid=os.getpid(),
        )
        del os.environ["METANODE_SECRET"]  # programs that handlers start need not know
        return hello

    def _batches(self):
        """What waits goes out as one batch."""
        while True:
            frames = [self._outgoing.get()]
            while len(frames) < _BATCH_FRAMES:
                try:
                    frames.append(self._outgoing.get_nowait())
                except queue.Empty:
                    break
            yield link.Batch(frames=frames)

    def _send(self, **frame):
        self._outgoing.put(link.Frame(**frame))

    def _receive(self, frame):
        body = frame.WhichOneof("body")
        if body == "request":
            self._begin(frame.call, frame.request)
        elif body in ("reply", "failure"):
            self._answered(frame.call, frame)
        elif body == "cancel":
            code = "call.deadline" if frame.cancel.reason == "deadline" else "call.cancelled"
            self._give_up(self._calls.get(frame.call), code, "the caller withdrew the call")
        elif body == "credit":
            call = self._calls.get(frame.call)
            if call is not None:
                call._add_credit(frame.credit.items)
        elif body == "ping":
            self._send(call=frame.call, pong=link.Ping())
        elif body == "welcome":
            self._credit = threading.Semaphore(frame.welcome.concurrency)
        elif body == "drain":
            with self._lock:
                self._draining = True
                is_idle = not self._calls
            if is_idle:
                self._send(drained=link.Drain())
        # Anything else is of a later version, and is passed over.

    def _begin(self, number, request):
        call = Call(self, number, request)
        with self._lock:
            self._calls[number] = call
        if call.deadline is not None:
            self._deadlines.add(call)
        self._workers.submit(self._handle, call)

    def _handle(self, call):
        if call.withdrawn:
            return
        try:
            reply = self._answer(call)
        except Failure as error:
            self._fail(call, error)
        except Exception as error:  # a handler's own: the caller is told, and the process lives on
            self._fail(call, Failure("processor.failed", str(error) or type(error).__name__), traceback.format_exc())
        else:
            self._end(call, reply=reply)

    def _answer(self, call):
        message = call.message
        version = message.typeversion or "1"
        handler, declaration = self._processor.types.get((message.type, version), (None, None))
        if handler is None:
            raise Failure("message.unknown_type", f"this processor does not handle {message.type} version {version}")
        answer = handler(_decode(message), call)
        if not declaration.streaming:
            if call._mode == _STREAM:
                raise Failure("call.unsupported", f"{message.type} answers with one value, not with a stream")
            return _encode(answer)
        for item in answer:
            if not call._take_credit():
                answer.close()  # runs the generator's finally blocks
                break
            self._item(call, _encode(item))
        return link.Reply()

    def _item(self, call, item):
        with self._lock:  # so that no item can follow the end of its call
            if self._calls.get(call._number) is call:
                self._send(call=call._number, item=item)

    def _fail(self, call, error, stack=""):
        details = json.dumps(error.details) if error.details is not None else ""
        failure = link.Failure(
            code=error.code, message=str(error), retryable=error.retryable, details=details, stack=stack
        )
        self._end(call, failure=failure)

    def _end(self, call, **body):
        """Ends a call exactly once (rule 1): whoever comes later finds it gone."""
        with self._lock:
            if self._calls.get(call._number) is not call:
                return
            del self._calls[call._number]
            self._send(call=call._number, **body)
            if self._draining and not self._calls:
                self._send(drained=link.Drain())
        call._withdraw()

    def _give_up(self, call, code, text):
        if call is not None:
            self._end(call, failure=link.Failure(code=code, message=text))

    def _expire(self, call):
        self._give_up(call, "call.deadline", "the deadline of the call has passed")

    def ask(self, call, type_name, data, timeout, mode):
        times = [one for one in (timeout, call.time_left()) if one is not None]
        limit = min(times) if times else None
        answer = Future()
        with self._credit:  # rule 2
            with self._lock:
                self._last_number = self._last_number % 0xFFFFFFFF + 1
                number = self._last_number
                self._asked[number] = answer
            message = self._message_of(call, type_name, data)
            timeout_ms = 0 if limit is None else max(1, int(limit * 1000))
            self._send(call=number, request=link.Call(message=message, timeout_ms=timeout_ms, mode=mode, attempt=1))
            call._await(answer)
            try:
                return answer.result(limit)
            except FutureTimeout:
                error = Failure("call.deadline", "the node did not answer in time", retryable=True)
            except CancelledError:
                error = Failure("call.cancelled", "the call that this one belongs to was withdrawn")
            self._send(call=number, cancel=link.Cancel(reason=error.code.split(".")[1]))
            raise error

    def _message_of(self, call, type_name, data):
        """Of the same trace as the message that is being handled, and with its hops."""
        reply = _encode(data)
        return link.Message(
            id=str(uuid.uuid4()),
            source=f"/processors/{self._processor.name}",
            type=type_name,
            datacontenttype=reply.datacontenttype,
            data=reply.data,
            traceparent=call.message.traceparent,
            tracestate=call.message.tracestate,
            hops=call.message.hops + 1,
        )

    def _answered(self, number, frame):
        with self._lock:
            answer = self._asked.pop(number, None)
        if answer is None:
            return
        try:
            if frame.WhichOneof("body") == "failure":
                failure = frame.failure
                answer.set_exception(Failure(failure.code, failure.message, failure.retryable))
            else:
                answer.set_result(_decode(frame.reply))
        except Failure as error:
            answer.set_exception(error)
        except InvalidStateError:
            pass  # it was withdrawn meanwhile, and nobody waits for it


def _decode(body):
    """The payload of a message or a reply: a JSON value, text, or bytes. None where there is no data."""
    kind = body.datacontenttype.split(";")[0].strip().lower()
    is_json = kind in ("", "application/json", "text/json") or kind.endswith("+json")
    if not body.HasField("data") or (is_json and not body.data):
        return None
    try:
        if is_json:
            return json.loads(body.data.decode("utf-8"))
        return body.data.decode("utf-8") if kind.startswith("text/") else body.data
    except ValueError as error:
        raise Failure("message.invalid", f"the payload is not what its content type says: {error}") from error


def _encode(value):
    if isinstance(value, (bytes, bytearray)):
        return link.Reply(data=bytes(value), datacontenttype=_OCTETS)
    return link.Reply(data=json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8"))


def _from_environment(key):
    value = os.environ.get(key)
    if value is None:
        raise RuntimeError(f"{key} is not set: a processor is started by a node, or by `metanode processor check`")
    return value
