"""What every home of the vectors promises, tried on each of them."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import qdrant_edge
from qdrant_client import QdrantClient
from store_process import DIM, FINGERPRINT, StoreProcess, content_name, made

import data.edge
from data.catalogue import Outcome
from data.edge import EdgeStore
from data.errors import ModelMismatchError, StoreLockedError, StoreUnavailableError
from data.owner import open_shared
from data.points import safe_name
from data.records import Evidence, FileState, Kind, Span
from data.server import ServerStore, open_server
from data.settings import Settings
from data.vectors import ANYWHERE, Where, drop_vectors, open_vectors, stored_dim
from embedder.rows import MODELS, ModelRow
from indexer.library import open_library
from indexer.prune import prune

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
HOMES = ("edge", "server", "owner", "guest")
KEPT = ("edge", "owner", "guest")
LIBRARY = "0123456789ab"


@contextmanager
def new_home(name, folder, other_process):
    """A function that opens a collection of one and the same new home, again and again."""
    client = QdrantClient(":memory:")
    stores = []

    def open_one(*, fingerprint=FINGERPRINT, dim=DIM):
        if name == "edge":
            stores.append(EdgeStore(folder / safe_name(fingerprint), fingerprint=fingerprint, dim=dim))
        elif name == "server":
            stores.append(ServerStore(client, "memory", library=LIBRARY, fingerprint=fingerprint, dim=dim))
        else:
            if name == "guest" and not stores:
                assert other_process.ask("open", home=str(folder))["owner"]
            stores.append(open_shared(folder, fingerprint=fingerprint, dim=dim))
            assert stores[-1].is_owner == (name == "owner")
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()
    if name == "guest":
        other_process.ask("close", home=str(folder))


@pytest.fixture(scope="module")
def other_process():
    process = StoreProcess()
    yield process
    process.finish()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory, other_process):
    """A store in each home, open through all the tests that leave theirs as they found it."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(new_home(name, tmp_path_factory.mktemp(name), other_process))() for name in HOMES
        }


@pytest.fixture
def store(home, lasting):
    yield lasting[home]
    lasting[home].delete(lasting[home].contents())


@pytest.fixture
def opened(home, tmp_path, other_process):
    with new_home(home, tmp_path, other_process) as open_one:
        yield open_one


each_home = pytest.mark.parametrize("home", HOMES)
each_kept_home = pytest.mark.parametrize("home", KEPT)


@each_home
def test_an_upserted_segment_is_found_at_once_and_whole(store):
    records, vectors = made(0, 40)
    store.upsert(records, vectors)
    hits = store.search(vectors[[7, 30]], limit=3)
    assert [hit[0].segment for hit in hits] == [records[7], records[30]]
    assert [hit[0].score for hit in hits] == pytest.approx([1.0, 1.0], abs=1e-4)


@each_home
def test_hits_come_best_first_with_their_cosine(store):
    records, vectors = made(0, 300)
    store.upsert(records, vectors)
    query = made(1000, 1)[1]
    (hits,) = store.search(3.0 * query, limit=10)  # the length of a query does not matter
    cosines = (vectors @ query.T).ravel()
    best = np.argsort(-cosines)[:10]
    assert [hit.segment for hit in hits] == [records[i] for i in best]
    assert [hit.score for hit in hits] == pytest.approx(cosines[best], abs=1e-3)


@each_home
def test_a_second_upsert_overwrites(store):
    records, vectors = made(0, 8)
    store.upsert(records, vectors)
    store.upsert([replace(records[3], snippet="new words")], vectors[[5]])
    assert store.count() == 8
    (found,), (vector,) = store.fetch([records[3].id])
    assert found.snippet == "new words"
    assert vector == pytest.approx(vectors[5], abs=1e-5)


@each_home
def test_a_record_without_the_optional_parts_comes_back_equal(store):
    (record,), vectors = made(0, 1)
    bare = replace(record, span=Span(), snippet="", language=None)
    full = replace(
        made(1, 1)[0][0],
        span=Span(start_s=0.0, end_s=2.5, page=3, char_start=0, char_end=99),
        language="zh",
    )
    store.upsert([bare, full], np.repeat(vectors, 2, axis=0))
    assert store.fetch([bare.id, full.id])[0] == [bare, full]


