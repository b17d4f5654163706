"""Pictures: the sources of drawings, renderings and photographs, each with the words that say what is seen.

What is written here by hand was written with the picture in view. Photographs that `data/samples` is made of are left
out of the sources that are trained on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from html import unescape
from itertools import chain
from pathlib import Path
from typing import Any

from embedder.training.fetch import fetched
from embedder.training.pairs import Medium, Package, Pair, Registry, Source

_WORDS = Path(__file__).with_name("pictures.txt")
_MAX_CAPTION_CHARS = 160
_MAX_KEYWORDS = 6


def group_of(words: str) -> str:
    """What a caption names, the same for the same thing in every source: "Two big Cats!" is "two big cat"."""
    plain = re.sub(r"[\W_]+", " ", re.sub(r"['’]", "", words.casefold())).split()
    while len(plain) > 1 and (plain[0] in ("a", "an", "the", "some") or plain[0] in _DRAWN):
        plain = plain[1:]
    while len(plain) > 1 and (plain[-1].isdigit() or plain[-1] in _DRAWN):
        plain = plain[:-1]
    return " ".join([*plain[:-1], _singular(plain[-1])]) if plain else ""


_DRAWN = frozenset("cartoon icon clipart drawing outline contour simple silhouette symbol".split())


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _spoken(name: str) -> str:
    """A file's or an icon's name as words: "mossy_log2" is "mossy log", "eiffelTower" is "eiffel tower"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.sub(r"(?<=[a-z])\d+\b", "", re.sub(r"[-_.\s]+", " ", words)).strip()
    return re.sub(r"( (\d+|[a-f]))+$", "", words).lower()


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
_EMPTY_TITLE = re.compile(r"iconset|gold-theme|plastik-icon|advertising|Clipart by Nicu Buculei - (fc|segmented)", re.I)
# These name the collection that a drawing came with, so that its file's name says more.
_COLLECTION = re.compile(
    r"clipart by|cliparts?$|^aiga|etiquette icons|sibmission|theme$|^(card|svg road signs|road signs|australian maps"
    r"|map symbols|sallite|pc connectors|chess pieces|balloons-aj|moons)$", re.I,
)  # fmt: skip
_DULL_KEYWORDS = frozenset(
    "hash icons icon theme menu magick geometry unsorted special mapsym signs_and_symbols action application clipart"
    " clip art externalsource filesystem mimetypes mime-types appicon recreation image png svg openclipart simple shape"
    " shapes symbol sign computer transport bordered ornamental work remix contour networksym color black white".split()
)
_TRAILING_AUTHOR = re.compile(r"\s*[-,(]?\s*\b(remix of|remix|by|from)\b.*$", re.I)
_NOT_WORDS = re.compile(
    r"@|\bemail|\b0x\w|derivative|https?:|www\.|HASH\(|remix|\bcc0?\b|licen[cs]e|copyright|inkscape|sodipodi|vectori|svg",
    re.I,
)


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
        captions, raw = _clipart_captions(drawing), picture.read_bytes()
        content = hashlib.sha256(raw).digest()
        width, height = int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])  # where a PNG says them
        if captions and content not in seen and width * height <= _MAX_CLIPART_PIXELS:
            seen.add(content)  # the same drawing often lies in two folders
            yield _pair("clipart", key, captions, path=picture)


