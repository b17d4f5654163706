"""Saved searches: kept under a name, each with how many results are new since it was last looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from app.address import asking
from app.asking import Question, answered, asked_by
from app.escaping import literal, safe
from app.examples import service
from app.query import FilePart
from app.results import Band, Result
from data.errors import OmniaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.wiring import Library
    from data.records import SavedSearch

_LOOKED_AT = 100  # results among which new ones are counted
_LONGEST_NAME = 100
_DIGITS = 9  # of a search's number: no database takes very large ones


def saved_searches(library: Library, asked: Question) -> None:
    """A popover with the saved searches, which also saves what is asked now."""
    popover = st.popover("Saved", icon=":material/bookmark:", type="tertiary", on_change="rerun", key="saved")
    if not popover.open:
        return
    with popover:
        if asked.parts or asked.is_browsed:
            _save(library, asked)
        kept = library.catalogue().searches()
        if not kept:
            st.caption("Nothing is saved yet. Ask for something, and save it here to see later what is new.")
        for search in kept:
            with st.container(horizontal=True, vertical_alignment="center", key=f"search-{search.id}"):
                st.html(_link(search, _new(library, search)))
                st.button(
                    f"Forget {literal(search.name)}",  # for screen readers; the style sheet hides it
                    key=f"forget-{search.id}",
                    icon=":material/delete:",
                    type="tertiary",
                    help="Forget this search",
                    on_click=library.catalogue().drop_search,
                    args=(search.name,),
                )


def _save(library: Library, asked: Question) -> None:
    if any(isinstance(part, FilePart) for part in asked.parts):
        st.caption("A dropped file is not kept. Where the library has it, take “More like this” of it and save that.")
        return
    with st.form("save", border=False, clear_on_submit=True):
        name = st.text_input(
            "Save this search as", value=(asked.words or st.session_state["q"])[:_LONGEST_NAME], max_chars=_LONGEST_NAME
        )
        if st.form_submit_button("Save", icon=":material/bookmark_add:") and name and name.strip():
            library.catalogue().keep_search(name.strip(), urlencode(asking(), doseq=True))


def looked_at(library: Library) -> SavedSearch | None:
    """The saved search that the page was opened with, as it was before; it counts as looked at from now on."""
    number = st.query_params.get("saved")
    if number is not None:
        del st.query_params["saved"]
        is_number = number.isdecimal() and len(number) <= _DIGITS
        st.session_state["opened"] = library.catalogue().look_at(int(number)) if is_number else None
    opened: SavedSearch | None = st.session_state.get("opened")
    return opened


def new_contents(library: Library, results: Sequence[Result], *, since_s: float) -> set[str]:
    """Which results were indexed after a moment (seconds since the epoch)."""
    fingerprint = library.space().model.fingerprint
    return library.catalogue().indexed_after([one.content for one in results], fingerprint, moment_s=since_s)


def _new(library: Library, search: SavedSearch) -> int:
    """How many likely results are new; 0 for a search that cannot be asked any more."""
    asked = asked_by(search.address)
    if asked.parts:
        service(library)
    try:
        results = answered(library, asked, limit=_LOOKED_AT).results
    except OmniaError:  # it is said where the search is opened
        return 0
    likely = [one for one in results if one.band is not Band.WEAK or asked.is_browsed]
    return len(new_contents(library, likely, since_s=search.seen_s))


def _link(search: SavedSearch, new: int) -> str:
    more = f'<b class="om-new">{new} new</b>' if new else ""
    address = f"/?{search.address}&saved={search.id}"
    return f'<a class="om-saved" href="{safe(address)}" target="_self">{safe(search.name)}{more}</a>'
