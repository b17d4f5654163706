"""Ingest: one run over roots, from the crawl to a report that adds up."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from data.catalogue import Outcome, Progress
from data.errors import BadSettingsError, MediaError, OmniaError, UnreadableMediaError, UnsupportedMediaError
from data.records import FileState, Kind, changed_ns
from embedder.media.sniff import unreadable
from indexer.away import crawls, kept, offline, roots_of
from indexer.changes import Changed, OutOfReach, Settled, Unusable, changes, unmet
from indexer.crawl import Crawl, Found, absence
from indexer.estimate import estimate, to_come
from indexer.keep import Keeper
from indexer.library import Library
from indexer.meter import Meter
from indexer.pipeline import Embedded, Finished, GivenUp, Pool, embed_files
from indexer.report import Report
from indexer.switch import switch

if TYPE_CHECKING:
    from embedder.embed import Embedder


log = logging.getLogger(__name__)

_RECORD_FILES = 500  # settled on the way, at once

# What readers say when the system could not read, which tells nothing of the file; a broken one leads to bad arguments.
_MAY_PASS = {unreadable(Path(), OSError(code, os.strerror(code))).reason for code in errno.errorcode} - {
    os.strerror(errno.EINVAL)
}


def ingest(paths: Sequence[Path], library: Library, *, say: Callable[[str], None] = lambda _: None) -> Report:
    """Bring the library up to date with these roots.

    With a model that is not the library's active one, its collection is filled beside the other, which goes on
    answering until nothing is missing; then this run switches.

    Args:
        say: is told what vectors were lost, and, before a library is filled anew, how long that may take.

    Raises:
        BadSettingsError: a path does not exist and was never ingested, or is of the library itself.
    """
    roots = roots_of(paths, library.catalogue)
    _refuse_home(roots, library.home)
    to_crawl = partial(crawls, roots, known=library.catalogue.roots(), home=library.home)
    report = Report()
    started = time.monotonic()
    with ExitStack() as stack:
        meter = Meter(lambda: (found.size_bytes for crawl in to_crawl() for found in crawl))
        run = _Ingest(library, report, stack, meter)
        run.forget_lost(say)
        run.foretell(roots, chain.from_iterable(to_crawl()), say)
        stack.enter_context(meter)
        for crawl in to_crawl():
            run.crawl(crawl)
        run.drop_orphans()
        run.keeper.note_place()
    _switch(library, report)
    report.seconds = time.monotonic() - started
    assert report.adds_up
    return report


def _refuse_home(roots: Iterable[Path], home: Path) -> None:
    """Refuse to fill a library with its own previews and vectors; other folders that lie beside those are as any."""
    own = [os.path.realpath(folder) for folder in (home, home / "cache", home / "vectors")]
    for root in roots:
        real = os.path.realpath(root)
        if real in own or any(real.startswith(f"{folder}{os.sep}") for folder in own[1:]):
            raise BadSettingsError(
                f"{str(root)!r} is of the library itself, in {str(home)!r}; name folders of media "
                f"(if it was ingested before: python -m indexer prune {shlex.quote(str(root))})"
            )


def _switch(library: Library, report: Report) -> None:
    """Let the model that was filled answer, if it is another one and has all that it needs."""
    active = library.catalogue.active()
    if active is None or active.fingerprint == library.fingerprint:
        return
    report.model = library.model.name
    if library.catalogue.has_indexed(library.fingerprint):
        switched = switch(library)
        assert switched is not None
        report.switched, report.switch = switched.filling.is_active, switched.as_text()


@dataclass(slots=True)
class _Ingest:
    """The state of one run.

    The crawl is pulled by the thread that feeds the workers, everything with vectors happens in the thread that
    called `crawl`; `lock` guards what both touch: the report, `at_work`, and what `keeper` promises.
    """

    library: Library
    report: Report
    stack: ExitStack
    meter: Meter
    run: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_work: dict[str, list[Found]] = field(default_factory=dict)  # by content: its first path, then copies of it
    out_of_reach: list[Found] = field(default_factory=list)  # of the root that is crawled
    keeper: Keeper = field(init=False)
    embedder: Embedder | None = None
    pool: Pool | None = None

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.library, self.stack, self.lock)

    def forget_lost(self, say: Callable[[str], None]) -> None:
        """Have embedded again whatever is indexed and has no vectors any more."""
        lost = self.keeper.forget_lost()
        if lost:
            counted = "1 indexed content has" if lost == 1 else f"{lost:,} indexed contents have"
            say(f"{counted} no vectors in the store (deleted, moved, an old backup?): embedded again with their files")

    def foretell(self, roots: Sequence[Path], found: Iterable[Found], say: Callable[[str], None]) -> None:
        """Say how long it may take to embed what another model has embedded, and what is new beside or at first.

        New files of a library that goes on with its model are not looked for: most nights there are few.
        """
        library, is_more = self.library, False
        active = library.catalogue.active()
        waiting = library.catalogue.waiting(library.fingerprint, [str(root) for root in roots])
        if active is None or waiting:
            if active is not None:
                found = unmet(found, library.catalogue, fingerprint=active.fingerprint)
            new, is_more = to_come(found)
            waiting += new
        if waiting:
            embedder, pool = self._open()
            told = estimate(waiting, pool=pool, embedder=embedder, workers=library.workers, is_more=is_more)
            if told is not None:
                say(f"filling in {library.model.name}: {told.as_text()}")

    def crawl(self, crawl: Crawl) -> None:
        """One root: settle what is known, embed the rest, let go of what is gone."""
        catalogue, root = self.library.catalogue, str(crawl.root)
        model = self.library.model
        self.run = catalogue.begin_run(root, model.fingerprint, model=model.name, progress=self._progress())
        why = absence(crawl.root)
        if why and (catalogue.has_files(root) or not os.path.exists(root)):
            catalogue.finish_run(self.run, root, sweep=False, offline_reason=why)
            self.report.problems.append(offline(root, why))
            return
        self.out_of_reach.clear()
        work = self._needing_work(crawl)
        first = next(work, None)
        if first is not None:
            self._embed(chain([first], work))
        self.keeper.commit(self.run)
        stays = kept(crawl, catalogue, run=self.run)
        self.report.removed += catalogue.finish_run(
            self.run, root, sweep=True, keep=stays.folders, passed=crawl.passed, offline_reason=stays.why
        )
        self.report.problems += [*stays.problems, *self._out_of_reach()]

    def drop_orphans(self) -> None:
        """Delete the vectors of contents that no file has any more."""
        for fingerprint, orphans in self.library.catalogue.orphans().items():
            self.library.catalogue.forget_contents(orphans, fingerprint)
            is_mine = fingerprint == self.library.fingerprint
            store = self.keeper.store() if is_mine else self.library.open_other(fingerprint)
            if store is not None:
                store.delete(orphans)
                store.flush()
            if store is not None and not is_mine:
                store.close()

    def _out_of_reach(self) -> list[str]:
        """The line that tells of files that could not be looked at, if there are any."""
        if not self.out_of_reach:
            return []
        first, files = self.out_of_reach[0], len(self.out_of_reach)
        counted = "1 indexed file" if files == 1 else f"{files:,} indexed files, such as"
        what = f"{first.path!r} ({first.problem})"
        return [f"{counted} {what} could not be looked at and stayed as before; remove what is gone for good"]

    # ── in the thread that feeds the workers ──

    def _needing_work(self, crawl: Crawl) -> Iterator[tuple[str, Path]]:
        """(content, path) of the files that the model must see; everything else is settled on the way."""
        settled: list[Outcome] = []
        for change in changes(crawl, self.library.catalogue, run=self.run, fingerprint=self.library.fingerprint):
            with self.lock:
                if isinstance(change, Settled | OutOfReach):
                    self._account(change.found, change.known.state)
                    if isinstance(change, OutOfReach):
                        self.out_of_reach.append(change.found)
                elif isinstance(change, Unusable):
                    settled.append(_unusable(change.found, None, change.error))
                    self._account(change.found, settled[-1].state)
                elif not self._is_known_content(change, settled):
                    self.at_work[change.content] = [change.found]
            if isinstance(change, Changed) and self.at_work.get(change.content) == [change.found]:
                yield change.content, Path(change.found.path)
            is_due = self.meter.is_due
            if is_due or len(settled) >= _RECORD_FILES:
                progress = self._progress() if is_due else None
                self.library.catalogue.record(self.run, self.library.fingerprint, settled, progress=progress)
                settled = []
        self.library.catalogue.record(self.run, self.library.fingerprint, settled)

    def _is_known_content(self, change: Changed, settled: list[Outcome]) -> bool:
        """Settle a rename or a copy; False when the content was never embedded."""
        copies = self.at_work.get(change.content)
        if copies is not None:
            copies.append(change.found)
            return True
        promised = self.keeper.promised.get(change.content)
        kind = promised or self.library.catalogue.indexed_kind(change.content, self.library.fingerprint)
        if kind is None:
            return False
        outcome = _indexed(change.found, change.content, kind)
        (settled if promised is None else self.keeper.outcomes).append(outcome)
        self._account(change.found, outcome.state)
        return True

    # ── in the thread that owns the run ──

    def _embed(self, files: Iterator[tuple[str, Path]]) -> None:
        embedder, pool = self._open()
        for step in embed_files(files, pool=pool, embedder=embedder):
            match step:
                case Embedded():
                    self.keeper.take(step)
                    self.report.segments += len(step.numbers)
                case Finished():
                    self._finish(step)
                case GivenUp():
                    self._give_up(step)
            if self.keeper.is_due:
                self.keeper.commit(self.run, progress=self._progress())

    def _finish(self, step: Finished) -> None:
        first = self.at_work[step.content][0]
        changed = _what_changed(first)
        if changed:
            error = UnreadableMediaError(first.path, changed, hint="run ingest again")
            self._give_up(GivenUp(step.content, error, step.kind), is_final=False)
            return
        with self.lock:
            first, *copies = self.at_work.pop(step.content)
            lasts_s = self.keeper.promise(step.content, step.kind)
            outcome = _indexed(first, step.content, step.kind)
            self.keeper.outcomes.append(replace(outcome, segments=step.segments, notes=step.notes, duration_s=lasts_s))
            self._account(first, FileState.INDEXED, embedded=True)
            self.report.notes += bool(step.notes)
            for copy in copies:
                self.keeper.outcomes.append(_indexed(copy, step.content, step.kind))
                self._account(copy, FileState.INDEXED)

    def _give_up(self, step: GivenUp, *, is_final: bool = True) -> None:
        is_final = is_final and step.error.reason not in _MAY_PASS and not _what_changed(self.at_work[step.content][0])
        self.keeper.drop(step.content)
        with self.lock:
            for found in self.at_work.pop(step.content):
                outcome = replace(_unusable(found, step.content, step.error), kind=step.kind, is_final=is_final)
                log.info("%r: %r", found.path, outcome.reason)
                self.keeper.outcomes.append(outcome)
                self._account(found, outcome.state)

    def _account(self, found: Found, state: FileState, *, embedded: bool = False) -> None:
        self.report.count(state, embedded=embedded)
        self.meter.advance(found.path, found.size_bytes, failed=state is FileState.FAILED)

    def _progress(self) -> Progress:
        with self.lock:
            oldest = next(iter(self.at_work.values()), None)
            return self.meter.told(at=oldest[0].path if oldest else "")

    def _open(self) -> tuple[Embedder, Pool]:
        self.keeper.store()  # first, so that nothing is decoded for a store that cannot be reached
        if self.embedder is None:
            try:
                self.embedder = self.library.open_embedder()
            except OmniaError:
                with suppress(OmniaError):  # the model's error is the one to tell
                    self.keeper.forget_empty()
                raise
            self.library.catalogue.note_loaded(self.library.fingerprint)
        if self.pool is None:
            self.pool = self.stack.enter_context(self.library.open_pool())
        return self.embedder, self.pool


def _indexed(found: Found, content: str, kind: Kind) -> Outcome:
    return Outcome(
        path=found.path,
        size_bytes=found.size_bytes,
        mtime_ns=found.mtime_ns,
        state=FileState.INDEXED,
        kind=kind,
        content=content,
    )


def _unusable(found: Found, content: str | None, error: MediaError) -> Outcome:
    """Without a content the bytes were not readable, which a change of permissions may mend."""
    is_skipped = isinstance(error, UnsupportedMediaError)
    return Outcome(
        path=found.path,
        size_bytes=found.size_bytes,
        mtime_ns=found.mtime_ns,
        state=FileState.SKIPPED if is_skipped else FileState.FAILED,
        content=content,
        reason=error.reason,
        hint=error.hint,
        is_final=is_skipped or content is not None,
    )


def _what_changed(found: Found) -> str:
    """Whether the file is another one than the crawl found: its vectors would be filed under a wrong content."""
    try:
        status = os.stat(found.path)
    except OSError:
        return "vanished while it was being read"
    is_same = (status.st_size, changed_ns(status)) == (found.size_bytes, found.mtime_ns)
    return "" if is_same else "changed while it was being read"
