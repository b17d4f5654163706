"""Where the settings put a library."""

from __future__ import annotations

import pytest

from data.catalogue import open_catalogue
from data.errors import BadSettingsError
from data.settings import Settings


@pytest.mark.parametrize("name", ["what?", "a%20b", "100%", "a?b=c&d", "C#", "two words", "ü海", "a@b:c;d"])
def test_the_catalogue_lies_in_its_home_whatever_that_is_called(tmp_path, monkeypatch, name):
    monkeypatch.delenv("OMNIA_CATALOGUE_URL", raising=False)
    monkeypatch.setenv("OMNIA_HOME", str(tmp_path / name))
    open_catalogue(Settings.load().catalogue_url).close()
    assert [folder.name for folder in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "catalogue.sqlite").stat().st_size


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1", "mps"])
def test_devices_are_known_by_name(monkeypatch, device):
    monkeypatch.setenv("OMNIA_DEVICE", device)
    assert Settings.load().device == device


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0", "CPU", "cpu "])
def test_a_device_that_is_none_is_refused_at_once(monkeypatch, device):
    monkeypatch.setenv("OMNIA_DEVICE", device)
    with pytest.raises(BadSettingsError, match="use auto, cpu, cuda, cuda:N or mps"):
        Settings.load()
    assert Settings.load(device="cpu").device == "cpu"


def test_a_library_knows_whether_its_catalogue_lies_in_its_home(tmp_path, monkeypatch):
    monkeypatch.delenv("OMNIA_CATALOGUE_URL", raising=False)
    monkeypatch.setenv("OMNIA_HOME", str(tmp_path / "what?"))
    assert Settings.load().has_own_catalogue
    monkeypatch.setenv("OMNIA_CATALOGUE_URL", "postgresql+psycopg://omnia@/postgres")
    assert not Settings.load().has_own_catalogue


def test_a_home_with_a_user_who_is_not_known_is_refused(monkeypatch):
    monkeypatch.setenv("OMNIA_HOME", "~no-such-user/library")
    with pytest.raises(BadSettingsError, match="'~no-such-user/library' lies with a user who is not known"):
        Settings.load()


@pytest.mark.parametrize("workers", ["-1", "65", "1000000"])
def test_a_number_of_workers_that_no_machine_has_is_refused(monkeypatch, workers):
    monkeypatch.setenv("OMNIA_WORKERS", workers)
    with pytest.raises(BadSettingsError, match=f"to 64, not {workers}"):
        Settings.load()
    assert Settings.load(workers=64).workers == 64


@pytest.mark.parametrize("token", ["naïve", "two words", "line\nbreak", " a", "a\t", "\x7f"])
def test_a_token_that_no_header_carries_is_refused(monkeypatch, token):
    monkeypatch.setenv("OMNIA_TOKEN", token)
    with pytest.raises(BadSettingsError, match="OMNIA_TOKEN must be printable ASCII without spaces"):
        Settings.load()
    monkeypatch.setenv("OMNIA_TOKEN", "a~Z9!%&+=/;,")
    assert Settings.load().token == "a~Z9!%&+=/;,"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///c.sqlite?foo=bar", "sqlite:///what?/c"])
def test_a_catalogue_that_would_not_be_kept_where_it_is_said_to_be_is_refused(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadSettingsError, match="SQLite takes a file and no options here"):
        open_catalogue(url)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_no_number_is_one_line():
    with pytest.raises(BadSettingsError, match="OMNIA_CATALOGUE_URL cannot be used: its host or its port is none; "):
        open_catalogue("postgresql+psycopg://host:port/x")
