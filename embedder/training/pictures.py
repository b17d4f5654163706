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
_SCRATCH_WORDS = """
amon1: a man balancing on one leg | anjuli-1: a girl with her hands at her face | anjuli-2: a girl dancing
anjuli-3: a girl dancing | anjuli-4: a girl running | anjuli-5: a girl running
anna-1: a girl in a pink shirt standing with her arms open | anna-2: a girl jumping
anna-3: a girl with her arms up, cheering | boycurly: a boy with curly hair | boyshorts: a boy in shorts
breakdancer1: a breakdancer in a handstand | breakdancer2: a breakdancer spinning
breakdancer3: a breakdancer on his head | calvrett-jumping: a man in purple trousers jumping
calvrett-thinking: a man sitting and thinking | calvrett: a man in purple trousers with a ball
cassy-chillin: a young woman standing at ease | cassy-dancing-1: a young woman dancing
cassy-dancing-2: a young woman dancing | cassy-dancing-3: a young woman dancing
cassy-dancing-4: a young woman dancing | cassy-jumping-1: a young woman jumping
cassy-jumping-2: a young woman jumping | cassy-phone-1: a young woman on the phone
cassy-sitting-1: a young woman sitting cross-legged | cassy-standing-1: a young woman standing with her arms open
chamak1: a woman in a dark dress dancing | chamak2: a woman kneeling and dancing
dan1: a man in a white shirt dancing | dan2: a man in a white shirt jumping | dan3: a man in a white shirt standing
dan4: a man in a white shirt standing | dan5: a man in a white shirt standing | dan6: a man in a white shirt dancing
diver1: a diver | diver2: a diver | ed: a man in a long dark coat | football-run: an American football player running
football-stand: an American football player | jay: a man in a black suit dancing
jodi1: a person with arms spread wide | jodi2: a person doing the splits in the air
lee-fan: a woman dancing with a fan | mako-laughing: a young man laughing | mako-screaming: a young man screaming
mako-stop: a young man who says stop | marissa-crouching: a woman with blue gloves crouching
marissa-sitting: a young woman sitting | marissa: a young woman in a dark waistcoat
nathan: a man in a red jacket with a newspaper | nina1: a woman in a red jacket | paul1: a man in a blue jacket
referee1: a referee | referee2: a referee | ribbon-dancer: a dancer in red | roundman: a man with a round face
royalperson: a king with a crown | sam: a boy in a blue jacket | singer1: a singer in an evening dress
squaregirl: a girl with a square face | squareguy: a boy with curly hair | thai-dancer: a Thai dancer in costume
thai-dancer2: a Thai dancer in costume | womanbun: a woman with her hair in a bun | womanwaving: an old woman waving
car-bug: a small round car | car-cow: a car painted like a cow | street-cleaner-mit: a street cleaning machine
magiccarpet: a flying carpet | cub1: a lion cub | convertible1: a convertible car | convertible2: a convertible car
convertible3: a convertible car | partyhat1: a party hat | partyhat2: a party hat | partyhat3: a party hat
hair1: a red wig | hair2: a black curly wig | lego: a blue toy brick | mic: a microphone on a stand
soccer1: a football | sunglassF1: red sunglasses | sunglassF2: sunglasses | sunglassF3: sunglasses
sunglassF4: sunglasses | wizardhat: a wizard's hat | marble-building: a white marble building with a dome
palmtree: a palm tree | skull1: a ghost with a skull for a face | monkeyking: a monkey king | bedroom1: a bedroom
bedroom2: a bedroom with a poster | chalkboard: a blackboard with red curtains
hall: a wide hallway with a purple carpet | kitchen: a kitchen with a stove
party-room: a room for a party with a disco ball | room1: a room with bookshelves | room2: a room with shelves
room3: a room with a desk | spotlight-stage: a stage with spotlights | the-movies-inside: inside a cinema
beach-malibu: a sandy beach by the sea | canyon: a dry hill with a wide view
flower-bed: yellow flowers in a flower bed | flowers: red flowers, close up | forest: white tree trunks in a forest
garden-rock: a rock in a garden | grand-canyon: a view over the Grand Canyon | gravel-desert: a road in the desert
hill: a dry hill by the sea | lake: trees at a lake | moon: the surface of the moon
pathway: a garden path under an arch | stars: a starry night sky | tree: the trunk of a tree
water-and-rocks: a stream with rocks in the woods | wave: a breaking wave | woods-and-bench: a bench in the woods
woods: purple woods | all-sports-mural: a wall painting on a street | atom-playground: a playground
bench-with-view: a bench with a view | berkeley-mural: a wall painting on a street
boardwalk: a wooden boardwalk by the sea | brick-wall1: a red brick wall | brick-wall2: a red brick wall and grass
brick-wall-and-stairs: stairs at a brick wall | building-at-mit: a modern silver building
building-fireproof: an old brick warehouse | castle: an old stone castle
city-with-water: a city skyline at night over water | city-with-water2: a city skyline over water
driveway: a park lane that leads to a mansion | graffiti: graffiti on a wall
hallway_outdoors: an arcade with stone columns | hay_field: hay bales on a field | houses: poor houses at a dirt road
mansion: a mansion among trees | mural-faro: a colourful wall painting | night-city-with-street: a city at night
night-city: a city at night | parking-ramp: a car park | pool: a swimming pool | route66: an empty road
school1: a red school building | school2: a school entrance | silos: two tanks among trees
the-movies: the entrance of a cinema | train-tracks1: railway tracks into the mountains
train-tracks2: railway tracks | train-tracks3: railway tracks on a bridge | village: a poor village under clouds
wooden-house: an old wooden cabin | baseball-field: a baseball stadium | basketball-court1-a: a basketball court
basketball-court1-b: a basketball court | basketball-court2: a basketball court
football-field: a football stadium full of people | playing-field: a football pitch
tennis-backboard: a tennis practice wall
"""


