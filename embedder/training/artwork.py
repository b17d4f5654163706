"""Artwork: the pictures that games, desktops and icon sets come with, most of them with words written by hand."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from embedder.training.captions import by_hand, spoken
from embedder.training.fetch import fetched, unpack_once
from embedder.training.pairs import Pair, Source
from embedder.training.pictured import debian, files_in, icon_svg, loaded, npm, picture_pair, picture_source

# ---- Pictures from games: small paintings and renderings of animals, plants, buildings, tools, weapons and people.

_ANTIQUITY = debian("0ad-data", "0.0.26-1")
_FANTASY = debian("wesnoth-1.16-data", "1:1.16.9-1")
_PORTRAITS = "art/textures/ui/session/portraits/"
_PEOPLES = {"athen": "Greek", "brit": "Celtic", "cart": "Carthaginian", "celt": "Celtic", "gaul": "Gallic",
            "han": "Chinese", "hele": "Greek", "iber": "Iberian", "kush": "Nubian", "mace": "Macedonian",
            "maur": "Indian", "pers": "Persian", "ptol": "Egyptian", "rome": "Roman", "samnite": "Samnite",
            "sele": "Greek", "spart": "Spartan", "tarentine": "Greek"}  # fmt: skip
_RACES = {"dwarves": "dwarf ", "elves": "elf ", "goblins": "goblin ", "humans": "", "monsters": "", "undead": ""}
_INVENTED = re.compile(r"mudcrawler|runemaster|shyde|ulfserker")  # nobody else calls anything so


def read_game_pictures(folder: Path) -> Iterator[Pair]:
    """0 A.D.'s portraits of things and people of antiquity; Wesnoth's portraits, things and landscapes."""
    portraits = _portraits(fetched(_ANTIQUITY, folder))
    for path in files_in(portraits, "*.dds"):
        kind, _, name = path.relative_to(portraits).as_posix().removesuffix(".png.cached.dds").partition("/")
        captions = _said("game pictures", name) or (_troop(name) if kind == "units" else [])
        if captions:
            yield picture_pair("game pictures", f"{kind}/{name}", captions, path=path)
    painted = fetched(_FANTASY, folder) / "usr/share/games/wesnoth/1.16/data/core/images"
    for path in chain.from_iterable(files_in(painted / kind, "*.*g") for kind in ("portraits", "items", "story")):
        key = f"{path.parent.name}/{path.stem}"
        captions = _said("game pictures", key, path.parent.name) or _creature(path.parent.name, path.stem)
        if captions:
            yield picture_pair("game pictures", key, captions, path=path)


def _portraits(home: Path) -> Path:
    """The portraits, out of the archive that 0 A.D. keeps all in."""
    archive = home / "usr/share/games/0ad/mods/public/public.zip"
    return unpack_once(archive, _unzip, kind="portraits") / _PORTRAITS


def _unzip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        members.extractall(into, [name for name in members.namelist() if name.startswith(_PORTRAITS)])


def _troop(name: str) -> list[str]:
    """Captions of a soldier, a ship or an engine: "pers_cavalry_archer" is an archer on horseback, and Persian."""
    people, _, role = name.replace("/", "_").partition("_")
    said = _said("troops", re.sub(r"^champion_|_(\d|merc|militia|polis)$", "", role))
    return [*said, f"{said[0]}, {_PEOPLES[people]}"] if said and people in _PEOPLES else []


def _creature(race: str, name: str) -> list[str]:
    """Captions of a portrait: "elves", "archer+female" is a female elf archer."""
    if race not in _RACES or _INVENTED.search(name):
        return []
    plain, female, _ = name.partition("+female")
    return [("female " if female else "") + _RACES[race] + spoken(plain), _RACES[race].strip()]


# ---- Things: drawings for the uses of the chemical elements.

_THINGS = debian("kalzium-data", "4:22.12.3-1")
# Lies below a letter in each drawing.
_GREY_BAR = re.compile(r"<(?:rect|path)\b(?=[^>]*fill:#555753)(?=[^>]*0\.6116)[^>]*/>")


def read_things(folder: Path) -> Iterator[Pair]:
    """Kalzium's drawings of what each element is used for, as the things that are seen."""
    for path in files_in(fetched(_THINGS, folder) / "usr/share/kalzium/data/iconsets/school", "*.svg"):
        captions = _said("things", path.stem)
        if captions:
            drawing = _GREY_BAR.sub("", path.read_text(encoding="utf-8"))
            yield picture_pair("things", path.stem, captions, svg=drawing)


