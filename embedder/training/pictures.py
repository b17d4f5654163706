"""Pictures: the sources of drawings, renderings and photographs, each with the words that say what is seen.

Photographs that `data/samples` is made of are left out of the sources that are trained on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from embedder.training.captions import (
    MAX_KEYWORDS,
    by_hand,
    clipart_captions,
    emoji_by_name,
    emoji_words,
    group_of,
    spoken,
    squeezed,
    stamp_caption,
)
from embedder.training.fetch import fetched
from embedder.training.pairs import Medium, Package, Pair, Registry, Source

_MAX_CAPTION_CHARS = 160


def _pair(source: str, key: str, captions: Sequence[str], *, path: Path | None = None, svg: str | None = None,
          group: str | None = None) -> Pair:  # fmt: skip
    """A pair whose captions are each said once."""
    said = tuple(dict.fromkeys(" ".join(caption.split())[:_MAX_CAPTION_CHARS] for caption in captions if caption))
    return Pair(source=source, key=key, group=group_of(group or said[0]), captions=said, path=path, svg=svg)


def _files(root: Path, pattern: str) -> Iterator[Path]:
    """Plain files in order; links are not followed, since they may point anywhere."""
    return (path for path in sorted(root.rglob(pattern)) if path.is_file() and not path.is_symlink())


def _debian(name: str, version: str) -> Package:
    return Package(Registry.DEBIAN, name, version)


def _npm(name: str, version: str) -> Package:
    return Package(Registry.NPM, name, version)


# ---- Clip art: titles, descriptions and keywords of the SVG files, pixels of the PNG files beside them.

_CLIPART_SVG = _debian("openclipart-svg", "1:0.18+dfsg-19")
_CLIPART_PNG = _debian("openclipart-png", "1:0.18+dfsg-19")
# Computed stars, colour ramps, letters on lights, puzzle pieces and decks of cards would be half of it; the desktop
# themes are signs for what programs do.
_CLIPART_LEFT_OUT = re.compile(
    r"shapes/(stars/star_|arrows/|jigsaw/)|special/|computer/(buttons|icons/(flat|lemon)-theme)/"
    r"|signs_and_symbols/led/|recreation/games/cards/|.*(gnome|mime|stock)-"
)
_MAX_CLIPART_PIXELS = 50_000_000  # a few plain signs are drawn with 600 million, too many to decode


def read_clipart(folder: Path) -> Iterator[Pair]:
    """Open Clip Art, without what has no words or is computed by the hundred."""
    drawings = fetched(_CLIPART_SVG, folder) / "usr/share/openclipart/svg"
    pixels = fetched(_CLIPART_PNG, folder) / "usr/share/openclipart/png"
    seen: set[bytes] = set()
    for drawing in _files(drawings, "*.svg"):
        key = drawing.relative_to(drawings).with_suffix("").as_posix()
        picture = pixels / f"{key}.png"
        if _CLIPART_LEFT_OUT.match(key) or not picture.is_file() or picture.is_symlink():
            continue
        captions, raw = clipart_captions(drawing), picture.read_bytes()
        content = hashlib.sha256(raw).digest()
        width, height = int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])  # where a PNG says them
        if captions and content not in seen and width * height <= _MAX_CLIPART_PIXELS:
            seen.add(content)  # the same drawing often lies in two folders
            yield _pair("clipart", key, captions, path=picture)


# ---- Emoji: many drawing styles of the same things.

_EMOJI_WORDS = _npm("emojibase-data", "17.0.0")
_EMOJI_3D = _npm("@lobehub/fluent-emoji-3d", "1.1.0")
_EMOJI_STYLES = (
    _npm("@iconify-json/twemoji", "1.2.5"),  # first: it draws the flags and symbols, which the others do not repeat
    _npm("@iconify-json/fluent-emoji", "1.2.7"),
    _npm("@iconify-json/fluent-emoji-flat", "1.2.6"),
    _npm("@iconify-json/noto", "1.2.9"),
    _npm("@iconify-json/noto-v1", "1.2.5"),
    _npm("@iconify-json/openmoji", "1.2.29"),
    _npm("@iconify-json/emojione", "1.2.3"),
    _npm("@iconify-json/emojione-v1", "1.2.3"),
    _npm("@iconify-json/fxemoji", "1.2.2"),
    _npm("@iconify-json/streamline-emojis", "1.2.4"),
)
_COMPONENTS, _SYMBOLS, _FLAGS = 2, 8, 9  # emojibase's numbers of groups


def read_emoji(folder: Path) -> Iterator[Pair]:
    """Emoji in eleven styles, without skin tones; signs and flags in one style."""
    words = fetched(_EMOJI_WORDS, folder) / "package/en"
    every = _loaded(words / "data.json")
    emoji = {each["hexcode"]: each for each in every if each.get("group", _COMPONENTS) != _COMPONENTS}
    named = emoji_by_name(emoji, words / "shortcodes")
    for style in _EMOJI_STYLES:
        icons = _loaded(fetched(style, folder) / "package/icons.json")
        drawn: set[str] = set()
        for name in icons["icons"]:
            found = named.get(squeezed(name)) or named.get(squeezed(re.sub(r"-\d$", "", name)))
            if found is None or found["hexcode"] in drawn or (style is not _EMOJI_STYLES[0] and _is_sign(found)):
                continue
            drawn.add(found["hexcode"])
            yield _emoji_pair(found, style.name.rpartition("/")[2], svg=_icon_svg(icons, name))
    bare = {code.replace("-FE0F", ""): each for code, each in emoji.items()}
    for picture in _files(fetched(_EMOJI_3D, folder) / "package/assets", "*.webp"):
        found = bare.pop(picture.stem.upper().replace("-FE0F", ""), None)  # some lie there with and without FE0F
        if found is not None and not _is_sign(found):
            yield _emoji_pair(found, "3d", path=picture)


def _emoji_pair(emoji: dict[str, Any], style: str, *, path: Path | None = None, svg: str | None = None) -> Pair:
    label = re.sub(r"^flag: ", "flag of ", emoji["label"]).replace(":", ",")
    tags = ", ".join(emoji.get("tags", [])[:MAX_KEYWORDS])
    group = emoji_words(emoji["label"])
    return _pair("emoji", f"{style}/{emoji['hexcode']}", [label, tags], path=path, svg=svg, group=group)


def _is_sign(emoji: dict[str, Any]) -> bool:
    return emoji["group"] in (_SYMBOLS, _FLAGS)


def _icon_svg(icons: dict[str, Any], name: str) -> str:
    """One icon of an iconify set as a drawing of its own."""
    icon = icons["icons"][name]
    left, top = (icon.get(side, icons.get(side, 0)) for side in ("left", "top"))
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" color="#000"'
        f' viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{icon["body"]}</svg>'
    )


def _loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# ---- Silhouettes: a small share of one set, so that black shapes are known too.

_GAME_ICONS = _npm("@iconify-json/game-icons", "1.2.4")
_ONE_ICON_OF = 5


def read_silhouettes(folder: Path) -> Iterator[Pair]:
    """A fifth of game-icons: single-colour shapes of concrete things."""
    icons = _loaded(fetched(_GAME_ICONS, folder) / "package/icons.json")
    for name in sorted(icons["icons"]):
        if hashlib.sha256(name.encode()).digest()[0] % _ONE_ICON_OF == 0 and not name.startswith("abstract-"):
            words = re.sub(r" (alt|plain|variation)$", "", spoken(name))
            yield _pair("silhouettes", name, [words], svg=_icon_svg(icons, name))


# ---- Word pictures: coloured drawings made for learning words.

_WORD_PICTURES = _debian("pysiogame", "4.20.01-1")


def read_word_pictures(folder: Path) -> Iterator[Pair]:
    """Art4Apps' drawings of first words: animals, food, jobs, clothes, sports, doings."""
    root = fetched(_WORD_PICTURES, folder) / "usr/share/games/pysiogame/res/images/art4apps"
    for path in _files(root, "*.jpg"):
        word = spoken(path.stem)
        theme = path.parent.name.replace("_n_", " and ").replace("_", " ")
        yield _pair("word pictures", path.relative_to(root).with_suffix("").as_posix(), [word, f"{word}, {theme}"],
                    path=path, group=word)  # fmt: skip


