"""What can go wrong, said so that a person knows what to do next."""

from __future__ import annotations

from pathlib import Path

from data.printing import printable


def _line(said: str) -> str:
    """What is wrong with a file is often said in words of the file itself."""
    return printable(" ".join(said.split()))


class OmniaError(Exception):
    """Any error that Omnia expects; its message is one line: what, to which thing, what next."""


class BadSettingsError(OmniaError):
    """A flag or an OMNIA_* variable has a value that cannot be used."""


class MediaError(OmniaError):
    """One file cannot be embedded; the run goes on without it.

    Args:
        path: the file.
        reason: what is wrong with it, one short line without the path.
        hint: what its owner can do about it, one short line, or "".
    """

    def __init__(self, path: Path | str, reason: str, *, hint: str = "") -> None:
        self.path = str(path)
        self.reason = _line(reason)
        self.hint = _line(hint)
        super().__init__(f"{self.path!r}: {self.reason}" + (f" ({self.hint})" if self.hint else ""))


class UnreadableMediaError(MediaError):
    """The file is of a kind we read, but this one is broken, locked or over a limit."""


class UnsupportedMediaError(MediaError):
    """The file is of no kind we read, or holds nothing to embed: skipped, not failed."""


class ModelMismatchError(OmniaError):
    """Vectors of two models met, or a model's weights are not the ones that are pinned."""


class OutdatedVectorsError(ModelMismatchError):
    """A library's vectors are of another version of its model; an ingest of its folders makes them anew.

    Args:
        fingerprint: of the model as it is in this version of Omnia.
    """

    def __init__(self, message: str, *, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        super().__init__(message)


class EmbeddingFailedError(OmniaError):
    """The model cannot embed one segment of a batch, however it is batched.

    Args:
        index: position of the segment in the sequence that was given to `embed`.
        reason: what went wrong, one short line.
    """

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        self.reason = _line(reason)
        super().__init__(f"segment {index} cannot be embedded: {self.reason}")


class FusionMismatchError(OmniaError):
    """Two checkpoints cannot be fused: their names or shapes differ."""


class StoreUnavailableError(OmniaError):
    """The vector store or the catalogue cannot be reached."""


class StoreLockedError(StoreUnavailableError):
    """Another process holds something that only one may hold."""


def fault(error: Exception) -> str:
    """One line, for whoever asks a server, about what should not have happened; what it was stands in its log."""
    return f"{type(error).__name__}: a fault of Omnia; please report it with what the server's log says"
