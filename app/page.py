"""The page: one box for words, a drop zone for any file, and the things that match."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app.box import Question, question, service, set_like
from app.cards import card
from app.files import glimpse
from app.panel import badge, failures_line, panel
from app.query import Query
from app.thumbs import Bench
from app.verdicts import as_question, reranked
from data.errors import OmniaError
from data.records import FileState, Kind

if TYPE_CHECKING:
    from app.results import Answer, Result
    from app.wiring import Library
    from data.catalogue import LibrarySummary

_HERE = Path(__file__).parent
_PAGE_SIZE = 24
_LIKELY = 0.15  # of relevance: results below it are folded away
_GLIMPSE = 9  # files shown before anything is asked


def render(library: Library) -> None:
    """Draw the page once, for the state that the browser's widgets and its URL hold."""
    st.set_page_config(page_title="Omnia", page_icon=str(_HERE / "icon.svg"), layout="wide")
    st.html(_HERE / "page.css")
    try:
        _counts(library)
        asked = question(library)
        if asked.parts:
            _answers(library, asked)
        else:
            _welcome(library)
    except OmniaError as error:
        st.error(str(error), icon=":material/error:")
    st.html(f"<script>{(_HERE / 'page.js').read_text()}</script>", unsafe_allow_javascript=True)


@st.fragment(run_every=2)
def _counts(library: Library) -> None:
    """The header; it counts on while another process ingests."""
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
        st.html(_header(f"{badge(library, summary)}<b>{total:,} file{'s' if total != 1 else ''}</b>{kinds}"))
        panel(library, summary)


def _header(counts: str) -> str:
    brand = '<a class="om-brand" href="/" target="_self">omnia</a>'
    return f'<header class="om-header">{brand}<div class="om-counts">{counts}</div></header>'


def _answers(library: Library, asked: Question) -> None:
    shown = st.session_state.setdefault("shown", _PAGE_SIZE)
    query = Query(parts=asked.parts, then=asked.then, filters=asked.filters, limit=shown)
    bench = Bench(library.catalogue(), as_question(query))
    answer = service(library).search(reranked(query, bench.verdicts))
    if not answer.results:
        _nothing(library)
        return
    likely = [result for result in answer.results if result.score >= _LIKELY]
    far = answer.results[len(likely) :]
    st.html(_summary_line(answer, len(likely)))
    _cards(likely, asked.words, key="results", bench=bench)
    if far:
        with st.expander(f"{len(far)} further away", expanded=not likely):
            _cards(far, asked.words, key="far", bench=bench)
    if len(answer.results) == shown:
        with st.container(key="more", horizontal=True, horizontal_alignment="center"):
            st.button("Show more", on_click=_show_more)


def _cards(results: Sequence[Result], words: str = "", *, key: str, bench: Bench | None = None) -> None:
    with st.container(key=f"grid-{key}"):
        for number, result in enumerate(results):
            with st.container(key=f"card-{key}-{number}"):
                st.html(card(result, words=words))
                with st.container(key=f"acts-{key}-{number}", horizontal=True, vertical_alignment="center"):
                    st.button(
                        "More like this",
                        key=f"like-{key}-{number}",
                        icon=":material/auto_awesome_motion:",
                        type="tertiary",
                        on_click=set_like,
                        args=(str(result.moments[0].segment), result.path),
                    )
                    if bench is not None:
                        bench.thumbs(result, key=f"{key}-{number}")


def _show_more() -> None:
    st.session_state["shown"] += _PAGE_SIZE


def _summary_line(answer: Answer, likely: int) -> str:
    cut = " · only the beginning of the example was used" if answer.cut else ""
    said = f"{likely} result{'s' if likely != 1 else ''}" if likely else "Nothing stands out; the nearest are below"
    return f'<p class="om-took">{said} · {answer.embed_ms + answer.search_ms:,.0f} ms{cut}</p>'


def _nothing(library: Library) -> None:
    if sum(_indexed(library.catalogue().summary()).values()):
        why = library.why_nothing()
        st.info(why[0].upper() + why[1:] + ".", icon=":material/search_off:")
    else:
        _welcome(library)


def _welcome(library: Library) -> None:
    summary = library.catalogue().summary()
    if not sum(_indexed(summary).values()):
        st.html(
            '<section class="om-welcome"><h2>Nothing here yet</h2>'
            "<p>Fill the library with a folder of yours. It is read, never changed, and nothing leaves this "
            "machine.</p></section>"
        )
        st.code("python -m indexer ingest ~/Pictures", language="bash")
        return
    roots = "".join(
        f"<li><span>{escape(root.path)}</span><b>{root.files:,}</b>"
        + (f"<em>{escape(root.offline_reason)}</em>" if root.offline_reason else "")
        + "</li>"
        for root in summary.roots
    )
    st.html(
        '<section class="om-welcome"><h2>Find anything by anything</h2>'
        "<p>Type what you remember of it. Or drop a photo, a hummed tune, a clip or a page: anything of your files "
        "that looks, sounds or reads like it comes up, at the moment where it does. Both together work too.</p>"
        f'<ul class="om-roots">{roots}</ul></section>'
    )
    space = library.space()
    shown = glimpse(space.store(), library.catalogue(), fingerprint=space.model.fingerprint, count=_GLIMPSE)
    _cards(shown, key="glimpse")
    failures_line(summary)


def _indexed(summary: LibrarySummary) -> dict[Kind, int]:
    return {kind: summary.counts.get((kind, FileState.INDEXED), 0) for kind in Kind}