@each_home
def test_search_and_count_keep_to_where(store):
    records, vectors = made(0, 60)
    store.upsert(records, vectors)
    for where in (
        ANYWHERE,
        Where(kinds=frozenset({Kind.VIDEO})),
        Where(kinds=frozenset({Kind.TEXT, Kind.AUDIO}), evidence=frozenset({Evidence.SAID})),
        Where(contents=frozenset({content_name(3), content_name(9), "f" * 64})),
        Where(evidence=frozenset({Evidence.SEEN}), contents=frozenset({content_name(0)})),
        Where(kinds=frozenset()),
        Where(contents=frozenset()),
    ):
        right = {
            record.id
            for record in records
            if (where.kinds is None or record.kind in where.kinds)
            and (where.evidence is None or record.evidence in where.evidence)
            and (where.contents is None or record.content in where.contents)
        }
        (hits,) = store.search(vectors[:1], limit=100, where=where)
        assert {hit.segment.id for hit in hits} == right, where
        assert store.count(where) == len(right), where


@each_home
def test_each_query_may_have_a_filter_of_its_own(store):
    records, vectors = made(0, 60)
    store.upsert(records, vectors)
    filters = [Where(evidence=frozenset({one})) for one in Evidence]
    filters.insert(2, Where(kinds=frozenset()))  # nothing can match
    together = store.search(vectors[: len(filters)], limit=7, where=filters)
    alone = [store.search(vectors[[i]], limit=7, where=where)[0] for i, where in enumerate(filters)]
    assert [[hit.segment for hit in hits] for hits in together] == [[hit.segment for hit in hits] for hits in alone]
    assert [len(hits) for hits in together] == [7, 7, 0, 7, 7]


@each_home
def test_words_are_found_by_how_rare_they_are_and_keep_to_where(store):
    records, vectors = made(0, 12)
    said = ["a red kite", "a red red balloon", "the kite museum, opened in a red house by the sea", "Zürich", "海", ""]
    records = [replace(record, snippet=text) for record, text in zip(records, said * 2, strict=True)]
    store.upsert(records[:6], vectors[:6])
    hits = store.search_words("RED kite?", limit=10)
    assert [hit.segment for hit in hits] == [records[0], records[2], records[1]]
    assert hits[0].score > hits[1].score > hits[2].score > 0
    assert [hit.segment for hit in store.search_words("red", limit=1)] == [records[1]]
    for text, right in (("ZÜRICH", 3), ("海", 4)):
        assert [hit.segment for hit in store.search_words(text, limit=10)] == [records[right]]
    for nothing in ("", " ?! ", "unknown"):
        assert store.search_words(nothing, limit=10) == []
    only = Where(evidence=frozenset({records[0].evidence}))
    assert [hit.segment for hit in store.search_words("red kite", limit=10, where=only)] == [records[0]]
    assert store.search_words("red", limit=10, where=Where(kinds=frozenset())) == []
    store.delete({records[0].content})
    assert store.search_words("red", limit=10) == []


@each_home
def test_words_are_found_where_nothing_parts_them_and_in_any_form(store):
    records, vectors = made(0, 4)
    said = ["昨日、名古屋城へ行きました", "the oﬃcial tele-\ncommunication line", "Das Cafe\u0301 Müller", ""]
    records = [replace(record, snippet=text) for record, text in zip(records, said, strict=True)]
    store.upsert(records, vectors)
    for phrase, right in (("名古屋城", 0), ("official telecommunication", 1), ("Café Müller", 2)):
        for hits in (store.search_words(phrase, limit=10), *store.search(vectors[:1], limit=9, where=_saying(phrase))):
            assert [hit.segment for hit in hits] == [records[right]], "as it was said"
        (left,) = store.search(vectors[:1], limit=9, where=Where(without=(phrase,)))
        assert records[right] not in [hit.segment for hit in left]
        assert len(left) == 3
    assert store.search(vectors[:1], limit=9, where=_saying("城名古屋")) == [[]]


def _saying(phrase):
    return Where(phrases=(phrase,))


