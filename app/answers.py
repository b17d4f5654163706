"""Answers: what was found, as a grid, a list or a lane for each kind, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from app.asking import VIEWS, Question, answered
from app.cards import card
from app.escaping import literal
from app.examples import service
from app.export import as_csv, as_json
from app.lanes import lanes, parted
from app.query import Query
from app.results import Answer, Result
from app.saved import looked_at, new_contents
from app.thumbs import Bench
from app.verdicts import as_question, reranked
from data.printing import counted

if TYPE_CHECKING:
    from app.wiring import Library

_PAGE = 24  # results
_MOST_PAGES = 20
_IN_A_LANE = 12
_EXPORTED = 500
_VIEW = "last view"  # in the session, which forgets a widget's value as soon as it is not drawn
_ICONS = dict(zip(VIEWS, (":material/grid_view:", ":material/view_list:", ":material/view_agenda:"), strict=True))


def answers(library: Library, asked: Question) -> bool:
    """Draw what a question finds; False where that is nothing."""
    bench = Bench(library.catalogue(), as_question(asked.query(limit=1)))
    query = reranked(asked.query(limit=_EXPORTED), bench.verdicts)
    bar = st.container(key="bar", horizontal=True, vertical_alignment="center")
    view = st.session_state.setdefault("view", st.session_state.get(_VIEW, VIEWS[0]))
    draw = _lanes if view == "lanes" else _best
    told = draw(library, query, words=asked.words, bench=bench)
    if not told:
        return False
    with bar:
        st.html(f'<p class="om-took">{told}</p>')
        bench.undo()
        _export(lambda: library.service().search(query))
        st.session_state[_VIEW] = st.segmented_control(
            "View",
            VIEWS,
            required=True,
            format_func=lambda view: f"{_ICONS[view]} {view}",
            key="view",
            label_visibility="collapsed",
        )
    return True


def browsed(library: Library, asked: Question) -> bool:
    """Draw the files that filters alone leave, those first that changed last; False where there are none."""
    wanted = _wanted_page()
    answer = answered(library, asked, limit=wanted * _PAGE + 1)
    _tell(answer.hints)
    if results := answer.results:
        number, shown = _page_of(results, wanted)
        with st.container(key="bar", horizontal=True, vertical_alignment="center"):
            st.html('<p class="om-took">The newest first. Add words, or an example, to look closer.</p>')
            _export(lambda: answered(library, asked, limit=_EXPORTED))
        cards(shown, key="grid-newest", new=_new_among(library, shown))
        _pages(number, len(results))
    return bool(results)


def cards(
    results: Sequence[Result],
    words: str = "",
    *,
    key: str,
    bench: Bench | None = None,
    new: Collection[str] = (),
) -> None:
    """Draw results.

    Args:
        key: begins with the view, which the style sheet goes by.
        new: contents that are marked so.
    """
    with st.container(key=f"view-{key}"):
        for number, result in enumerate(results):
            with st.container(key=f"card-{key}-{number}"):
                right = bench is not None and result.content in bench.right
                st.html(card(result, words=words, new=result.content in new, right=right))
                if bench is not None:
                    with st.container(key=f"acts-{key}-{number}", horizontal=True, vertical_alignment="center"):
                        bench.thumbs(result, key=f"{key}-{number}")


def _best(library: Library, query: Query, *, words: str, bench: Bench) -> str:
    """A page of results, best first; where some are worth a look, the others are folded away but for the nearest of
    kinds that these lack. Gives what to say of them.
    """
    view, wanted = st.session_state["view"], _wanted_page()
    answer = service(library).search(replace(query, limit=wanted * _PAGE + 1))
    _tell(answer.hints)
    if not answer.results:
        return ""
    number, shown = _page_of(answer.results, wanted)
    parts = parted(answer.results, right=bench.right, wrong=query.wrong)
    on_page = {result.content for result in shown}
    likely, nearest, weak = ([one for one in part if one.content in on_page] for part in parts)
    new = _new_among(library, shown)
    cards(likely, words, key=f"{view}-results", bench=bench, new=new)
    if nearest:
        st.html('<h2 class="om-nearest">The nearest besides</h2>')
        cards(nearest, words, key=f"{view}-nearest", bench=bench, new=new)
    if weak:
        folded = counted(len(weak), "weaker result")
        with st.expander(folded, key=f"weak-{number}-{bench.key}") if likely else st.container():
            cards(weak, words, key=f"{view}-weak", bench=bench, new=new)
    _pages(number, len(answer.results))
    found = len(parts[0])
    if found and not likely:
        count = f"Weaker results, page {number}"
    elif found > number * _PAGE:
        count = f"More than {number * _PAGE} results"
    else:
        count = counted(found, "result") if found else "Nothing stands out; the nearest are below"
    count += " and the nearest besides" * bool(nearest)
    cut = " · only the beginning of the example was used" if answer.cut else ""
    return f"{count} · {answer.embed_ms + answer.search_ms:,.0f} ms{cut}"


def _lanes(library: Library, query: Query, *, words: str, bench: Bench) -> str:
    """The best of each kind beside each other: none drowns another; gives what to say of them."""
    answer, found = lanes(service(library).search, query, each=_IN_A_LANE)
    _tell(answer.hints)
    for kind, results in found.items():
        if results:
            st.html(f'<h3 class="om-lane"><i class="om-icon om-i-{kind.value}"></i>{kind.value}</h3>')
            cards(results, words, key=f"lanes-{kind.value}", bench=bench)
    return "The best of each kind" if any(found.values()) else ""


def _new_among(library: Library, shown: Sequence[Result]) -> set[str]:
    """The contents that are new since the saved search was last looked at which the page was opened with."""
    opened = looked_at(library)
    return new_contents(library, shown, since_s=opened.seen_s) if opened else set()


def _tell(hints: Iterable[str]) -> None:
    for hint in hints:
        st.caption(literal(hint))


def _export(found: Callable[[], Answer]) -> None:
    """What was found, for other programs; asked once more when it is wanted."""
    with st.popover("Export", icon=":material/ios_share:", type="tertiary"):
        st.html('<button class="om-paths">Copy the paths on this page</button>')
        for label, name, mime, data in (
            ("CSV, a row for each moment", "omnia.csv", "text/csv", lambda: as_csv(found().results)),
            ("JSON", "omnia.json", "application/json", lambda: as_json(found())),
        ):
            st.download_button(label, data, file_name=name, mime=mime, on_click="ignore", type="tertiary")


def _wanted_page() -> int:
    page: int = st.session_state.get("page", 1)
    return min(max(page, 1), _MOST_PAGES)


def _page_of(results: Sequence[Result], wanted: int) -> tuple[int, Sequence[Result]]:
    """The number of the wanted page, or of the last one there is, and what is on it."""
    number = min(wanted, -(-len(results) // _PAGE))
    return number, results[(number - 1) * _PAGE : number * _PAGE]


def _pages(number: int, found: int) -> None:
    """The pages there are, as far as it is known."""
    pages = min(-(-found // _PAGE), _MOST_PAGES)
    if pages > 1:
        key = f"page-{number}"
        with st.container(key="pages", horizontal_alignment="center"):
            st.pagination(pages, default=number, key=key, width="stretch", on_change=_turn_to, args=(key,))


def _turn_to(key: str) -> None:
    st.session_state["page"] = st.session_state[key]
