"""Pictures: the sources of drawings, renderings and photographs, each with the words that say what is seen.

Photographs that `data/samples` is made of are left out of the sources that are trained on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from embedder.training.artwork import ARTWORK
from embedder.training.captions import (
    MAX_KEYWORDS,
    by_hand,
    clipart_captions,
    emoji_by_name,
    emoji_words,
    spoken,
    squeezed,
    stamp_caption,
)
from embedder.training.fetch import fetched
from embedder.training.pairs import Package, Pair, Source
from embedder.training.pictured import debian, files_in, icon_svg, loaded, npm, picture_pair, picture_source

# ---- Clip art: titles, descriptions and keywords of the SVG files, pixels of the PNG files beside them.

_CLIPART_SVG = debian("openclipart-svg", "1:0.18+dfsg-19")
_CLIPART_PNG = debian("openclipart-png", "1:0.18+dfsg-19")
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
    for drawing in files_in(drawings, "*.svg"):
        key = drawing.relative_to(drawings).with_suffix("").as_posix()
        picture = pixels / f"{key}.png"
        if _CLIPART_LEFT_OUT.match(key) or not picture.is_file() or picture.is_symlink():
            continue
        captions, raw = clipart_captions(drawing), picture.read_bytes()
        content = hashlib.sha256(raw).digest()
        width, height = int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])  # where a PNG says them
        if captions and content not in seen and width * height <= _MAX_CLIPART_PIXELS:
            seen.add(content)  # the same drawing often lies in two folders
            yield picture_pair("clipart", key, captions, path=picture)


# ---- Emoji: many drawing styles of the same things.

_EMOJI_WORDS = npm("emojibase-data", "17.0.0")
_EMOJI_3D = npm("@lobehub/fluent-emoji-3d", "1.1.0")
_EMOJI_STYLES = (
    npm("@iconify-json/twemoji", "1.2.5"),  # first: it draws the flags and symbols, which the others do not repeat
    npm("@iconify-json/fluent-emoji", "1.2.7"),
    npm("@iconify-json/fluent-emoji-flat", "1.2.6"),
    npm("@iconify-json/noto", "1.2.9"),
    npm("@iconify-json/noto-v1", "1.2.5"),
    npm("@iconify-json/openmoji", "1.2.29"),
    npm("@iconify-json/emojione", "1.2.3"),
    npm("@iconify-json/emojione-v1", "1.2.3"),
    npm("@iconify-json/fxemoji", "1.2.2"),
    npm("@iconify-json/streamline-emojis", "1.2.4"),
)
_COMPONENTS, _SYMBOLS, _FLAGS = 2, 8, 9  # emojibase's numbers of groups


def read_emoji(folder: Path) -> Iterator[Pair]:
    """Emoji in eleven styles, without skin tones; signs and flags in one style."""
    words = fetched(_EMOJI_WORDS, folder) / "package/en"
    every = loaded(words / "data.json")
    emoji = {each["hexcode"]: each for each in every if each.get("group", _COMPONENTS) != _COMPONENTS}
    named = emoji_by_name(emoji, words / "shortcodes")
    for style in _EMOJI_STYLES:
        icons = loaded(fetched(style, folder) / "package/icons.json")
        drawn: set[str] = set()
        for name in icons["icons"]:
            found = named.get(squeezed(name)) or named.get(squeezed(re.sub(r"-\d$", "", name)))
            if found is None or found["hexcode"] in drawn or (style is not _EMOJI_STYLES[0] and _is_sign(found)):
                continue
            drawn.add(found["hexcode"])
            yield _emoji_pair(found, style.name.rpartition("/")[2], svg=icon_svg(icons, name))
    bare = {code.replace("-FE0F", ""): each for code, each in emoji.items()}
    for picture in files_in(fetched(_EMOJI_3D, folder) / "package/assets", "*.webp"):
        found = bare.pop(picture.stem.upper().replace("-FE0F", ""), None)  # some lie there with and without FE0F
        if found is not None and not _is_sign(found):
            yield _emoji_pair(found, "3d", path=picture)


def _emoji_pair(emoji: dict[str, Any], style: str, *, path: Path | None = None, svg: str | None = None) -> Pair:
    label = re.sub(r"^flag: ", "flag of ", emoji["label"]).replace(":", ",")
    tags = ", ".join(emoji.get("tags", [])[:MAX_KEYWORDS])
    group = emoji_words(emoji["label"])
    return picture_pair("emoji", f"{style}/{emoji['hexcode']}", [label, tags], path=path, svg=svg, group=group)


def _is_sign(emoji: dict[str, Any]) -> bool:
    return emoji["group"] in (_SYMBOLS, _FLAGS)


# ---- Silhouettes: a small share of one set, so that black shapes are known too.

_GAME_ICONS = npm("@iconify-json/game-icons", "1.2.4")
_ONE_ICON_OF = 5


def read_silhouettes(folder: Path) -> Iterator[Pair]:
    """A fifth of game-icons: single-colour shapes of concrete things."""
    icons = loaded(fetched(_GAME_ICONS, folder) / "package/icons.json")
    for name in sorted(icons["icons"]):
        if hashlib.sha256(name.encode()).digest()[0] % _ONE_ICON_OF == 0 and not name.startswith("abstract-"):
            words = re.sub(r" (alt|plain|variation)$", "", spoken(name))
            yield picture_pair("silhouettes", name, [words], svg=icon_svg(icons, name))


# ---- Word pictures: coloured drawings made for learning words.

_WORD_PICTURES = debian("pysiogame", "4.20.01-1")


def read_word_pictures(folder: Path) -> Iterator[Pair]:
    """Art4Apps' drawings of first words: animals, food, jobs, clothes, sports, doings."""
    root = fetched(_WORD_PICTURES, folder) / "usr/share/games/pysiogame/res/images/art4apps"
    for path in files_in(root, "*.jpg"):
        word = spoken(path.stem)
        theme = path.parent.name.replace("_n_", " and ").replace("_", " ")
        key = path.relative_to(root).with_suffix("").as_posix()
        yield picture_pair("word pictures", key, [word, f"{word}, {theme}"], path=path, group=word)


