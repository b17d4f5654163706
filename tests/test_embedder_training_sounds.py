"""Named sounds: the table, archives, what is left out, and rendered instruments, on tiny packages."""

from __future__ import annotations

import struct
import wave
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from embedder.training import instruments, sounds
from embedder.training.fetch import FetchFailedError
from embedder.training.pairs import Medium, Package, Registry
from embedder.training.sounds import SOUNDS, SoundTableError, read_named, read_stamps, read_table

PACKAGE = Package(Registry.DEBIAN, "farm-data", "1")
TABLE = """
# a comment
[words]
cow | a cow mooing | cow moo
footsteps on stone | walking on stone

[farm-data]
-: *-voice
cow: moo moo-*
footsteps on stone: steps/rock*
ship horn: ship?horn
"""


def make_sound(path: Path, *, seconds: float = 0.5, pitch_hz: float = 440.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * 8000)) / 8000
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes((np.sin(2 * np.pi * pitch_hz * times) * 20000).astype("<i2").tobytes())
    return path


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder whose table is the small one above."""
    monkeypatch.setattr(sounds, "_table", lambda: read_table(TABLE))
    folder = tmp_path / "farm-data"
    folder.mkdir()
    return folder


def test_a_named_sound_gets_captions_and_others_are_left_out(farm: Path) -> None:
    make_sound(farm / "share" / "Moo.wav")
    make_sound(farm / "steps" / "rock2.wav", pitch_hz=200)
    make_sound(farm / "elsewhere" / "rock.wav", pitch_hz=300)
    make_sound(farm / "moo-voice.wav", pitch_hz=500)
    found = {pair.key: pair for pair in read_named(PACKAGE, "farm", farm.parent)}
    assert set(found) == {"share/Moo.wav", "steps/rock2.wav"}
    assert found["share/Moo.wav"].captions == ("a cow mooing", "cow moo", "cow")
    assert found["share/Moo.wav"].group == "cow"
    assert found["share/Moo.wav"].source == "farm"


def test_variants_of_a_group_are_capped_and_twins_dropped(farm: Path) -> None:
    for number in range(12):
        make_sound(farm / f"moo-{number}.wav", pitch_hz=200 + 20 * number)
    assert len(list(read_named(PACKAGE, "farm", farm.parent))) == 8
    for number in range(12):
        make_sound(farm / f"moo-{number}.wav")
    assert len(list(read_named(PACKAGE, "farm", farm.parent))) == 1


def test_long_short_and_broken_sounds_are_left_out(farm: Path) -> None:
    make_sound(farm / "moo-long.wav", seconds=61)
    make_sound(farm / "moo-click.wav", seconds=0.05)
    (farm / "moo-broken.wav").write_bytes(b"no sound")
    good = make_sound(farm / "moo.wav")
    assert [pair.path for pair in read_named(PACKAGE, "farm", farm.parent)] == [good]


def test_the_order_is_the_same_in_every_run(farm: Path) -> None:
    for number in range(10):
        make_sound(farm / f"moo-{number}.wav", pitch_hz=200 + 20 * number)
    first, second = (tuple(read_named(PACKAGE, "farm", farm.parent)) for _ in range(2))
    assert first == second


def test_sounds_in_a_zip_are_read_and_its_music_stays(farm: Path) -> None:
    sound = make_sound(farm.parent / "moo.wav")
    with zipfile.ZipFile(farm / "game.pk3", "w") as archive:
        archive.write(sound, "sound/moo.wav")
        archive.write(sound, "sound/music/moo.wav")
    for _ in range(2):  # the second run finds it unpacked
        (pair,) = read_named(PACKAGE, "farm", farm.parent)
        assert pair.key == "game.pk3.sounds/sound/moo.wav"
    assert not list(farm.rglob("*.part"))


def test_sounds_of_a_catalogue_are_named_by_their_titles(farm: Path) -> None:
    riff = make_sound(farm.parent / "any.wav").read_bytes()
    titles = [b'"Ship horn". Original by someone.\0', b'"Good Year".\0']
    entries = [bytes([len(title)]) + title + riff for title in titles]
    offsets = (16, 16 + len(entries[0]))
    index = b"".join(struct.pack("<II", at | 0x80000000, len(riff)) for at in offsets)
    (farm / "game.cat").write_bytes(index + b"".join(entries))
    (pair,) = read_named(PACKAGE, "farm", farm.parent)
    assert pair.group == "ship horn"
    assert pair.path is not None
    assert pair.path.read_bytes() == riff


def test_a_package_that_was_not_fetched_is_said(tmp_path: Path) -> None:
    with pytest.raises(FetchFailedError, match="farm-data"):
        list(read_named(PACKAGE, "farm", tmp_path))


@pytest.mark.parametrize("text", ["cow: moo", "[farm]\ncow", "[words]\ncow | moo\ncow | low"])
def test_a_bad_line_of_the_table_is_refused(text: str) -> None:
    with pytest.raises(SoundTableError):
        read_table(text)


def test_the_table_has_a_section_for_each_named_source_and_clean_captions() -> None:
    table = sounds._table()
    named = {source.packages[0].name for source in SOUNDS if getattr(source.read, "func", None) is read_named}
    assert named == set(table.heard)
    groups = {group for globs in table.heard.values() for _, group in globs if group}
    for caption in [*groups, *(caption for captions in table.captions.values() for caption in captions)]:
        assert caption.strip() == caption
        assert not set(caption) & set("_*?0123456789"), caption
    assert not set(table.captions) - groups, "captions that no file gets"


def test_sources_have_distinct_names_and_some_are_never_trained_on() -> None:
    assert max(Counter(source.name for source in SOUNDS).values()) == 1
    assert all(source.medium is Medium.AUDIO for source in SOUNDS)
    assert {source.name for source in SOUNDS if source.whole} == {"stamp sounds", "gcompris sounds"}


def test_a_stamp_is_named_by_its_first_sentence(tmp_path: Path) -> None:
    stamps = tmp_path / "tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
    for number, name in enumerate(("animals/lamb", "animals/lamb_desc", "animals/lamb_desc_de", "symbols/two")):
        make_sound(stamps / f"{name}.wav", pitch_hz=200 + 50 * number)
    (stamps / "animals/lamb.txt").write_text("A baby sheep (a lamb).  Baa!\nde.utf8=Ein Lamm.\n", encoding="utf-8")
    (stamps / "symbols/two.txt").write_text("Two.\n", encoding="utf-8")
    (pair,) = read_stamps(tmp_path)
    assert pair.captions == ("A baby sheep",)
    assert pair.group == "baby sheep"


class FakeSynth:
    """A synthesizer whose every key is a sine of its own pitch."""

    def __init__(self, samplerate: int) -> None:
        self.rate, self.keys = samplerate, set[int]()

    def sfload(self, path: str) -> int:
        assert path.endswith("tiny.sf2")
        return 0

    def program_change(self, channel: int, program: int, is_drums: bool = False) -> None:
        assert is_drums == (channel == 9)
        assert 0 <= program < 128

    def noteon(self, channel: int, key: int, velocity: int) -> None:
        self.keys.add(key)

    def noteoff(self, channel: int, key: int) -> None:
        self.keys.discard(key)

    def sounds_off(self) -> None:
        self.keys.clear()

    def generate(self, samples: int) -> memoryview:
        times = np.arange(samples) / self.rate
        waves = [np.sin(2 * np.pi * 440 * 2 ** ((key - 69) / 12) * times) for key in self.keys]
        mono = np.sum(waves, axis=0) if waves else np.zeros(samples)
        return memoryview(np.repeat(mono.astype(np.float32), 2).tobytes())


def test_instruments_are_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def imported(name: str) -> SimpleNamespace:
        made.append(name)
        return SimpleNamespace(Synth=FakeSynth)

    monkeypatch.setattr(instruments.importlib, "import_module", imported)
    wanted = [piece for piece in instruments.pieces() if piece.name in ("program 040 melody", "key 38 stroke")]
    monkeypatch.setattr(instruments, "pieces", lambda: iter(wanted))
    font = Package(Registry.DEBIAN, "font", "1")
    (tmp_path / "font").mkdir()
    (tmp_path / "font" / "tiny.sf2").touch()
    (tmp_path / "tinysoundfont").mkdir()
    violin, snare = instruments.read_instruments(font, "tiny", tmp_path)
    assert violin.captions == ("a violin playing a melody", "violin melody", "violin")
    assert snare.group == "snare drum"
    assert violin.path is not None
    with wave.open(str(violin.path)) as sound:
        assert sound.getnchannels() == 1
        assert sound.getframerate() == 24_000
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
    assert 3.0 < len(samples) / 24_000 < 5.0
    assert np.abs(samples).max() == pytest.approx(0.7, abs=0.01)
    assert [violin, snare] == list(instruments.read_instruments(font, "tiny", tmp_path))
    assert made == ["tinysoundfont"]


def test_every_program_and_key_has_its_place() -> None:
    assert len(instruments._listed(instruments._PROGRAMS)) == 128
    assert len(instruments._listed(instruments._KEYS)) == 81 - 35 + 1
    names = [piece.name for piece in instruments.pieces()]
    assert len(names) == len(set(names))
    violin = next(piece for piece in instruments.pieces() if piece.program == 40)
    assert violin.group == "violin"