@each_home
def test_phrases_languages_and_words_left_out_are_kept_to(store):
    records, vectors = made(0, 4)
    said = ["the red kite flew over the harbour", "a kite, red and blue", "", "le cerf-volant rouge"]
    spoken = ["en", "en", None, "fr"]
    records = [
        replace(record, snippet=text, language=language)
        for record, text, language in zip(records, said, spoken, strict=True)
    ]
    store.upsert(records, vectors)

    def found(**where):
        (hits,) = store.search(vectors[:1], limit=10, where=Where(**where))
        assert store.count(Where(**where)) == len(hits)
        return sorted(records.index(hit.segment) for hit in hits)

    assert found(phrases=("Red Kite",)) == [0]
    assert found(phrases=("kite red",)) == [1]
    assert found(phrases=("kite", "blue")) == [1]
    assert found(without=("kite",)) == [2, 3]
    assert found(without=("red kite", "rouge")) == [1, 2]
    assert found(languages=frozenset({"fr"})) == [3]
    assert found(languages=frozenset({"en"}), without=("blue",)) == [0]
    hits = store.search_words("kite", limit=10, where=Where(without=("blue",)))
    assert [hit.segment for hit in hits] == [records[0]]


@each_home
def test_fetch_keeps_the_order_asked_and_leaves_unknown_ids_out(store):
    records, vectors = made(0, 12)
    store.upsert(records, vectors)
    asked = [9, 2, 11, 0]
    found, rows = store.fetch([records[9].id, records[2].id, UUID(int=1), records[11].id, records[0].id])
    assert found == [records[i] for i in asked]
    assert rows.dtype == np.float32
    assert rows == pytest.approx(vectors[asked], abs=1e-5)
    nothing, none = store.fetch([])
    assert (nothing, none.shape) == ([], (0, DIM))
    assert store.fetch([UUID(int=1)])[1].shape == (0, DIM)


@each_home
def test_the_segments_of_a_content_come_by_number(store):
    records, vectors = made(0, 12)
    store.upsert(records[::-1], vectors[::-1])
    assert store.segments(content_name(1)) == records[4:8]
    assert store.segments("f" * 64) == []


@each_home
def test_scan_moves_everything_to_another_home_with_equal_answers(store):
    records, vectors = made(0, 130)
    store.upsert(records, vectors)
    other = ServerStore(QdrantClient(":memory:"), "memory", library=LIBRARY, fingerprint=FINGERPRINT, dim=DIM)
    sizes = []
    for some, rows in store.scan(batch_size=50):
        other.upsert(some, rows)
        sizes.append(len(some))
    assert sizes == [50, 50, 30]
    queries = made(1000, 20)[1]
    for here, there in zip(store.search(queries, limit=10), other.search(queries, limit=10), strict=True):
        assert [hit.segment for hit in here] == [hit.segment for hit in there]
        assert [hit.score for hit in here] == pytest.approx([hit.score for hit in there], abs=1e-5)


@each_home
def test_deleted_contents_are_gone_and_the_others_stay(store):
    records, vectors = made(0, 40)
    store.upsert(records, vectors)
    assert store.contents() == {content_name(i) for i in range(10)}
    store.delete({content_name(2), content_name(5), "f" * 64})
    store.delete(set())
    assert store.contents() == {content_name(i) for i in (0, 1, 3, 4, 6, 7, 8, 9)}
    assert store.count() == 32
    assert store.segments(content_name(2)) == []
    assert records[8] not in [hit.segment for hit in store.search(vectors[[8]], limit=40)[0]]
    store.delete(store.contents())
    assert (store.count(), store.contents(), list(store.scan())) == (0, set(), [])


@each_home
def test_an_empty_store_and_empty_questions_get_empty_answers(store):
    assert store.search(made(0, 2)[1], limit=5) == [[], []]
    assert store.search(np.empty((0, DIM), dtype=np.float32), limit=5) == []
    store.upsert([], np.empty((0, DIM), dtype=np.float32))
    assert (store.count(), store.contents()) == (0, set())
    store.upsert(*made(0, 1))
    assert store.search(made(0, 1)[1], limit=0) == [[]]


