"""Instruments: every program and percussion key of a General MIDI soundfont, playing notes and short phrases."""

from __future__ import annotations

import importlib
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import OmniaError
from embedder.training.captions import group_of
from embedder.training.fetch import fetched
from embedder.training.pairs import Medium, Package, Pair, Registry, Source

_SAMPLE_RATE_HZ = 24_000
_RING_S = 0.8  # how long a sound may ring on after its last note
_PEAK = 0.7
_VELOCITY = 100
_DRUM_CHANNEL = 9
_FOLDER = "rendered"
_SYNTHESIZER = Package(Registry.PYPI, "tinysoundfont", "0.3.7")

_PROGRAMS = """
grand piano | bright piano | electric grand piano | honky-tonk piano | electric piano | electric piano | harpsichord
clavinet | celesta | glockenspiel | music box | vibraphone | marimba | xylophone | tubular bells | dulcimer
electric organ | electric organ | rock organ | church organ | reed organ | accordion | harmonica | tango accordion
classical guitar | acoustic guitar | jazz guitar | clean electric guitar | muted electric guitar | overdriven guitar
distorted electric guitar | guitar harmonics | acoustic bass | electric bass | electric bass | fretless bass
slap bass | slap bass | synthesizer bass | synthesizer bass | violin | viola | cello | double bass | tremolo strings
plucked strings | harp | timpani | string section | string section | synthesizer strings | synthesizer strings | choir
singing voice | synthesizer choir | orchestra hit | trumpet | trombone | tuba | muted trumpet | french horn | brass band
synthesizer brass | synthesizer brass | soprano saxophone | saxophone | tenor saxophone | baritone saxophone | oboe
english horn | bassoon | clarinet | piccolo flute | flute | recorder | pan flute | blown bottle | shakuhachi flute
whistle | ocarina | synthesizer lead | synthesizer lead | synthesizer lead | synthesizer lead | synthesizer lead
synthesizer lead | synthesizer lead | synthesizer lead | synthesizer pad | synthesizer pad | synthesizer pad
synthesizer pad | synthesizer pad | synthesizer pad | synthesizer pad | synthesizer pad | - | - | - | - | - | - | - | -
sitar | banjo | shamisen | koto | kalimba | bagpipe | fiddle | shehnai | tinkle bell | agogo | steel drum | wood block
taiko drum | tom drum | electronic drum | reverse cymbal | - | - | ocean waves | bird | phone | helicopter | applause
gunshot
"""
_EFFECTS = {
    "reverse cymbal": ("a reversed cymbal",),
    "ocean waves": ("waves on a beach", "ocean waves"),
    "bird": ("birds singing", "a bird chirping"),
    "phone": ("a telephone ringing", "phone ringing"),
    "helicopter": ("a helicopter flying", "helicopter rotor"),
    "applause": ("people applauding", "audience clapping"),
    "gunshot": ("a gunshot", "gun firing"),
}
_FIRST_KEY = 35
_KEYS = """
kick drum | kick drum | rim shot | snare drum | clap | electronic snare drum | floor tom | hi-hat | floor tom | hi-hat
tom drum | open hi-hat | tom drum | tom drum | crash cymbal | tom drum | ride cymbal | china cymbal | ride bell
tambourine | splash cymbal | cowbell | crash cymbal | vibraslap | ride cymbal | bongo | bongo | conga | conga | conga
timbale | timbale | agogo | agogo | cabasa | maracas | whistle | whistle | guiro | guiro | claves | wood block
wood block | cuica | cuica | triangle | triangle
"""


class SynthesizerMissingError(OmniaError):
    """The synthesizer's package cannot be used by this Python."""


@dataclass(frozen=True, slots=True)
class _Note:
    key: int
    start_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """One recording to make: notes of a program, or of the percussion where that is None."""

    name: str
    group: str
    captions: tuple[str, ...]
    program: int | None
    notes: tuple[_Note, ...]


def read_instruments(soundfont: Package, name: str, folder: Path) -> Iterator[Pair]:
    """Rendered instruments; what is not rendered yet is rendered now, in some seconds."""
    home = fetched(soundfont, folder)
    target = home / _FOLDER
    target.mkdir(exist_ok=True)
    synthesizer: Any = None
    for piece in pieces():
        path = target / f"{piece.name}.wav"
        if not path.exists():
            synthesizer = synthesizer or _synthesizer(home, fetched(_SYNTHESIZER, folder))
            _write(path, _played(synthesizer, piece))
        yield Pair(source=name, key=piece.name, group=group_of(piece.group), captions=piece.captions, path=path)


