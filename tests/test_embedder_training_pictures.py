"""The picture sources of the training set: readers on tiny packages made here, and fetching with stand-in clients."""

from __future__ import annotations

import io
import json
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedder.training import captions, views
from embedder.training.captions import by_hand, group_of
from embedder.training.fetch import FetchFailedError, fetch, place
from embedder.training.pairs import Package, Pair, Registry, Source
from embedder.training.pictures import PICTURES

BY_NAME = {source.name: source for source in PICTURES}


def put(folder: Path, path: str, content: str | bytes = b"pixels") -> Path:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


def make_packages(folder: Path, source: Source) -> None:
    for package in source.packages:
        place(package, folder).mkdir(parents=True)


def read(folder: Path, name: str) -> dict[str, Pair]:
    return {pair.key: pair for pair in BY_NAME[name].read(folder)}


def clipart(title: str, *, description: str = "", keywords: tuple[str, ...] = (), author: str = "Anna Artist") -> str:
    words = "".join(f"<rdf:li>{word}</rdf:li>" for word in keywords)
    return (
        f"<svg><metadata><cc:Work><dc:title>{title}</dc:title><dc:description>{description}</dc:description>"
        f"<dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>"
        f"<dc:creator><cc:Agent><dc:title>{author}</dc:title></cc:Agent></dc:creator></cc:Work></metadata></svg>"
    )


def put_clipart(folder: Path, key: str, svg: str, png: bytes | None = None, *, side_px: int = 10) -> None:
    head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", side_px, side_px)
    put(folder, f"openclipart-svg/usr/share/openclipart/svg/{key}.svg", svg)
    put(folder, f"openclipart-png/usr/share/openclipart/png/{key}.png", head + (png or key.encode()))


def test_every_source_has_a_licence_packages_with_versions_and_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(PICTURES)
    assert all(source.licence and source.packages for source in PICTURES)
    assert all(package.version for source in PICTURES for package in source.packages)


def test_stamps_and_photographs_are_never_trained_on_and_share_no_package_with_what_is() -> None:
    assert {source.name for source in PICTURES if source.whole} == {"stamps", "photographs"}
    tested = {package for source in PICTURES if source.whole for package in source.packages}
    trained = {package for source in PICTURES if not source.whole for package in source.packages}
    assert not tested & trained


@pytest.mark.parametrize("source", PICTURES, ids=lambda source: source.name)
def test_a_source_that_was_not_fetched_says_so(source: Source, tmp_path: Path) -> None:
    with pytest.raises(FetchFailedError, match="fetch it first"):
        list(source.read(tmp_path))


@pytest.mark.parametrize(
    ("words", "group"),
    [
        ("A grinning face.", "grinning face"),
        ("Two big Cats!", "two big cat"),
        ("cartoon_cat 02", "cat"),
        ("a plumber’s wrench", "plumbers wrench"),
        ("glass", "glass"),
        ("the", "the"),
        ("blackberries", "blackberry"),
    ],
)
def test_a_group_is_the_same_for_the_same_thing(words: str, group: str) -> None:
    assert group_of(words) == group


def test_clip_art_has_title_description_and_keywords_without_authors(tmp_path: Path) -> None:
    svg = clipart(
        "Angry Monkey", description="A monkey that shows its teeth.", keywords=("monkey", "anna artist", "hash(0x1f)")
    )
    put_clipart(tmp_path, "animals/angry_monkey_anna_01", svg)
    pair = read(tmp_path, "clipart")["animals/angry_monkey_anna_01"]
    assert pair.captions == ("Angry Monkey", "A monkey that shows its teeth", "monkey")
    assert pair.group == "angry monkey"
    assert pair.path is not None
    assert pair.path.suffix == ".png"


@pytest.mark.parametrize(
    ("key", "title", "said"),
    [
        ("buildings/house", "Clipart by Somebody - nosmoke", "house"),
        ("computer/icons/aiga_departing_flights_", "AIGA_Symbol_Signs", "departing flights"),
        ("food/cake2", "Cake - remix of pie by Anna", "Cake"),
        ("people/father", "FatherChristmas", "Father Christmas"),
        ("signs_and_symbols/flags/africa/kenya", "Kenya", "flag of Kenya"),
        ("food/gelato", "Gelato all&amp;#39;italiana", "Gelato all'italiana"),
    ],
)
def test_clip_art_titles_become_words_for_what_is_seen(tmp_path: Path, key: str, title: str, said: str) -> None:
    put_clipart(tmp_path, key, clipart(title))
    assert read(tmp_path, "clipart")[key].captions[0] == said


