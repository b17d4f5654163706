"""The library panel: what the library holds, what is happening to it, what failed, and the buttons to act on that."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import config

from app.binding import is_loopback
from app.escaping import safe
from data.errors import BadSettingsError, OmniaError
from data.locks import is_ingesting
from data.printing import counted
from data.records import FileState, Kind

if TYPE_CHECKING:
    from app.wiring import Library
    from data.catalogue import FailureGroup, Filling, LibraryModel, LibrarySummary, Running
    from embedder.rows import ModelRow

_FAILURES = 20  # on a page of them


def badge(library: Library, summary: LibrarySummary) -> str:
    """What the header says while an ingest runs, as HTML; "" at other times."""
    run = _under_way(library, summary)
    if run is None:
        return ""
    share = run.progress.share
    percent = "" if share is None else f" {share * 100:.0f} %"
    return f'<span class="om-busy" title="{safe(run.progress.as_text())}">ingesting{percent}</span>'


def panel(library: Library, summary: LibrarySummary) -> None:
    """The button that opens the panel, and the panel. To be drawn in a fragment, which its buttons then draw anew."""
    with st.popover("Library", icon=":material/database:", type="tertiary", key="library", on_change="rerun") as shown:
        if not shown.open:
            return
        with st.container(key="panel"):
            is_busy = work(library, summary)
            _stop(library)
            complain(library, is_busy=is_busy)
            _buttons(library, summary, is_busy=is_busy)
            if summary.roots:
                st.html(roots_list(summary) + _counts(summary))
            _failures(library, summary, is_busy=is_busy)
            if summary.roots:
                st.html(_models(library, library.catalogue().fillings()))


def may_add() -> bool:
    """Whether a folder is added on the page: who is elsewhere does not say what is read here."""
    return is_loopback(config.get_option("server.address") or "")


def failures_line(summary: LibrarySummary) -> None:
    """How many files failed, for who has not opened the panel."""
    failed = _failed(summary)
    if failed:
        st.caption(f"{counted(failed, 'file')} could not be read: **Library**, at the top, tells why.")


def roots_list(summary: LibrarySummary) -> str:
    """The ingested folders as HTML, with their files and whether they are away."""
    rows = (
        f"<li><span>{safe(root.path)}</span><b>{root.files:,}</b>"
        + (f"<em>it {safe(root.offline_reason)}</em>" if root.offline_reason else "")
        + "</li>"
        for root in summary.roots
    )
    return f'<ul class="om-roots">{"".join(rows)}</ul>'


def _under_way(library: Library, summary: LibrarySummary) -> Running | None:
    """The crawl that goes on now; one whose ingest was killed does not."""
    return summary.running[-1] if summary.running and is_ingesting(library.settings.home) else None


def work(library: Library, summary: LibrarySummary) -> bool:
    """Whether an ingest is at work, of this page or of a terminal; if so, how far it has come is drawn."""
    run = _under_way(library, summary)
    is_busy = library.ingests.is_at_work or is_ingesting(library.settings.home)
    if run is not None:
        st.progress(run.progress.share or 0.0, text=run.progress.as_text())
        if run.progress.at:
            st.html(f'<p class="om-at"><bdi>{safe(run.progress.at)}</bdi></p>')
    elif is_busy:  # before its first crawl, or after its last
        st.progress(0.0, text="At work …")
    return is_busy


def _stop(library: Library) -> None:
    if library.ingests.is_at_work:  # one that a terminal started is the terminal's to stop
        st.button(
            "Stop",
            key="stop",
            icon=":material/stop_circle:",
            on_click=library.ingests.stop,
            help="What is indexed by now is kept, and the next run goes on from there",
        )


def complain(library: Library, *, is_busy: bool) -> None:
    """How the last run went wrong, or why none was started."""
    if st.session_state.get("was busy") and not is_busy:  # what was refused may start now
        st.session_state["refused"] = ""
    st.session_state["was busy"] = is_busy
    if not is_busy and (complaint := library.ingests.complaint()):
        wished = " om-wished" * complaint.startswith("stopped")
        st.html(f'<p class="om-wrong{wished}">The last run: {safe(complaint)}</p>')
    if refused := st.session_state.get("refused"):
        st.html(f'<p class="om-wrong">{safe(refused)}</p>')


def rescan(library: Library, summary: LibrarySummary) -> Callable[[], None]:
    """What starts an ingest of all roots."""
    return partial(library.ingests.start, "ingest", *(root.path for root in summary.roots))


def _buttons(library: Library, summary: LibrarySummary, *, is_busy: bool) -> None:
    if summary.roots:
        st.button(
            "Look for changes",
            key="look",
            icon=":material/sync:",
            disabled=is_busy,
            on_click=attempt,
            args=(library, rescan(library, summary)),
            help="Read what is new or changed, and forget what is gone",
        )
    if may_add():
        with st.form("add", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Add a folder of this machine", key="folder", placeholder="~/Pictures")
            st.form_submit_button(
                "Add",
                icon=":material/create_new_folder:",
                disabled=is_busy,
                on_click=attempt,
                args=(library, partial(_add, library)),
            )
    if summary.roots:
        st.caption("To forget a folder: `python -m indexer prune FOLDER`")


def _add(library: Library) -> None:
    typed = st.session_state["folder"].strip()
    path = Path(os.path.expanduser(typed))  # which leaves ~nobody as it is
    if not typed or not path.is_absolute() or not path.is_dir():
        raise BadSettingsError(f"{typed!r} is no folder of this machine: give its whole path")
    library.ingests.start("ingest", str(path))
    st.session_state["folder"] = ""


def attempt(library: Library, start: Callable[[], None]) -> None:
    """Start something, or keep why not, until the next try; the second click of a double one starts nothing."""
    if library.ingests.is_at_work:
        return
    st.session_state["refused"] = ""
    try:
        start()
    except OmniaError as error:
        st.session_state["refused"] = f"Not started: {error}"


def _counts(summary: LibrarySummary) -> str:
    """Files by kind and state."""
    states = [state for state in FileState if any(known is state for _, known in summary.counts)]
    if not states:
        return ""
    rows = []
    for kind in (*Kind, None):
        numbers = [summary.counts.get((kind, state), 0) for state in states]
        if any(numbers):
            name = f'<i class="om-icon om-i-{kind.value}"></i> {kind.value}' if kind else "unknown"
            cells = "".join(f"<td>{number:,}</td>" if number else "<td></td>" for number in numbers)
            rows.append(f"<tr><th>{name}</th>{cells}</tr>")
    head = "".join(f"<th>{state.value}</th>" for state in states)
    return f'<table class="om-table"><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def _models(library: Library, fillings: Sequence[Filling]) -> str:
    """Every model: what it is, whether it answers, how far it is filled."""
    return "".join(f'<div class="om-model">{_model(library, one)}</div>' for one in fillings)


def _model(library: Library, filling: Filling) -> str:
    model, row = filling.model, _row(library, filling.model)
    about = f"{row.dim} numbers a vector · {row.licence}" if row else "not known to this version"
    if filling.is_active:
        state = "answers"
    elif filling.missing:
        filled = sum(not root.missing for root in filling.roots)
        state = f"{filled:,} of {len(filling.roots):,} folders filled, {counted(filling.missing, 'file')} missing"
    else:
        state = "nothing is missing"
    held = f"{counted(filling.segments, 'segment')} of {counted(filling.contents, 'content')}"
    return (
        f"<b>{safe(model.name)}</b> <em>{state}</em><span>{held} · {safe(about)}</span>"
        f"<code>{safe(model.fingerprint)}</code>"
    )


@lru_cache(maxsize=32)  # a model in a folder is read in full to be told
def _row(library: Library, model: LibraryModel) -> ModelRow | None:
    try:
        return library.row_of(model.name)
    except OmniaError:
        return None


def _failures(library: Library, summary: LibrarySummary, *, is_busy: bool) -> None:
    failed = _failed(summary)
    if not failed:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="failed"):
        st.markdown(f"**{counted(failed, 'file')} could not be read**")
        st.button(
            "Try again",
            key="retry",
            icon=":material/refresh:",
            disabled=is_busy,
            on_click=attempt,
            args=(library, partial(library.ingests.start, "retry")),
            help="Read all of them once more",
        )
    pages = -(-failed // _FAILURES)
    page = st.pagination(pages, key=f"failures-{pages}") if pages > 1 else 1
    groups = library.catalogue().failure_groups(offset=(page - 1) * _FAILURES, limit=_FAILURES)
    st.html("".join(_group(group) for group in groups))


def _group(group: FailureGroup) -> str:
    hint = f" <em>{safe(group.hint)}</em>" if group.hint else ""
    files = "".join(f"<li>{safe(file.path)} <em>{counted(file.attempts, 'attempt')}</em></li>" for file in group.shown)
    why = f"<b>{safe(group.reason)}</b> · {counted(group.files, 'file')}{hint}"
    return f'<div class="om-failures">{why}<ul>{files}</ul></div>'


def _failed(summary: LibrarySummary) -> int:
    return sum(number for (_, state), number in summary.counts.items() if state is FileState.FAILED)
