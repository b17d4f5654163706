"""Readers: one file in, its segments out. One table says which format has which reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Span
from embedder.media.formats import row_of
from embedder.media.limits import DEFAULT_LIMITS, Limits, too_much_memory
from embedder.media.sniff import identify, unreadable
from embedder.media.source import SMALLER, WHOLE_COPY, Format, Source
from embedder.segment import Segment, whole_characters

__all__ = ["Format", "Limits", "Source", "cut", "identify", "open_source", "read", "read_source", "still"]


def read(path: Path, *, limits: Limits = DEFAULT_LIMITS, notes: list[str] | None = None) -> Iterator[Segment]:
    """The segments of one file, decoded in this process (`sandbox.ReaderPool` does it in one that can be killed).

    Args:
        notes: one line is appended for each thing that is left out ("pages after 2000 are left out").

    Raises:
        UnsupportedMediaError: nothing in the file can be embedded; it is to be skipped.
        UnreadableMediaError: it is broken, locked or over a limit. Segments may have come before.
    """
    yield from read_source(open_source(path, limits=limits, notes=notes))


def still(path: Path, span: Span, *, max_side: int, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """A JPEG of an image, of the frame of a video at span.start_s, or of page span.page of a document.

    Where the span has a character range, the lines of that passage are highlighted on the page.

    Raises:
        MediaError: the file has no picture there, with the reason.
    """
    source = open_source(path, limits=limits)
    with _reasons(source.path, source.limits):
        return row_of(source.format).reader().still(source, span, max_side)


def cut(source: Source, span: Span, out: Path, *, max_side: int) -> None:
    """Write a piece of a file as a file of its own: seconds of a recording as MP4, page span.page of a PDF as PDF.

    Raises:
        UnsupportedMediaError: nothing can be cut out of such a file.
        UnreadableMediaError: the file has nothing there.
    """
    cutter = row_of(source.format).cutter()
    if cutter is None:
        reason = f"{source.format.name}: nothing can be cut out of it"
        raise UnsupportedMediaError(source.path, reason, hint="take it whole")
    with _reasons(source.path, source.limits):
        cutter.cut(source, span, out, max_side)


def open_source(
    path: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    notes: list[str] | None = None,
    alive: Callable[[], None] | None = None,
    spent_s: Callable[[], float] | None = None,
) -> Source:
    """A file, identified and ready for `read_source`; see Source for `alive` and `spent_s` (both or neither).

    Raises:
        MediaError: as `identify`.
    """
    path = Path(path).absolute()
    source = Source(path=path, format=identify(path), limits=limits, notes=[] if notes is None else notes)
    if alive is not None and spent_s is not None:
        source = replace(source, alive=alive, spent_s=spent_s)
    return source


def read_source(source: Source) -> Iterator[Segment]:
    """As `read`, for a file that is identified already.

    Raises:
        MediaError: as `read`.
    """
    count = 0
    with _reasons(source.path, source.limits):
        segments = row_of(source.format).reader().read(source)
        for segment in islice(segments, source.limits.segments):
            count += 1
            yield segment if segment.text is None else replace(segment, text=whole_characters(segment.text))
        if count == source.limits.segments and next(segments, None) is not None:
            source.note(f"segments after the first {count} are left out")
    if not count:
        raise UnsupportedMediaError(source.path, "nothing in it to embed")


_OUT_OF_MEMORY = re.compile("bad_alloc|allocate memory|out of memory", re.IGNORECASE)  # as native libraries say it


@contextmanager
def _reasons(path: Path, limits: Limits) -> Iterator[None]:
    """Whatever a decoder raises becomes a MediaError: this is the per-file step, where files are hostile."""
    try:
        yield
    except MediaError:
        raise
    except MemoryError as error:
        raise UnreadableMediaError(path, too_much_memory(limits), hint=SMALLER) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except RecursionError as error:
        raise UnreadableMediaError(path, "nested too deeply", hint="simplify it") from error
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else ""
        if _OUT_OF_MEMORY.search(said):
            raise UnreadableMediaError(path, too_much_memory(limits), hint=SMALLER) from error
        raise UnreadableMediaError(
            path, f"cannot be decoded: {type(error).__name__} {said[:200]}".strip(), hint=WHOLE_COPY
        ) from error