# ---- Furniture: renderings of three-dimensional models.

_FURNITURE = _debian("sweethome3d-furniture", "1.8-1")
_MODEL_MAKERS = frozenset(("Blend Swap", "SCPTS", "Scopia", "Reallusion"))


def read_furniture(folder: Path) -> Iterator[Pair]:
    """Sweet Home 3D's furniture, household things, plants, vehicles and people, as rendered for its catalogue."""
    root = fetched(_FURNITURE, folder) / "usr/share/sweethome3d/furniture"
    for catalogue in _files(root, "PluginFurnitureCatalog.properties"):
        lines = re.findall(r"^(name|icon|tags|category)#(\d+)=(.*)$", catalogue.read_text(encoding="latin-1"), re.M)
        fields = {(field, number): value.strip() for field, number, value in lines}
        for number in (number for field, number in fields if field == "name"):
            path = catalogue.parent / fields["icon", number].lstrip("/")
            if path.is_file() and path.resolve().is_relative_to(root.resolve()):
                tags = [tag.strip() for tag in fields.get(("tags", number), "").split(",")]
                tags = [tag.lower() for tag in tags if tag and tag not in _MODEL_MAKERS]
                name, room = fields["name", number].lower(), fields.get(("category", number), "").lower()
                more = [", ".join([name, *tags[:MAX_KEYWORDS]]), "" if room == "miscellaneous" else f"{name}, {room}"]
                yield _pair("furniture", f"{catalogue.parent.name}/{path.stem}", [name, *more], path=path)


