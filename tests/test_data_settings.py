"""Where the settings put a library."""

from __future__ import annotations

import pytest

from data.catalogue import open_catalogue
from data.settings import Settings


@pytest.mark.parametrize("name", ["what?", "a%20b", "100%", "a?b=c&d", "C#", "two words", "ü海", "a@b:c;d"])
def test_the_catalogue_lies_in_its_home_whatever_that_is_called(tmp_path, monkeypatch, name):
    monkeypatch.delenv("OMNIA_CATALOGUE_URL", raising=False)
    monkeypatch.setenv("OMNIA_HOME", str(tmp_path / name))
    open_catalogue(Settings.load().catalogue_url).close()
    assert [folder.name for folder in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "catalogue.sqlite").stat().st_size
