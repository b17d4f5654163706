"""The reader pool: a file that hangs, swells or crashes costs only itself, and nothing reaches a network."""

from __future__ import annotations

import errno
import http.server
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.errors import MediaError, OmniaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence, Kind, Span
from embedder.media import read
from embedder.media.child import Child, Lost, cpu_s
from embedder.media.limits import Limits
from embedder.media.sandbox import Done, Failed, Read, ReaderPool
from embedder.media.sniff import unreadable
from embedder.media.source import SMALLER
from embedder.segment import Segment
from tests import make_bad_media, make_media

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    with ReaderPool(2) as pool:
        yield pool


def _children(pid: int) -> list[int]:
    """Living processes started by a process, and those they started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            child = int(stat.parent.name)
            found += [child, *_children(child)]
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _wait_until(condition: object, *, seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def _long_film(path: Path) -> Path:
    """A film of an hour, made in no time, that takes long to decode."""
    short = make_media.film(path.with_name("short.mp4"), colours=(1, 2), shot_s=10)
    make_media.ffmpeg("-stream_loop", "200", "-i", str(short), "-c", "copy", str(path))
    return path


def test_the_pool_gives_what_reading_in_process_gives(tmp_path: Path, pool: ReaderPool) -> None:
    files = [
        make_media.image_file(tmp_path / "a.png"),
        make_media.film(tmp_path / "b.mp4", sound=make_media.tone(6)),
        make_media.pdf(tmp_path / "c.pdf", (make_media.STORY, "")),
        make_media.csv(tmp_path / "d.csv"),
    ]
    for path in files:
        notes: list[str] = []
        wanted = list(read(path, notes=notes))
        events = list(pool.read_many([(path.name, path)]))
        found = [event.segment for event in events if isinstance(event, Read)]
        assert events[-1] == Done(path.name, wanted[0].kind, tuple(notes))
        assert [(s.kind, s.evidence, s.span, s.text, s.language) for s in found] == [
            (s.kind, s.evidence, s.span, s.text, s.language) for s in wanted
        ]
        for mine, theirs in zip(found, wanted, strict=True):
            assert (mine.pixels is None) == (theirs.pixels is None)
            assert mine.pixels is None or (mine.pixels == theirs.pixels).all()  # type: ignore[operator]
            assert mine.sound is None or (mine.sound == theirs.sound).all()


def test_every_file_ends_once_and_its_segments_come_in_order(tmp_path: Path, pool: ReaderPool) -> None:
    files = {}
    for number in range(12):
        files[number] = tmp_path / f"{number}.txt"
        files[number].write_text("\n\n".join(f"{'word ' * 70} {n}." for n in range(number)) or "")
    events = list(pool.read_many(files.items()))
    for number in files:
        mine = [event for event in events if event.key == number]
        assert isinstance(mine[-1], Failed if number == 0 else Done)
        numbers = [int(e.segment.text.split()[-1].strip(".")) for e in mine[:-1]]  # type: ignore[union-attr]
        assert numbers == list(range(number))


def test_files_are_taken_only_when_a_worker_is_free(tmp_path: Path, pool: ReaderPool) -> None:
    taken = []

    def files() -> Iterator[tuple[int, Path]]:
        for number in range(50):
            taken.append(number)
            yield number, make_media.image_file(tmp_path / f"{number}.bmp", make_media.picture(64, 64))

    events = pool.read_many(files())
    next(events)
    assert len(taken) <= 3
    events.close()
    assert len(taken) <= 3


def test_reading_one_file_raises_its_reason(tmp_path: Path, pool: ReaderPool) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(UnsupportedMediaError, match="empty file"):
        list(pool.read(tmp_path / "empty.jpg"))
    name = tmp_path / "two\nlines 🎈 \udcff.txt"
    name.write_bytes(b"A balloon.")
    assert [s.text for s in pool.read(name)] == ["A balloon."]


def test_stills_come_from_the_workers(tmp_path: Path, pool: ReaderPool) -> None:
    assert pool.still(make_media.image_file(tmp_path / "a.png"), Span(), max_side=64)[:2] == b"\xff\xd8"
    with pytest.raises(MediaError, match="no picture to show"):
        pool.still(make_media.wav(tmp_path / "a.wav"), Span(), max_side=64)


def test_threads_share_a_pool(tmp_path: Path, pool: ReaderPool) -> None:
    path = make_media.csv(tmp_path / "a.csv")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(list(pool.read(path))))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [1] * 8


def test_a_worker_that_says_nothing_is_killed_and_replaced(tmp_path: Path) -> None:
    slow, fine = make_media.film(tmp_path / "a.mp4"), make_media.csv(tmp_path / "b.csv")
    before = set(_children(os.getpid()))
    with ReaderPool(1, limits=Limits(seconds=2)) as pool:
        assert list(pool.read(fine))
        [worker] = set(_children(os.getpid())) - before
        os.kill(worker, signal.SIGSTOP)
        slow_event, *events = pool.read_many([("slow", slow), ("fine", fine)])
        assert isinstance(slow_event, Failed)
        assert slow_event.error.reason == "took longer than 2 s to decode"
        assert isinstance(events[-1], Done)
        assert worker not in _children(os.getpid())


class Machine:
    """A clock, and what a worker has computed by it."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.spent_s = 5.0

    def monotonic(self) -> float:
        return self.now_s

    def goes_on(self, seconds: float, *, computing_s: float) -> None:
        self.now_s += seconds
        self.spent_s += computing_s


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Child, Machine]]:
    """A worker at a file that has 120 s, and the machine it is on."""
    machine = Machine()
    monkeypatch.setattr("embedder.media.child.time", machine)
    monkeypatch.setattr("embedder.media.child.cpu_s", lambda pid: machine.spent_s)
    child = Child(Limits(seconds=120))
    child.ask({"do": "read"}, make_media.csv(tmp_path / "a.csv"))
    assert _wait_until(lambda: child.receive() is not None, seconds=120)
    child.ask({"do": "read"}, tmp_path / "a.csv")
    assert child.overdue(0) is None
    yield child, machine
    child.kill()


