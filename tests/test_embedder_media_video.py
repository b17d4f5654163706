"""Films: shots, sound track and subtitles, all with their times."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import UnreadableMediaError
from data.records import Evidence, Kind, Span
from embedder.media import Limits, cut, identify, open_source, read, read_source, still
from embedder.segment import Segment
from tests import make_media


def _by_evidence(path: Path, notes: list[str] | None = None) -> dict[Evidence, list[Segment]]:
    found: dict[Evidence, list[Segment]] = {evidence: [] for evidence in Evidence}
    for segment in read(path, notes=notes):
        found[segment.evidence].append(segment)
    return found


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mov", "avi", "wmv", "flv", "mpg", "mts"])
def test_every_film_format_is_seen_shot_by_shot_and_heard(tmp_path: Path, suffix: str) -> None:
    found = _by_evidence(make_media.film(tmp_path / f"a.{suffix}", sound=make_media.tone(6)))
    shots = found[Evidence.SEEN]
    assert [s.span.start_s for s in shots] == pytest.approx([0.0, 2.0, 4.0], abs=0.3)
    assert shots[-1].span.end_s == pytest.approx(6.0, abs=0.3)
    for number, shot in enumerate(shots, start=1):
        assert shot.kind is Kind.VIDEO
        assert shot.pixels is not None
        wanted = np.asarray(make_media.picture(192, 108, seed=number)).astype(int)
        assert abs(shot.pixels[0] - wanted).mean() < 20
    [heard] = found[Evidence.HEARD]
    assert heard.span.end_s == pytest.approx(6.0, abs=0.2)
    with Image.open(io.BytesIO(still(tmp_path / f"a.{suffix}", Span(start_s=3.0), max_side=192))) as shown:
        assert abs(np.asarray(shown).astype(int) - np.asarray(make_media.picture(192, 108, seed=2))).mean() < 20


def test_a_transport_stream_is_told_by_its_packets_and_not_by_its_name(tmp_path: Path) -> None:
    make_media.film(tmp_path / "a.mts").rename(tmp_path / "camera.ts")
    (tmp_path / "program.ts").write_text("export const answer: number = 42;\n" * 20)
    assert identify(tmp_path / "camera.ts").kind is Kind.VIDEO
    assert identify(tmp_path / "program.ts").kind is Kind.TEXT


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_words_said_and_subtitles_are_found_at_their_second(tmp_path: Path, suffix: str) -> None:
    sound = np.concatenate([make_media.silence(3), make_media.speech()])
    path = make_media.film(
        tmp_path / f"a.{suffix}", colours=(1, 2), shot_s=4.5, sound=sound, subtitles=make_media.srt()
    )
    notes: list[str] = []
    found = _by_evidence(path, notes)
    [said] = found[Evidence.SAID]
    assert "orange cat" in (said.text or "")
    assert said.span.start_s == pytest.approx(3.0, abs=1.0)
    assert [s.text for s in found[Evidence.WRITTEN]][-1] == "A storm is coming from the west."
    assert found[Evidence.WRITTEN][0].span.start_s == pytest.approx(0.5, abs=0.1)
    assert notes == []


def test_a_film_whose_name_is_no_utf8_is_seen_heard_read_and_cut(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mkv")
    make_media.film(path, colours=(1,), sound=make_media.tone(2), subtitles=make_media.srt())
    found = _by_evidence(path)
    assert [len(found[evidence]) for evidence in (Evidence.SEEN, Evidence.HEARD, Evidence.WRITTEN)] == [1, 1, 2]
    assert still(path, Span(start_s=1.0), max_side=96)
    clip = tmp_path / os.fsdecode(b"clip \xe9.mp4")
    cut(open_source(path), Span(start_s=0.0, end_s=1.0), clip, max_side=64)
    assert _by_evidence(clip)[Evidence.SEEN]


def test_subtitles_that_take_long_to_find_are_waited_for_with_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_media.film(tmp_path / "a.mkv", colours=(1,), shot_s=1, subtitles=make_media.srt())
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(make_media.slow_ffmpeg(tmp_path / "slow")))
    signs: list[str] = []
    source = open_source(path, alive=lambda: signs.append("alive"), spent_s=lambda: 0.0)
    assert [segment.text for segment in read_source(source)][-1] == "A storm is coming from the west."
    assert len(signs) >= 5
    assert source.notes == []


def test_subtitles_that_are_not_found_in_time_are_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_media.film(tmp_path / "a.mkv", colours=(1,), shot_s=1, subtitles=make_media.srt())
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(make_media.slow_ffmpeg(tmp_path / "slow")))
    signs: list[str] = []
    source = open_source(path, alive=lambda: signs.append("alive"), spent_s=lambda: 3600.0 * (len(signs) >= 6))
    seen, shown = read_source(source)
    assert (seen.evidence, shown.text) == (Evidence.SEEN, "The boat leaves the harbour. Wait for me!")
    assert source.notes == ["what comes after the first subtitles is left out: the file took too long"]


def test_subtitle_tracks_are_read_together_each_to_its_limit(tmp_path: Path) -> None:
    make_media.film(tmp_path / "a.mkv", colours=(1,), shot_s=1)
    inputs = ["-i", str(tmp_path / "a.mkv")]
    maps = ["-map", "0"]
    for number in range(1, 11):
        words = f"This is the track of number {number}. " * (200 if number == 1 else 1)
        (tmp_path / f"{number}.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\n{words}\n")
        inputs += ["-i", str(tmp_path / f"{number}.srt")]
        maps += ["-map", f"{number}"]
    make_media.ffmpeg(*inputs, *maps, "-c", "copy", str(tmp_path / "b.mkv"))
    source = open_source(tmp_path / "b.mkv", limits=Limits(text_bytes=1000))
    texts = [segment.text for segment in read_source(source) if segment.text]
    assert texts[1:] == [f"This is the track of number {number}." for number in range(2, 9)]
    assert 900 < len(texts[0]) <= 1000
    assert source.notes == ["subtitle tracks after the first 8 are left out", "the end of the subtitles is left out"]


def test_long_shots_are_capped(tmp_path: Path) -> None:
    found = _by_evidence(make_media.film(tmp_path / "a.mp4", colours=(1,), shot_s=40))[Evidence.SEEN]
    spans = [(s.span.start_s, s.span.end_s) for s in found]
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert all((end or 0) - (start or 0) <= 16 for start, end in spans)
    assert len(found) in (3, 4)
    assert all(s.pixels is not None and s.pixels.shape[0] == 1 for s in found)  # four equal frames are one


def test_rotation_is_honoured(tmp_path: Path) -> None:
    make_media.film(tmp_path / "a.mp4", colours=(1,))
    turned = tmp_path / "turned.mp4"
    make_media.ffmpeg("-display_rotation", "90", "-i", str(tmp_path / "a.mp4"), "-c", "copy", str(turned))
    [shot] = _by_evidence(turned)[Evidence.SEEN]
    assert shot.pixels is not None
    assert shot.pixels.shape[1:] == (192, 108, 3)


def test_a_film_that_is_cut_off_gives_what_decodes_and_says_so(tmp_path: Path) -> None:
    path = make_media.film(tmp_path / "a.mkv", sound=make_media.tone(6))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    notes: list[str] = []
    assert _by_evidence(path, notes)[Evidence.SEEN]
    assert "picture breaks off after" in notes[0]


def test_a_film_without_its_index_gives_its_reason(tmp_path: Path) -> None:
    path = make_media.film(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableMediaError, match="no index"):
        list(read(path))


def test_a_black_film_is_still_found_by_its_picture(tmp_path: Path) -> None:
    make_media.ffmpeg("-f", "lavfi", "-i", "color=black:s=64x64:d=3:r=5", str(tmp_path / "black.mp4"))
    assert len(_by_evidence(tmp_path / "black.mp4")[Evidence.SEEN]) == 1


def test_a_film_of_one_frame_is_seen(tmp_path: Path) -> None:
    picture = make_media.image_file(tmp_path / "p.png", make_media.picture(64, 64))
    make_media.ffmpeg("-i", str(picture), "-frames:v", "1", "-pix_fmt", "yuv420p", str(tmp_path / "one.mp4"))
    assert len(_by_evidence(tmp_path / "one.mp4")[Evidence.SEEN]) == 1


def test_sound_in_a_film_container_is_a_sound(tmp_path: Path) -> None:
    for suffix in ("mp4", "webm"):
        path = make_media.sound_file(tmp_path / f"a.{suffix}", make_media.tone(2))
        assert identify(path).kind is Kind.AUDIO
        assert len(_by_evidence(path)[Evidence.HEARD]) == 1


def test_a_still_shows_the_moment(tmp_path: Path) -> None:
    path = make_media.film(tmp_path / "a.mp4", colours=(1, 2))
    with Image.open(io.BytesIO(still(path, Span(start_s=3.0), max_side=96))) as image:
        assert image.size == (96, 54)
        wanted = make_media.picture(192, 108, seed=2).resize((96, 54))
        assert abs(np.asarray(image).astype(int) - np.asarray(wanted)).mean() < 20
    assert still(path, Span(start_s=999.0), max_side=96)  # past the end: the first frame