def read_scratch(folder: Path) -> Iterator[Pair]:
    """The costumes and backgrounds of Scratch 1.4; half are photographs."""
    root = fetched(_SCRATCH, folder) / "usr/share/scratch/Media"
    said = _by_hand(_SCRATCH_WORDS)
    for path in chain.from_iterable(_files(root, f"*.{suffix}") for suffix in ("png", "jpg", "gif")):
        key = path.relative_to(root).as_posix()
        if not _SCRATCH_LEFT_OUT.search(key):
            yield _pair("scratch", key, said.get(path.stem, [_spoken(path.stem)]), path=path)


@cache
def _by_hand(table: str) -> dict[str, list[str]]:
    """File name to captions; entries stand on lines or between bars, further captions after semicolons."""
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
_WALLPAPER_WORDS = """
templates/burnt_bark.jpg: burnt tree bark; charred wood
templates/cliff.jpg: a rocky cliff under a blue sky
templates/corn_maze.jpg: a path through a maize field; corn maze
templates/jellyfish.jpg: blue jellyfish glowing in the dark
templates/mossy_bark.jpg: bark of a tree with lichen
templates/mossy_log.jpg: a mossy log in the forest
templates/mudstone.jpg: grey rock worn by water; mudstone
templates/redwoods_above.jpg: looking up at redwood trees
templates/rocks.jpg: round pebbles
templates/sheep.jpg: sheep grazing on a wide plain
templates/spiders_web.jpg: a spider's web in the sun
templates/sun_behind_clouds.jpg: the sun behind a cloud
templates/sun_behind_leaves.jpg: sunlight through green leaves
templates/trees_above.jpg: looking up into the tree tops
templates/trees_at_dusk.jpg: bare trees at dusk
templates/wool_mill_machine.jpg: cogwheels of an old machine; machine in a wool mill
nature/Garden.jpg: a red and yellow flower in the garden; marigold
nature/Dune.jpg: grass on a dune by the sea
nature/Wood.jpg: pale wood grain
nature/Aqua.jpg: a drop falling into water
nature/TwoWings.jpg: seeds with white hairs on an orange flower
nature/GreenMeadow.jpg: green grass in a meadow
nature/Blinds.jpg: a green leaf, close up
nature/FreshFlower.jpg: an orange flower, close up
nature/LadyBird.jpg: a ladybird on a blade of grass; ladybug and small blue flowers
nature/YellowFlower.jpg: a yellow flower
backgrounds/Bridge_by_Sander_Klootwijk.jpg: cables of a bridge against the sky
backgrounds/Dragonfly_by_Bolly.jpg: a dragonfly on a twig
backgrounds/Picture_0B_by_freespace.jpg: half a fig in a red bowl
backgrounds/Picture_1A_by_freespace.jpg: paint brushes in bright colours
backgrounds/Wine_by_Jakkub_Mede.jpg: a drum in a room with a bottle of wine
backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg: mountains behind a green meadow in autumn
backgrounds/free_by_Peter_Nerlich.jpg: a small parrot flying below a lamp; budgerigar
backgrounds/greentock_by_Peter_Nerlich.jpg: a clock face, close up
backgrounds/life_by_Aitzol_Berasategi.jpg: a stream in the forest; small waterfall
backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg: a hiking path below rocky mountains
backgrounds/seeding_by_Clements_Engelhardt.jpg: dandelion seed heads in the evening sun
backgrounds/sunset_by_Aitzol_Berasategi.jpg: sunset over the hills
backgrounds/Infinite-Sea_by_Aury88.jpg: the Milky Way over a calm sea; starry night
backgrounds/Kleiber_by_Lukas_Baubkus.jpg: a bird at a tree trunk; nuthatch
Altai/contents/images/5120x2880.png: a mountain lake, drawn in flat colours
Autumn/contents/images/2560x1600.jpg: an autumn tree losing its leaves, painted
BytheWater/contents/images/2560x1600.jpg: a wooden jetty by the water
ColdRipple/contents/images/2560x1600.jpg: a jetty in fog; grey lake in the mist
ColorfulCups/contents/images/2560x1600.jpg: many plastic cups seen from above
DarkestHour/contents/images/2560x1600.jpg: a lake before dawn
FallenLeaf/contents/images/2560x1600.jpg: a fallen maple leaf in autumn
Grey/contents/images/2560x1600.jpg: curved modern architecture in black and white
Kite/contents/images/2560x1600.jpg: a kite in a blue sky
OneStandsOut/contents/images/2560x1600.jpg: green moss, close up
Path/contents/images/2560x1600.jpg: a path through a dark forest
summer_1am/contents/images/2560x1600.jpg: a pink sky over a lake at night
collection/castle-maintenon.jpg: a castle in France; Maintenon castle
collection/cincinnati-bridge.jpg: a bridge at night; Cincinnati bridge
collection/citrus-fruits.jpg: slices of citrus fruits; oranges and lemons
collection/european-honey-bee.jpg: a honey bee on a purple flower
collection/panther-chameleon-female.jpg: a chameleon on a branch
"""