# ---- Scratch: cut-out photographs of people, drawings, and photographs of places.

_SCRATCH = _debian("scratch", "1.4.0.6~dfsg1-6.1")
_SCRATCH_LEFT_OUT = re.compile(r"letters|xy-grid|fantasy\d|gobo|wild1|button|monsters?\d", re.I)


def read_scratch(folder: Path) -> Iterator[Pair]:
    """The costumes and backgrounds of Scratch 1.4; half are photographs."""
    root = fetched(_SCRATCH, folder) / "usr/share/scratch/Media"
    said = by_hand("scratch")
    for path in chain.from_iterable(_files(root, f"*.{suffix}") for suffix in ("png", "jpg", "gif")):
        key = path.relative_to(root).as_posix()
        if not _SCRATCH_LEFT_OUT.search(key):
            yield _pair("scratch", key, said.get(path.stem, [spoken(path.stem)]), path=path)


# ---- Wallpapers: photographs, and a few paintings.

_WALLPAPERS = (
    _debian("tuxpaint-data", "1:0.9.28-sdl2-1"),
    _debian("mate-backgrounds", "1.26.0-1"),
    _debian("lomiri-wallpapers-16.04", "20.04.0-2"),
    _debian("lomiri-wallpapers-20.04", "20.04.0-2"),
    _debian("plasma-workspace-wallpapers", "4:5.27.5-2"),
    _debian("palapeli-data", "4:22.12.3-1"),
)


def read_wallpapers(folder: Path) -> Iterator[Pair]:
    """Photographs of nature, places and things that come as wallpapers, painting templates and puzzles."""
    yield from _named("wallpapers", _WALLPAPERS, folder)


def _named(source: str, packages: Sequence[Package], folder: Path) -> Iterator[Pair]:
    """The files that are named by hand, by the end of their path."""
    roots = [fetched(package, folder) for package in packages]
    for path in chain.from_iterable(_files(root, "*.*") for root in roots):
        for depth in (2, 3, 4):
            key = "/".join(path.parts[-depth:])
            if key in by_hand(source):
                yield _pair(source, key, by_hand(source)[key], path=path)


# ---- Held out: Tux Paint's stamps.

_STAMPS = _debian("tuxpaint-stamps-default", "2022.06.04-1")
# Signs to be read rather than seen, and stamps whose words are of something else.
_STAMPS_LEFT_OUT = re.compile(
    r"symbols/|town/(roadsigns|flags)/|.*/(dreydl-|pengwin$|final-roll-call$|sedan_police$|home_compost)"
)


