"""Runs of the indexer that the page starts: one at a time, apart from the page, their last words kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from app.ingests import Ingests
from data.errors import StoreLockedError
from data.locks import ingest_lock, is_ingesting
from data.settings import Settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    home = tmp_path / "home"
    return Settings(home=home, catalogue_url=f"sqlite:///{home / 'catalogue.sqlite'}")


@pytest.fixture
def ingests_of(settings) -> Iterator[Callable[..., Ingests]]:
    """Makes one on the settings' library; what it has started ends with the test."""
    made: list[Ingests] = []

    def make(**options) -> Ingests:
        made.append(Ingests(settings, **options))
        return made[-1]

    yield make
    for ingests in made:
        if ingests._process is not None and ingests.is_at_work:
            ingests._process.kill()
            ingests._process.wait()


def ended(ingests: Ingests) -> Ingests:
    until(lambda: not ingests.is_at_work)
    return ingests


def until(is_so: Callable[[], bool], *, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_real_indexer_runs_on_the_library_of_the_page_and_its_last_words_are_kept(settings, ingests_of, tmp_path):
    ingests = ingests_of()
    ingests.start("ingest", str(tmp_path / "nowhere; touch x"))
    assert ingests.is_at_work
    with pytest.raises(StoreLockedError, match="filled already"):
        ingests.start("retry")
    assert "nowhere; touch x' does not exist" in ended(ingests).complaint()
    assert settings.home.joinpath("ingest.log").exists()
    (tmp_path / "media").mkdir()
    ingests.start("ingest", str(tmp_path / "media"))  # a folder that is there: nothing to complain of
    assert ended(ingests).complaint() == ""


def test_none_is_started_beside_one_of_another_process(settings):
    settings.home.mkdir()
    with ingest_lock(settings.home), pytest.raises(StoreLockedError):
        Ingests(settings).start("retry")


def test_what_says_nothing_is_told_by_its_code(ingests_of):
    ingests = ingests_of(command=(sys.executable, "-c", "raise SystemExit(7)"))
    ingests.start()
    assert ended(ingests).complaint() == "it ended with exit code 7"


def test_one_that_is_stopped_before_it_can_say_anything_is_told_so(ingests_of):
    ingests = ingests_of(command=(sys.executable, "-c", "import time; time.sleep(60)"))
    ingests.start()
    ingests.stop()
    assert ended(ingests).complaint() == "stopped before it began"


def test_one_that_is_stopped_keeps_what_it_has_and_says_so(settings, ingests_of, tmp_path):
    for number in range(3_000):
        (tmp_path / "media" / f"{number % 30}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / f"{number % 30}" / f"{number}.txt").write_text(f"note {number}")
    ingests = ingests_of()
    ingests.stop()  # nothing is at work: nothing to stop
    ingests.start("ingest", str(tmp_path / "media"), "--model", "omnia-zero")
    until(lambda: is_ingesting(settings.home))
    ingests.stop()
    assert "stopped; what was indexed is kept" in ended(ingests).complaint()
    ingests.start("status")
    assert ended(ingests).complaint() == ""
