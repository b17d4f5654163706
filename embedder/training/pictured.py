"""Pictured: what each source of pictures is made of, from its packages to its row in the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from embedder.training.captions import group_of
from embedder.training.pairs import Medium, Package, Pair, Registry, Source

_MAX_CAPTION_CHARS = 160


def picture_source(
    name: str,
    read: Callable[[Path], Iterator[Pair]],
    packages: Sequence[Package],
    licence: str,
    *,
    whole: bool = False,
    rules: int = 1,
    views: int = 4,
) -> Source:
    """A row of the table of sources."""
    return Source(
        name=name,
        medium=Medium.IMAGE,
        packages=tuple(packages),
        licence=licence,
        read=read,
        whole=whole,
        rules=rules,
        views=views,
    )


def debian(name: str, version: str) -> Package:
    """A package of Debian."""
    return Package(Registry.DEBIAN, name, version)


def npm(name: str, version: str) -> Package:
    """A package of npm, with its scope where it has one."""
    return Package(Registry.NPM, name, version)


def files_in(root: Path, pattern: str) -> Iterator[Path]:
    """Plain files in order; links are not followed, since they may point anywhere."""
    return (path for path in sorted(root.rglob(pattern)) if path.is_file() and not path.is_symlink())


def loaded(path: Path) -> Any:
    """What a JSON file says."""
    return json.loads(path.read_text(encoding="utf-8"))


def icon_svg(icons: dict[str, Any], name: str) -> str:
    """One icon of an iconify set as a drawing of its own."""
    icon = icons["icons"][name]
    left, top = (icon.get(side, icons.get(side, 0)) for side in ("left", "top"))
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" color="#000"'
        f' viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{icon["body"]}</svg>'
    )


def picture_pair(
    source: str,
    key: str,
    captions: Sequence[str],
    *,
    path: Path | None = None,
    svg: str | None = None,
    group: str | None = None,
) -> Pair:
    """A pair whose captions are each said once; its group is that of the first where no other words are given."""
    said = tuple(dict.fromkeys(" ".join(caption.split())[:_MAX_CAPTION_CHARS] for caption in captions if caption))
    return Pair(source=source, key=key, group=group_of(group or said[0]), captions=said, path=path, svg=svg)