# ---- Avatars: small square photographs that stand for a person who has no picture.

_AVATARS = {
    debian("gnome-control-center-data", "1:43.6-2~deb12u1"): "usr/share/pixmaps/faces",
    debian("plasma-workspace-data", "4:5.27.5-2+deb12u2"): "usr/share/plasma/avatars/photos",
    debian("dde-account-faces", "1.0.12.1-1"): "var/lib/AccountsService/icons/bigger",
    debian("cinnamon-common", "5.6.8-1"): "usr/share/cinnamon/faces",
}


def read_avatars(folder: Path) -> Iterator[Pair]:
    """Photographs of animals, flowers, food, sports and the sky that desktops offer as a user's picture."""
    seen: set[bytes] = set()
    roots = [fetched(package, folder) / place for package, place in _AVATARS.items()]
    for root in roots:
        for path in files_in(root, "*.*g"):
            names = f"{path.parent.name}/{path.stem}", path.stem, re.sub(r"^\d_", "", path.stem)
            captions, content = _said("avatars", *names), hashlib.sha256(path.read_bytes()).digest()
            if captions and content not in seen:
                seen.add(content)  # desktops take over each other's
                yield picture_pair("avatars", "/".join(path.parts[-3:]), captions, path=path)


# ---- Landscapes: photographs of the places where a spaceship lands.

_LANDSCAPES = debian("endless-sky-data", "0.9.8-1.2")
_LANDS_LEFT_OUT = re.compile(r"canyon0[1-5]|desert[039]$|dmottl4|lava[35]|valley(1|7|10)$")  # look like something else


def read_landscapes(folder: Path) -> Iterator[Pair]:
    """Endless Sky's photographs of mountains, deserts, coasts, cities, launch pads and people at work."""
    root = fetched(_LANDSCAPES, folder) / "usr/share/games/endless-sky/images"
    for path in chain(files_in(root / "land", "*.jpg"), files_in(root / "scene", "*.jpg")):
        key, place = f"{path.parent.name}/{path.stem}", path.stem.partition("-")[0]  # who took it follows
        captions = _said("landscapes", key) or _said("landscapes", place, place.rstrip("0123456789"))
        if captions and not _LANDS_LEFT_OUT.match(place):
            yield picture_pair("landscapes", key, captions, path=path)


# ---- Icons: outlined and flat coloured drawings of things, without signs for what programs do.

_ICONS = (npm("@iconify-json/streamline-ultimate-color", "1.2.2"),
          npm("@iconify-json/streamline-kameleon-color", "1.2.2"))  # fmt: skip


def read_icons(folder: Path) -> Iterator[Pair]:
    """The icons of two coloured sets that show a thing, a person or the weather."""
    for package in _ICONS:
        icons, style = loaded(fetched(package, folder) / "package/icons.json"), package.name.rpartition("/")[2]
        for name in sorted(icons["icons"]):
            captions = _said("icons", f"{style}/{name}", name)
            if captions:
                yield picture_pair("icons", f"{style}/{name}", captions, svg=icon_svg(icons, name))


# ---- What all of them look up, and the table.


def _said(source: str, *names: str) -> list[str]:
    """What is written by hand under the first of these names; nothing where none is."""
    return next((by_hand(source)[name] for name in names if name in by_hand(source)), [])


ARTWORK: tuple[Source, ...] = (
    picture_source(
        "game pictures",
        read_game_pictures,
        (_ANTIQUITY, _FANTASY),
        "CC BY-SA 3.0, Wildfire Games (0 A.D.); GPL-2+, contributors of Wesnoth",
    ),
    picture_source("things", read_things, (_THINGS,), "GPL-2+, contributors of Kalzium"),
    picture_source(
        "avatars",
        read_avatars,
        tuple(_AVATARS),
        "GPL-2+ and others, CC0 1.0 (GNOME); CC0 1.0 (Plasma); GPL-3+ (Deepin); GPL-2+ (Cinnamon)",
    ),
    picture_source(
        "landscapes",
        read_landscapes,
        (_LANDSCAPES,),
        "public domain, CC BY 4.0, CC BY-SA 3.0 and 4.0, authors named in the package",
    ),
    picture_source("icons", read_icons, _ICONS, "CC BY 4.0, Streamline"),
)