@each_home
def test_bad_vectors_are_refused_and_nothing_is_stored(store):
    records, vectors = made(0, 6)
    with_nan, too_long = vectors.copy(), vectors.copy()
    with_nan[4, 2] = np.nan
    too_long[4] *= 1.01
    for bad in (with_nan, too_long, np.pad(vectors, ((0, 0), (0, 1))), vectors[:5], vectors[0]):
        with pytest.raises(ModelMismatchError):
            store.upsert(records, bad)
    assert store.count() == 0


@each_home
def test_a_query_that_points_nowhere_is_refused(store):
    for query in (np.zeros(DIM), np.full(DIM, np.inf), np.ones(DIM + 1)):
        with pytest.raises(ModelMismatchError):
            store.search(query[np.newaxis].astype(np.float32), limit=3)


@each_home
def test_another_width_under_the_same_fingerprint_is_refused(opened):
    first = opened()
    first.upsert(*made(0, 4))
    with pytest.raises(ModelMismatchError, match=f"{DIM}"):
        opened(dim=DIM + 8)
    assert first.count() == 4


@each_home
def test_fingerprints_do_not_see_each_other(opened):
    one, two = opened(fingerprint="model/a"), opened(fingerprint="model-a")
    one.upsert(*made(0, 8, fingerprint="model/a"))
    two.upsert(*made(0, 4, fingerprint="model-a"))
    assert (one.count(), two.count()) == (8, 4)


@each_home
def test_a_closed_store_says_so(opened):
    store = opened()
    store.upsert(*made(0, 4))
    store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.count()
    store.close()


@each_kept_home
def test_what_was_stored_is_there_after_closing_and_opening_again(opened):
    records, vectors = made(0, 600)
    first = opened()
    first.upsert(records, vectors)
    first.delete({content_name(0)})
    first.close()
    again = opened()
    assert again.count() == 596
    assert again.fetch([records[100].id])[0] == [records[100]]
    assert again.search(vectors[[599]], limit=1)[0][0].segment == records[599]


@each_kept_home
def test_threads_may_write_and_search_at_once(store):
    failures = []

    def write(start):
        try:
            for step in range(start, start + 200, 50):
                store.upsert(*made(step, 50))
                (hits,) = store.search(made(step, 1)[1], limit=1)
                assert hits[0].segment.id == made(step, 1)[0][0].id
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 200, 400, 600)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count() == 800


def test_a_server_that_does_not_answer_is_named_with_the_next_step():
    with pytest.raises(StoreUnavailableError, match=r"http://127\.0\.0\.1:9.*OMNIA_QDRANT_URL"):
        open_server("http://127.0.0.1:9", None, library=LIBRARY, fingerprint=FINGERPRINT, dim=DIM)
    with pytest.raises(StoreUnavailableError, match="OMNIA_QDRANT_URL"):
        open_server("nonsense://", None, library=LIBRARY, fingerprint=FINGERPRINT, dim=DIM)


def test_settings_choose_the_home(tmp_path):
    embedded = Settings(home=tmp_path, catalogue_url="")
    with_server = Settings(home=tmp_path, catalogue_url="", qdrant_url="http://127.0.0.1:9")
    store = open_vectors(embedded, library=LIBRARY, fingerprint=FINGERPRINT, dim=DIM)
    store.close()
    with pytest.raises(StoreUnavailableError, match="no Qdrant server"):
        open_vectors(with_server, library=LIBRARY, fingerprint=FINGERPRINT, dim=DIM)


def test_a_collection_of_an_older_version_gets_its_text_index_when_it_is_opened(tmp_path, monkeypatch):
    records, vectors = made(0, 8)
    with monkeypatch.context() as older_version:
        older_version.setattr(data.edge, "_with_indexes", lambda shard, _: shard)
        older = EdgeStore(tmp_path, fingerprint=FINGERPRINT, dim=DIM)
        older.upsert(records, vectors)
        with pytest.raises(StoreUnavailableError):
            older.search_words("segment", limit=3)
        older.close()
    store = EdgeStore(tmp_path, fingerprint=FINGERPRINT, dim=DIM)
    assert [hit.segment for hit in store.search_words("5", limit=3)] == [records[5]]
    store.close()