def _clipart_captions(drawing: Path) -> list[str]:
    """Title, description and keywords, as far as they are words for what is drawn."""
    text = drawing.read_text(encoding="utf-8", errors="replace")
    work = re.search(r"<cc:Work.*?</cc:Work>", text, re.S)
    if work is None:
        return []
    titles = [_plain(title) for title in re.findall(r"<dc:title>(.*?)</dc:title>", work[0], re.S)]
    title = titles[0] if titles else ""
    if _EMPTY_TITLE.search(title):
        return []
    if not title or _COLLECTION.search(title):
        title = re.sub(r"^(aiga|sport|clipart by .*) | (zazou|aj|ganson|bw|v)$", "", _spoken(drawing.stem))
    title = re.sub(r"^\d+\s*|[\s_#-]*\d+$", "", _TRAILING_AUTHOR.sub("", title.replace("_", " ")))
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).strip(" -_.,")
    if "/flags/" in drawing.as_posix() and title and not re.search(r"flag|semaphore|symbol|map|signal", title, re.I):
        title = f"flag of {title}"
    described = re.search(r"<dc:description>(.*?)</dc:description>", work[0], re.S)
    authors = {name.lower() for name in titles[1:]}
    keywords = [_plain(word).lower() for word in re.findall(r"<rdf:li[^>]*>(.*?)</rdf:li>", work[0], re.S)]
    keywords = [
        word.replace("_", " ")
        for word in keywords
        if word and word not in _DULL_KEYWORDS | authors and not _NOT_WORDS.search(word) and not word.isdigit()
    ]
    description = _plain(described[1]).rstrip(".") if described else ""
    said = ["" if title.lower() in _DULL_KEYWORDS else title, description, ", ".join(keywords[:_MAX_KEYWORDS])]
    return [words for words in said if len(re.findall(r"[^\W\d_]", words)) > 2 and not _NOT_WORDS.search(words)]


def _plain(markup: str) -> str:
    return " ".join(unescape(unescape(re.sub(r"<[^>]*>", " ", markup))).split())


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
    emoji = [each for each in _loaded(words / "data.json") if each.get("group", _COMPONENTS) != _COMPONENTS]
    named: dict[str, dict[str, Any]] = {}
    codes = {each["hexcode"]: each for each in emoji}
    for names in sorted((words / "shortcodes").glob("*.json")):
        for code, short in _loaded(names).items():
            if code in codes:
                for name in [short] if isinstance(short, str) else short:
                    named.setdefault(_squeezed(name), codes[code])
    named |= {_squeezed(each["label"]): each for each in emoji}  # over short names, which differ between makers
    for style in _EMOJI_STYLES:
        icons = _loaded(fetched(style, folder) / "package/icons.json")
        drawn: set[str] = set()
        for name in icons["icons"]:
            found = named.get(_squeezed(name)) or named.get(_squeezed(re.sub(r"-\d$", "", name)))
            if found is None or found["hexcode"] in drawn or (style is not _EMOJI_STYLES[0] and _is_sign(found)):
                continue
            drawn.add(found["hexcode"])
            yield _emoji_pair(found, style.name.rpartition("/")[2], svg=_icon_svg(icons, name))
    bare = {code.replace("-FE0F", ""): each for code, each in codes.items()}
    for picture in _files(fetched(_EMOJI_3D, folder) / "package/assets", "*.webp"):
        found = bare.pop(picture.stem.upper().replace("-FE0F", ""), None)  # some lie there with and without FE0F
        if found is not None and not _is_sign(found):
            yield _emoji_pair(found, "3d", path=picture)


def _emoji_pair(emoji: dict[str, Any], style: str, *, path: Path | None = None, svg: str | None = None) -> Pair:
    label = re.sub(r"^flag: ", "flag of ", emoji["label"]).replace(":", ",")
    tags = ", ".join(emoji.get("tags", [])[:_MAX_KEYWORDS])
    # A man, a woman and a person who does the same look alike: one must not be trained on where another tests.
    group = re.sub(r"^(m[ae]n|wom[ae]n|person|people) ", "", label)
    return _pair("emoji", f"{style}/{emoji['hexcode']}", [label, tags], path=path, svg=svg, group=group)


def _is_sign(emoji: dict[str, Any]) -> bool:
    return emoji["group"] in (_SYMBOLS, _FLAGS)


def _squeezed(name: str) -> str:
    """Makers differ in hyphens, accents and "flag-for-"; what is left is the same."""
    return re.sub(r"[^a-z0-9]|(?<=flag)-?for", "", name.lower().replace("flag-for-", "flag-"))


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
            words = re.sub(r" (alt|plain|variation)$", "", _spoken(name))
            yield _pair("silhouettes", name, [words], svg=_icon_svg(icons, name))


# ---- Word pictures: coloured drawings made for learning words.

_WORD_PICTURES = _debian("pysiogame", "4.20.01-1")