def read_wallpapers(folder: Path) -> Iterator[Pair]:
    """Photographs of nature, places and things that come as wallpapers, painting templates and puzzles."""
    yield from _named("wallpapers", _WALLPAPERS, _WALLPAPER_WORDS, folder)


def _named(source: str, packages: Sequence[Package], table: str, folder: Path) -> Iterator[Pair]:
    """The files that a table names by the end of their path."""
    roots = [fetched(package, folder) for package in packages]
    for path in chain.from_iterable(_files(root, "*.*") for root in roots):
        for depth in (2, 3, 4):
            key = "/".join(path.parts[-depth:])
            if key in _by_hand(table):
                yield _pair(source, key, _by_hand(table)[key], path=path)


# ---- Held out: Tux Paint's stamps.

_STAMPS = _debian("tuxpaint-stamps-default", "2022.06.04-1")
# Signs to be read rather than seen, and stamps whose words are of something else.
_STAMPS_LEFT_OUT = re.compile(
    r"symbols/|town/(roadsigns|flags)/|.*/(dreydl-|pengwin$|final-roll-call$|sedan_police$|home_compost)"
)
_STAMP_WORDS = """
bread: bread | cheese: cheese | loaf_of_bread: a loaf of bread | broccoli: broccoli | toilet: a toilet
bradley: an armoured vehicle | infantry-stryker: an armoured vehicle | ww2_german_gun: an old tank
old_naval_shell: an old naval shell | penguin_with_spider: a penguin and a bug | tux: Tux the penguin
football_helmet_front: a football helmet | football_helmet_side: a football helmet
explosion: a cloud of smoke; explosion | cep-2: two ceps | grave-h: a tombstone | eddieCopter: a helicopter
plane: an airplane | tanker: a tank wagon | bathyscape: a deep sea research vessel | docks: docks
cave_entrance: the entrance of a cave | albino_peahen: an albino peahen | bluegroper: a blue groper
tender: the tender of a steam engine
"""
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
        said = _by_hand(_STAMP_WORDS).get(text.stem, [_CHAT.sub("", first)])
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
_PHOTO_WORDS = """
fish1: an angelfish at a reef | fish9: clownfish in an anemone | fish10: orange fish at a coral reef
fish25: a goldfish | camels: two camels | chamaeleon: a chameleon | long_nosed_monkey: a proboscis monkey
swans: swans with cygnets | dragon: a Komodo dragon | chicken: hens; chickens in the grass | horse: horses
cat: a cat playing with a string | africa: African drums; bata drums | america: drums and an electric guitar
ireland: a folk band on stage | australia: a man playing the didgeridoo | italy: singers in an opera; opera on stage
japan: taiko drummers at night | mexico: a mariachi band playing | middleeast: a lute with a long neck; dutar
orchestra: an orchestra playing | Chenonceau_background: Chenonceau castle over the river
EgeskovSlotSpejling_background: a castle mirrored in a lake
Eglise_dAuvers-sur-Oise_background: a church painted by Van Gogh | EilanDonanCastle_background: Eilean Donan castle
FanoeWindmill_background: a windmill | GizahPyramids_background: the pyramids of Giza
Gogh4_background: a café terrace at night, painted by Van Gogh | Louvre_2007_02_24_c_background: the Louvre at night
NDP_background: Notre-Dame cathedral in Paris | Nagoya_background: Nagoya castle; Japanese castle
Neuschwanstein_background: Neuschwanstein castle | OperaSidney_background: the Sydney Opera House at night
PortraitOfPereTanguy_background: portrait of a man with a hat, painted by Van Gogh
TajMahal_background: the Taj Mahal | TourEiffel_background: the Eiffel Tower
TowerBridgeLondon_background: Tower Bridge in London at night
Van_Gogh_The_Night_Cafe_background: a café with a billiard table, painted by Van Gogh
VincentVanGogh0012_background: a corridor with arches, painted by Van Gogh
VincentVanGogh0013_background: a man walking in autumn, painted by Van Gogh
VincentVanGogh0019_background: harvest in a wide landscape, painted by Van Gogh
VincentVanGoghBridge_background: a drawbridge, painted by Van Gogh | cabrillo: a statue of a man; Cabrillo monument
canyondeChelly: Canyon de Chelly; a river in a canyon | castillodeSanMarcos: a star-shaped fort seen from above
castleClinton: Castle Clinton, a round fort in New York | fortSumter: a fort; Fort Sumter
georgeWashingtonBirthplace: a brick house; George Washington's birthplace | navajo: cliff dwellings; Navajo monument
ajantaCave: the Ajanta caves | charminar: the Charminar | gatewayofIndia: the Gateway of India
goldenTemple: the Golden Temple of Amritsar | greatStupa: the Great Stupa of Sanchi
konarkSunTemple: the sun temple of Konark | qutubMinar: the Qutub Minar | kutubMinar: the Qutub Minar
rangGhar: the Rang Ghar | arlesAmphitheater: the amphitheatre of Arles | chateaudeChambord: Chambord castle
chateaudeChenonceau: Chenonceau castle | citedeCarcassonne: the walls of Carcassonne | montStMichel: Mont Saint-Michel
palaisdesPapes: the palace of the popes in Avignon | pontduGard: the Pont du Gard, a Roman aqueduct
rocamadour: Rocamadour, a village on a cliff | trierImperialBaths: ruins of Roman baths
arcDeTriomphe: a triumphal arch | IndiaGate: the India Gate | statueofLiberty: the Statue of Liberty
greatWallofChina: the Great Wall of China | greatPyramidOfGiza: the Great Pyramid of Giza
greatPyramid: the Great Pyramid of Giza | greatWall: the Great Wall of China | bayterek: the Bayterek tower
burj: the Burj Khalifa, a skyscraper | cathedral: a cathedral with two towers | empireState: the Empire State Building
jucheTower: the Juche Tower | leMusee: the glass pyramid of the Louvre | leaningTowerOfPisa: the Leaning Tower of Pisa
monument1: a mosque with a golden dome; Dome of the Rock | monument2: ruins of a gate with columns
monument3: a church with red roofs | operaHouse: the Sydney Opera House | parthenon: the Parthenon; Greek temple
usCapitol: the United States Capitol | zimniPalace: the Winter Palace | earth: the Earth from space
jupiter: the planet Jupiter | mars: the planet Mars | mercury: the planet Mercury | neptune: the planet Neptune
saturn: the planet Saturn with its rings | sun: the sun | uranus: the planet Uranus | venus: the planet Venus
braille: hands reading braille | braille_ball: a white ball with knobs | fireplace: a figure of a boy at a fireplace
louis: portrait of a man; Louis Braille | statue: a bust on a pedestal | teach: hands on a page of braille
cuttingTool: cutting pliers | nailCutter: a nail clipper | sideCutter1: side cutting pliers
spray: a red spray bottle | sickle: a sickle | screwDriver3: electric screwdrivers | screwDriver: a screwdriver
screwDriver1: a screwdriver | screwDriver2: a screwdriver | blackslate: a blackboard | bucket: a wooden bucket
buffetset: a cup and saucer | bulb: a light bulb | cup: a cup and saucer | erasers: an eraser
knife: knife, fork and spoon | weighingMachine: kitchen scales | pan: a frying pan | dam1: a dam | dam2: a dam
dam3: a dam | dam4: a dam | dam5: water rushing from a dam | geothermal: steam rising from the ground
solar1: a solar cooker with a mirror | solar2: a solar oven | solar3: solar ovens | solar4: solar panels
solar5: solar panels | solar6: solar panels on a roof | solar7: a solar panel | solar8: solar panels
windmill6: a wind turbine
"""


def read_photographs(folder: Path) -> Iterator[Pair]:
    """GCompris' photographs of animals, buildings, tools, music, household things, energy and planets."""
    root = fetched(_GCOMPRIS, folder) / "usr/share/gcompris-qt/rcc"
    said = _by_hand(_PHOTO_WORDS)
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