# ---- Furniture: renderings of three-dimensional models.

_FURNITURE = debian("sweethome3d-furniture", "1.8-1")
_MODEL_MAKERS = frozenset(("Blend Swap", "SCPTS", "Scopia", "Reallusion"))


def read_furniture(folder: Path) -> Iterator[Pair]:
    """Sweet Home 3D's furniture, household things, plants, vehicles and people, as rendered for its catalogue."""
    root = fetched(_FURNITURE, folder) / "usr/share/sweethome3d/furniture"
    for catalogue in files_in(root, "PluginFurnitureCatalog.properties"):
        lines = re.findall(r"^(name|icon|tags|category)#(\d+)=(.*)$", catalogue.read_text(encoding="latin-1"), re.M)
        fields = {(field, number): value.strip() for field, number, value in lines}
        for number in (number for field, number in fields if field == "name"):
            path = catalogue.parent / fields["icon", number].lstrip("/")
            if path.is_file() and path.resolve().is_relative_to(root.resolve()):
                tags = [tag.strip() for tag in fields.get(("tags", number), "").split(",")]
                tags = [tag.lower() for tag in tags if tag and tag not in _MODEL_MAKERS]
                name, room = fields["name", number].lower(), fields.get(("category", number), "").lower()
                more = [", ".join([name, *tags[:MAX_KEYWORDS]]), "" if room == "miscellaneous" else f"{name}, {room}"]
                yield picture_pair("furniture", f"{catalogue.parent.name}/{path.stem}", [name, *more], path=path)


# ---- Scratch: cut-out photographs of people, drawings, and photographs of places.

_SCRATCH = debian("scratch", "1.4.0.6~dfsg1-6.1")
_SCRATCH_LEFT_OUT = re.compile(r"letters|xy-grid|fantasy\d|gobo|wild1|button|monsters?\d", re.I)


def read_scratch(folder: Path) -> Iterator[Pair]:
    """The costumes and backgrounds of Scratch 1.4; half are photographs."""
    root = fetched(_SCRATCH, folder) / "usr/share/scratch/Media"
    said = by_hand("scratch")
    for path in chain.from_iterable(files_in(root, f"*.{suffix}") for suffix in ("png", "jpg", "gif")):
        key = path.relative_to(root).as_posix()
        if not _SCRATCH_LEFT_OUT.search(key):
            yield picture_pair("scratch", key, said.get(path.stem, [spoken(path.stem)]), path=path)


# ---- Wallpapers: photographs, and a few paintings.

_WALLPAPERS = (
    debian("tuxpaint-data", "1:0.9.28-sdl2-1"),
    debian("mate-backgrounds", "1.26.0-1"),
    debian("lomiri-wallpapers-16.04", "20.04.0-2"),
    debian("lomiri-wallpapers-20.04", "20.04.0-2"),
    debian("plasma-workspace-wallpapers", "4:5.27.5-2"),
    debian("palapeli-data", "4:22.12.3-1"),
)


