"""Settings of one run: a flag beats OMNIA_*, which beats the default."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadSettingsError

DEFAULT_MODEL = "omnia-mini"
_MOST_WORKERS = 64
_TOKEN = re.compile(r"[!-~]+")  # what a header carries as it is
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run can be told from outside.

    Args:
        home: folder of the library (catalogue, vectors, caches); created when first needed.
        catalogue_url: SQLAlchemy URL of the catalogue; a SQLite file in `home` by default.
        qdrant_url: URL of a Qdrant server; None keeps the vectors embedded in `home`.
        qdrant_api_key: secret for that server, never logged.
        model: row of the model table, see `embedder.rows`; None leaves it to the library, whose active model answers
            and is ingested with, and for an empty one means DEFAULT_MODEL.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        workers: decoding processes; 0 means one for each core, at most 8.
        trust_remote_code: whether a model may run Python code that comes with its weights.
        accept_licence: whether models may be used whose licence is not commercial.
        token: what other machines show to be served, in printable ASCII, never logged; None has one made where it is
            needed.
        max_upload_mb: the most that one file given as an example may have, in units of 1,048,576 bytes.
    """

    home: Path
    catalogue_url: str
    qdrant_url: str | None = None
    qdrant_api_key: str | None = None
    model: str | None = None
    device: str = "auto"
    workers: int = 0
    trust_remote_code: bool = False
    accept_licence: bool = False
    token: str | None = None
    max_upload_mb: int = 200

    @classmethod
    def load(
        cls,
        *,
        model: str | None = None,
        device: str | None = None,
        workers: int | None = None,
        trust_remote_code: bool = False,
        accept_licence: bool = False,
    ) -> Settings:
        """Settings from the environment (OMNIA_HOME, OMNIA_CATALOGUE_URL, ...); an argument that is given wins.

        Raises:
            BadSettingsError: a variable or an argument cannot be used.
        """
        env = os.environ
        home = at_home(env.get("OMNIA_HOME") or Path(__file__).parent / "store").absolute()
        count = workers if workers is not None else _whole("OMNIA_WORKERS", env.get("OMNIA_WORKERS") or "0")
        if not 0 <= count <= _MOST_WORKERS:
            raise BadSettingsError(f"workers must be 0 (one for each core) to {_MOST_WORKERS}, not {count}")
        max_upload_mb = _whole("OMNIA_MAX_UPLOAD_MB", env.get("OMNIA_MAX_UPLOAD_MB") or "200")
        if max_upload_mb < 1:
            raise BadSettingsError(f"OMNIA_MAX_UPLOAD_MB must be 1 or more, not {max_upload_mb}; correct it")
        device = device or env.get("OMNIA_DEVICE") or "auto"
        if not _DEVICE.fullmatch(device):
            raise BadSettingsError(f"device {device!r} is unknown; use auto, cpu, cuda, cuda:N or mps")
        token = env.get("OMNIA_TOKEN") or None
        if token and not _TOKEN.fullmatch(token):
            raise BadSettingsError("OMNIA_TOKEN must be printable ASCII without spaces; choose another")
        return cls(
            home=home,
            catalogue_url=env.get("OMNIA_CATALOGUE_URL") or _sqlite_url(home / "catalogue.sqlite"),
            qdrant_url=env.get("OMNIA_QDRANT_URL") or None,
            qdrant_api_key=env.get("OMNIA_QDRANT_API_KEY") or None,
            model=model or env.get("OMNIA_MODEL") or None,
            device=device,
            workers=count or min(8, os.cpu_count() or 1),
            trust_remote_code=trust_remote_code or _yes("OMNIA_TRUST_REMOTE_CODE"),
            accept_licence=accept_licence or _yes("OMNIA_ACCEPT_LICENCE"),
            token=token,
            max_upload_mb=max_upload_mb,
        )

    @property
    def has_own_catalogue(self) -> bool:
        """Whether the catalogue lies in `home`."""
        return self.catalogue_url == _sqlite_url(self.home / "catalogue.sqlite")

    def model_for(self, active: str | None) -> str:
        """The name of the model to use with a library whose active model is `active` (None: it has none yet)."""
        return self.model or active or DEFAULT_MODEL


def at_home(path: str | Path) -> Path:
    """The same path, with a user's folder for the `~` or `~user` that it begins with.

    Raises:
        BadSettingsError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise BadSettingsError(f"{str(path)!r} lies with a user who is not known; give its whole path") from None


def _sqlite_url(file: Path) -> str:
    """As SQLAlchemy reads it, without importing it: the two characters that mean something in a path are quoted."""
    return f"sqlite:///{str(file).replace('%', '%25').replace('?', '%3F')}"


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise BadSettingsError(f"{name} must be a whole number, not {value!r}; unset it or correct it") from None


def _yes(name: str) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in {"", "0", "false", "no"}:
        return False
    if value in {"1", "true", "yes"}:
        return True
    raise BadSettingsError(f"{name} must be 1 or 0, not {value!r}; unset it or correct it")
