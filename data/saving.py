"""Saving: searches that a person wants to ask again, and when each was last looked at."""

from __future__ import annotations

import time
from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select, update

from data.recording import chunks
from data.records import SavedSearch
from data.tables import INDEXINGS, SEARCHES


def keep_search(db: Connection, name: str, address: str) -> None:
    """Keep a search under a name; what is there today counts as looked at."""
    db.execute(delete(SEARCHES).where(SEARCHES.c.name == name))
    db.execute(insert(SEARCHES).values(name=name, address=address, seen_at=time.time()))


def drop_search(db: Connection, name: str) -> None:
    """Forget a search; by its name, for its number may be another's by now."""
    db.execute(delete(SEARCHES).where(SEARCHES.c.name == name))


def kept_searches(db: Connection) -> list[SavedSearch]:
    """By name."""
    rows = db.execute(select(SEARCHES).order_by(SEARCHES.c.name))
    return [SavedSearch(id=row.id, name=row.name, address=row.address, seen_s=row.seen_at) for row in rows]


def look_at(db: Connection, number: int) -> SavedSearch | None:
    """A saved search as it was before this look, which counts from now on."""
    row = db.execute(select(SEARCHES).where(SEARCHES.c.id == number)).one_or_none()
    if row is None:
        return None
    db.execute(update(SEARCHES).where(SEARCHES.c.id == number).values(seen_at=time.time()))
    return SavedSearch(id=row.id, name=row.name, address=row.address, seen_s=row.seen_at)


def indexed_after(db: Connection, contents: Collection[str], fingerprint: str, *, moment_s: float) -> set[str]:
    """Those of `contents` that were indexed under a fingerprint after a moment (seconds since the epoch)."""
    found: set[str] = set()
    query = select(INDEXINGS.c.content).where(INDEXINGS.c.fingerprint == fingerprint, INDEXINGS.c.indexed_at > moment_s)
    for chunk in chunks(list(contents)):
        found.update(db.execute(query.where(INDEXINGS.c.content.in_(chunk))).scalars())
    return found
