"""One owner, its guests, and what happens when the owner goes away."""

from __future__ import annotations

import http.server
import json
import os
import signal
import stat
import sys
import threading
import time

import httpx
import numpy as np
import pytest
from filelock import FileLock
from store_process import DIM, FINGERPRINT, StoreProcess, made

import data.edge
import data.owner
from data.errors import ModelMismatchError, StoreUnavailableError
from data.owner import drop_shared, open_shared, shared_dim
from data.wire import (
    NONCE_HEADER,
    PROOF_HEADER,
    Address,
    Frame,
    ask_proof,
    where_from_json,
    where_to_json,
)


@pytest.fixture
def start():
    """A function that starts another process; all end with the test."""
    processes = []

    def start_one():
        processes.append(StoreProcess())
        return processes[-1]

    yield start_one
    for process in processes:
        if process.process.poll() is None:
            process.kill()


@pytest.fixture(scope="module")
def lasting():
    """One other process for all the tests that do not end it."""
    process = StoreProcess()
    yield process
    process.finish()


@pytest.fixture
def other(tmp_path, lasting):
    """That process as the owner of the test's home; it gives the home up with the test."""
    assert lasting.ask("open", home=str(tmp_path))["owner"]
    yield lasting
    lasting.ask("close", home=str(tmp_path))


@pytest.fixture
def open_here(tmp_path):
    """A function that opens the test's home in this process; all close with the test."""
    stores = []

    def open_one(**changes):
        stores.append(open_shared(tmp_path, **{"fingerprint": FINGERPRINT, "dim": DIM, **changes}))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


def test_a_guest_searching_while_the_owner_is_killed_becomes_owner_and_sees_everything(tmp_path, start, open_here):
    other = start()
    assert other.ask("open", home=str(tmp_path))["owner"]
    other.ask("upsert", home=str(tmp_path), start=0, count=300)
    guest = open_here()
    records, vectors = made(0, 300)
    killer = threading.Timer(0.2, other.kill)
    killer.start()
    slowest = 0.0
    for turn in range(100_000):
        before = time.monotonic()
        (hits,) = guest.search(vectors[[turn % 300]], limit=1)
        slowest = max(slowest, time.monotonic() - before)
        assert hits[0].segment == records[turn % 300]
        if guest.is_owner:
            break
    killer.join()
    assert guest.is_owner
    assert slowest < 10
    assert guest.count() == 300
    newcomer = start()
    assert not newcomer.ask("open", home=str(tmp_path))["owner"]
    assert newcomer.ask("count", home=str(tmp_path))["count"] == 300


def test_no_acknowledged_segment_is_lost_when_the_writer_is_killed(tmp_path, start, open_here):
    for delay_s in (0.15, 0.4):
        writer = start()
        writer.ask("open", home=str(tmp_path))
        writer.tell("upsert without end", home=str(tmp_path), start=0)
        threading.Timer(delay_s, writer.process.kill).start()
        stored = 0
        try:
            while True:
                stored = writer.answer()["stored"]
        except EOFError:
            pass
        records, vectors = made(0, stored)
        store = open_here()
        assert store.is_owner
        found, rows = store.fetch([record.id for record in records])
        assert found == records
        assert np.allclose(rows, vectors, atol=1e-5)
        store.close()


def test_a_write_goes_on_when_the_owner_is_killed_under_it(tmp_path, start, open_here):
    other = start()
    other.ask("open", home=str(tmp_path))
    guest = open_here()
    killer = threading.Timer(0.1, other.kill)
    killer.start()
    for step in range(0, 2000, 100):
        guest.upsert(*made(step, 100))
        time.sleep(0.01)
    killer.join()
    assert guest.count() == 2000
    assert guest.is_owner


def test_two_processes_starting_at_once_make_one_owner(tmp_path, start):
    both = [start(), start()]
    for process in both:
        process.tell("open", home=str(tmp_path))
    assert sorted(process.answer()["owner"] for process in both) == [False, True]
    for turn, process in enumerate(both):
        process.ask("upsert", home=str(tmp_path), start=turn * 50, count=50)
    assert [process.ask("count", home=str(tmp_path))["count"] for process in both] == [100, 100]


def test_a_guest_takes_over_when_the_owner_closes(tmp_path, lasting, open_here):
    owner = open_here()
    owner.upsert(*made(0, 20))
    guest = lasting
    assert not guest.ask("open", home=str(tmp_path))["owner"]
    owner.close()
    assert not (tmp_path / "owner.json").exists()
    assert guest.ask("count", home=str(tmp_path)) == {"count": 20, "owner": True}
    back = open_here()
    assert not back.is_owner
    back.upsert(*made(20, 20))
    assert guest.ask("count", home=str(tmp_path))["count"] == 40
    guest.ask("close", home=str(tmp_path))