def test_clip_art_leaves_out_computed_shapes_twins_giants_and_the_wordless(tmp_path: Path) -> None:
    put_clipart(tmp_path, "shapes/stars/star_5pt", clipart("gramastar"))
    put_clipart(tmp_path, "animals/cow", clipart("cow"), b"the same")
    put_clipart(tmp_path, "unsorted/cow", clipart("cow"), b"the same")
    put_clipart(tmp_path, "unsorted/70", clipart("gold-theme"))
    put_clipart(tmp_path, "signs_and_symbols/stop", clipart("stop sign"), side_px=20_000)
    assert list(read(tmp_path, "clipart")) == ["animals/cow"]


@pytest.fixture
def emoji_folder(tmp_path: Path) -> Path:
    make_packages(tmp_path, BY_NAME["emoji"])
    data = [
        {"label": "dog face", "hexcode": "1F436", "group": 3, "tags": ["dog", "pet"]},
        {"label": "woman running", "hexcode": "1F3C3-200D-2640-FE0F", "group": 1, "tags": ["run"]},
        {"label": "flag: Kenya", "hexcode": "1F1F0-1F1EA", "group": 9, "tags": ["KE"]},
        {"label": "light skin tone", "hexcode": "1F3FB", "group": 2},
        {"label": "regional indicator A", "hexcode": "1F1E6"},
    ]
    put(tmp_path, "emojibase-data/package/en/data.json", json.dumps(data))
    short = {"1F436": ["puppy_face"], "1F3C3-200D-2640-FE0F": "woman_running"}
    put(tmp_path, "emojibase-data/package/en/shortcodes/some.json", json.dumps(short))
    names = {
        "twemoji": ["dog-face", "flag-kenya", "dog-face-dark-skin-tone", "woman-running"],
        "emojione": ["flag-for-kenya", "puppy-face"],
        "streamline-emojis": ["dog-face-1", "dog-face-2"],
    }
    for package in BY_NAME["emoji"].packages[1:-1]:
        style = package.name.rpartition("/")[2]
        icons = {name: {"body": "<path d='M0 0h9'/>"} for name in names.get(style, [])}
        put(
            tmp_path,
            f"@iconify-json__{style}/package/icons.json",
            json.dumps({"icons": icons, "width": 36, "height": 30}),
        )
    for stem in ("1f436", "1f3c3-200d-2640-fe0f", "1f3c3-200d-2640", "1f1f0-1f1ea"):
        put(tmp_path, f"@lobehub__fluent-emoji-3d/package/assets/{stem}.webp")
    return tmp_path


def test_emoji_of_all_styles_share_a_group_and_come_once_each(emoji_folder: Path) -> None:
    pairs = read(emoji_folder, "emoji")
    dogs = [pair for pair in pairs.values() if pair.group == "dog face"]
    assert {pair.key for pair in dogs} == {
        f"{style}/1F436" for style in ("twemoji", "emojione", "streamline-emojis", "3d")
    }
    assert all(pair.captions == ("dog face", "dog, pet") for pair in dogs)
    assert len({pair.held_out for pair in dogs}) == 1
    assert pairs["twemoji/1F3C3-200D-2640-FE0F"].group == "running"


def test_emoji_flags_come_in_one_style_and_skin_tones_in_none(emoji_folder: Path) -> None:
    pairs = read(emoji_folder, "emoji")
    assert [key for key in pairs if "1F1F0" in key] == ["twemoji/1F1F0-1F1EA"]
    assert pairs["twemoji/1F1F0-1F1EA"].captions[0] == "flag of Kenya"
    assert not [key for key in pairs if "1F3FB" in key or "1F1E6" in key]


def test_an_icon_becomes_a_drawing_of_the_size_its_set_says(emoji_folder: Path) -> None:
    svg = read(emoji_folder, "emoji")["twemoji/1F436"].svg
    assert svg is not None
    assert 'viewBox="0 0 36 30"' in svg
    assert "M0 0h9" in svg


