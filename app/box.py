"""The box: words and tokens, dropped files, filters and "more like this", as one question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import streamlit as st

from app.asking import Example, Question, joined, segments_of
from app.escaping import literal
from app.examples import dropped, file_parts, first_page, forget_files, recorded
from app.grammar import Asked, Token, understood, without_token
from app.query import FilePart, Filters, SegmentPart
from app.saved import saved_searches
from app.table import clock
from app.weighing import weighed, weight_of
from data.records import Kind, SegmentRecord

if TYPE_CHECKING:
    from app.wiring import Library

_ASKING = "a dog on a beach · rain at night · “the meeting moved to Friday” · kind:video after:2024"
_HELP = (
    "Narrow down with `kind:video`, `in:trips/`, `type:pdf`, `after:2024-05`, `before:2024-06-15`, `longer:30s`, "
    '`shorter:5m`, `evidence:said`, `lang:fr`, `"word for word"` and `-not this`. In recordings: `rain then applause`.'
    "\n\nKeys: `/` ask · arrows walk over the results · `enter` open · `space` play · `x` mark · `m` more like it."
)


def question(library: Library) -> Question:
    """The widgets, as one question; what was not understood is said below them."""
    with st.container(key="ask"):
        typed = st.text_input(
            "What are you looking for?",
            key="q",
            type="search",
            placeholder=_ASKING,
            label_visibility="collapsed",
            icon=":material/search:",
            live=True,  # after 250 ms; of a length that is given, pandas is asked, .4 s at the start
            on_change=first_page,
        )
        files = dropped(library.settings.max_upload_mb)
        with st.container(key="filters", horizontal=True, vertical_alignment="center"):
            kinds = st.pills(
                "Kinds",
                [kind.value for kind in Kind],
                selection_mode="multi",
                key="kind",
                label_visibility="collapsed",
                on_change=first_page,
            )
            refining = st.container(width="content")
            files = [*files, *recorded()]
            corner = st.container(width="content")
        asked = understood(typed or "", Filters(kinds=frozenset(Kind(kind) for kind in kinds)))
        unlike = st.session_state.get("not", "")  # it is gone after a run that ended in an error before it was drawn
        _chips(asked, unlike)
        like = _like(library, alone=not (asked.words or files))
    parts = list({part.content: part for part in file_parts(library, files)}.values())
    with refining:
        avoid, weights = _refined(asked.words, parts, like, unlike=unlike)
    examples: list[Example] = [*parts, *(SegmentPart(segment) for segment in like)]
    whole = joined(asked, avoid=[avoid], examples=examples, weights=weights)
    with corner:
        saved_searches(library, whole)
    return whole


def _refined(
    words: str, files: Sequence[FilePart], like: Mapping[UUID, str], *, unlike: str
) -> tuple[str, list[float]]:
    """What it should not be like, and how much each part counts.

    The browser draws a popover when it is opened, and shows as value what the page gives as such just then.
    """
    with st.popover("Refine", icon=":material/tune:", type="tertiary"):
        avoid = st.text_input("Not like", unlike, key="not", placeholder="rain", on_change=first_page)
        weights = weighed(
            literal(words),
            {file.content: literal(file.path.name) for file in files},
            {str(segment): literal(name) for segment, name in like.items()},
        )
        st.caption(_HELP)
    return avoid or "", weights


def _chips(asked: Asked, unlike: str) -> None:
    """The tokens of the box and what it should not be like, each with a way out, and hints for what is no token."""
    if asked.tokens or unlike:
        with st.container(key="chips", horizontal=True):
            if unlike:
                _chip(f"not like {unlike}", key="chip-not", drop=_drop_unlike, what=None, help="Take this away")
            for number, token in enumerate(asked.tokens):
                _chip(token.text, key=f"chip-{number}", drop=_drop_token, what=token, help="Take this filter away")
    for hint in asked.hints:
        st.caption(literal(hint))


def _chip(label: str, *, key: str, drop: Callable[[Any], None], what: object, help: str) -> None:
    """A part of the question with a way out: a click calls `drop` with `what`."""
    st.button(
        literal(label), key=key, icon=":material/close:", icon_position="right", on_click=drop, args=(what,), help=help
    )


def _drop_token(token: Token) -> None:
    st.session_state["q"] = without_token(st.session_state["q"], token)
    first_page()


def _drop_unlike(_: object) -> None:
    st.session_state["not"] = ""
    first_page()


def _like(library: Library, *, alone: bool) -> dict[UUID, str]:
    """ "More like this": moments of the library that the cards put into a field nobody sees, each with a way out.

    Args:
        alone: nothing else is asked for.

    Returns:
        What a person calls each of those that are there.
    """
    with st.container(key="unseen"):
        asked = st.text_input("More like", key="like", live=True, on_change=_begin_anew, label_visibility="collapsed")
    segments = segments_of(asked or "")
    if not segments:
        return {}
    records, _ = library.store().fetch(segments)
    names = _names(library, records)
    alone = alone and len(segments) == 1  # then it has no weight
    with st.container(key="liked", horizontal=True):
        for segment in segments:
            called = f"{_more(segment, alone=alone)} like {names.get(segment, 'what is gone')}"
            _chip(called, key=f"like-{segment}", drop=_unlike, what=segment, help="Stop looking for more like this")
    return names


def _more(segment: UUID, *, alone: bool) -> str:
    return "More" if alone or weight_of(str(segment)) > 0 else "Less"


def _names(library: Library, records: Sequence[SegmentRecord]) -> dict[UUID, str]:
    """What a person calls each segment: its file and where in it."""
    files = library.catalogue().files_of({record.content for record in records})
    found: dict[UUID, str] = {}
    for record in records:
        name = Path(files[record.content][0].path).name if record.content in files else "a file that is gone"
        span = record.span
        place = f" at {clock(span.start_s)}" if span.start_s else f" page {span.page}" if span.page else ""
        found[record.id] = name + place
    return found


def _begin_anew() -> None:
    """Another thing to be like is another question; words may be added to it."""
    st.session_state["q"] = ""
    if not segments_of(st.session_state["like"]):  # a file comes next, which the page asks by; see omnia.askBy
        st.session_state["like"] = ""
    forget_files()
    first_page()


def _unlike(segment: UUID) -> None:
    left = [str(one) for one in segments_of(st.session_state["like"]) if one != segment]
    st.session_state["like"] = ",".join(left)
    first_page()
