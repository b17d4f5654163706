"""Ingests: runs of the indexer that the page starts, each a process of its own that outlives the page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from signal import SIGTERM
from threading import Lock

from data.errors import StoreLockedError, StoreUnavailableError
from data.locks import is_ingesting
from data.settings import Settings

_ROOT = Path(__file__).resolve().parents[1]
_INDEXER = (sys.executable, "-m", "indexer")
_WENT_WELL = (0, 1)  # 1: some files failed, or a root is offline, which the library itself tells
_LAST_BYTES = 4_096


class Ingests:
    """Starts one at a time and remembers how the last one ended; safe to use from several threads.

    Args:
        command: of the indexer, before its arguments.
    """

    def __init__(self, settings: Settings, *, command: Sequence[str] = _INDEXER) -> None:
        self._settings = settings
        self._command = tuple(command)
        self._log = settings.home / "ingest.log"
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Run a command of the indexer, its output to `ingest.log` in the home.

        Args:
            arguments: "retry", "ingest" and roots, or "switch" and a model.

        Raises:
            StoreLockedError: an ingest is under way.
            StoreUnavailableError: the log cannot be written.
        """
        with self._lock:
            if self._is_alive or is_ingesting(self._settings.home):
                raise StoreLockedError("the library is being filled already: try again when that has ended")
            try:
                self._settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
                log = open(self._log, "wb", opener=partial(os.open, mode=0o600))  # noqa: SIM115
            except OSError as error:
                raise StoreUnavailableError(
                    f"{str(self._log)!r} cannot be written: {error.strerror}; free some space, or set OMNIA_HOME"
                ) from error
            library = {
                "OMNIA_HOME": str(self._settings.home),
                "OMNIA_CATALOGUE_URL": self._settings.catalogue_url,
            }
            with log:
                self._process = subprocess.Popen(
                    [*self._command, *arguments],
                    cwd=_ROOT,
                    env=os.environ | library,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C to the page is not meant for it
                )

    def stop(self) -> None:
        """Ask the one that was started last to end: what it has indexed stays, and the next one goes on from there."""
        with self._lock:
            if self._process is not None and self._is_alive:
                self._process.terminate()

    @property
    def is_at_work(self) -> bool:
        """Whether the one that was started last has not ended."""
        with self._lock:
            return self._is_alive

    def complaint(self) -> str:
        """The last line of the one that was started last, if it has ended without doing its work; else ""."""
        with self._lock:
            if self._process is None or self._process.poll() in (None, *_WENT_WELL):
                return ""
            code = self._process.returncode
        try:
            lines = self._log.read_bytes()[-_LAST_BYTES:].decode("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        said = (line.strip().removeprefix("omnia: ") for line in reversed(lines) if line.strip())
        return next(said, "stopped before it began" if code == -SIGTERM else f"it ended with exit code {code}")

    @property
    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None
