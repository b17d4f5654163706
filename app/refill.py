"""Refill: what the page shows of a library whose vectors are of another version of its model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from app.escaping import literal, safe
from app.panel import attempt, complain, rescan, work
from data.errors import OmniaError, OutdatedVectorsError
from data.printing import counted

if TYPE_CHECKING:
    from app.wiring import Library
    from data.catalogue import LibrarySummary


@st.fragment(run_every=2)
def refill(library: Library) -> None:
    """What to do about a library of another version's vectors, until it answers again: then all is drawn anew.

    A model that OMNIA_MODEL names answers as soon as anything is filled with it, see `Spaces`.
    """
    try:
        try:
            library.space()
        except OutdatedVectorsError as error:
            _outdated(library, error)
        else:
            st.rerun(scope="app")
    except OmniaError as error:  # a beat is in nobody's `try`
        st.error(literal(str(error)), icon=":material/error:")


def _outdated(library: Library, error: OutdatedVectorsError) -> None:
    st.error(literal(str(error)), icon=":material/error:")
    summary = library.catalogue().summary()
    is_busy = work(library, summary)
    if is_busy:
        st.session_state.pop("lacking", None)
    elif "lacking" not in st.session_state:  # it takes long to tell in a large library
        st.session_state["lacking"] = _lacking(library, summary, error.fingerprint)
    lacking = st.session_state.get("lacking")
    with st.container(horizontal=True):
        st.button(
            "Refill",
            key="refill",
            icon=":material/sync:",
            disabled=is_busy,
            on_click=attempt,
            args=(library, rescan(library, summary)),
            help="Read all folders again with this version's model; when that is done, questions are answered",
        )
        if lacking:
            name, said = lacking
            st.button(
                "Answer without them",
                key="without",
                on_click=attempt,
                args=(library, partial(library.ingests.start, "switch", name, "--force")),
                help="The next ingest that finds the folder takes its files in again",
            )
    if lacking:
        st.html(f'<p class="om-wrong">{safe(said)}</p>')
    complain(library, is_busy=is_busy)


def _lacking(library: Library, summary: LibrarySummary, fingerprint: str) -> tuple[str, str] | None:
    """The model that a refill has begun with, by name, and what it lacks; None where none was begun."""
    away = {root.path: root.offline_reason for root in summary.roots}
    for filling in library.catalogue().fillings():
        if filling.model.fingerprint == fingerprint and filling.missing:
            missing = (
                f"{root.path}{f': it {away[root.path]}' if away.get(root.path) else ''}"
                for root in filling.roots
                if root.missing
            )
            return filling.model.name, f"Refilled but for {counted(filling.missing, 'file')} of {'; '.join(missing)}"
    return None