def test_silhouettes_are_a_share_of_their_set(tmp_path: Path) -> None:
    icons = {f"{'abcdefghij'[n // 10]}x{'abcdefghij'[n % 10]}y-sword": {"body": "<path/>"} for n in range(100)}
    put(
        tmp_path,
        "@iconify-json__game-icons/package/icons.json",
        json.dumps({"icons": icons, "width": 512, "height": 512}),
    )
    pairs = read(tmp_path, "silhouettes")
    assert 5 < len(pairs) < 40
    assert all(pair.captions[0].endswith("sword") for pair in pairs.values())


def test_word_pictures_are_named_by_file_and_theme(tmp_path: Path) -> None:
    put(tmp_path, "pysiogame/usr/share/games/pysiogame/res/images/art4apps/fruit_n_veg/water_melon.jpg")
    pair = read(tmp_path, "word pictures")["fruit_n_veg/water_melon"]
    assert pair.captions == ("water melon", "water melon, fruit and veg")
    assert pair.group == "water melon"


def test_furniture_is_named_by_its_catalogue_which_cannot_point_outside(tmp_path: Path) -> None:
    base = "sweethome3d-furniture/usr/share/sweethome3d/furniture/Maker"
    lines = ["name#1=Armchair", "icon#1=/maker/armchair.png", "tags#1=Blend Swap, Seat", "category#1=Office"]
    lines += ["name#2=Secret", "icon#2=/../../../../../../secret.png"]
    put(tmp_path, f"{base}/PluginFurnitureCatalog.properties", "\n".join(lines))
    put(tmp_path, f"{base}/maker/armchair.png")
    put(tmp_path, "secret.png")
    pairs = read(tmp_path, "furniture")
    assert [pair.captions for pair in pairs.values()] == [("armchair", "armchair, seat", "armchair, office")]


def test_scratch_has_words_by_hand_or_from_the_name_and_no_letters(tmp_path: Path) -> None:
    base = "scratch/usr/share/scratch/Media"
    for path in ("Costumes/Animals/bat2-b.png", "Costumes/People/cassy-phone-1.gif", "Costumes/Letters/outline/k.gif"):
        put(tmp_path, f"{base}/{path}")
    said = {key: pair.captions for key, pair in read(tmp_path, "scratch").items()}
    assert said == {
        "Costumes/Animals/bat2-b.png": ("bat",),
        "Costumes/People/cassy-phone-1.gif": ("a young woman on the phone",),
    }


def test_wallpapers_are_those_that_were_looked_at(tmp_path: Path) -> None:
    make_packages(tmp_path, BY_NAME["wallpapers"])
    put(tmp_path, "tuxpaint-data/usr/share/tuxpaint/templates/sheep.jpg")
    put(tmp_path, "tuxpaint-data/usr/share/tuxpaint/templates/lighthouse.jpg")  # in data/samples
    put(tmp_path, "plasma-workspace-wallpapers/usr/share/wallpapers/Kite/contents/images/2560x1600.jpg")
    put(tmp_path, "plasma-workspace-wallpapers/usr/share/wallpapers/Kite/contents/images/640x480.jpg")
    assert sorted(pair.captions[0] for pair in read(tmp_path, "wallpapers").values()) == [
        "a kite in a blue sky",
        "sheep grazing on a wide plain",
    ]


ANTIQUITY = "0ad-data/usr/share/games/0ad/mods/public/public.zip"
PORTRAITS = "art/textures/ui/session/portraits"
FANTASY = "wesnoth-1.16-data/usr/share/games/wesnoth/1.16/data/core/images"


def put_portraits(folder: Path, *names: str) -> Path:
    make_packages(folder, BY_NAME["game pictures"])
    with zipfile.ZipFile(put(folder, ANTIQUITY), "w") as members:
        for name in names:
            members.writestr(name, b"pixels")
    return folder / ANTIQUITY


def test_a_damaged_archive_of_portraits_is_named_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    archive = put_portraits(tmp_path)
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(FetchFailedError, match=r"public.zip' is damaged: .*; remove its package"):
        read(tmp_path, "game pictures")
    assert not archive.with_name("public.zip.portraits").exists()


