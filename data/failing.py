"""Failing: the files that failed, grouped by why, a page of them at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, func, select

from data.looking import under
from data.records import FileState
from data.tables import FILES, OUTCOMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One file of a group; `attempts` without success so far."""

    path: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Files that failed for one reason.

    Args:
        hint: what to do about it, "" where there is nothing to do.
        files: how many there are; `shown` are those on this page, by path.
    """

    reason: str
    hint: str
    files: int
    shown: tuple[Failure, ...]


def failure_groups(db: Connection, *, offset: int, limit: int) -> tuple[FailureGroup, ...]:
    """The failures under the active model from number `offset` on, `limit` of them at most, the commonest first."""
    files = func.count().over(partition_by=(OUTCOMES.c.reason, OUTCOMES.c.hint)).label("files")
    query = (
        select(OUTCOMES.c.reason, OUTCOMES.c.hint, OUTCOMES.c.attempts, FILES.c.path, files)
        .select_from(OUTCOMES)
        .join(FILES, FILES.c.id == OUTCOMES.c.file_id)
        .where(OUTCOMES.c.state == FileState.FAILED.value, under(None))
        .order_by(files.desc(), OUTCOMES.c.reason, OUTCOMES.c.hint, FILES.c.path)
    )
    rows = db.execute(query.offset(offset).limit(limit)).all()
    return tuple(
        FailureGroup(
            reason=reason,
            hint=hint,
            files=files,
            shown=tuple(Failure(path=row.path, attempts=row.attempts) for row in same),
        )
        for (reason, hint, files), same in groupby(rows, key=lambda row: (row.reason, row.hint, row.files))
    )
