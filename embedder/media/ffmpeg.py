"""The one home of ffmpeg: PyAV to look into a file, the ffmpeg program to decode it and make clips; files only, no
network."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import av
import ffmpeg
import imageio_ffmpeg
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from data.errors import UnreadableMediaError
from embedder.media.source import WHOLE_COPY, Source
from embedder.segment import SAMPLE_RATE_HZ

_BLOCK_SAMPLES = 4 * SAMPLE_RATE_HZ
_TEXT_SUBTITLES = frozenset({"subrip", "srt", "mov_text", "ass", "ssa", "webvtt", "text"})
_MAX_HEADER = 64
_MEMORY_SHARE = 0.6
_LISTEN_S = 0.5
_LONGEST_GAP_S = 600.0  # in a sound; what says that nothing comes for longer is taken for a wrong time
_BEGIN_WITH_USED = frozenset({"mpegts", "mpeg", "ogg"})  # for them second 0 is where the first stream in use begins
_LEAD_S = 10.0  # longer than any camera or broadcaster goes without a whole picture
_INPUT, _OUTPUT = "<input>", "<output>"  # names of files, until `_command` puts in the real ones
_CLIP = {
    "format": "mp4",
    "movflags": "+faststart",  # the index first, so that a player starts before it has all
    "map_metadata": -1,
    "map_chapters": -1,
    "acodec": "aac",
    "b:a": "96k",
    "ac": 2,
    "vcodec": "libx264",
    "preset": "veryfast",
    "crf": 24,
    "profile:v": "main",
    "pix_fmt": "yuv420p",
    "fpsmax": 30,
}
_HDR = {16: "smpte2084", 18: "arib-std-b67"}  # by AVColorTransferCharacteristic
_TONED = (
    "format=yuv444p10le,zscale=tin={}:min=bt2020nc:pin=bt2020:t=linear:npl=203,format=gbrpf32le,"
    "zscale=p=bt709,tonemap=clip,zscale=t=bt709:m=bt709:r=tv,format=yuv444p,"
)
_NO_INDEX = "the recording has no index (it was cut off before it was finished)"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is in a recording.

    Args:
        duration_s: as its header says, None where it says nothing.
        picture: stream number of the moving picture, None when there is none.
        sound: stream number of the sound, None when there is none.
        sound_rate_hz: 0 where a sound is only announced, and begins long after the picture or never.
        more_sounds: how many further sound tracks there are.
        subtitles: stream numbers of the subtitles that are text.
        drawn_subtitles: how many subtitle streams are pictures.
        width: of the picture in pixels, as stored.
        squeeze: width of a stored pixel over its height.
        transfer: function of a picture in HDR, from light to its numbers, as filters call it; "" for any other.
    """

    duration_s: float | None = None
    picture: int | None = None
    sound: int | None = None
    sound_rate_hz: int = 0
    more_sounds: int = 0
    subtitles: tuple[int, ...] = ()
    drawn_subtitles: int = 0
    width: int = 0
    height: int = 0
    squeeze: float = 1.0
    transfer: str = ""


def probe(source: Source) -> Probe:
    """Look into a recording without decoding it.

    Raises:
        UnreadableMediaError: it has no index, or is no recording at all.
    """
    try:
        container = av.open(
            _url(source.path),
            format=source.format.decoder,
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError) as error:
        reason = _reason(source, str(error))
        if source.format.decoder == "mov" and isinstance(error, av.error.InvalidDataError):
            reason = _NO_INDEX
        raise UnreadableMediaError(source.path, reason, hint=WHOLE_COPY) from error
    with container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic and s.width]
        sounds = [s for s in container.streams.audio if s.codec_context is not None]
        texts = [s for s in container.streams.subtitles if s.codec_context.name in _TEXT_SUBTITLES]
        sized = source.format.decoder != "mpegts"  # there, the largest may be of another program than the sound
        picture = max(pictures, key=lambda s: (_is_default(s), sized * s.width * s.height), default=None)
        heard = max(sounds, key=_is_default, default=None)  # the first of equals
        squeeze = picture.sample_aspect_ratio if picture else None
        return Probe(
            duration_s=container.duration / av.time_base if container.duration else None,
            picture=picture.index if picture else None,
            sound=heard.index if heard else None,
            sound_rate_hz=heard.codec_context.sample_rate if heard else 0,
            more_sounds=max(0, len(sounds) - 1),
            subtitles=tuple(s.index for s in texts),
            drawn_subtitles=len(container.streams.subtitles) - len(texts),
            width=picture.width if picture else 0,
            height=picture.height if picture else 0,
            squeeze=float(squeeze) if squeeze else 1.0,
            transfer=_HDR.get(picture.codec_context.color_trc, "") if picture else "",
        )


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & Disposition.default)


