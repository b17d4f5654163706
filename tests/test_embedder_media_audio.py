"""Sound: windows of about ten seconds, and what is said in them, to the second."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence, Kind, Span
from embedder.media import cut, identify, open_source, read, still
from embedder.media.speech import _is_spoken
from embedder.segment import Segment
from tests import make_media


def _heard(path: Path) -> list[Segment]:
    return [segment for segment in read(path) if segment.evidence is Evidence.HEARD]


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg", "opus", "m4a", "aiff", "wma"])
def test_every_sound_format_is_heard(tmp_path: Path, suffix: str) -> None:
    [segment] = _heard(make_media.sound_file(tmp_path / f"a.{suffix}"))
    assert segment.sound is not None
    assert (segment.kind, segment.sound.dtype) == (Kind.AUDIO, np.float32)
    assert abs(segment.sound.size / 16_000 - 3.0) < 0.1
    spectrum = abs(np.fft.rfft(segment.sound[:16_000]))
    assert abs(int(spectrum.argmax()) - 440) <= 2


@pytest.mark.parametrize("suffix", ["flac", "aac", "mp3"])
def test_a_tag_before_a_sound_does_not_make_it_an_mp3(tmp_path: Path, suffix: str) -> None:
    path = make_media.sound_file(tmp_path / f"a.{suffix}", make_media.tone(3), "-write_id3v2", "0")
    name = identify(path).name
    tag = b"ID3\x03\0\0\0\0\x02\0" + b"TIT2\0\0\0\x05\0\0\0Song".ljust(256, b"\0")
    path.write_bytes(tag + path.read_bytes())
    assert identify(path).name == name
    assert len(_heard(path)) == 1


def test_a_wav_of_more_than_four_gigabytes_is_one(tmp_path: Path) -> None:
    assert len(_heard(make_media.sound_file(tmp_path / "a.wav", make_media.tone(3), "-rf64", "always"))) == 1


@pytest.mark.parametrize("suffix", ["3gp", "mov"])
def test_a_film_format_with_sound_alone_is_a_sound(tmp_path: Path, suffix: str) -> None:
    path = make_media.sound_file(tmp_path / f"a.{suffix}", make_media.tone(3), "-c:a", "aac")
    assert identify(path).kind is Kind.AUDIO
    assert len(_heard(path)) == 1
    assert identify(make_media.film(tmp_path / f"film.{suffix}", colours=(1,))).kind is Kind.VIDEO


def test_a_voice_message_of_a_telephone_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "message.amr"
    make_media.ffmpeg("-i", str(make_media.wav(tmp_path / "a.wav", make_media.speech())), "-ar", "8000", str(path))
    assert any("orange cat" in (segment.text or "") for segment in read(path))


@pytest.mark.parametrize(
    ("seconds", "ends"),
    [(0.2, [0.2]), (12.0, [12.0]), (24.0, [10.0, 24.0]), (26.0, [10.0, 20.0, 26.0]), (40.0, [10.0, 20.0, 30.0, 40.0])],
)
def test_windows_cover_the_sound_without_a_gap(tmp_path: Path, seconds: float, ends: list[float]) -> None:
    found = _heard(make_media.wav(tmp_path / "a.wav", make_media.tone(seconds)))
    assert [s.span.end_s for s in found] == ends
    assert [s.span.start_s for s in found] == [0.0, *ends[:-1]]


def test_silent_windows_are_left_out_unless_there_is_nothing_else(tmp_path: Path) -> None:
    mixed = np.concatenate([make_media.silence(20), make_media.tone(10), make_media.silence(10)])
    assert [s.span.start_s for s in _heard(make_media.wav(tmp_path / "mixed.wav", mixed))] == [20.0]
    assert len(_heard(make_media.wav(tmp_path / "silent.wav", make_media.silence(30)))) == 1


def test_a_spoken_sentence_is_found_at_its_second(tmp_path: Path) -> None:
    first, second = make_media.speech(), make_media.speech("Seven red balloons float over the market square.")
    sound = np.concatenate([make_media.silence(4), first, make_media.silence(5), second, make_media.silence(2)])
    said = [s for s in read(make_media.wav(tmp_path / "a.wav", sound)) if s.evidence is Evidence.SAID]
    lighthouse, balloons = said
    assert "orange cat" in (lighthouse.text or "")
    assert "balloons" in (balloons.text or "")
    assert lighthouse.language == "en"
    assert lighthouse.span.start_s == pytest.approx(4.0, abs=1.0)
    assert balloons.span.start_s == pytest.approx(9.0 + first.size / 16_000, abs=1.0)
    assert balloons.span.end_s == pytest.approx((sound.size / 16_000) - 2, abs=1.0)


def test_music_and_noise_say_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    chord = sum(make_media.tone(6, hz=hz, level=0.15) for hz in (262, 330, 392))
    noise = rng.normal(0, 0.1, 6 * 16_000).astype(np.float32)
    path = make_media.wav(tmp_path / "a.wav", np.concatenate([chord, noise]))
    assert {s.evidence for s in read(path)} == {Evidence.HEARD}


@pytest.mark.parametrize(("said", "is_spoken"), [("M" * 80, False), ("Mmm, good.", True), ("Let it go, go, go.", True)])
def test_a_hum_is_no_speech(said: str, is_spoken: bool) -> None:
    part = SimpleNamespace(
        text=said, avg_logprob=-0.2, no_speech_prob=0.1, words=[said], start=0.0, end=5.0, compression_ratio=1.0
    )
    assert _is_spoken(part) is is_spoken


def test_long_speech_is_cut_at_quiet_moments_with_right_times(tmp_path: Path) -> None:
    birds = ("pigeon", "sparrow", "eagle", "parrot", "chicken")
    parts = [make_media.speech(f"A large {bird} walks across the garden.") for bird in birds]
    starts = np.cumsum([0.0, *(p.size / 16_000 + 28 for p in parts)])
    sound = np.concatenate([np.append(p, make_media.silence(28)) for p in parts])
    said = [s for s in read(make_media.wav(tmp_path / "a.wav", sound)) if s.evidence is Evidence.SAID]
    assert [s.span.start_s or 0.0 for s in said] == pytest.approx(starts[:-1], abs=1.0)
    assert all(bird in (s.text or "").lower() for bird, s in zip(birds, said, strict=True))


def test_a_sound_of_no_length_is_skipped_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaError, match="lasts no time"):
        list(read(make_media.wav(tmp_path / "a.wav", make_media.silence(0))))


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac", "wav"])
def test_a_sound_that_is_cut_off_is_heard_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    path = make_media.sound_file(tmp_path / f"cut.{suffix}", make_media.tone(8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    [segment] = _heard(path)
    assert segment.span.end_s is not None
    assert 0.5 < segment.span.end_s < 6.0


def test_a_sound_is_heard_and_cut_whatever_bytes_its_folders_are_named_with(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 <input>")
    folder.mkdir()
    path = make_media.sound_file(folder / os.fsdecode(b"\xff.mp3"))
    assert len(_heard(path)) == 1
    cut(open_source(path), Span(start_s=1.0, end_s=2.0), folder / "clip.mp4", max_side=64)
    assert len(_heard(folder / "clip.mp4")) == 1


def test_the_reason_for_a_broken_sound_is_free_of_its_path(tmp_path: Path) -> None:
    for name in (b"plain.mp3", b"caf\xe9.mp3", b"it's.mp3"):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(b"\xff\xfb\x90\x00" * 3 + b"\0" * 3000)
        with pytest.raises(UnreadableMediaError) as caught:
            list(read(path))
        assert caught.value.reason == "broken MP3 sound: Invalid data found when processing input"


def test_a_sound_has_no_still(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no picture to show"):
        still(make_media.wav(tmp_path / "a.wav"), Span(), max_side=100)