def read_word_pictures(folder: Path) -> Iterator[Pair]:
    """Art4Apps' drawings of first words: animals, food, jobs, clothes, sports, doings."""
    root = fetched(_WORD_PICTURES, folder) / "usr/share/games/pysiogame/res/images/art4apps"
    for path in _files(root, "*.jpg"):
        word = _spoken(path.stem)
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
                more = [", ".join([name, *tags[:_MAX_KEYWORDS]]), "" if room == "miscellaneous" else f"{name}, {room}"]
                yield _pair("furniture", f"{catalogue.parent.name}/{path.stem}", [name, *more], path=path)


# ---- Scratch: cut-out photographs of people, drawings, and photographs of places.

_SCRATCH = _debian("scratch", "1.4.0.6~dfsg1-6.1")
_SCRATCH_LEFT_OUT = re.compile(r"letters|xy-grid|fantasy\d|gobo|wild1|button|monsters?\d", re.I)


def read_scratch(folder: Path) -> Iterator[Pair]:
    """The costumes and backgrounds of Scratch 1.4; half are photographs."""
    root = fetched(_SCRATCH, folder) / "usr/share/scratch/Media"
    said = _by_hand("scratch")
    for path in chain.from_iterable(_files(root, f"*.{suffix}") for suffix in ("png", "jpg", "gif")):
        key = path.relative_to(root).as_posix()
        if not _SCRATCH_LEFT_OUT.search(key):
            yield _pair("scratch", key, said.get(path.stem, [_spoken(path.stem)]), path=path)


@cache
def _by_hand(source: str) -> dict[str, list[str]]:
    """File name to captions, from this source's section of pictures.txt."""
    table = _WORDS.read_text(encoding="utf-8").partition(f"\n[{source}]\n")[2].partition("\n\n[")[0]
    entries = (entry.partition(":") for entry in table.replace("|", "\n").splitlines() if entry.strip())
    return {name.strip(): [words.strip() for words in said.split(";")] for name, _, said in entries}


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
            if key in _by_hand(source):
                yield _pair(source, key, _by_hand(source)[key], path=path)


# ---- Held out: Tux Paint's stamps.

_STAMPS = _debian("tuxpaint-stamps-default", "2022.06.04-1")
# Signs to be read rather than seen, and stamps whose words are of something else.
_STAMPS_LEFT_OUT = re.compile(
    r"symbols/|town/(roadsigns|flags)/|.*/(dreydl-|pengwin$|final-roll-call$|sedan_police$|home_compost)"
)
_CHAT = re.compile(r" (is|are|lets|have|carry|carries|for taking|called)\b.*|\s*\(.*\)")


def read_stamps(folder: Path) -> Iterator[Pair]:
    """Tux Paint's stamps of animals, food, vehicles, people, buildings, plants and things: photographs and drawings."""
    root = fetched(_STAMPS, folder) / "usr/share/tuxpaint/stamps"
    for text in _files(root, "*.txt"):
        key = text.relative_to(root).with_suffix("").as_posix()
        pictures = [path for suffix in (".png", ".svg") if (path := text.with_suffix(suffix)).is_file()]
        lines = text.read_text(encoding="utf-8", errors="replace").splitlines()
        if _STAMPS_LEFT_OUT.match(key) or not pictures or pictures[0].is_symlink() or not lines:
            continue
        # "A telephone.  Hello? Hello?": the first sentence names, the others chat.
        first = re.split(r"(?<=[.!?…])\s+|—", lines[0].strip())[0].strip(" .!…–-“”")
        said = _by_hand("stamps").get(text.stem, [_CHAT.sub("", first)])
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
    said = _by_hand("photographs")
    for path in _files(root, "*.webp"):
        key = (
            path.relative_to(root)
            .as_posix()
            .rpartition("activities/")[2]
            .removesuffix(".webp")
            .replace("/resource", "")
        )
        by_hand = said.get(path.stem)
        if by_hand is None and _PHOTO_LEFT_OUT.search(path.as_posix()):
            continue
        if _PHOTO_FOLDERS.search(path.as_posix()):
            yield _pair("photographs", key, by_hand or [_spoken(path.stem)], path=path)


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