def sound(source: Source, stream: int, *, picture: int | None = None) -> Decoding[NDArray[np.float32]]:
    """Blocks of sound, (samples,) float32 in [-1, 1], mono, at SAMPLE_RATE_HZ; one block is held at a time.

    What is missing in it is silence, and so is what comes before it where `picture` is the stream that it goes with.
    A stream that holds no sample gives no block; iterating raises UnreadableMediaError when not one can be decoded.
    """
    begun = _input(source, dts_error_threshold=_LONGEST_GAP_S)
    steps = (
        f"aformat=fltp:{SAMPLE_RATE_HZ}:mono",  # first, for silence is made of all channels at once, in memory
        f"asetpts=PTS-gt(STARTT\\,{_LONGEST_GAP_S:g})*STARTPTS",
        "aresample=async=1" + (":first_pts=0" if picture is not None else ""),
    )
    output = begun[str(stream)].output("pipe:", format="f32le", acodec="pcm_f32le", af=",".join(steps))
    return Decoding(source, _in_time_with(picture, source, begun, output), _samples)


def frames(source: Source, found: Probe, *, per_second: float, max_side: int) -> Decoding[NDArray[np.uint8]]:
    """Frames (H, W, 3) uint8 RGB, upright, at a constant rate: number n is what is shown at n / per_second.

    Iterating raises UnreadableMediaError when not one frame can be decoded.
    """
    begun = _input(source)
    steps = f"fps={per_second:g}:start_time=0:eof_action=pass,{_shown(found, max_side)}"
    output = begun[str(found.picture)].output("pipe:", format="image2pipe", vcodec="ppm", vf=steps)
    heard = found.sound if found.sound_rate_hz else None  # ffmpeg copies no stream of which it knows nothing
    return Decoding(source, _in_time_with(heard, source, begun, output), _ppm)


def frame_at(source: Source, found: Probe, second: float, *, max_side: int) -> NDArray[np.uint8] | None:
    """The frame shown at a second, (H, W, 3) uint8 RGB, or None when there is none."""
    begun, left_out = _sought(source, max(0.0, second))
    output = begun[str(found.picture)].output(
        "pipe:", format="image2pipe", vcodec="ppm", vf=_shown(found, max_side), vframes=1, **left_out
    )
    with suppress(UnreadableMediaError):
        return next(iter(Decoding(source, output, _ppm)), None)
    return None


def subtitles(source: Source, streams: Sequence[int]) -> Iterator[str]:
    """Streams of text subtitles, each as the text of a SubRip file; one pass of ffmpeg reads them all.

    It goes through the whole file for a few words. What it has not come to when time is up is left out, with a note.

    Raises:
        UnreadableMediaError: none of them can be decoded.
    """
    begun, most = _input(source), source.limits.text_bytes
    with ExitStack() as opened:
        texts = [opened.enter_context(tempfile.TemporaryFile()) for _ in streams]
        outputs = [
            begun[str(stream)].output(f"pipe:{text.fileno()}", format="srt", flush_packets=1, fs=most)
            for stream, text in zip(streams, texts, strict=True)
        ]
        command = _command(source, ffmpeg.merge_outputs(*outputs))
        with _running(source, command, outputs=texts) as (program, said):
            for _ in _waiting(source, program):
                if source.out_of_time("the first subtitles"):
                    break
            code, complaint = program.poll(), said()
        sizes = [os.fstat(text.fileno()).st_size for text in texts]
        if (code or complaint) and not any(sizes):
            raise UnreadableMediaError(source.path, _reason(source, complaint), hint=WHOLE_COPY)
        if max(sizes) >= most:
            source.note("the end of the subtitles is left out")
        for text in texts:
            text.seek(0)
            yield text.read(most).decode("utf-8", "replace")