def test_a_shard_that_is_open_elsewhere_is_waited_for_and_then_named(tmp_path, monkeypatch):
    EdgeStore(tmp_path, fingerprint=FINGERPRINT, dim=DIM).close()
    elsewhere = qdrant_edge.EdgeShard.load(str(tmp_path / "shard"))
    monkeypatch.setattr(data.edge, "_LOCKED_S", 0.1)
    with pytest.raises(StoreLockedError, match="another process"):
        EdgeStore(tmp_path, fingerprint=FINGERPRINT, dim=DIM)
    monkeypatch.setattr(data.edge, "_LOCKED_S", 10)
    threading.Timer(0.2, elsewhere.close).start()
    EdgeStore(tmp_path, fingerprint=FINGERPRINT, dim=DIM).close()


def test_a_damaged_or_unfinished_collection_is_told_from_a_good_one(tmp_path):
    folder = tmp_path / "collection"
    (folder / "shard.new" / "segments").mkdir(parents=True)  # as a crash during creation leaves it
    EdgeStore(folder, fingerprint=FINGERPRINT, dim=DIM).close()
    (folder / "collection.json").write_text("{")
    with pytest.raises(StoreUnavailableError, match="damaged"):
        EdgeStore(folder, fingerprint=FINGERPRINT, dim=DIM)


# ── one server ──


@pytest.fixture
def server(monkeypatch):
    """The client of a server that all stores reach, whatever its address."""
    client = QdrantClient(":memory:")
    monkeypatch.setattr(client, "close", lambda: None)
    monkeypatch.setattr("data.server._client", lambda url, api_key: client)
    return client


def on_server(home):
    url = f"sqlite:///{home / 'catalogue.sqlite'}"
    return Settings(home=home, catalogue_url=url, qdrant_url="http://127.0.0.1:9", model="tiny")


def promise(catalogue, contents):
    """Rows that say of these contents (by number) that their vectors are stored."""
    run = catalogue.begin_run("/m", FINGERPRINT, model="tiny")
    outcomes = [
        Outcome(
            path=f"/m/{number}",
            size_bytes=1,
            mtime_ns=1,
            state=FileState.INDEXED,
            kind=Kind.TEXT,
            content=content_name(number),
            segments=4,
        )
        for number in contents
    ]
    catalogue.record(run, FINGERPRINT, outcomes)


def names(*numbers):
    return {content_name(number) for number in numbers}


def test_two_libraries_on_one_server_prune_and_drop_only_their_own(server, tmp_path, monkeypatch):
    row = ModelRow(name="tiny", fingerprint=FINGERPRINT, dim=DIM, licence="", loader="", batch_size=8)
    monkeypatch.setitem(MODELS, "tiny", row)
    one, two = on_server(tmp_path / "one"), on_server(tmp_path / "two")
    for settings, numbers, start in ((one, (0, 1, 2), 0), (two, (2, 3), 8)):
        with open_library(settings) as library:
            library.open_store().upsert(*made(start, 4 * len(numbers)))
            promise(library.catalogue, numbers)
            assert prune(library).contents == 0, "nobody else's vectors are strays"
    with open_library(one) as library:
        assert prune(library, roots=[Path("/m")]).contents == 3
        assert library.open_store().contents() == set()
    with open_library(two) as library:
        assert library.open_store().contents() == names(2, 3)
    with open_library(one) as library:
        library.open_store().upsert(*made(0, 4))
        library.drop_other(FINGERPRINT)
        assert library.open_other(FINGERPRINT) is None
    with open_library(two) as library:
        store = library.open_other(FINGERPRINT)
        assert store is not None
        assert store.contents() == names(2, 3)


def test_the_width_of_a_servers_collection_is_known_until_it_is_dropped(server):
    settings = Settings(home=Path("unused"), catalogue_url="", qdrant_url="http://127.0.0.1:9")
    assert stored_dim(settings, library=LIBRARY, fingerprint=FINGERPRINT) is None
    open_vectors(settings, library=LIBRARY, fingerprint=FINGERPRINT, dim=DIM)
    assert stored_dim(settings, library=LIBRARY, fingerprint=FINGERPRINT) == DIM
    drop_vectors(settings, library=LIBRARY, fingerprint=FINGERPRINT)
    assert stored_dim(settings, library=LIBRARY, fingerprint=FINGERPRINT) is None