def test_a_process_that_ends_without_closing_withdraws_its_address(tmp_path, start):
    other = start()
    other.ask("open", home=str(tmp_path))
    other.ask("upsert", home=str(tmp_path), start=0, count=20)
    assert (tmp_path / "owner.json").exists()
    other.ask("leave open", home=str(tmp_path))
    assert other.process.wait(timeout=20) == 0
    assert not (tmp_path / "owner.json").exists()


def test_a_process_that_owns_nothing_any_more_takes_turns_as_before(open_here):
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    try:
        store = open_here()
        assert sys.getswitchinterval() < 0.001
        store.close()
        assert sys.getswitchinterval() == pytest.approx(0.004)
    finally:
        sys.setswitchinterval(before)


def test_one_process_may_open_a_home_several_times(open_here):
    one, two, other_model = open_here(), open_here(), open_here(fingerprint="another", dim=8)
    one.upsert(*made(0, 4))
    one.close()
    assert two.is_owner
    assert two.count() == 4
    two.close()
    assert other_model.is_owner
    assert other_model.count() == 0


def test_a_home_and_its_secret_are_for_one_user_only(tmp_path):
    home = tmp_path / "new" / "home"
    store = open_shared(home, fingerprint=FINGERPRINT, dim=DIM)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "owner.json").stat().st_mode) == 0o600
    assert Address.read(home).token not in repr(Address.read(home))
    store.close()


def test_a_wrong_or_missing_token_gets_401(tmp_path, open_here):
    open_here()
    address = Address.read(tmp_path)
    url = f"http://127.0.0.1:{address.port}/count"
    body = Frame({"fingerprint": FINGERPRINT, "dim": DIM, "where": None}).pack()
    wrong = ask_proof("0" * 64, operation="count", nonce="n")
    other_operation = ask_proof(address.token, operation="delete", nonce="n")
    for headers in (
        {},
        {NONCE_HEADER: "n", PROOF_HEADER: wrong},
        {NONCE_HEADER: "n", PROOF_HEADER: other_operation},
        {PROOF_HEADER: ask_proof(address.token, operation="count", nonce="")},
    ):
        response = httpx.post(url, content=body, headers=headers, trust_env=False)
        assert (response.status_code, response.content) == (401, b"")


def test_a_request_that_makes_no_sense_is_refused_and_the_owner_goes_on(tmp_path, open_here):
    store = open_here()
    address = Address.read(tmp_path)
    for operation, body in (("count", b"\xff"), ("count", Frame({}).pack()), ("nonsense", Frame({}).pack())):
        proof = ask_proof(address.token, operation=operation, nonce="n")
        url = f"http://127.0.0.1:{address.port}/{operation}"
        headers = {NONCE_HEADER: "n", PROOF_HEADER: proof}
        assert httpx.post(url, content=body, headers=headers, trust_env=False).status_code in (400, 404)
    assert store.count() == 0