def clip(source: Source, found: Probe, out: Path, *, start_s: float, seconds: float, max_side: int) -> None:
    """Write a stretch of a recording, from exactly start_s on, as what every browser plays: H.264 and AAC in an MP4.

    Raises:
        UnreadableMediaError: nothing of the stretch can be decoded.
    """
    stretch, left_out = _sought(source, start_s)
    options: dict[str, Any] = {**_CLIP, **left_out, "t": _told(seconds)}
    if found.picture is not None:
        options["vf"] = _fitted(found, max_side, "force_divisible_by=2")
    streams = [stretch[str(stream)] for stream in (found.picture, found.sound) if stream is not None]
    command = _command(source, ffmpeg.output(*streams, _OUTPUT, **options).overwrite_output(), out)
    with _running(source, command) as (program, said):
        for _ in _waiting(source, program):
            pass
        complaint = said()
    if program.returncode or not _lasts(out):
        raise UnreadableMediaError(source.path, _reason(source, complaint or "nothing to play there"), hint=WHOLE_COPY)


class Decoding(Generic[T]):
    """The ffmpeg program at work, as an iterable of what it decodes; it is ended when the loop is left.

    After the loop `complaint` says what ffmpeg found wrong with the file, "" when nothing.
    """

    def __init__(self, source: Source, output: Any, take: Callable[[IO[bytes]], T | None]) -> None:
        self.complaint = ""
        self._source = source
        self._take = take
        self._command = _command(source, output)

    def __iter__(self) -> Iterator[T]:
        given = False
        with _running(self._source, self._command, piped=True) as (program, said):
            assert program.stdout is not None
            while (piece := self._take(program.stdout)) is not None:
                given = True
                yield piece
            code = program.wait()
            complaint = said()
        if complaint or code:
            self.complaint = _reason(self._source, complaint)
            if not given:
                raise UnreadableMediaError(self._source.path, self.complaint, hint=WHOLE_COPY)


@contextmanager
def _running(
    source: Source, command: list[str], *, piped: bool = False, outputs: Sequence[IO[bytes]] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """ffmpeg at work, and what tells its complaints once it is done; it is ended when the block is left.

    Args:
        piped: its standard output is to be read.
        outputs: open files that it writes to.
    """
    with tempfile.TemporaryFile() as complaints:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=[file.fileno() for file in outputs],
        )
        _confine(program, source)

        def said() -> str:
            complaints.seek(0)
            return os.fsdecode(complaints.read(4_000)).strip()

        try:
            yield program, said
        finally:
            program.kill()
            if program.stdout is not None:
                program.stdout.close()
            program.wait()


