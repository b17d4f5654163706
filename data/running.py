"""Running: the crawls that are under way, and how far their ingest has come."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, delete, insert, select, update

from data.tables import PROGRESS, ROOTS, RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an ingest has come, over all its roots.

    Args:
        files_done: accounted for, whatever became of them; of those `failed` failed.
        bytes_done: sizes of those.
        files: to account for in all; None while they are still being counted.
        size_bytes: of those.
        at: the file that it has been at the longest, or the last one that it is done with; "" before the first.
        left_s: seconds that the rest will take, None where nothing can be said.
    """

    files_done: int = 0
    bytes_done: int = 0
    files: int | None = None
    size_bytes: int | None = None
    failed: int = 0
    at: str = ""
    left_s: float | None = None

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1, files and bytes counting alike; None while they are being counted."""
        if self.files is None:
            return None
        by_files = self.files_done / max(1, self.files)
        by_bytes = self.bytes_done / self.size_bytes if self.size_bytes else by_files
        return min(1.0, (by_files + by_bytes) / 2)

    def as_text(self) -> str:
        """ "340 of 1,200 files, 2 failed, about 3 min left", as far as it can be said."""
        of = "" if self.files is None else f" of {max(self.files, self.files_done):,}"
        told = [f"{self.files_done:,}{of} files"]
        if self.failed:
            told.append(f"{self.failed:,} failed")
        if self.left_s is not None:
            told.append(_left(self.left_s))
        return ", ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A crawl that began and has not ended.

    Args:
        started_at: seconds since the epoch.
    """

    root: str
    started_at: float
    progress: Progress


_NUMBERS = tuple(field.name for field in fields(Progress))  # the columns are called like them


def note_progress(db: Connection, run: int, progress: Progress) -> None:
    """Say how far the ingest has come that a run belongs to; there is one at a time, and so one row.

    Two of its threads say so: the row is changed in place, for which the second waits. It is made when the run begins.
    """
    values = {"run": run, **asdict(progress)}
    if not db.execute(update(PROGRESS).values(values)).rowcount:
        db.execute(insert(PROGRESS).values(values))


def end_runs(db: Connection) -> None:
    """End what was left by an ingest that was killed."""
    db.execute(update(RUNS).where(RUNS.c.finished_at.is_(None)).values(finished_at=time.time()))
    db.execute(delete(PROGRESS))


def running(db: Connection) -> tuple[Running, ...]:
    """The crawls that have not ended: also those of an ingest that was killed, until the next one begins."""
    query = (
        select(ROOTS.c.path, RUNS.c.started_at, PROGRESS)
        .select_from(RUNS)
        .join(ROOTS, ROOTS.c.id == RUNS.c.root_id)
        .outerjoin(PROGRESS, PROGRESS.c.run == RUNS.c.id)
        .where(RUNS.c.finished_at.is_(None))
        .order_by(RUNS.c.id)
    )
    return tuple(
        Running(
            root=row.path,
            started_at=row.started_at,
            progress=Progress() if row.run is None else Progress(**{name: getattr(row, name) for name in _NUMBERS}),
        )
        for row in db.execute(query)
    )


def _left(seconds: float) -> str:
    if seconds < 55:
        return "less than a minute left"
    if seconds < 90 * 60:
        return f"about {max(1, round(seconds / 60))} min left"
    return f"about {round(seconds / 3600)} h left"
