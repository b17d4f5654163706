"""Saving: searches that a person wants to ask again, and when each was last looked at."""

from __future__ import annotations

import time
from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select, update

from data.recording import chunks
from data.records import SavedSearch
from data.tables import Indexing, Saved


def keep_search(db: Connection, name: str, address: str) -> None:
    """Keep a search under a name; what is there today counts as looked at."""
    db.execute(delete(Saved).where(Saved.name == name))
    db.execute(insert(Saved).values(name=name, address=address, seen_at=time.time()))


def drop_search(db: Connection, name: str) -> None:
    """Forget a search; by its name, for its number may be another's by now."""
    db.execute(delete(Saved).where(Saved.name == name))


def kept_searches(db: Connection) -> list[SavedSearch]:
    """By name."""
    rows = db.execute(select(Saved.__table__).order_by(Saved.name))
    return [SavedSearch(id=row.id, name=row.name, address=row.address, seen_s=row.seen_at) for row in rows]


def look_at(db: Connection, number: int) -> SavedSearch | None:
    """A saved search as it was before this look, which counts from now on."""
    row = db.execute(select(Saved.__table__).where(Saved.id == number)).one_or_none()
    if row is None:
        return None
    db.execute(update(Saved).where(Saved.id == number).values(seen_at=time.time()))
    return SavedSearch(id=row.id, name=row.name, address=row.address, seen_s=row.seen_at)


def indexed_after(db: Connection, contents: Collection[str], fingerprint: str, *, moment_s: float) -> set[str]:
    """Those of `contents` that were indexed under a fingerprint after a moment (seconds since the epoch)."""
    found: set[str] = set()
    query = select(Indexing.content).where(Indexing.fingerprint == fingerprint, Indexing.indexed_at > moment_s)
    for chunk in chunks(list(contents)):
        found.update(db.execute(query.where(Indexing.content.in_(chunk))).scalars())
    return found