def test_time_that_a_busy_machine_gives_to_others_does_not_count(silent: tuple[Child, Machine]) -> None:
    child, machine = silent
    for _ in range(9):
        machine.goes_on(100, computing_s=5)
        assert child.overdue(100) is None
    machine.goes_on(100, computing_s=5)
    assert child.overdue(100) == Lost("took longer than 120 s to decode", SMALLER), "some end must be"


def test_a_worker_has_its_seconds_to_compute_and_no_longer(silent: tuple[Child, Machine]) -> None:
    child, machine = silent
    machine.goes_on(40, computing_s=130)
    assert child.overdue(40) is None, "many threads do in less time what one may do in 120 s"
    machine.goes_on(70, computing_s=0)
    assert child.overdue(70) is None
    machine.goes_on(11, computing_s=1)
    assert child.overdue(11) is not None


def test_a_worker_that_hangs_is_given_up_in_time(silent: tuple[Child, Machine]) -> None:
    child, machine = silent
    machine.goes_on(30, computing_s=1)
    assert child.overdue(30) is None
    machine.goes_on(119, computing_s=0)
    assert child.overdue(119) is None
    machine.goes_on(2, computing_s=0)
    assert child.overdue(2) is not None


def test_what_a_process_has_computed_is_known() -> None:
    assert cpu_s(os.getpid()) == pytest.approx(sum(os.times()[:4]), abs=1.0)


def test_a_file_that_takes_too_long_in_all_is_given_up(tmp_path: Path) -> None:
    with ReaderPool(1, limits=Limits(file_seconds=1.5)) as pool:
        *_, last = pool.read_many([("film", _long_film(tmp_path / "a.mp4"))])
    if isinstance(last, Failed):
        assert last.error.reason == "took longer than 1.5 s to decode"
    else:
        assert any("took too long" in note for note in last.notes)  # type: ignore[union-attr]


def test_a_clip_that_takes_too_long_is_given_up_with_its_encoder(tmp_path: Path) -> None:
    film = _long_film(tmp_path / "long.mp4")
    with ReaderPool(1, limits=Limits(file_seconds=1.0)) as pool:
        with pytest.raises(UnreadableMediaError, match="took longer than 1 s"):
            pool.cut(film, Span(start_s=0.0, end_s=3600.0), tmp_path / "clip.mp4", max_side=640)
        assert _wait_until(lambda: not any(str(film) in _command_line(pid) for pid in _children(os.getpid())))


def test_a_file_that_needs_too_much_memory_fails_alone(tmp_path: Path) -> None:
    from PIL import Image

    hog = tmp_path / "hog.png"
    Image.new("RGB", (11_800, 11_800), "red").save(hog, compress_level=1)
    with ReaderPool(1, limits=Limits(memory_bytes=300_000_000)) as pool:
        events = list(pool.read_many([("hog", hog), ("fine", make_media.csv(tmp_path / "b.csv"))]))
    assert isinstance(events[0], Failed)
    assert events[0].error.reason == "needs more than 300 MB to decode"
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize("said", ["std::bad_alloc", "mkl_malloc: failed to allocate memory"])
def test_a_native_library_that_finds_no_memory_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    def no_memory(source: object) -> Iterator[Segment]:
        raise RuntimeError(said)

    monkeypatch.setattr("embedder.media.pdf.read", no_memory)
    with pytest.raises(UnreadableMediaError, match="needs more than 900 MB to decode"):
        list(read(make_media.pdf(tmp_path / "a.pdf", (make_media.STORY,))))


def test_of_two_files_that_need_much_memory_one_is_decoded_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    pause = Child.pause
    monkeypatch.setattr(Child, "pause", lambda child, paused: (held.append(paused), pause(child, paused)))
    files = [make_bad_media.png(tmp_path / f"{n}.png", 8_000 + n, 8_000) for n in range(2)]  # 0.26 GB each, decoded
    with ReaderPool(2, limits=Limits(memory_bytes=500_000_000)) as pool:
        ends = [event for event in pool.read_many(enumerate(files)) if not isinstance(event, Read)]
    assert [type(end) for end in ends] == [Done] * 2
    assert any(held)


