"""Judging: what a person said of results, kept by question."""

from __future__ import annotations

import hashlib
import time
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from data.records import Verdict
from data.tables import JUDGEMENTS


def keep_verdict(db: Connection, verdict: Verdict) -> None:
    """Keep what was said last of a content, for one question."""
    drop_verdict(db, verdict.question, verdict.content)
    row = {
        "question_id": _id(verdict.question),
        "content": verdict.content,
        "question": verdict.question,
        "segment": str(verdict.segment),
        "is_right": verdict.is_right,
        "made_at": time.time(),
    }
    db.execute(insert(JUDGEMENTS).values(row))


def drop_verdict(db: Connection, question: str, content: str) -> None:
    """Forget what was said of a content, for one question."""
    db.execute(delete(JUDGEMENTS).where(JUDGEMENTS.c.question_id == _id(question), JUDGEMENTS.c.content == content))


def kept_verdicts(db: Connection, question: str | None) -> list[Verdict]:
    """What was said of the results of one question, or of all, in the order said."""
    query = select(JUDGEMENTS).order_by(JUDGEMENTS.c.made_at, JUDGEMENTS.c.content)
    if question is not None:
        query = query.where(JUDGEMENTS.c.question_id == _id(question))
    return [
        Verdict(question=row.question, content=row.content, segment=UUID(row.segment), is_right=row.is_right)
        for row in db.execute(query)
    ]


def _id(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()
