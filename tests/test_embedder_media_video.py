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


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mov", "flv", "mpg", "mts", "ogv"])
def test_what_begins_later_or_has_a_gap_is_found_at_its_second(tmp_path: Path, suffix: str) -> None:
    codecs = {"webm": "libvpx libopus", "mpg": "mpeg2video mp2", "ogv": "libvpx libvorbis", "flv": "flv mp3"}
    picture, sound = codecs.get(suffix, "libx264 aac").split()
    codec = ["-c:v", picture, "-c:a", sound, "-pix_fmt", "yuv420p", "-ar", "48000" if sound == "libopus" else "44100"]
    seen = ["-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=34"]
    heard = ["-i", str(make_media.wav(tmp_path / "a.wav", make_media.tone(24)))]
    lost = ["-af", "aselect=lt(t\\,13)+gt(t\\,19)"]
    path = tmp_path / f"a.{suffix}"
    make_media.ffmpeg(*seen, "-itsoffset", "8", *heard, "-map", "0", "-map", "1", *lost, *codec, str(path))
    segments = [s for s in _by_evidence(path)[Evidence.HEARD] if s.sound is not None]
    loud = [
        (s.span.start_s or 0.0) + at / 10
        for s in segments
        for at, level in enumerate(np.abs(np.asarray(s.sound)[: len(s.sound) // 1600 * 1600]).reshape(-1, 1600).max(1))
        if level > 0.1
    ]
    assert (loud[0], loud[-1]) == pytest.approx((8.0, 32.0), abs=0.3)
    assert [s for s in loud if 13.5 < s < 17.5] == []


def test_a_picture_that_begins_later_than_the_sound_is_seen_at_its_second(tmp_path: Path) -> None:
    film = make_media.film(tmp_path / "a.mkv", colours=(1, 2), shot_s=4)
    sound = make_media.wav(tmp_path / "a.wav", make_media.tone(11))
    path = tmp_path / "b.mts"
    make_media.ffmpeg("-i", str(sound), "-itsoffset", "3", "-i", str(film), "-c:v", "copy", "-c:a", "aac", str(path))
    assert _by_evidence(path)[Evidence.SEEN][-1].span.start_s == pytest.approx(7.0, abs=0.3)


def test_a_wrong_time_makes_no_hours_of_silence(tmp_path: Path) -> None:
    film = make_media.film(tmp_path / "a.mkv", colours=(1,), sound=make_media.tone(6), shot_s=6)
    two_hours_late = ["-itsoffset", "7200", "-i", str(film), "-map", "0:v", "-map", "1:a", "-c", "copy"]
    make_media.ffmpeg("-i", str(film), *two_hours_late, str(tmp_path / "late.mkv"))
    jump = ["-bsf:a", "setts=ts=PTS+gt(PTS*TB\\,2)*7200/TB", "-max_interleave_delta", "0", "-c", "copy"]
    make_media.ffmpeg("-i", str(film), *jump, str(tmp_path / "jump.mkv"))
    for name in ("late.mkv", "jump.mkv"):
        [heard] = _by_evidence(tmp_path / name)[Evidence.HEARD]
        assert (heard.span.start_s, heard.span.end_s) == pytest.approx((0.0, 6.0), abs=0.2)


def test_of_several_tracks_the_default_is_taken_else_the_first_sound_and_the_largest_picture(tmp_path: Path) -> None:
    small, large = ["-f", "lavfi", "-i", "color=red:s=64x36:d=2"], ["-f", "lavfi", "-i", "color=blue:s=320x180:d=2"]
    sounds = [arg for hz in (300, 600, 900) for arg in ("-f", "lavfi", "-i", f"sine={hz}:d=2")]
    every = [arg for number in range(5) for arg in ("-map", f"{number}")]

    def found(name: str, *dispositions: str) -> tuple[int, int, list[str]]:
        path, notes = tmp_path / name, list[str]()
        make_media.ffmpeg(*small, *large, *sounds, *every, "-c:v", "libx264", *dispositions, str(path))
        tracks = _by_evidence(path, notes)
        [seen], [heard] = tracks[Evidence.SEEN], tracks[Evidence.HEARD]
        assert seen.pixels is not None
        assert heard.sound is not None
        return seen.pixels.shape[2], int(abs(np.fft.rfft(heard.sound[:16_000])).argmax()), notes

    none = ["-disposition", "0"]
    notes = ["further sound tracks are left out (2)"]
    assert found("none.mkv", *none) == (320, 300, notes)
    assert found("some.mkv", *none, "-disposition:v:0", "default", "-disposition:a:1", "default") == (64, 600, notes)


@pytest.mark.parametrize(("begins_s", "heard_until"), [(25, [29.0]), (60, [])])
def test_a_picture_is_seen_where_the_sound_is_announced_and_comes_late_or_never(
    tmp_path: Path, begins_s: int, heard_until: list[float]
) -> None:
    film = make_media.film(tmp_path / "a.mkv", colours=(1, 2), shot_s=15)
    sound = make_media.wav(tmp_path / "a.wav", make_media.tone(4))
    path, notes = tmp_path / "b.mts", list[str]()
    late = ["-itsoffset", f"{begins_s}", "-i", str(sound), "-max_interleave_delta", "0"]
    make_media.ffmpeg("-i", str(film), *late, "-c:v", "copy", "-c:a", "aac", "-t", "30", str(path))
    found = _by_evidence(path, notes)
    assert 15.0 in [pytest.approx(shot.span.start_s, abs=0.3) for shot in found[Evidence.SEEN]]
    assert found[Evidence.SEEN][-1].span.end_s == pytest.approx(30.0, abs=0.3)
    assert [heard.span.end_s for heard in found[Evidence.HEARD]][-1:] == pytest.approx(heard_until, abs=0.3)
    assert bool(notes) is not bool(heard_until)


@pytest.mark.parametrize("sizes", [(64, 320), (320, 64)])
def test_of_several_programs_of_a_transport_stream_the_first_is_seen_and_heard(
    tmp_path: Path, sizes: tuple[int, int]
) -> None:
    path, inputs = tmp_path / "a.mts", list[str]()
    for side, hz in zip(sizes, (300, 600), strict=True):
        inputs += ["-f", "lavfi", "-i", f"testsrc=s={side}x{side}:d=2", "-f", "lavfi", "-i", f"sine={hz}:d=2"]
    every = [arg for number in range(4) for arg in ("-map", f"{number}")]
    make_media.ffmpeg(
        *inputs, *every, "-program", "st=0:st=1", "-program", "st=2:st=3", "-c:v", "mpeg2video", str(path)
    )
    tracks = _by_evidence(path)
    seen, heard = tracks[Evidence.SEEN][0].pixels, tracks[Evidence.HEARD][0].sound
    assert seen is not None
    assert heard is not None
    assert (seen.shape[2], int(abs(np.fft.rfft(heard[:16_000])).argmax())) == (sizes[0], 300)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_a_film_in_hdr_is_seen_as_bright_and_colourful_as_it_was_filmed(tmp_path: Path, transfer: str) -> None:
    wanted = make_media.picture(192, 108, seed=1)
    path = make_media.hdr_film(tmp_path / "a.mp4", wanted, transfer)
    [shot] = _by_evidence(path)[Evidence.SEEN]
    assert shot.pixels is not None
    shown = Image.open(io.BytesIO(still(path, Span(start_s=0.0), max_side=192)))
    for pixels in (shot.pixels[0], np.asarray(shown)):
        assert abs(pixels.astype(int) - np.asarray(wanted)).mean() < 12


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
