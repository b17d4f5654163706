"""Settings of one run: a flag beats OMNIA_*, which beats the default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadSettingsError

DEFAULT_MODEL = "omnia-zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run can be told from outside.

    Args:
        home: folder of the library (catalogue, vectors, caches); created when first needed.
        catalogue_url: SQLAlchemy URL of the catalogue; a SQLite file in `home` by default.
        qdrant_url: URL of a Qdrant server; None keeps the vectors embedded in `home`.
        qdrant_api_key: secret for that server, never logged.
        model: row of the model table, see `embedder.embed`.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        workers: decoding processes; 0 means one for each core, at most 8.
    """

    home: Path
    catalogue_url: str
    qdrant_url: str | None = None
    qdrant_api_key: str | None = None
    model: str = DEFAULT_MODEL
    device: str = "auto"
    workers: int = 0

    @classmethod
    def load(cls, *, model: str | None = None, device: str | None = None, workers: int | None = None) -> Settings:
        """Settings from the environment (OMNIA_HOME, OMNIA_CATALOGUE_URL, ...); an argument that is given wins.

        Raises:
            BadSettingsError: a variable or an argument cannot be used.
        """
        env = os.environ
        home = Path(env.get("OMNIA_HOME") or Path(__file__).parent / "store").expanduser().absolute()
        count = workers if workers is not None else _whole("OMNIA_WORKERS", env.get("OMNIA_WORKERS") or "0")
        if count < 0:
            raise BadSettingsError(f"workers must be 0 (one for each core) or more, not {count}")
        return cls(
            home=home,
            catalogue_url=env.get("OMNIA_CATALOGUE_URL") or f"sqlite:///{home / 'catalogue.sqlite'}",
            qdrant_url=env.get("OMNIA_QDRANT_URL") or None,
            qdrant_api_key=env.get("OMNIA_QDRANT_API_KEY") or None,
            model=model or env.get("OMNIA_MODEL") or DEFAULT_MODEL,
            device=device or env.get("OMNIA_DEVICE") or "auto",
            workers=count or min(8, os.cpu_count() or 1),
        )


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise BadSettingsError(f"{name} must be a whole number, not {value!r}; unset it or correct it") from None