def read_wallpapers(folder: Path) -> Iterator[Pair]:
    """Photographs of nature, places and things that come as wallpapers, painting templates and puzzles."""
    yield from _named("wallpapers", _WALLPAPERS, folder)


def _named(source: str, packages: Sequence[Package], folder: Path) -> Iterator[Pair]:
    """The files that are named by hand, by the end of their path."""
    roots = [fetched(package, folder) for package in packages]
    for path in chain.from_iterable(files_in(root, "*.*") for root in roots):
        for depth in (2, 3, 4):
            key = "/".join(path.parts[-depth:])
            if key in by_hand(source):
                yield picture_pair(source, key, by_hand(source)[key], path=path)


# ---- Held out: Tux Paint's stamps.

_STAMPS = debian("tuxpaint-stamps-default", "2022.06.04-1")
# Signs to be read rather than seen, stamps whose words are of something else, and one cut out of a photograph that is
# trained on (an avatar).
_STAMPS_LEFT_OUT = re.compile(
    r"symbols/|town/(roadsigns|flags)/|.*/(dreydl-|pengwin$|final-roll-call$|sedan_police$|home_compost|spacewalk$)"
)


def read_stamps(folder: Path) -> Iterator[Pair]:
    """Tux Paint's stamps of animals, food, vehicles, people, buildings, plants and things: photographs and drawings."""
    root = fetched(_STAMPS, folder) / "usr/share/tuxpaint/stamps"
    for text in files_in(root, "*.txt"):
        key = text.relative_to(root).with_suffix("").as_posix()
        pictures = [path for suffix in (".png", ".svg") if (path := text.with_suffix(suffix)).is_file()]
        lines = text.read_text(encoding="utf-8", errors="replace").splitlines()
        if _STAMPS_LEFT_OUT.match(key) or not pictures or pictures[0].is_symlink() or not lines:
            continue
        said = by_hand("stamps").get(text.stem) or [stamp_caption(lines[0])]
        if re.search(r"[a-z]{2}", said[0]):
            yield picture_pair("stamps", key, said, path=pictures[0])


# ---- Held out: photographs from GCompris, most of them from Wikimedia Commons.

_GCOMPRIS = debian("gcompris-qt-data", "3.1-2")
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
    for path in files_in(root, "*.webp"):
        key = path.relative_to(root).as_posix().rpartition("activities/")[2]
        key = key.removesuffix(".webp").replace("/resource", "")
        captions = said.get(path.stem)
        if captions is None and _PHOTO_LEFT_OUT.search(path.as_posix()):
            continue
        if _PHOTO_FOLDERS.search(path.as_posix()):
            yield picture_pair("photographs", key, captions or [spoken(path.stem)], path=path)


PICTURES: tuple[Source, ...] = (
    picture_source("clipart", read_clipart, (_CLIPART_SVG, _CLIPART_PNG), "public domain"),
    picture_source(
        "emoji",
        read_emoji,
        (_EMOJI_WORDS, *_EMOJI_STYLES, _EMOJI_3D),
        "MIT (emojibase, Fluent); CC BY 4.0 (Twemoji, EmojiOne, Streamline); Apache-2.0 (Noto, Firefox OS);"
        " CC BY-SA 4.0 (OpenMoji, EmojiOne 1)",
        views=2,
    ),
    picture_source("silhouettes", read_silhouettes, (_GAME_ICONS,), "CC BY 3.0, game-icons.net contributors", views=2),
    picture_source("word pictures", read_word_pictures, (_WORD_PICTURES,), "CC BY-SA 3.0, Art4Apps"),
    picture_source(
        "furniture",
        read_furniture,
        (_FURNITURE,),
        "CC0 1.0 and CC BY 3.0, contributors of Blend Swap; CC BY 3.0, Kator Legaz, Reallusion, Scopia",
    ),
    picture_source("scratch", read_scratch, (_SCRATCH,), "CC BY-SA 3.0, Massachusetts Institute of Technology"),
    picture_source(
        "wallpapers",
        read_wallpapers,
        _WALLPAPERS,
        "GPL-2+ (Tux Paint, MATE, Plasma, Palapeli); CC0 1.0, CC BY 4.0 and CC BY-SA 3.0 and 4.0 (Lomiri)",
    ),
    *ARTWORK,
    picture_source("stamps", read_stamps, (_STAMPS,), "GPL-2+, Tux Paint contributors", whole=True, rules=2, views=2),
    picture_source(
        "photographs",
        read_photographs,
        (_GCOMPRIS,),
        "public domain, CC0 1.0, CC BY and CC BY-SA, authors named in the package",
        whole=True,
        views=2,
    ),
)