@pytest.fixture
def stranger():
    """Another program that answers every request on a port of this machine with 200."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("left_behind", ["stranger", "dead port", "half a file", "another shape"])
def test_a_stale_address_hinders_nobody(tmp_path, open_here, stranger, left_behind):
    port = stranger if left_behind == "stranger" else 9
    text = json.dumps({"wire": 1, "pid": 1, "port": port, "token": "0" * 64})
    text = {"half a file": text[:20], "another shape": "[1]"}.get(left_behind, text)
    (tmp_path / "owner.json").write_text(text)
    assert open_here().is_owner


@pytest.mark.parametrize("published", ["nothing", "stranger"])
def test_a_lock_whose_owner_cannot_be_reached_ends_in_an_error_in_time(tmp_path, monkeypatch, stranger, published):
    monkeypatch.setattr(data.owner, "PATIENCE_S", 0.5)
    if published == "stranger":
        Address(pid=1, port=stranger, token="0" * 64).write(tmp_path)
    before = time.monotonic()
    with (
        FileLock(tmp_path / "owner.lock"),
        pytest.raises(StoreUnavailableError, match="another process holds"),
    ):
        open_shared(tmp_path, fingerprint=FINGERPRINT, dim=DIM)
    assert time.monotonic() - before < 14, "what it looks for an owner else"


def test_an_owner_that_publishes_late_is_found(tmp_path, other, open_here):
    (tmp_path / "owner.json").rename(tmp_path / "aside.json")
    threading.Timer(0.3, (tmp_path / "aside.json").rename, [tmp_path / "owner.json"]).start()
    assert not open_here().is_owner


def test_an_owner_that_is_stopped_ends_in_an_error_that_names_it(monkeypatch, other, open_here):
    pid = other.process.pid
    guest = open_here()
    os.kill(pid, signal.SIGSTOP)
    try:
        with monkeypatch.context() as hurried:
            hurried.setattr(guest._seat._role._client, "timeout", 0.5)
            with pytest.raises(StoreUnavailableError, match=f"process {pid}"):
                guest.count()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert guest.count() == 0


OTHER_VERSION = '{"wire": 99, "pid": 77, "port": 9, "token": ""}'


def test_an_owner_of_another_version_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(data.owner, "PATIENCE_S", 0.5)
    (tmp_path / "owner.json").write_text(OTHER_VERSION)
    with (
        FileLock(tmp_path / "owner.lock"),
        pytest.raises(StoreUnavailableError, match=r"process 77 .* another version"),
    ):
        open_shared(tmp_path, fingerprint=FINGERPRINT, dim=DIM)


def test_what_an_owner_of_another_version_left_is_waited_out_while_the_next_one_starts(tmp_path, other, open_here):
    published = (tmp_path / "owner.json").rename(tmp_path / "aside.json")
    (tmp_path / "owner.json").write_text(OTHER_VERSION)
    threading.Timer(0.3, published.replace, [tmp_path / "owner.json"]).start()
    assert not open_here().is_owner


def test_an_owner_withdraws_what_a_killed_one_published_before_it_starts(tmp_path, monkeypatch, open_here):
    (tmp_path / "owner.json").write_text(OTHER_VERSION)
    left = []
    write = Address.write

    def look_and_write(address, home):
        left.append((home / "owner.json").exists())
        write(address, home)

    monkeypatch.setattr(Address, "write", look_and_write)
    assert open_here().is_owner
    assert left == [False]


def test_proxy_settings_are_not_used_for_loopback(monkeypatch, other, open_here):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    store = open_here()
    assert not store.is_owner
    assert store.count() == 0


def test_errors_of_the_owner_reach_the_guest_as_they_are(other, open_here):
    with pytest.raises(ModelMismatchError, match=f"width {DIM}, not 8"):
        open_here(dim=8)
    assert open_here().count() == 0


def test_a_folder_that_cannot_be_used_is_named_with_the_next_step(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match=r"file.*OMNIA_HOME"):
        open_shared(tmp_path / "file", fingerprint=FINGERPRINT, dim=DIM)


def test_frames_carry_headers_and_floats_unchanged():
    floats = np.arange(6, dtype=np.float32)
    frame = Frame.unpack(Frame({"name": "ü"}, floats).pack())
    assert frame.header == {"name": "ü"}
    assert np.array_equal(frame.floats, floats)
    assert Frame.unpack(Frame({}).pack()).floats.shape == (0,)
    for broken in (b"", b"\x01", b"\xff\xff\xff\xff{}", Frame([]).pack(), Frame({}).pack() + b"x"):
        with pytest.raises(ValueError):
            Frame.unpack(broken)
    everything = where_from_json(where_to_json(data.vectors.ANYWHERE))
    assert everything == data.vectors.ANYWHERE


def test_a_guest_has_the_owner_drop_a_collection_which_can_be_made_anew(tmp_path, other, open_here):
    assert shared_dim(tmp_path, fingerprint=FINGERPRINT) == DIM
    store = open_here()
    store.upsert(*made(0, 30))
    second = open_here(fingerprint="other")
    second.upsert(*made(0, 10))
    drop_shared(tmp_path, fingerprint=FINGERPRINT)
    assert shared_dim(tmp_path, fingerprint=FINGERPRINT) is None
    assert len(list((tmp_path / "vectors").iterdir())) == 1
    assert second.count() == 10
    drop_shared(tmp_path, fingerprint=FINGERPRINT)
    assert open_here().count() == 0
    store.upsert(*made(0, 5))
    assert other.ask("count", home=str(tmp_path))["count"] == 5


@pytest.mark.parametrize("here", ["owner", "guest"])
def test_a_dropped_collection_does_not_come_back_by_whoever_had_it_open(tmp_path, request, open_here, here):
    if here == "guest":
        request.getfixturevalue("other")
    asking, closing = open_here(), open_here()
    assert asking.is_owner == (here == "owner")
    keeps_the_seat = open_here(fingerprint="another")
    drop_shared(tmp_path, fingerprint=FINGERPRINT)
    closing.close()
    for late in (
        asking.count,
        asking.flush,
        lambda: asking.search(made(0, 1)[1], limit=1),
        lambda: asking.upsert(*made(0, 1)),
    ):
        with pytest.raises(StoreUnavailableError, match=r"holds no vectors of tiny-model@1/24 any more"):
            late()
    asking.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        closing.count()
    assert shared_dim(tmp_path, fingerprint=FINGERPRINT) is None
    assert len(list((tmp_path / "vectors").iterdir())) == 1
    assert keeps_the_seat.count() == 0


def test_what_was_written_is_flushed_by_close(open_here, monkeypatch):
    flushed = []
    monkeypatch.setattr(data.edge.EdgeStore, "flush", lambda store: flushed.append(store))
    writing, reading, lasting = open_here(), open_here(), open_here()
    writing.upsert(*made(0, 4))
    reading.close()
    assert not flushed
    writing.close()
    assert len(flushed) == 1
    assert lasting.count() == 4
