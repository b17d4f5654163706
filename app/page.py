"""The page: one box for words, a drop zone for any file, and the things that match."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import streamlit as st

from app import address
from app.answers import answers, browsed, cards
from app.box import question
from app.escaping import literal
from app.files import glimpse
from app.panel import badge, failures_line, may_add, panel, roots_list
from app.refill import refill
from app.wiring import first_page
from data.errors import OmniaError, OutdatedVectorsError, fault
from data.printing import counted
from data.records import FileState, Kind

if TYPE_CHECKING:
    from app.asking import Question
    from app.wiring import Library
    from data.catalogue import LibrarySummary

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "keys.js", "part.js")
_DRAWN = "drawn"  # in the session: files that were there when the whole page was drawn
_GLIMPSE = 9  # files shown before anything is asked


def render(library: Library) -> None:
    """Draw the page once, for the state that the browser's widgets and its URL hold."""
    st.set_page_config(page_title="Omnia", layout="wide")  # of an icon, numpy and Pillow are asked: .1 s at the start
    st.html(_HERE / "page.css")
    icon = f"data:image/svg+xml,{quote((_HERE / 'icon.svg').read_text())}"
    set_icon = f"""for (const link of document.querySelectorAll('link[rel~="icon"]')) link.href = "{icon}";"""
    scripts = "\n".join([set_icon, *((_HERE / name).read_text() for name in _SCRIPTS)])
    st.html(f"<script>{scripts}</script>", unsafe_allow_javascript=True)
    address.restore()
    st.session_state.pop(_DRAWN, None)
    try:
        with st.container():  # see `_counts`
            _counts(library)
        asked = question(library)
        address.keep()
        if asked.is_empty:
            _welcome(library)
        elif not asked.parts and not asked.is_browsed:
            st.info("Type what to look for besides, or drop an example.", icon=":material/filter_alt:")
        else:
            found = answers(library, asked) if asked.parts else browsed(library, asked)
            if not found:
                _nothing(library, asked)
    except OutdatedVectorsError:
        with st.container():  # see `_counts`
            refill(library)
    except OmniaError as error:
        st.error(literal(str(error)), icon=":material/error:")
    first_page.set()


def say_fault(error: Exception) -> bool:
    """Say on the page, in one line, what should not have happened; Streamlit says no more of it then."""
    log.error("a fault of the page", exc_info=error)
    st.error(literal(fault(error)), icon=":material/error:")
    return True


@st.fragment(run_every=2)
def _counts(library: Library) -> None:
    """The header; it counts on while another process ingests.

    A beat that follows a whole drawing at once may take away what that drawing put here, and put its own where it was:
    in a container of its own, or else over what came next, which was the box.
    """
    try:
        summary = library.catalogue().summary()
    except OmniaError:  # said in full below, by the part of the page that cannot go on
        st.html(_header("the library cannot be read"))
        return
    numbers = _indexed(summary)
    total = sum(numbers.values())
    kinds = "".join(
        f'<span title="{number} {kind.value}"><i class="om-icon om-i-{kind.value}"></i>{number:,}</span>'
        for kind, number in numbers.items()
        if number
    )
    with st.container(key="header", horizontal=True, vertical_alignment="center"):
        st.html(_header(f"{badge(library, summary)}<b>{counted(total, 'file')}</b>{kinds}"))
        _look_again(total)
        panel(library, summary)


def _look_again(total: int) -> None:
    """Draw all anew once the first files are there; after that only when it is wished: cards must not jump."""
    drawn = st.session_state.setdefault(_DRAWN, total)
    if drawn == total:
        return
    wished = drawn and st.button(
        "Refresh",
        key="again",
        icon=":material/refresh:",
        type="tertiary",
        help="The library has changed since this was drawn",
    )
    if wished or not drawn:
        st.rerun(scope="app")


def _header(counts: str) -> str:
    brand = '<a class="om-brand" href="/" target="_self">omnia</a>'
    return f'<header class="om-header">{brand}<div class="om-counts">{counts}</div></header>'


def _nothing(library: Library, asked: Question) -> None:
    if sum(_indexed(library.catalogue().summary()).values()):
        why = library.why_nothing(asked.filters)
        st.info(literal(f"{why[0].upper()}{why[1:]}."), icon=":material/search_off:")
    else:
        _welcome(library)


def _welcome(library: Library) -> None:
    summary = library.catalogue().summary()
    if not sum(_indexed(summary).values()):
        how = "Open <b>Library</b>, at the top, and add a folder; or, in a terminal:" if may_add() else "In a terminal:"
        st.html(
            '<section class="om-welcome"><h2>Nothing here yet</h2>'
            "<p>Fill the library with a folder of yours. It is read, never changed, and nothing leaves this "
            f"machine.</p><p>{how}</p></section>"
        )
        st.code("python -m indexer ingest ~/Pictures", language="bash")
        return
    st.html(
        '<section class="om-welcome"><h2>Find anything by anything</h2>'
        "<p>Type what you remember of it. Or drop a photo, a hummed tune, a clip or a page: anything of your files "
        "that looks, sounds or reads like it comes up, at the moment where it does. Both together work too.</p>"
        f"{roots_list(summary)}</section>"
    )
    space = library.space()
    shown = glimpse(library.catalogue(), space.store.made, fingerprint=space.model.fingerprint, count=_GLIMPSE)
    cards(shown, key="grid-glimpse")
    failures_line(summary)


def _indexed(summary: LibrarySummary) -> dict[Kind, int]:
    return {kind: summary.counts.get((kind, FileState.INDEXED), 0) for kind in Kind}