def _waiting(source: Source, program: subprocess.Popen[bytes]) -> Iterator[None]:
    """Signs of life, twice a second, until ffmpeg is done."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            program.wait(_LISTEN_S)
            return
        source.alive()
        yield


def _command(source: Source, output: Any, out: Path = Path()) -> list[str]:
    """The command line that makes an output; files are named last, for ffmpeg-python takes only names in UTF-8."""
    quiet = output.global_args("-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1")
    names = {_INPUT: _url(source.path), _OUTPUT: _url(out)}
    return [names.get(word, word) for word in quiet.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())]


def _lasts(clip: Path) -> bool:
    """Whether there is anything in a clip that was made."""
    try:
        with av.open(str(clip)) as container:
            return bool(container.duration)
    except av.error.FFmpegError:
        return False


def _confine(program: subprocess.Popen[bytes], source: Source) -> None:
    """Leave ffmpeg most of the memory that the file may take; a film needs it for the frames it refers back to."""
    with suppress(ImportError, AttributeError, ProcessLookupError, PermissionError):  # only Linux can
        import resource

        most = int(_MEMORY_SHARE * source.limits.memory_bytes)
        resource.prlimit(program.pid, resource.RLIMIT_DATA, (most, most))


def _input(source: Source, **options: float | str) -> Any:
    return ffmpeg.input(_INPUT, format=source.format.decoder, protocol_whitelist="file", threads=1, **options)


def _sought(source: Source, second: float) -> tuple[Any, dict[str, str]]:
    """The input from a second on, and what of its output to leave out before it really is that second.

    A transport stream has no index: a jump lands anywhere, and the next picture that needs no other may come later.
    """
    lead = min(second, _LEAD_S) if source.format.decoder == "mpegts" else 0.0
    return _input(source, ss=_told(second - lead)), {"ss": _told(lead)} if lead else {}


def _told(seconds: float) -> str:
    """Seconds as ffmpeg takes them: to the microsecond, and never with an exponent."""
    return f"{seconds:.6f}"


def _in_time_with(stream: int | None, source: Source, begun: Any, output: Any) -> Any:
    """An output whose times count from the beginning of the recording, also where another stream begins it."""
    if stream is None or source.format.decoder not in _BEGIN_WITH_USED:
        return output
    return ffmpeg.merge_outputs(output, begun[str(stream)].output("-", format="null", c="copy"))


def _url(path: Path) -> str:
    return f"file:{path}"


def _fitted(found: Probe, max_side: int, *more: str) -> str:
    """The filter that makes pixels square, and no side longer than max_side."""
    square = "" if abs(found.squeeze - 1) < 0.01 else "scale=iw*sar:ih,setsar=1,"
    box = f"w='min({max_side},iw)':h='min({max_side},ih)'"
    return square + ":".join([f"scale={box}:force_original_aspect_ratio=decrease", *more])


def _shown(found: Probe, max_side: int) -> str:
    """The filter that makes pictures as they are handed on; what is brighter than a screen's white becomes white."""
    toned = _TONED.format(found.transfer) if found.transfer else ""
    return f"{_fitted(found, max_side)},{toned}format=rgb24"


def _samples(pipe: IO[bytes]) -> NDArray[np.float32] | None:
    """The next block of a stream of 32-bit floats, None at its end."""
    raw = pipe.read(_BLOCK_SAMPLES * 4)
    if not raw:
        return None
    block = np.frombuffer(raw[: len(raw) // 4 * 4], dtype="<f4").astype(np.float32)
    return np.clip(np.nan_to_num(block), -1.0, 1.0)


def _reason(source: Source, said: str) -> str:
    """ffmpeg's own words, shortened to what helps the owner of the file."""
    if "moov atom not found" in said:
        return _NO_INDEX
    if "End of file" in said:
        return f"the {source.format.name} breaks off before anything can be decoded"
    if "partial file" in said or "ended prematurely" in said:
        return f"the {source.format.name} is cut off"
    if "Cannot allocate memory" in said:
        return f"needs more than {source.limits.memory_bytes // 1_000_000} MB to decode"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    line = (lines or ["no reason given"])[0]
    for name in (repr(_url(source.path)), _url(source.path), str(source.path)):
        line = line.replace(name, "")
    return f"broken {source.format.name}: {line.split('] ', 1)[-1].strip(' :')[:200]}"


def _ppm(stream: IO[bytes]) -> NDArray[np.uint8] | None:
    """The next picture of a stream of binary PPM files, None at its end."""
    header = stream.readline(_MAX_HEADER)
    if header.strip() != b"P6":
        return None
    width, height = (int(n) for n in stream.readline(_MAX_HEADER).split())
    stream.readline(_MAX_HEADER)
    raw = stream.read(width * height * 3)
    if len(raw) < width * height * 3:
        return None
    return np.frombuffer(raw, dtype=np.uint8).reshape(height, width, 3)
