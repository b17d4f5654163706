"""Clips: short animations to train on, each with the words for what moves in it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from embedder.training.captions import emoji_words, group_of
from embedder.training.pairs import Medium, Package, Pair, Registry, Source

_EMOJI_PARTS = tuple(f"@lobehub/fluent-emoji-anim-{part}" for part in range(1, 5))
_FIGURES = "wesnoth-1.16-data"
_LEAST_FRAMES = 3
_ENLARGED = 3  # times; figures are 72 pixels wide
_FRAME_MS = 100
_FIGURE = re.compile(r"([a-z]+(?:-[a-z]+)*?)(\+female)?(?:-(se|ne|n|s))?(?:-attack)?-([a-z]+)(?:-attack)?-?(\d+)")
_WHO = {  # by folder; "" where the figure's own name says it
    "drakes": "drake",
    "dunefolk": "desert warrior",
    "dwarves": "dwarf",
    "elves-wood": "elf",
    "goblins": "goblin",
    "human-loyalists": "soldier",
    "human-magi": "wizard",
    "human-outlaws": "outlaw",
    "human-peasants": "peasant",
    "merfolk": "merman",
    "monsters": "",
    "nagas": "snake woman",
    "ogres": "ogre",
    "orcs": "orc",
    "saurians": "lizard man",
    "trolls": "troll",
    "undead": "undead creature",
    "undead-necromancers": "necromancer",
    "undead-skeletal": "skeleton",
    "woses": "walking tree",
}
_TELLING = ("human-", "undead-necromancers")  # figures there have names that say enough: "horseman", "lich"
_DOES = {  # by the last word of a file's name
    "attack": "attacking",
    "melee": "attacking",
    "axe": "swinging an axe",
    "bite": "biting",
    "blade": "swinging a sword",
    "bow": "shooting an arrow",
    "claws": "clawing",
    "death": "dying",
    "die": "dying",
    "dying": "dying",
    "fire": "breathing fire",
    "fly": "flying",
    "flying": "flying",
    "hammer": "swinging a hammer",
    "healing": "healing someone",
    "kick": "kicking",
    "magic": "casting a spell",
    "moving": "walking",
    "ranged": "shooting",
    "run": "running",
    "slash": "slashing",
    "staff": "hitting with a staff",
    "sword": "swinging a sword",
    "takeoff": "taking off",
    "throw": "throwing something",
}


def _read_emoji(source: str, folder: Path) -> Iterator[Pair]:
    """Those that move, in their yellow version: of the skin tones each would be there six times."""
    names = _emoji_names(folder / "emojibase-data")
    for part in _EMOJI_PARTS:
        for webp in sorted((folder / part.replace("/", "__")).rglob("*.webp")):
            label, tags = names.get(_code(webp.stem), ("", ()))
            if label and _moves(webp):
                captions = (label, f"an animated emoji: {label}", *([", ".join(tags)] if tags else []))
                group = group_of(emoji_words(label))
                yield Pair(source=source, key=webp.stem, group=group, captions=captions, path=webp)


def _emoji_names(package: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Label and tags of each emoji without its skin tones, by its code points."""
    names = {}
    for file in package.rglob("en/data.json"):
        for emoji in json.loads(file.read_text("utf-8")):
            names[_code(emoji["hexcode"])] = (str(emoji["label"]), tuple(emoji.get("tags", ())))
    return names


def _code(stem: str) -> str:
    """Code points in lower case without the one that asks for a coloured emoji: some sets write it, some do not."""
    return "-".join(point for point in stem.lower().split("-") if point != "fe0f")


def _moves(webp: Path) -> bool:
    """Whether a WebP has the animation flag in its extended header; decoding it would take a second."""
    with webp.open("rb") as file:
        head = file.read(21)
    return len(head) == 21 and head[12:16] == b"VP8X" and bool(head[20] & 0x02)


def _read_figures(source: str, folder: Path) -> Iterator[Pair]:
    """Single frames of a game's figures, put together into animations in folder/rendered."""
    home = folder / "rendered" / "figures"
    home.mkdir(parents=True, exist_ok=True)
    for (race, figure, female, action), frames in sorted(_figures(folder / _FIGURES).items()):
        name, who, does = figure.replace("-", " "), _WHO[race], _DOES[action]
        who = who or name
        full = name if who in name or race.startswith(_TELLING) else f"{who} {name}"
        if female:
            full = f"female {full}"
        webp = home / f"{race}-{figure}{female}-{action}.webp"
        if not webp.exists():
            _put_together(frames, webp)
        yield Pair(
            source=source,
            key=webp.stem,
            group=f"{who} {does}",
            captions=(f"{_a(full)} {does}", f"{_a(who)} {does}", f"animation of {_a(full)} that is {does}"),
            path=webp,
        )


def _figures(package: Path) -> dict[tuple[str, str, str, str], list[Path]]:
    """Frames in order by race, figure, "+female" or "", and action; of several directions the one with most frames."""
    found: dict[tuple[str, str, str, str], dict[str, list[tuple[int, Path]]]] = {}
    for units in sorted(package.rglob("core/images/units")):
        for png in sorted(units.rglob("*.png")):
            race = png.relative_to(units).parts[0]
            match = _FIGURE.fullmatch(png.stem)
            if match and race in _WHO and match[4] in _DOES:
                directions = found.setdefault((race, match[1], match[2] or "", match[4]), {})
                directions.setdefault(match[3] or "", []).append((int(match[5]), png))
    longest = {key: max(directions.values(), key=len) for key, directions in found.items()}
    return {key: [png for _, png in sorted(frames)] for key, frames in longest.items() if len(frames) >= _LEAST_FRAMES}


def _put_together(frames: list[Path], webp: Path) -> None:
    images = []
    for frame in frames:
        with Image.open(frame) as image:
            images.append(image.convert("RGBA"))
    width, height = (_ENLARGED * max(sizes) for sizes in zip(*(image.size for image in images), strict=True))
    enlarged = [image.resize((width, height), Image.Resampling.BICUBIC) for image in images]
    part = webp.with_name(webp.name + ".part")
    enlarged[0].save(
        part,
        "WEBP",
        save_all=True,
        append_images=enlarged[1:],
        duration=_FRAME_MS,
        loop=0,
        quality=80,
        method=2,
        background=(0, 0, 0, 0),
    )
    os.replace(part, webp)


def _a(words: str) -> str:
    return f"{'an' if words[0] in 'aeio' or words.startswith('undead') else 'a'} {words}"


CLIPS: tuple[Source, ...] = (
    Source(
        name="moving emoji",
        medium=Medium.VIDEO,
        packages=(
            *(Package(Registry.NPM, part, "1.0.0") for part in _EMOJI_PARTS),
            Package(Registry.NPM, "emojibase-data", "17.0.0"),
        ),
        licence="MIT (Fluent Emoji by Microsoft, packaged by LobeHub; names by emojibase)",
        read=partial(_read_emoji, "moving emoji"),
    ),
    Source(
        name="moving figures",
        medium=Medium.VIDEO,
        packages=(Package(Registry.DEBIAN, _FIGURES, "1:1.16.9-1"),),
        licence="GPL-2+ (The Battle for Wesnoth)",
        read=partial(_read_figures, "moving figures"),
        whole=True,
    ),
)
