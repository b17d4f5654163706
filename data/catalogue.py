"""The catalogue: which files the library knows, what became of each, and which contents are indexed.

All of it is kept for each fingerprint by itself: a second model is filled in beside the active one, whose answers stay
as they are. Where a fingerprint may be left out, the active model's is meant.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Engine

from data.choosing import chosen_contents, chosen_files, newest_contents, some_contents
from data.database import Kept, open_database, translated
from data.failing import FailureGroup, failure_groups
from data.judging import drop_verdict, keep_verdict, kept_verdicts
from data.looking import (
    Known,
    LibrarySummary,
    RootSummary,
    best_record,
    file_records,
    indexed_among,
    indexed_kind,
    indexing_notes,
    known_files,
    orphaned,
    summarised,
    under,
)
from data.models import Models
from data.naming import named_contents
from data.recording import Outcome, chunks, record_outcomes
from data.records import FileChoice, FileRecord, FileState, Kind, SavedSearch, Verdict
from data.running import Progress, Running, end_runs, note_progress
from data.saving import drop_search, indexed_after, keep_search, kept_searches, look_at
from data.sweeping import forget_files, holding, sweep_files, unseen_files
from data.switching import Filling, LibraryModel, Waiting, active_model, answer_first, is_under, meet
from data.tables import FILES, INDEXINGS, OUTCOMES, ROOTS, RUNS

__all__ = [
    "Catalogue",
    "FailureGroup",
    "Filling",
    "Known",
    "LibraryModel",
    "LibrarySummary",
    "Outcome",
    "Progress",
    "RootSummary",
    "Running",
    "Waiting",
    "holding",
    "open_catalogue",
]

_MARK_SEEN = (
    update(FILES)
    .where(FILES.c.id.in_(bindparam("ids", expanding=True)), FILES.c.seen_run < bindparam("run"))
    .values(seen_run=bindparam("run"))
)
_CLAIM = 0x66696C6C  # advisory lock of PostgreSQL
_LARGEST = 2**31 - 1  # number of a row, as PostgreSQL counts


def open_catalogue(url: str) -> Catalogue:
    """Open the catalogue at a SQLAlchemy URL, made or migrated as needed.

    Raises:
        StoreUnavailableError: it cannot be opened, or a newer Omnia wrote it.
    """
    return Catalogue(open_database(url))


class Catalogue(Models):
    """Every question to the tables and every change of them; safe from several threads and processes."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._summary: Kept[LibrarySummary] = Kept(engine)
        self._claim: Connection | None = None

    @translated
    def claim(self) -> bool:
        """Have the catalogue until `close` as the only one to fill it; False while another home has it.

        Only PostgreSQL tells.
        """
        if self._engine.dialect.name != "postgresql":
            return True
        self._claim = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return bool(self._claim.execute(select(func.pg_try_advisory_lock(_CLAIM))).scalar())

    def close(self) -> None:
        self._summary.close()
        self._fillings.close()
        if self._claim is not None:
            self._claim.invalidate()  # its session, and so its lock, ends
            self._claim.close()
            self._claim = None
        self._engine.dispose()

    # ── one crawl of a root ──

    @translated
    def begin_run(self, root: str, fingerprint: str, *, model: str = "", progress: Progress | None = None) -> int:
        """Note that a crawl of `root` begins; returns the run's number.

        Args:
            model: the name of the model with this fingerprint. While no other has indexed anything, it becomes the
                active one once it is loaded (`note_loaded`), with its first content, or, where there is none at all, at
                the end of a crawl.
            progress: of the ingest that it belongs to.
        """
        with self._engine.begin() as db:
            meet(db, LibraryModel(model or fingerprint, fingerprint))
            root_id = db.execute(select(ROOTS.c.id).where(ROOTS.c.path == root)).scalar_one_or_none()
            if root_id is None:
                root_id = _new_id(db, insert(ROOTS).values(path=root, offline_reason=""))
            run = _new_id(db, insert(RUNS).values(root_id=root_id, fingerprint=fingerprint, started_at=time.time()))
            if progress is not None:
                note_progress(db, run, progress)
            return run

    @translated
    def known(self, paths: Sequence[str], fingerprint: str) -> dict[str, Known]:
        """What is remembered of these paths (any number); unknown ones are left out."""
        with self._reader.connect() as db:
            return known_files(db, paths, fingerprint)

    @translated
    def mark_seen(self, run: int, ids: Sequence[int]) -> None:
        """These files are still there."""
        with self._engine.begin() as db:
            for chunk in chunks(ids):
                db.execute(_MARK_SEEN, {"ids": chunk, "run": run})

    @translated
    def indexed_kind(self, content: str, fingerprint: str) -> Kind | None:
        """The kind under which a content is indexed, None when it is not."""
        with self._reader.connect() as db:
            return indexed_kind(db, content, fingerprint)

    @translated
    def record(
        self, run: int, fingerprint: str, outcomes: Sequence[Outcome], *, progress: Progress | None = None
    ) -> None:
        """Record outcomes in one transaction; the vectors of indexed ones must be durable by now.

        Args:
            progress: how far the ingest has come, for whoever watches.
        """
        with self._engine.begin() as db:
            if progress is not None:
                note_progress(db, run, progress)
            root_id = db.execute(select(RUNS.c.root_id).where(RUNS.c.id == run)).scalar_one()
            record_outcomes(db, outcomes, run=run, root_id=root_id, fingerprint=fingerprint)
            if any(outcome.content is not None for outcome in outcomes):
                answer_first(db, fingerprint)

    @translated
    def note_loaded(self, fingerprint: str) -> None:
        """An ingest has loaded its model: it is the active one while no other has indexed anything."""
        with self._engine.begin() as db:
            answer_first(db, fingerprint)

    @translated
    def unseen(self, run: int, root: str) -> list[str]:
        """The paths of indexed files at or below a root that its run has not seen, nor their content anywhere else."""
        with self._reader.connect() as db:
            return unseen_files(db, run, root)

    @translated
    def finish_run(
        self,
        run: int,
        root: str,
        *,
        sweep: bool,
        keep: Collection[str] = (),
        passed: Collection[str] = (),
        offline_reason: str = "",
    ) -> int:
        """End a crawl; with `sweep`, files under the root that it did not see leave the catalogue.

        Args:
            keep: folders below the root whose files stay nevertheless.
            passed: roots below it that it has crawled as well, and that are there therefore.

        Returns:
            How many files left.
        """
        removed = sweep_files(self._engine, run, root, keep) if sweep else 0
        with self._engine.begin() as db:
            for chunk in chunks(list(passed)):
                db.execute(update(ROOTS).where(ROOTS.c.path.in_(chunk)).values(offline_reason=""))
            db.execute(update(ROOTS).where(ROOTS.c.path == root).values(offline_reason=offline_reason))
            db.execute(update(RUNS).where(RUNS.c.id == run).values(finished_at=time.time()))
            if not offline_reason and active_model(db) is None:  # under some model its outcomes have to be seen
                answer_first(db, db.execute(select(RUNS.c.fingerprint).where(RUNS.c.id == run)).scalar_one())
        return removed

    @translated
    def end_runs(self) -> None:
        """End what was left by an ingest that was killed; the caller holds the lock, so that none is under way."""
        with self._engine.begin() as db:
            end_runs(db)

    # ── cleaning up ──

    @translated
    def orphans(self) -> dict[str, set[str]]:
        """Contents that are indexed and that no file has any more, by fingerprint."""
        with self._reader.connect() as db:
            return orphaned(db)

    @translated
    def unindexed(self, contents: Collection[str], fingerprint: str) -> set[str]:
        """Those of `contents` that are not indexed under a fingerprint."""
        with self._reader.connect() as db:
            return set(contents) - indexed_among(db, contents, fingerprint)

    @translated
    def forget_contents(self, contents: Collection[str], fingerprint: str) -> None:
        """Drop the indexings of these contents under a fingerprint, before their vectors are deleted."""
        for chunk in chunks(list(contents)):  # each by itself: others write in between
            with self._engine.begin() as db:
                db.execute(
                    delete(INDEXINGS).where(INDEXINGS.c.content.in_(chunk), INDEXINGS.c.fingerprint == fingerprint)
                )

    @translated
    def forget_root(self, root: str) -> int:
        """Drop a root and every file under it that is in no other root below; returns how many files."""
        removed = forget_files(self._engine, root)
        with self._engine.begin() as db:
            doomed = select(ROOTS.c.id).where(ROOTS.c.path == root)
            other = db.execute(select(func.max(ROOTS.c.id)).where(ROOTS.c.path != root)).scalar()
            if other is not None:  # the latest run stays, so that no number is given twice
                latest = select(func.max(RUNS.c.id)).scalar_subquery()
                db.execute(update(RUNS).where(RUNS.c.id == latest, RUNS.c.root_id.in_(doomed)).values(root_id=other))
            db.execute(delete(RUNS).where(RUNS.c.root_id.in_(doomed)))
            db.execute(delete(ROOTS).where(ROOTS.c.path == root))
        return removed

    @translated
    def forget_failures(self, fingerprint: str | None = None) -> list[str]:
        """Make every failed file new again, so that the next ingest tries it; returns the roots they are in.

        Skipped ones, too: a newer version may have a reader for them.
        """
        with self._engine.begin() as db:
            failed = OUTCOMES.c.state.in_((FileState.FAILED.value, FileState.SKIPPED.value)) & under(fingerprint)
            roots = select(ROOTS.c.path).select_from(ROOTS).join(FILES).join(OUTCOMES, OUTCOMES.c.file_id == FILES.c.id)
            found = list(db.execute(roots.where(failed).distinct()).scalars())
            db.execute(update(OUTCOMES).where(failed).values(is_final=False))
            return found

    # ── looking ──

    @translated
    def file(self, file_id: int) -> FileRecord | None:
        """A file by its number: as it is indexed under the active model, or else under any, or else as it is."""
        if not 0 < file_id <= _LARGEST:
            return None
        with self._reader.connect() as db:
            return best_record(db, file_id)

    @translated
    def files_at(self, paths: Sequence[str], fingerprint: str | None = None) -> list[FileRecord]:
        """The records of these paths, as far as they are known."""
        with self._reader.connect() as db:
            condition = under(fingerprint)
            return [one for chunk in chunks(paths) for one in file_records(db, FILES.c.path.in_(chunk) & condition)]

    @translated
    def files_of(self, contents: Collection[str], fingerprint: str | None = None) -> dict[str, list[FileRecord]]:
        """The files that have each of these contents, by path; contents that no file has are left out."""
        found: defaultdict[str, list[FileRecord]] = defaultdict(list)
        with self._reader.connect() as db:
            for chunk in chunks(list(contents)):
                for record in file_records(db, OUTCOMES.c.content.in_(chunk) & under(fingerprint)):
                    found[record.content or ""].append(record)
        return dict(found)

    @translated
    def chosen(self, choice: FileChoice, fingerprint: str) -> set[str]:
        """The contents, indexed under a fingerprint, of the files that a choice means."""
        with self._reader.connect() as db:
            return chosen_contents(db, choice, fingerprint)

    @translated
    def chosen_files(self, files: Collection[int], choice: FileChoice, fingerprint: str) -> set[int]:
        """Those of some files, by number, that a choice means."""
        with self._reader.connect() as db:
            return chosen_files(db, files, choice, fingerprint)

    @translated
    def named(self, words: Sequence[str], fingerprint: str, *, limit: int) -> dict[str, float]:
        """The contents whose files' names hold some of the words, best first, with the sum of the words' rarities."""
        with self._reader.connect() as db:
            return named_contents(db, words, fingerprint, limit=limit)

    @translated
    def newest(self, choice: FileChoice, fingerprint: str, *, kinds: Collection[Kind], limit: int) -> list[str]:
        """The contents of chosen files of some kinds (none means any), those first that changed last."""
        with self._reader.connect() as db:
            return newest_contents(db, choice, fingerprint, kinds=kinds, limit=limit)

    @translated
    def some(self, kind: Kind, fingerprint: str, *, limit: int) -> list[str]:
        """A few contents of a kind that are indexed under a fingerprint, to show what a library holds."""
        with self._reader.connect() as db:
            return some_contents(db, kind, fingerprint, limit=limit)

    @translated
    def indexed_after(self, contents: Collection[str], fingerprint: str, *, moment_s: float) -> set[str]:
        """Those of `contents` that were indexed under a fingerprint after a moment (seconds since the epoch)."""
        with self._reader.connect() as db:
            return indexed_after(db, contents, fingerprint, moment_s=moment_s)

    # ── what a person keeps ──

    @translated
    def keep_search(self, name: str, address: str) -> None:
        """Keep a search under a name, in the place of one that has it."""
        with self._engine.begin() as db:
            keep_search(db, name, address)

    @translated
    def drop_search(self, name: str) -> None:
        """Forget a saved search."""
        with self._engine.begin() as db:
            drop_search(db, name)

    @translated
    def searches(self) -> list[SavedSearch]:
        """The saved searches, by name."""
        with self._reader.connect() as db:
            return kept_searches(db)

    @translated
    def look_at(self, number: int) -> SavedSearch | None:
        """A saved search as it was before this look, which counts from now on; None where it is gone."""
        if not 0 < number <= _LARGEST:
            return None
        with self._engine.begin() as db:
            return look_at(db, number)

    @translated
    def judge(self, verdict: Verdict) -> None:
        """Keep what a person said of a result; the last word counts."""
        with self._engine.begin() as db:
            keep_verdict(db, verdict)

    @translated
    def unjudge(self, question: str, content: str) -> None:
        """Forget what was said of a content, for one question."""
        with self._engine.begin() as db:
            drop_verdict(db, question, content)

    @translated
    def verdicts(self, question: str | None = None) -> list[Verdict]:
        """What was said of the results of one question, or of all."""
        with self._reader.connect() as db:
            return kept_verdicts(db, question)

    @translated
    def failures(self, fingerprint: str | None = None, *, state: FileState = FileState.FAILED) -> list[FileRecord]:
        """The files whose last attempt failed, or ended in another state, by path."""
        with self._reader.connect() as db:
            return file_records(db, (OUTCOMES.c.state == state.value) & under(fingerprint))

    @translated
    def failure_groups(self, *, offset: int = 0, limit: int = 20) -> tuple[FailureGroup, ...]:
        """A page of those under the active model, grouped by why, the commonest reason first."""
        with self._reader.connect() as db:
            return failure_groups(db, offset=offset, limit=limit)

    @translated
    def notes(self, fingerprint: str | None = None) -> dict[str, list[str]]:
        """What was left out of indexed files, by path."""
        with self._reader.connect() as db:
            return indexing_notes(db, fingerprint)

    @translated
    def has_files(self, root: str) -> bool:
        """Whether any file at or below a path is known."""
        with self._reader.connect() as db:
            return db.execute(select(FILES.c.id).where(is_under(root)).limit(1)).first() is not None

    @translated
    def has_file(self, path: str) -> bool:
        """Whether a path is known as a file."""
        with self._reader.connect() as db:
            return db.execute(select(FILES.c.id).where(FILES.c.path == path)).first() is not None

    @translated
    def roots(self) -> list[str]:
        with self._reader.connect() as db:
            return list(db.execute(select(ROOTS.c.path).order_by(ROOTS.c.path)).scalars())

    @translated
    def summary(self) -> LibrarySummary:
        """The whole library in numbers, counted again only after a change: every open page asks all the time."""
        return self._summary(summarised)


def _new_id(db: Connection, statement: Any) -> int:
    return int(db.execute(statement).inserted_primary_key[0])  # type: ignore[index]