def read_stamps(folder: Path) -> Iterator[Pair]:
    """Tux Paint's stamps of animals, food, vehicles, people, buildings, plants and things: photographs and drawings."""
    root = fetched(_STAMPS, folder) / "usr/share/tuxpaint/stamps"
    for text in _files(root, "*.txt"):
        key = text.relative_to(root).with_suffix("").as_posix()
        pictures = [path for suffix in (".png", ".svg") if (path := text.with_suffix(suffix)).is_file()]
        lines = text.read_text(encoding="utf-8", errors="replace").splitlines()
        if _STAMPS_LEFT_OUT.match(key) or not pictures or pictures[0].is_symlink() or not lines:
            continue
        said = by_hand("stamps").get(text.stem) or [stamp_caption(lines[0])]
        if re.search(r"[a-z]{2}", said[0]):
            yield _pair("stamps", key, said, path=pictures[0])


# ---- Held out: photographs from GCompris, most of them from Wikimedia Commons.

_GCOMPRIS = _debian("gcompris-qt-data", "3.1-2")
_PHOTO_FOLDERS = re.compile(
    r"activities/(erase/resource|explore_world_animals/resource/animals|explore_farm_animals/resource/animals"
    r"|explore_world_music/resource/music|explore_monuments/resource/\w+|solar_system/resource|details/resource/image"
    r"|louis-braille/resource|categorization/resource/images/(tools|monuments|others|renewable|fishes))/[^/]+\.webp$"
)
_PHOTO_LEFT_OUT = re.compile(
    r"-\d+\.webp$|_\d+\.webp$|louis-braille/resource/(chart|night_printing|rnib|workshop)|fishes/fish\d"
)


def read_photographs(folder: Path) -> Iterator[Pair]:
    """GCompris' photographs of animals, buildings, tools, music, household things, energy and planets."""
    root = fetched(_GCOMPRIS, folder) / "usr/share/gcompris-qt/rcc"
    said = by_hand("photographs")
    for path in _files(root, "*.webp"):
        key = path.relative_to(root).as_posix().rpartition("activities/")[2]
        key = key.removesuffix(".webp").replace("/resource", "")
        captions = said.get(path.stem)
        if captions is None and _PHOTO_LEFT_OUT.search(path.as_posix()):
            continue
        if _PHOTO_FOLDERS.search(path.as_posix()):
            yield _pair("photographs", key, captions or [spoken(path.stem)], path=path)


def _source(name: str, read: Callable[[Path], Iterator[Pair]], packages: Sequence[Package], licence: str, *,
            whole: bool = False) -> Source:  # fmt: skip
    return Source(name=name, medium=Medium.IMAGE, packages=tuple(packages), licence=licence, read=read, whole=whole)


PICTURES: tuple[Source, ...] = (
    _source("clipart", read_clipart, (_CLIPART_SVG, _CLIPART_PNG), "public domain"),
    _source(
        "emoji",
        read_emoji,
        (_EMOJI_WORDS, *_EMOJI_STYLES, _EMOJI_3D),
        "MIT (emojibase, Fluent); CC BY 4.0 (Twemoji, EmojiOne, Streamline); Apache-2.0 (Noto, Firefox OS);"
        " CC BY-SA 4.0 (OpenMoji, EmojiOne 1)",
    ),
    _source("silhouettes", read_silhouettes, (_GAME_ICONS,), "CC BY 3.0, game-icons.net contributors"),
    _source("word pictures", read_word_pictures, (_WORD_PICTURES,), "CC BY-SA 3.0, Art4Apps"),
    _source(
        "furniture",
        read_furniture,
        (_FURNITURE,),
        "CC0 1.0 and CC BY 3.0, contributors of Blend Swap; CC BY 3.0, Kator Legaz, Reallusion, Scopia",
    ),
    _source("scratch", read_scratch, (_SCRATCH,), "CC BY-SA 3.0, Massachusetts Institute of Technology"),
    _source(
        "wallpapers",
        read_wallpapers,
        _WALLPAPERS,
        "GPL-2+ (Tux Paint, MATE, Plasma, Palapeli); CC0 1.0, CC BY 4.0 and CC BY-SA 3.0 and 4.0 (Lomiri)",
    ),
    _source("stamps", read_stamps, (_STAMPS,), "GPL-2+, Tux Paint contributors", whole=True),
    _source(
        "photographs",
        read_photographs,
        (_GCOMPRIS,),
        "public domain, CC0 1.0, CC BY and CC BY-SA, authors named in the package",
        whole=True,
    ),
)