def test_portraits_come_out_of_their_archive_once_and_are_named_by_hand_or_by_people(tmp_path: Path) -> None:
    names = ("gaia/fauna_cow", "units/pers_cavalry_archer", "units/han/champion_infantry_archer",
             "units/rome_hero_scipio", "emblems/emblem_gaia")  # fmt: skip
    archive = put_portraits(
        tmp_path, "audio/music.ogg", *(f"{PORTRAITS}/{name}.png.cached.dds" for name in names)
    )  # fmt: skip
    said = {key: pair.captions for key, pair in read(tmp_path, "game pictures").items()}
    assert said == {
        "gaia/fauna_cow": ("cow", "black and white cow"),
        "units/pers_cavalry_archer": ("archer on horseback", "rider", "archer on horseback, Persian"),
        "units/han/champion_infantry_archer": ("archer", "soldier with a bow", "archer, Chinese"),
    }
    assert sorted(path.name for path in archive.parent.iterdir()) == ["public.zip", "public.zip.portraits"]
    archive.unlink()
    assert set(read(tmp_path, "game pictures")) == set(said)


def test_a_portrait_is_seen_still_and_in_motion(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (200, 30, 30, 255)).save(tmp_path / "cow.png.cached.dds")
    pair = Pair(source="", key="", group="cow", captions=("cow",), path=tmp_path / "cow.png.cached.dds")
    assert views.pictures(pair, np.random.default_rng(0), views=1)[0][5, 5].tolist() == [200, 30, 30]
    assert len(views.moving(pair, np.random.default_rng(0))) == views.SHOT_FRAMES


def test_creatures_are_named_by_hand_or_by_race_and_rank_and_not_by_invented_words(tmp_path: Path) -> None:
    put_portraits(tmp_path)
    for path in ("portraits/elves/archer+female", "portraits/goblins/spearman-2", "portraits/trolls/troll-hero",
                 "portraits/monsters/mudcrawler", "items/barrel", "items/gohere"):  # fmt: skip
        put(tmp_path, f"{FANTASY}/{path}.png")
    put(tmp_path, f"{FANTASY}/story/swamp-01.jpg")
    assert {key: pair.captions for key, pair in read(tmp_path, "game pictures").items()} == {
        "elves/archer+female": ("female elf archer", "elf"),
        "goblins/spearman-2": ("goblin spearman", "goblin"),
        "trolls/troll-hero": ("troll",),
        "items/barrel": ("barrel", "wooden barrel"),
        "story/swamp-01": ("swamp", "dark swamp, painted"),
    }


def test_things_lose_the_grey_bar_below_them(tmp_path: Path) -> None:
    base = "kalzium-data/usr/share/kalzium/data/iconsets/school"
    bar = '<rect\n  style="opacity:0.61162792;fill:#555753"\n  y="30" />'
    put(tmp_path, f"{base}/15.svg", f'<svg><rect y="1"/>{bar}<path d="M0 0"/></svg>')
    put(tmp_path, f"{base}/99.svg", "<svg/>")
    pairs = read(tmp_path, "things")
    assert {key: (pair.captions, pair.svg) for key, pair in pairs.items()} == {
        "15": (("guitar",), '<svg><rect y="1"/><path d="M0 0"/></svg>')
    }


def test_avatars_that_another_desktop_has_too_come_once(tmp_path: Path) -> None:
    make_packages(tmp_path, BY_NAME["avatars"])
    put(tmp_path, "gnome-control-center-data/usr/share/pixmaps/faces/legacy/chess.jpg", b"chess")
    put(tmp_path, "cinnamon-common/usr/share/cinnamon/faces/0_chess.jpg", b"chess")
    put(tmp_path, "cinnamon-common/usr/share/cinnamon/faces/7_fox.png", b"fox")
    put(tmp_path, "cinnamon-common/usr/share/cinnamon/faces/user-generic.png", b"nobody")
    put(tmp_path, "dde-account-faces/var/lib/AccountsService/icons/bigger/12.png", b"kitten")
    put(tmp_path, "plasma-workspace-data/usr/share/plasma/avatars/photos/Air Balloon.png.license", b"words")
    assert sorted(pair.captions[0] for pair in read(tmp_path, "avatars").values()) == [
        "a fox, drawn",
        "a sleeping kitten",
        "chess pieces",
    ]


