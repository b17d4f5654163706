"""Sweeping: the files that the crawl of a root did not see, and which of them leave."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, exists, select
from sqlalchemy.orm import aliased

from data.recording import chunks
from data.records import FileState
from data.switching import is_under
from data.tables import File, FileOutcome


def sweep_files(db: Connection, run: int, root: str, keep: Collection[str]) -> int:
    """Drop the files at or below a root that its run has not seen, but for those in folders to keep.

    Returns:
        How many were dropped.
    """
    is_unseen = is_under(root) & (File.seen_run != run)
    if not keep:
        return db.execute(delete(File).where(is_unseen)).rowcount
    folders = frozenset(keep)
    unseen = db.execute(select(File.id, File.path).where(is_unseen)).all()
    gone = [number for number, path in unseen if holding(path, folders) is None]
    for chunk in chunks(gone):
        db.execute(delete(File).where(File.id.in_(chunk)))
    return len(gone)


def unseen_files(db: Connection, run: int, root: str) -> list[str]:
    """The paths of indexed files at or below a root that its run has not seen, nor their content anywhere else."""
    mine, other, elsewhere = aliased(FileOutcome), aliased(FileOutcome), aliased(File)
    is_moved = exists().where(other.content == mine.content, other.file_id == elsewhere.id, elsewhere.seen_run == run)
    is_lost = exists().where(mine.file_id == File.id, mine.state == FileState.INDEXED.value, ~is_moved)
    return list(db.execute(select(File.path).where(is_under(root), File.seen_run != run, is_lost)).scalars())


def holding(path: str, folders: Collection[str]) -> str | None:
    """The innermost of some folders that a path lies in, or is; None when it lies in none of them."""
    while path not in folders:
        above = path.rpartition("/")[0]
        if not above:
            return "/" if "/" in folders else None
        path = above
    return path
