"""Runs of the indexer that the page starts: one at a time, apart from the page, their last words kept."""

from __future__ import annotations

import sys
import time

import pytest

from app.ingests import Ingests
from data.errors import StoreLockedError
from data.locks import ingest_lock, is_ingesting
from data.settings import Settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    home = tmp_path / "home"
    return Settings(home=home, catalogue_url=f"sqlite:///{home / 'catalogue.sqlite'}")


def ended(ingests: Ingests) -> Ingests:
    for _ in range(600):
        if not ingests.is_at_work:
            return ingests
        time.sleep(0.05)
    raise AssertionError("it does not end")


def test_the_real_indexer_runs_on_the_library_of_the_page_and_its_last_words_are_kept(settings, tmp_path):
    ingests = Ingests(settings)
    ingests.start("ingest", str(tmp_path / "nowhere; touch x"))
    assert ingests.is_at_work
    with pytest.raises(StoreLockedError, match="filled already"):
        ingests.start("retry")
    assert "nowhere; touch x' does not exist" in ended(ingests).complaint()
    assert settings.home.joinpath("ingest.log").exists()
    ingests.start("ingest", str(settings.home))  # a folder that is there: nothing to complain of
    assert ended(ingests).complaint() == ""


def test_none_is_started_beside_one_of_another_process(settings):
    settings.home.mkdir()
    with ingest_lock(settings.home), pytest.raises(StoreLockedError):
        Ingests(settings).start("retry")


def test_what_says_nothing_is_told_by_its_code(settings):
    ingests = Ingests(settings, command=(sys.executable, "-c", "raise SystemExit(7)"))
    ingests.start()
    assert ended(ingests).complaint() == "it ended with exit code 7"


def test_one_that_is_stopped_before_it_can_say_anything_is_told_so(settings):
    ingests = Ingests(settings, command=(sys.executable, "-c", "import time; time.sleep(60)"))
    ingests.start()
    ingests.stop()
    assert ended(ingests).complaint() == "stopped before it began"


def test_one_that_is_stopped_keeps_what_it_has_and_says_so(settings, tmp_path):
    for number in range(3_000):
        (tmp_path / "media" / f"{number % 30}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / f"{number % 30}" / f"{number}.txt").write_text(f"note {number}")
    ingests = Ingests(settings)
    ingests.stop()  # nothing is at work: nothing to stop
    ingests.start("ingest", str(tmp_path / "media"), "--model", "omnia-zero")
    for _ in range(1_200):
        if is_ingesting(settings.home):
            break
        time.sleep(0.05)
    ingests.stop()
    assert "stopped; what was indexed is kept" in ended(ingests).complaint()
    ingests.start("status")
    assert ended(ingests).complaint() == ""