def test_landscapes_are_named_by_the_picture_or_else_by_the_land(tmp_path: Path) -> None:
    base = "endless-sky-data/usr/share/games/endless-sky/images"
    for path in ("land/canyon1", "land/canyon04", "land/snow10", "land/snow10-sfiera", "land/loc0", "scene/loc0"):
        put(tmp_path, f"{base}/{path}.jpg")
    pairs = read(tmp_path, "landscapes")
    assert {key: pair.captions[0] for key, pair in pairs.items()} == {
        "land/canyon1": "a canyon",
        "land/snow10": "a glacier",
        "land/snow10-sfiera": "snowy mountains",
        "scene/loc0": "a welder",
    }
    assert pairs["land/canyon1"].group == "canyon"


def test_icons_show_things_and_those_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for style in ("ultimate", "kameleon"):
        names = ("keyboard", "keyboard-duo", "bomb", "align-left")
        icons = {"icons": {name: {"body": "<path/>"} for name in names}}
        put(tmp_path, f"@iconify-json__streamline-{style}-color/package/icons.json", json.dumps(icons))
    pairs = {key: pair.captions[0] for key, pair in read(tmp_path, "icons").items()}
    assert pairs == {
        "streamline-ultimate-color/bomb": "bomb",
        "streamline-ultimate-color/keyboard": "computer keyboard",
        "streamline-kameleon-color/bomb": "bomb",
        "streamline-kameleon-color/keyboard": "musical keyboard",
    }


def test_stamps_take_the_first_english_sentence_and_leave_signs_out(tmp_path: Path) -> None:
    base = "tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
    for path, text in {
        "household/phone": "A telephone.  Hello? Hello?\nde.utf8=Ein Telefon.\n",
        "medical/stethoscope": "A stethoscope lets your doctor listen to your heart.\n",
        "symbols/alphabets/a": "The letter A.\n",
        "food/without_picture": "A pear.\n",
    }.items():
        put(tmp_path, f"{base}/{path}.txt", text)
        if "without" not in path:
            put(tmp_path, f"{base}/{path}.png")
    said = {key: pair.captions for key, pair in read(tmp_path, "stamps").items()}
    assert said == {"household/phone": ("A telephone",), "medical/stethoscope": ("A stethoscope",)}


def test_photographs_are_named_by_hand_or_by_file_and_parts_of_puzzles_are_left_out(tmp_path: Path) -> None:
    base = "gcompris-qt-data/usr/share/gcompris-qt/rcc/some/gcompris/src/activities"
    for path in (
        "erase/resource/red_panda.webp",
        "explore_world_animals/resource/animals/dragon.webp",
        "details/resource/image/Nagoya-1.webp",
        "categorization/resource/images/fishes/fish2.webp",
        "categorization/resource/images/fishes/fish9.webp",
        "chess/resource/board.webp",
    ):
        put(tmp_path, f"{base}/{path}")
    assert sorted(pair.captions[0] for pair in read(tmp_path, "photographs").values()) == [
        "a Komodo dragon",
        "clownfish in an anemone",
        "red panda",
    ]


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/secret.jpg")
    theme = tmp_path / "packages/pysiogame/usr/share/games/pysiogame/res/images/art4apps/animals"
    theme.mkdir(parents=True)
    (theme / "dog.jpg").symlink_to(outside)
    (theme.parent / "more").symlink_to(outside.parent)
    assert not read(tmp_path / "packages", "word pictures")


@pytest.mark.parametrize(
    "source",
    [
        "scratch",
        "wallpapers",
        "game pictures",
        "troops",
        "things",
        "avatars",
        "landscapes",
        "icons",
        "stamps",
        "photographs",
    ],
)
def test_tables_by_hand_name_each_file_once(source: str) -> None:
    table = captions._WORDS.read_text().partition(f"\n[{source}]\n")[2].partition("\n\n[")[0]
    names = [entry.partition(":")[0].strip() for entry in table.replace("|", "\n").splitlines() if entry.strip()]
    assert len(names) == len(set(names)) == len(by_hand(source)) > 0
    assert all(words for said in by_hand(source).values() for words in said)


