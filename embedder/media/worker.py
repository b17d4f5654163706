"""The worker process of the reader pool: asks standard input for paths, answers with segments, touches no network.

Run by `sandbox.ReaderPool` as `python -m embedder.media.worker`; it ends when its parent does.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from data.errors import MediaError, UnreadableMediaError
from data.records import Kind, Span
from embedder.media import cut, open_source, read_source, still, wire
from embedder.media.limits import Limits, too_much_memory
from embedder.media.memory import give_back
from embedder.media.source import SMALLER

_LOOK_AHEAD = 1  # messages waiting to be sent, beside the one on its way
_ALIVE_EVERY_S = 1.0
_VIRTUAL_EXTRA_BYTES = 400_000_000  # libraries reserve this much more than they use
_MAX_FILE_BYTES = 256_000_000
_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto", "socket.bind")


def main() -> None:
    """Serve one parent until it closes standard input."""
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print must not get between the messages
    limits = wire.to_limits(json.loads(requests.readline()))
    _confine(limits)
    incoming: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(requests, incoming), daemon=True).start()
    outgoing = _Outgoing(answers)
    outgoing.put(wire.packed({"say": "ready"}))
    while True:
        request = json.loads(incoming.get())
        path = Path(os.fsdecode(bytes.fromhex(request["path"])))
        if request["do"] == "read":
            _read(path, limits, outgoing)
        else:
            _piece(path, request, limits, outgoing)
        give_back()


class _Outgoing:
    """Sends messages from a thread of its own, so that decoding goes on while the parent is busy."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._waiting: queue.Queue[list[bytes]] = queue.Queue(_LOOK_AHEAD)
        self._last_s = time.monotonic()
        self.blocked_s = 0.0  # time the decoder spent waiting for the parent
        threading.Thread(target=self._send, daemon=True).start()

    def put(self, message: list[bytes]) -> None:
        begun = time.monotonic()
        self._waiting.put(message)
        self._last_s = time.monotonic()
        self.blocked_s += self._last_s - begun

    def alive(self) -> None:
        if time.monotonic() - self._last_s > _ALIVE_EVERY_S:
            self.put(wire.packed({"say": "alive"}))

    def _send(self) -> None:
        try:
            while True:
                for piece in self._waiting.get():
                    view = memoryview(piece)
                    while view:
                        view = view[self._pipe.write(view) :]
        except OSError:  # the parent is gone
            _end()


def _listen(requests: BinaryIO, incoming: queue.Queue[bytes]) -> None:
    for line in requests:
        incoming.put(line)
    _end()


def _read(path: Path, limits: Limits, outgoing: _Outgoing) -> None:
    kind: Kind | None = None
    try:
        blocked_s, begun = outgoing.blocked_s, time.monotonic()
        source = open_source(
            path,
            limits=limits,
            alive=outgoing.alive,
            spent_s=lambda: time.monotonic() - begun - (outgoing.blocked_s - blocked_s),
        )
        kind = source.kind
        for segment in read_source(source):
            outgoing.put(wire.from_segment(segment))
        outgoing.put(wire.packed({"say": "done", "kind": kind, "notes": source.notes}))
    except MemoryError:
        error = UnreadableMediaError(path, too_much_memory(limits), hint=SMALLER)
        outgoing.put(wire.packed(wire.from_error(error, kind)))
    except MediaError as error:
        outgoing.put(wire.packed(wire.from_error(error, kind)))


def _piece(path: Path, request: wire.Header, limits: Limits, outgoing: _Outgoing) -> None:
    """One picture of the file as the answer, or one piece of it written where the request says."""
    span, max_side = Span(**request["span"]), request["max_side"]
    try:
        if request["do"] == "still":
            outgoing.put(wire.packed({"say": "still"}, still(path, span, max_side=max_side, limits=limits)))
        else:
            begun = time.monotonic()
            source = open_source(path, limits=limits, alive=outgoing.alive, spent_s=lambda: time.monotonic() - begun)
            cut(source, span, Path(os.fsdecode(bytes.fromhex(request["out"]))), max_side=max_side)
            outgoing.put(wire.packed({"say": "cut"}))
    except MediaError as error:
        outgoing.put(wire.packed(wire.from_error(error, None)))


def _end() -> None:
    """End this process and the decoders it started, at once."""
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _confine(limits: Limits) -> None:
    """Limits on memory and written files where the system knows them, and no network."""
    with contextlib.suppress(OSError, AttributeError):  # glibc: big arrays go back to the system when freed
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 2)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 20)
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 20)
    with contextlib.suppress(OSError, AttributeError):  # Linux schedules by session, and ours is new: be as nice in it
        Path("/proc/self/autogroup").write_text(str(os.getpriority(os.PRIO_PROCESS, 0)))
    sys.addaudithook(_refuse_network)
    _leave_network()
    try:
        import resource
    except ImportError:  # Windows: the parent's watch is all there is
        return
    for limit, value in (
        (resource.RLIMIT_DATA, limits.memory_bytes + _VIRTUAL_EXTRA_BYTES),
        (resource.RLIMIT_FSIZE, _MAX_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # macOS takes none for data below what is reserved already
            _, most = resource.getrlimit(limit)
            resource.setrlimit(limit, (value if most == resource.RLIM_INFINITY else min(value, most), most))


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(_NETWORK):
        raise PermissionError("readers do not use the network")


def _leave_network() -> None:
    """Where Linux allows it, move to an empty network, so that not even a native library can reach one."""
    if not sys.platform.startswith("linux"):
        return
    new_user, new_network = 0x10000000, 0x40000000
    flags = new_network if os.geteuid() == 0 else new_user | new_network
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).unshare(flags)  # where it is refused, the other fences still stand


if __name__ == "__main__":
    main()
