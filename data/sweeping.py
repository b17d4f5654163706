"""Sweeping: the files that the crawl of a root did not see, and which of them leave."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update
from sqlalchemy.engine import Engine

from data.database import reading
from data.recording import chunks
from data.switching import is_under
from data.tables import FILES, OUTCOMES, ROOTS, is_indexed

_PORTION = 5_000  # files deleted in one transaction: seconds
_PAUSE_S = 0.12


def sweep_files(engine: Engine, run: int, root: str, keep: Collection[str]) -> int:
    """Drop the files at or below a root that no run has seen since its own began, but for those in folders to keep.

    Returns:
        How many were dropped.
    """
    folders = frozenset(keep)
    is_unseen = FILES.c.seen_run < run
    with reading(engine).connect() as db:
        unseen = db.execute(select(FILES.c.id, FILES.c.path).where(is_under(root), is_unseen))
        gone = [number for number, path in unseen if holding(path, folders) is None]
    return _delete(engine, gone, is_unseen)


def forget_files(engine: Engine, root: str) -> int:
    """Drop the files at or below a root, but for those in other roots below it, whose they are from now on.

    Returns:
        How many were dropped.
    """
    with engine.begin() as db:
        roots = select(ROOTS.c.path, ROOTS.c.id).where(ROOTS.c.path > root).order_by(ROOTS.c.path.desc())
        inner = {path: number for path, number in db.execute(roots) if holding(path, {root})}
        for path, number in inner.items():  # the innermost first
            is_theirs = is_under(path) & FILES.c.root_id.not_in(inner.values())
            db.execute(update(FILES).where(is_theirs).values(root_id=number))
    with reading(engine).connect() as db:
        found = db.execute(select(FILES.c.id, FILES.c.path).where(is_under(root)))
        gone = [number for number, path in found if holding(path, inner) is None]
    return _delete(engine, gone)


def _delete(engine: Engine, numbers: Sequence[int], *conditions: ColumnElement[bool]) -> int:
    """Delete files, some at a time: others write in between, who look again each tenth of a second."""
    removed = 0
    for start in range(0, len(numbers), _PORTION):
        if start:
            time.sleep(_PAUSE_S)
        with engine.begin() as db:
            for chunk in chunks(numbers[start : start + _PORTION]):
                removed += db.execute(delete(FILES).where(FILES.c.id.in_(chunk), *conditions)).rowcount
    return removed


def unseen_files(db: Connection, run: int, root: str) -> list[str]:
    """The paths of indexed files at or below a root that its run has not seen, nor their content anywhere else."""
    mine, other, elsewhere = OUTCOMES.alias(), OUTCOMES.alias(), FILES.alias()
    is_moved = exists().where(
        other.c.content == mine.c.content, other.c.file_id == elsewhere.c.id, elsewhere.c.seen_run >= run
    )
    is_lost = exists().where(mine.c.file_id == FILES.c.id, is_indexed(mine), ~is_moved)
    return list(db.execute(select(FILES.c.path).where(is_under(root), FILES.c.seen_run < run, is_lost)).scalars())


def holding(path: str, folders: Collection[str]) -> str | None:
    """The innermost of some folders that a path lies in, or is; None when it lies in none of them."""
    while path not in folders:
        above = path.rpartition("/")[0]
        if not above:
            return "/" if "/" in folders else None
        path = above
    return path