# ---- Fetching, with clients that only copy.

Client = Callable[[str, str], None]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Puts a shell script of a given name in front of the real programs."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")

    def install(name: str, script: str) -> None:
        path = bin_folder / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "calls"}\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return install


def tarball(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def resource_bundle(name: str, content: bytes) -> bytes:
    """A Qt resource bundle of version 1 with one folder `d` that holds one compressed file."""

    def named(text: str) -> bytes:
        return struct.pack(">HI", len(text), 0) + text.encode("utf-16-be")

    names = named("d") + named(name)
    packed = struct.pack(">I", len(content)) + zlib.compress(content)
    contents = struct.pack(">I", len(packed)) + packed
    entries = struct.pack(">IHII", 0, 2, 1, 1) + struct.pack(">IHII", 0, 2, 1, 2)
    entries += struct.pack(">IHHHI", len(named("d")), 1, 0, 0, 0)
    head = 20
    offsets = (1, head, head + len(entries), head + len(entries) + len(contents))
    return b"qres" + struct.pack(">4I", *offsets) + entries + contents + names


def test_a_package_is_fetched_once_and_anew_for_another_version(tmp_path: Path, client: Client) -> None:
    archive = tarball(tmp_path / "set.tgz", {"package/icons.json": b"{}"})
    client("npm", f"cp {archive} .")
    package = Package(Registry.NPM, "@maker/set", "1.0.0")
    for _ in range(2):
        fetch([package, package], tmp_path / "packages")
    assert (tmp_path / "packages/@maker__set/package/icons.json").read_text() == "{}"
    fetch([Package(Registry.NPM, "@maker/set", "1.0.1")], tmp_path / "packages")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[-1] for call in calls] == ["@maker/set@1.0.0", "@maker/set@1.0.1"]
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["@maker__set"]


def test_a_debian_package_is_unpacked_with_the_bundles_in_it(tmp_path: Path, client: Client) -> None:
    bundle, models = put(tmp_path, "set.rcc", resource_bundle("cow.webp", b"moo")), tmp_path / "chairs.sh3f"
    with zipfile.ZipFile(models, "w") as members:
        members.writestr("chair.png", b"chair")
    client("apt-get", "touch set_1.deb")
    client("dpkg-deb", f"cp {bundle} {models} $3/")
    fetch([Package(Registry.DEBIAN, "set", "1")], tmp_path / "packages")
    assert (tmp_path / "packages/set/set/d/cow.webp").read_bytes() == b"moo"
    assert (tmp_path / "packages/set/chairs/chair.png").read_bytes() == b"chair"
    assert not (tmp_path / "packages/set/set.rcc").exists()


@pytest.mark.parametrize("script", ["echo 'E: no such version' >&2; exit 100", "true"])
def test_a_client_that_fails_is_told_of_and_leaves_nothing(tmp_path: Path, client: Client, script: str) -> None:
    client("apt-get", script)
    with pytest.raises(FetchFailedError, match=r"apt-get cannot fetch set 1: (E: no such version|it left 0 files)"):
        fetch([Package(Registry.DEBIAN, "set", "1")], tmp_path / "packages")
    assert not list((tmp_path / "packages").iterdir())


def test_a_missing_client_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchFailedError, match="npm is not on this machine"):
        fetch([Package(Registry.NPM, "set", "1")], tmp_path / "packages")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: tarball(path, {"../outside.txt": b"x"}),
        lambda path: path.write_bytes(b"no archive"),
        lambda path: tarball(path, {"bad.rcc": b"no bundle"}),
        lambda path: tarball(path, {"evil.rcc": resource_bundle("../../../x", b"x")}),
        lambda path: tarball(path, {"short.rcc": b"qres"}),
    ],
    ids=["outside", "no archive", "bad bundle", "bundle outside", "short bundle"],
)
def test_an_archive_that_is_broken_or_points_outside_is_refused(
    tmp_path: Path, client: Client, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "set.tgz")
    client("npm", f"cp {tmp_path / 'set.tgz'} .")
    with pytest.raises(FetchFailedError, match="cannot be unpacked"):
        fetch([Package(Registry.NPM, "set", "1")], tmp_path / "packages")
    assert not list((tmp_path / "packages").iterdir())
