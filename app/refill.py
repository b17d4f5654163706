"""Refill: what the page shows of a library whose vectors are of another version of its model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from app.escaping import literal, safe
from app.panel import attempt, complain, known_row, rescan, under_way
from data.errors import OmniaError, OutdatedVectorsError
from data.locks import is_ingesting
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
            _outdated(library, str(error))
        else:
            st.rerun(scope="app")
    except OmniaError as error:  # a beat is in nobody's `try`
        st.error(literal(str(error)), icon=":material/error:")


def _outdated(library: Library, why: str) -> None:
    st.error(literal(why), icon=":material/error:")
    summary = library.catalogue().summary()
    run = under_way(library, summary)
    is_busy = run is not None or library.ingests.is_at_work or is_ingesting(library.settings.home)
    if is_busy:
        share, text = (run.progress.share or 0.0, run.progress.as_text()) if run else (0.0, "At work …")
        st.progress(share, text=text)
        st.session_state.pop("lacking", None)
    elif "lacking" not in st.session_state:  # it takes long to tell in a large library
        st.session_state["lacking"] = _lacking(library, summary)
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


def _lacking(library: Library, summary: LibrarySummary) -> tuple[str, str] | None:
    """The model that a refill has begun with, by name, and what it lacks; None where none was begun."""
    active, away = library.catalogue().active(), {root.path: root.offline_reason for root in summary.roots}
    for filling in library.catalogue().fillings():
        row = known_row(library, filling.model)
        is_newer = active and filling.model.name == active.name and not filling.is_active
        if is_newer and row and row.fingerprint == filling.model.fingerprint and filling.missing:
            missing = (
                f"{root.path}{f': it {away[root.path]}' if away.get(root.path) else ''}"
                for root in filling.roots
                if root.missing
            )
            return filling.model.name, f"Refilled but for {counted(filling.missing, 'file')} of {'; '.join(missing)}"
    return None
