"""One worker process of the reader pool, as its parent sees it: asked, listened to, watched, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from data.errors import OmniaError
from embedder.media import wire
from embedder.media.limits import Limits
from embedder.media.source import SMALLER

_ROOT = Path(__file__).resolve().parents[2]
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
)
_SMALL = {"CT2_USE_MKL": "0"}  # on some processors MKL reserves 0.8 GB for Whisper; oneDNN takes 1.3 times its time
_PIPE_BYTES = 1 << 20
_TIRED = 0.6  # of its memory limit: a worker that holds this much between files is replaced
_START_S = 60.0  # to import what it needs
_STARVED = 8  # times limits.seconds by the clock, at most, for one that a busy machine gives little time


@dataclass(frozen=True, slots=True)
class Message:
    """What a worker said."""

    header: wire.Header
    body: bytearray


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker that is no more; why, as a reason for the file it was at."""

    reason: str
    hint: str = ""


class Child:
    """A worker process. Not safe to use from two threads at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        try:
            self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed in `kill`
            self._process = subprocess.Popen(
                [sys.executable, "-m", "embedder.media.worker"],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=os.environ | _ONE_THREAD | _SMALL,
                start_new_session=True,
            )
        except OSError as error:
            why = error.strerror or str(error)
            raise OmniaError(f"no reader process can be started: {why}; is there a folder for TMPDIR?") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        _widen(self._stdout.fileno())
        self._part = bytearray(wire.LENGTHS.size)  # of the message that is coming in
        self._have = 0
        self._lengths: tuple[int, int] | None = None
        self._ready = False
        self._paused = False
        self._given_up: Lost | None = None
        self._waited_s = 0.0
        self._hear()
        self._write(wire.from_limits(limits))

    def fileno(self) -> int:
        """For `selectors`."""
        return self._stdout.fileno()

    def ask(self, request: wire.Header, path: Path) -> None:
        """Send a request about a file; the answers come from `receive`."""
        self._waited_s = 0.0
        self._hear()
        self._write({**request, "path": os.fsencode(path.absolute()).hex()})

    def receive(self) -> Message | Lost | None:
        """The next message if it has arrived whole, None if not yet; never blocks.

        Raises:
            OmniaError: the process ended before it was ready to work.
        """
        while True:
            if self._have < len(self._part):
                count = self._read_some()
                if count is None:
                    return None
                if count == 0:
                    return self.bury()
                self._have += count
                self._hear()
            elif self._lengths is None:
                try:
                    self._lengths = wire.lengths(self._part)
                except ValueError:
                    self.kill()
                    return Lost("the decoder went out of control")
                self._part, self._have = bytearray(sum(self._lengths)), 0
            else:
                head = self._lengths[0]
                message = Message(json.loads(self._part[:head]), self._part[head:])
                self._part, self._have, self._lengths = bytearray(wire.LENGTHS.size), 0, None
                if message.header["say"] != "ready":
                    return message
                self._ready = True

    def overdue(self, waited_s: float) -> Lost | None:
        """Whether it must be given up, after the parent has waited this much longer; it is killed then."""
        if self._paused:
            self._hear()
            return None
        self._waited_s += waited_s
        lost = None
        if self._is_stuck():
            lost = Lost(f"took longer than {self._limits.seconds:g} s to decode", SMALLER)
        elif self._waited_s > self._limits.file_seconds:
            lost = Lost(f"took longer than {self._limits.file_seconds:g} s to decode", SMALLER)
        if lost is not None:
            self.kill()
        return lost

    @property
    def is_fit(self) -> bool:
        """Whether it can take another file."""
        return self._process.poll() is None and self.memory_bytes() < _TIRED * self._limits.memory_bytes

    def memory_bytes(self) -> int:
        """Private memory of the worker and the decoders it started."""
        return sum(memory_bytes(pid) for pid in (self._process.pid, *_started_by(self._process.pid)))

    def pause(self, paused: bool) -> None:
        """Hold it where it is, or let it go on; the time it is held does not count."""
        if paused != self._paused:
            self._paused = paused
            self._signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def give_up(self, why: Lost) -> None:
        """End it; `receive` then says why. For a thread beside the one that asks and receives."""
        self._given_up = why
        self._signal(signal.SIGKILL)

    def kill(self) -> None:
        """End it and every decoder it started."""
        self._signal(signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout, self._complaints):
            with contextlib.suppress(OSError):
                pipe.close()

    def bury(self) -> Lost:
        """Why it ended by itself."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            code = 0
        self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, self._complaints.tell() - 2_000))
        last_words = (self._complaints.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        self.kill()
        if self._given_up is not None:
            return self._given_up
        if not self._ready:
            raise OmniaError(f"the reader process does not start (exit code {code}): {last_words or 'no reason'}")
        if code == -signal.SIGKILL:
            return Lost("the system ended its decoder, most likely for lack of memory")
        if code < 0:
            return Lost(f"the decoder crashed (signal {-code})", "the file may be damaged")
        return Lost(f"the decoder stopped: {last_words or f'exit code {code}'}")

    def _hear(self) -> None:
        """It is heard of now: its silence begins anew."""
        self._heard_s = time.monotonic()
        self._is_heard = True

    def _is_stuck(self) -> bool:
        """Whether it is silent for too long: it hangs or computes that long, and is not just starved."""
        now, spent_s = time.monotonic(), self._cpu_s()
        if self._is_heard:  # here and not when it was heard, which may be thousands of times a second
            self._moved_s, self._spent_s, self._moved_at_s, self._is_heard = self._heard_s, spent_s, spent_s, False
        if spent_s > self._moved_at_s:
            self._moved_s, self._moved_at_s = now, spent_s
        most_s = self._limits.seconds if self._ready else max(self._limits.seconds, _START_S)
        is_starved = now - self._moved_s <= most_s and spent_s - self._spent_s <= most_s
        return now - self._heard_s > (_STARVED * most_s if is_starved else most_s)

    def _cpu_s(self) -> float:
        """Processor time of the worker and the decoders it started, as far as that can be known."""
        return sum(cpu_s(pid) for pid in (self._process.pid, *_started_by(self._process.pid)))

    def _read_some(self) -> int | None:
        """Bytes read into the part that is coming in; None when there is nothing to read yet."""
        try:
            return os.readv(self._stdout.fileno(), [memoryview(self._part)[self._have :]])
        except BlockingIOError:
            return None

    def _signal(self, number: signal.Signals) -> None:
        """To the worker and the decoders it started."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _write(self, line: dict[str, object] | dict[str, float]) -> None:
        with contextlib.suppress(BrokenPipeError):  # `receive` finds out why
            self._stdin.write(json.dumps(line).encode() + b"\n")
            self._stdin.flush()


def memory_bytes(pid: int) -> int:
    """Private memory of a process, 0 when that cannot be known."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        if sys.platform.startswith("linux"):
            return 0
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(told.stdout.strip() or 0) * 1024


def cpu_s(pid: int) -> float:
    """Processor time of a process and of those it has waited for, 0 when that cannot be known."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")


def _started_by(pid: int) -> list[int]:
    """The decoders a worker has running, none where that cannot be known."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _widen(fd: int) -> None:
    """A pipe that holds a whole segment, where the system allows it."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
