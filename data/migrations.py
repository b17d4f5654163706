"""Numbered schema steps: an old catalogue becomes a new one when it is opened."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select, update

from data.errors import StoreUnavailableError
from data.tables import Base, SchemaVersion

FIRST_VERSION = 1

# Step N takes a catalogue of version N - 1 to version N. Steps only ever are appended.
STEPS: dict[int, Callable[[Connection], None]] = {}


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version, inside the caller's transaction.

    Raises:
        StoreUnavailableError: the catalogue was made by a newer Omnia.
    """
    newest = max(STEPS, default=FIRST_VERSION)
    if not inspect(connection).has_table(SchemaVersion.__tablename__):
        Base.metadata.create_all(connection)
        connection.execute(insert(SchemaVersion).values(version=newest))
        return
    version = connection.execute(select(SchemaVersion.version)).scalar_one()
    if version > newest:
        raise StoreUnavailableError(
            f"the catalogue has schema version {version}, this Omnia knows versions up to {newest}: "
            "use the newer Omnia that wrote it, or another OMNIA_HOME"
        )
    for number in range(version + 1, newest + 1):
        STEPS[number](connection)
    if version < newest:
        connection.execute(update(SchemaVersion).values(version=newest))