def test_a_crash_fails_one_file(tmp_path: Path) -> None:
    film, fine = _long_film(tmp_path / "a.mp4"), make_media.csv(tmp_path / "b.csv")
    before = set(_children(os.getpid()))
    with ReaderPool(1) as pool:
        assert list(pool.read(fine))
        [worker] = set(_children(os.getpid())) - before
        threading.Timer(1.0, os.kill, (worker, signal.SIGSEGV)).start()
        *_, crashed = pool.read_many([("film", film)])
        assert isinstance(crashed, Failed)
        assert isinstance(crashed.error, UnreadableMediaError)
        assert crashed.error.reason == "the decoder crashed (signal 11)"
        assert _wait_until(lambda: not set(_children(os.getpid())) - before)  # its ffmpeg is gone too
        assert list(pool.read(fine))


def test_leaving_a_file_half_read_frees_its_worker(tmp_path: Path) -> None:
    film = _long_film(tmp_path / "a.mp4")
    with ReaderPool(1) as pool:
        segments = pool.read(film)
        assert next(segments).evidence is Evidence.SEEN
        segments.close()  # type: ignore[attr-defined]
        assert list(pool.read(make_media.csv(tmp_path / "b.csv")))


def test_workers_and_their_decoders_end_with_a_killed_parent(tmp_path: Path) -> None:
    film = _long_film(tmp_path / "a.mp4")
    code = (
        "import sys; from pathlib import Path; from embedder.media.sandbox import ReaderPool\n"
        "for _ in ReaderPool(1).read(Path(sys.argv[1])): print('read', flush=True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(film)], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"read\n"
    family = _children(parent.pid)
    assert len(family) == 2  # the worker and its ffmpeg
    parent.kill()
    parent.wait()
    alive = [pid for pid in family if not _wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists())]
    assert alive == []


def test_nothing_in_a_file_makes_a_reader_use_the_network(tmp_path: Path, pool: ReaderPool) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x"
    playlist, concat = f"#EXTM3U\n#EXTINF:5,\n{url}.ts\n", f"ffconcat version 1.0\nfile '{url}.ts'\n"
    sdp = f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {server.server_port} RTP/AVP 96\n"
    dtd = f'<?xml version="1.0"?><!DOCTYPE svg SYSTEM "{url}.dtd"><svg xmlns="http://www.w3.org/2000/svg"/>'
    for name, text in {
        "a.m3u8": playlist,
        "a.mp4": playlist,
        "b.mkv": concat,
        "c.sdp": sdp,
        "d.svg": dtd,
        "e.html": f'<!doctype html><link href="{url}.css"><img src="{url}.png"><iframe src="{url}"></iframe>Words',
        "f.md": f"![picture]({url}.png)",
    }.items():
        (tmp_path / name).write_text(text)
    make_media.svg(tmp_path / "g.svg", inside=f'<image width="9" height="9" xlink:href="{url}.png"/>')
    files = [(path.name, path) for path in sorted(tmp_path.iterdir())]
    ends = {event.key: event for event in pool.read_many(files) if not isinstance(event, Read)}
    server.shutdown()
    assert asked == []
    assert len(ends) == len(files)
    assert isinstance(ends["a.m3u8"], Failed)
    assert isinstance(ends["a.mp4"], Failed)
    assert isinstance(ends["b.mkv"], Failed)
    assert ends["e.html"] == Done("e.html", Kind.TEXT, ())


def test_a_worker_starts_where_the_system_takes_no_limit_on_data() -> None:
    code = (
        "import resource\n"
        "set_limit = resource.setrlimit\n"
        "def refusing(limit, most):\n"
        "    if limit == resource.RLIMIT_DATA: raise ValueError('current limit exceeds maximum limit')\n"
        "    set_limit(limit, most)\n"
        "resource.setrlimit = refusing\n"
        "from embedder.media.worker import _confine; from embedder.media.limits import Limits; _confine(Limits())\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "0", done.stderr


def test_without_a_temporary_folder_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_usable() -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", none_usable)
    with pytest.raises(OmniaError, match="no reader process can be started"):
        Child(Limits())


def test_a_full_temporary_folder_is_named(tmp_path: Path) -> None:
    said = unreadable(tmp_path / "talk.mp3", OSError(errno.ENOSPC, "No space left on device"))
    assert said.reason == "No space left on device"
    assert tempfile.gettempdir() in said.hint


def test_a_process_with_many_open_files_reads_on(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a note")
    code = (
        "import os, resource, sys; from pathlib import Path; from embedder.media.sandbox import ReaderPool\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))\n"
        "held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]\n"
        "pool = ReaderPool(1)\n"
        "print([segment.text for segment in pool.read(Path(sys.argv[1]))]); pool.close()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['a note']", done.stderr


def test_a_worker_cannot_open_a_connection() -> None:
    code = (
        "from embedder.media.worker import _confine; from embedder.media.limits import Limits; _confine(Limits())\n"
        "import socket\n"
        "try: socket.create_connection(('127.0.0.1', 9))\n"
        "except PermissionError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "readers do not use the network"