def pieces() -> Iterator[_Piece]:
    """What is played: for a program two notes, a melody and broken chords; for a key one stroke and a rhythm."""
    for program, group in enumerate(_listed(_PROGRAMS)):
        if group == "-":  # synthesizer effects and noises that have no name
            continue
        number = f"program {program:03d}"
        if group in _EFFECTS:
            captions = (*_EFFECTS[group], group)
            yield _Piece(number, group, tuple(dict.fromkeys(captions)), program, (_Note(60, 0.0, 3.0),))
            continue
        low = _lowest(group)
        a = _with_article(group)
        melody = _in_turn([low + step for step in (12, 14, 16, 17, 19, 16, 12)], 0.4)
        chords = _in_turn([low + step for step in (0, 4, 7, 12, 5, 9, 12, 7, 0)], 0.3)
        note = (a, f"{group} note", group)
        yield _Piece(f"{number} low", group, note, program, (_Note(low, 0.0, 2.0),))
        yield _Piece(f"{number} high", group, note, program, (_Note(low + 16, 0.0, 1.5),))
        yield _Piece(f"{number} melody", group, (f"{a} playing a melody", f"{group} melody", group), program, melody)
        yield _Piece(f"{number} chords", group, (f"{a} playing", f"{group} music", group), program, chords)
    for key, group in enumerate(_listed(_KEYS), _FIRST_KEY):
        captions = (_with_article(group), group)
        rhythm = tuple(_Note(key, start_s, 0.2) for start_s in (0.0, 0.5, 0.75, 1.0, 1.5))
        yield _Piece(f"key {key} stroke", group, captions, None, (_Note(key, 0.0, 0.5),))
        yield _Piece(f"key {key} rhythm", group, (f"{group} rhythm", *captions), None, rhythm)


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.strip().replace("\n", "|").split("|")]


def _lowest(group: str) -> int:
    """A MIDI key near the low end of what the instrument plays well."""
    for words, key in (("double bass|tuba|timpani", 36), ("bass|cello|trombone|bassoon|baritone", 43),
                       ("piccolo|glockenspiel|music box|celesta|xylophone|ocarina|recorder", 67),
                       ("flute|violin|fiddle|oboe|trumpet|soprano|bagpipe", 60)):  # fmt: skip
        if any(word in group for word in words.split("|")):
            return key
    return 52


def _with_article(group: str) -> str:
    if group.endswith(("strings", "bells", "maracas", "claves", "harmonics")):
        return group
    return f"an {group}" if group[0] in "aeiou" else f"a {group}"


def _in_turn(keys: list[int], each_s: float) -> tuple[_Note, ...]:
    return tuple(_Note(key, number * each_s, each_s * 0.95) for number, key in enumerate(keys))


def _synthesizer(home: Path, package: Path) -> Any:
    """The synthesizer with the soundfont that lies in `home`.

    It is imported from where it was fetched to: only those who train need it, and the package it names for playing
    aloud does not install everywhere.
    """
    sys.path.insert(0, str(package))
    try:
        module = importlib.import_module("tinysoundfont")
    except ImportError as error:
        raise SynthesizerMissingError(
            f"{_SYNTHESIZER.name} in {str(package)!r} does not import: {error}; fetch it with the Python that trains"
        ) from error
    finally:
        sys.path.remove(str(package))
    synthesizer = module.Synth(samplerate=_SAMPLE_RATE_HZ)
    synthesizer.sfload(str(next(home.rglob("*.sf2"))))
    return synthesizer


def _played(synthesizer: Any, piece: _Piece) -> NDArray[np.float32]:
    """The piece as (samples,), one channel, at most `_PEAK` loud."""
    channel = _DRUM_CHANNEL if piece.program is None else 0
    synthesizer.program_change(channel, piece.program or 0, piece.program is None)
    happens = [(note.start_s, True, note.key) for note in piece.notes]
    happens += [(note.start_s + note.length_s, False, note.key) for note in piece.notes]
    parts: list[NDArray[np.float32]] = []
    now_s = 0.0
    for at_s, begins, key in sorted(happens):
        parts.append(_generated(synthesizer, at_s - now_s))
        now_s = at_s
        if begins:
            synthesizer.noteon(channel, key, _VELOCITY)
        else:
            synthesizer.noteoff(channel, key)
    parts.append(_generated(synthesizer, _RING_S))
    synthesizer.sounds_off()
    sound = np.concatenate(parts)
    peak = float(np.abs(sound).max())
    return sound * np.float32(_PEAK / peak) if peak else sound


def _generated(synthesizer: Any, length_s: float) -> NDArray[np.float32]:
    """The next so many seconds as (samples,): both channels' mean."""
    samples = round(length_s * _SAMPLE_RATE_HZ)
    if not samples:
        return np.zeros(0, np.float32)
    stereo = np.frombuffer(bytes(synthesizer.generate(samples)), np.float32).reshape(-1, 2)  # (samples, 2)
    mono: NDArray[np.float32] = stereo.mean(axis=1)  # (samples,)
    return mono


def _write(path: Path, sound: NDArray[np.float32]) -> None:
    part = path.with_suffix(".part")
    with wave.open(str(part), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_SAMPLE_RATE_HZ)
        out.writeframes((sound * 32767).astype("<i2").tobytes())
    part.rename(path)


def _source(name: str, soundfont: str, version: str, licence: str) -> Source:
    package = Package(Registry.DEBIAN, soundfont, version)
    return Source(name=name, medium=Medium.AUDIO, packages=(package, _SYNTHESIZER), licence=licence,
                  read=partial(read_instruments, package, name))  # fmt: skip


INSTRUMENTS: tuple[Source, ...] = (
    _source("fluid instruments", "fluid-soundfont-gm", "3.1-5.3", "MIT"),
    _source("timgm instruments", "timgm6mb-soundfont", "1.3-5", "GPL-2"),
)
