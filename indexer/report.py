"""The report of an ingest: every found file is accounted for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

from data.printing import counted
from data.records import FileState


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run did; found = indexed + unchanged + skipped + failed.

    Args:
        indexed: files whose content was embedded in this run.
        unchanged: files whose content was embedded before (also renames, copies, and what is out of reach now).
        skipped: empty files, files of no kind we read, and those of which the model takes nothing in.
        failed: files with a recorded reason, in this run or, when they did not change since, in an earlier one.
        removed: files that left the library because they are gone from disk.
        segments: vectors made in this run.
        seconds: wall time of the run.
        problems: one line each for roots and folders that are away or could not be read, and for files out of reach.
        notes: files of which something was left out.
        model: that the run filled; "" when it is the one that answers and was before.
        switch: what came of letting that model answer, one line.
        switched: whether it answers from now on.
    """

    found: int = 0
    indexed: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    removed: int = 0
    segments: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    notes: int = 0
    model: str = ""
    switch: str = ""
    switched: bool = False

    @property
    def adds_up(self) -> bool:
        return self.found == self.indexed + self.unchanged + self.skipped + self.failed

    @property
    def exit_code(self) -> int:
        return 1 if self.failed or self.problems else 0

    def count(self, state: FileState, *, embedded: bool) -> None:
        """Account for one found file; `embedded` tells indexed from unchanged."""
        self.found += 1
        if state is FileState.FAILED:
            self.failed += 1
        elif state is FileState.SKIPPED:
            self.skipped += 1
        elif embedded:
            self.indexed += 1
        else:
            self.unchanged += 1

    def as_json(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "indexed": self.indexed,
            "unchanged": self.unchanged,
            "skipped": self.skipped,
            "failed": self.failed,
            "removed": self.removed,
            "segments": self.segments,
            "seconds": round(self.seconds, 3),
            "problems": self.problems,
            "notes": self.notes,
            "switched": self.switched,
        }

    def as_text(self) -> str:
        lines = [
            f"{counted(self.found, 'file')}: {self.indexed:,} indexed, {self.unchanged:,} unchanged, "
            f"{self.skipped:,} skipped, {self.failed:,} failed; {self.removed:,} removed",
            f"{counted(self.segments, 'segment')} in {self.seconds:.1f} s",
            *self.problems,
        ]
        if self.notes:
            lines.append(f"of {counted(self.notes, 'file')} something was left out: python -m indexer status")
        flag = f" --model {shlex.quote(self.model)}" if self.model and not self.switched else ""
        if self.skipped:
            lines.append(f"why files were skipped: python -m indexer failures --skipped{flag}")
        if self.failed:
            lines.append(
                f"why files failed: python -m indexer failures{flag}; to try them again: python -m indexer retry{flag}"
            )
        if self.switch:
            lines.append(self.switch)
        return "\n".join(lines)
