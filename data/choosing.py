"""Choosing: which contents a person means by where their files lie, when they changed and how long they last."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from heapq import merge
from typing import Literal
from unicodedata import normalize

from sqlalchemy import ColumnElement, Connection, Select, Text, bindparam, func, literal_column, or_, select

from data.recording import chunks
from data.records import ANY_FILE, FileChoice, FileState, Kind
from data.switching import is_under
from data.tables import FILES, INDEXINGS, OUTCOMES, escape_path, is_indexed

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")  # an é in one letter, or in two, as some systems have it


def chosen_contents(db: Connection, choice: FileChoice, fingerprint: str) -> set[str]:
    """The contents, indexed under a fingerprint, of the files that a choice means."""
    query = _of_the_chosen(choice, fingerprint)
    return {content for content in db.execute(query).scalars() if content is not None}


def chosen_files(db: Connection, files: Collection[int], choice: FileChoice, fingerprint: str) -> set[int]:
    """Those of some files, by number, that a choice means."""
    number = OUTCOMES.c.file_id
    query = _of_the_chosen(choice, fingerprint).with_only_columns(number)
    return {one for chunk in chunks(list(files)) for one in db.execute(query.where(number.in_(chunk))).scalars()}


def newest_contents(
    db: Connection, choice: FileChoice, fingerprint: str, *, kinds: Collection[Kind], limit: int
) -> list[str]:
    """The contents of chosen files, those first that changed last.

    Args:
        kinds: of file; none means any.
    """
    if replace(choice, since_ns=None, before_ns=None) == ANY_FILE:
        return _newest_of_all(db, _conditions(choice), fingerprint, kinds=kinds, limit=limit)
    query = _of_the_chosen(choice, fingerprint).group_by(OUTCOMES.c.content)
    if kinds:
        query = query.where(OUTCOMES.c.kind.in_([kind.value for kind in kinds]))
    changed = func.max(OUTCOMES.c.mtime_ns)
    found = db.execute(query.order_by(changed.desc(), OUTCOMES.c.content).limit(limit)).scalars()
    return [content for content in found if content is not None]


def _newest_of_all(
    db: Connection, dates: Sequence[ColumnElement[bool]], fingerprint: str, *, kinds: Collection[Kind], limit: int
) -> list[str]:
    """Read by an index, newest first and each kind by itself, no farther than is needed."""
    query = (
        select(OUTCOMES.c.mtime_ns, OUTCOMES.c.content)
        .where(OUTCOMES.c.kind == bindparam("kind"), OUTCOMES.c.fingerprint == fingerprint, *dates)
        .where(OUTCOMES.c.state == literal_column(f"'{FileState.INDEXED}'"), OUTCOMES.c.content.is_not(None))
        .order_by(OUTCOMES.c.mtime_ns.desc(), OUTCOMES.c.content)
    )
    found: dict[str, None] = {}
    with ExitStack() as stack:
        read = [
            stack.enter_context(db.execute(query, {"kind": kind.value}, execution_options={"yield_per": limit}))
            for kind in kinds or Kind
        ]
        for row in merge(*read, key=lambda row: (-row.mtime_ns, row.content)):
            found[row.content] = None
            if len(found) == limit:
                break
    return list(found)


def some_contents(db: Connection, kind: Kind, fingerprint: str, *, limit: int) -> list[str]:
    """A few contents of a kind that are indexed under a fingerprint, the same ones each time; quick in any library."""
    query = select(OUTCOMES.c.content).where(
        OUTCOMES.c.kind == kind.value,
        OUTCOMES.c.state == FileState.INDEXED.value,
        OUTCOMES.c.fingerprint == fingerprint,
    )
    return list(dict.fromkeys(content for content in db.execute(query.limit(limit)).scalars() if content is not None))


def _of_the_chosen(choice: FileChoice, fingerprint: str) -> Select[str | None]:
    query = (
        select(OUTCOMES.c.content)
        .select_from(OUTCOMES)
        .where(OUTCOMES.c.fingerprint == fingerprint, is_indexed(OUTCOMES))
        .where(*_conditions(choice))
    )
    if choice.folders or choice.suffixes:
        query = query.join(FILES, FILES.c.id == OUTCOMES.c.file_id)
    if choice.longer_s is not None or choice.shorter_s is not None:
        same = (INDEXINGS.c.content == OUTCOMES.c.content) & (INDEXINGS.c.fingerprint == OUTCOMES.c.fingerprint)
        query = query.join(INDEXINGS, same).where(*_lasting(choice))
    return query


def _conditions(choice: FileChoice) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if choice.folders:
        found.append(or_(*(_lies_in(folder) for folder in choice.folders)))
    if choice.suffixes:
        endings = (escape_path(f".{suffix.lower().lstrip('.')}") for suffix in choice.suffixes)
        path = func.lower(FILES.c.path)
        found.append(or_(*(func.substr(path, func.length(path) + 1 - len(one), len(one)) == one for one in endings)))
    if choice.since_ns is not None:
        found.append(OUTCOMES.c.mtime_ns >= choice.since_ns)
    if choice.before_ns is not None:
        found.append(OUTCOMES.c.mtime_ns < choice.before_ns)
    return found


def _lies_in(folder: str) -> ColumnElement[bool]:
    if folder.startswith("/"):
        return or_(*(is_under(spelling) for spelling in {folder, *(normalize(form, folder) for form in _FORMS)}))
    name = "".join(_lower(letter) for letter in normalize("NFC", escape_path(folder.strip("/"))))
    return _folded(set(name)).contains(f"/{name}/", autoescape=True)


def _folded(letters: Collection[str]) -> ColumnElement[str]:
    """The path in lower case, with these letters in one spelling: databases may leave all but ASCII as it is."""
    path: ColumnElement[str] = func.lower(FILES.c.path)
    spellings: dict[str, str] = {}
    for letter in letters:
        if not letter.isascii():
            forms = {normalize(form, case) for form in _FORMS for case in (letter, letter.upper())}
            spellings |= {_ascii_lower(form): letter for form in forms if len(normalize("NFC", form)) == 1}
    for spelling in sorted(spellings, key=lambda one: (-len(one), one)):
        path = func.replace(path, spelling, spellings[spelling], type_=Text)
    return path


def _lower(letter: str) -> str:
    return letter.lower() if len(letter.lower()) == 1 else letter


def _ascii_lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _lasting(choice: FileChoice) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if choice.longer_s is not None:
        found.append(INDEXINGS.c.duration_s >= choice.longer_s)
    if choice.shorter_s is not None:
        found.append(INDEXINGS.c.duration_s < choice.shorter_s)
    return found
