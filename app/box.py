"""The box: words and tokens, dropped files, filters and "more like this", as one question."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import streamlit as st

from app.grammar import Asked, Token, understood, without_token
from app.query import NOT_WEIGHT, FilePart, Filters, Part, SegmentPart, TextPart
from data.errors import MediaError
from data.records import Kind

if TYPE_CHECKING:
    from app.wiring import Library

_MARKDOWN = re.compile(r"[\\`*_\[\](){}:$~<>#+|!-]")
_ASKING = "a dog on a beach · rain at night · “the meeting moved to Friday” · kind:video after:2024"
_HELP = (
    "Narrow down with `kind:video`, `in:trips/`, `type:pdf`, `after:2024-05`, `before:2024-06-15`, `longer:30s`, "
    '`shorter:5m`, `evidence:said`, `lang:fr`, `"word for word"` and `-not this`. In recordings: `rain then applause`.'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the box holds.

    Args:
        words: to be marked where they are found.
    """

    parts: tuple[Part, ...]
    then: tuple[TextPart, ...]
    filters: Filters
    words: str


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
            bind="query-params",
            live="400ms",
        )
        files = st.file_uploader(
            "Drop a photo, a sound, a clip or a document",
            key=f"files-{st.session_state.setdefault('turn', 0)}",
            accept_multiple_files=True,
            max_upload_size=library.settings.max_upload_mb,
            label_visibility="collapsed",
        )
        with st.container(key="filters", horizontal=True, vertical_alignment="center"):
            kinds = st.pills(
                "Kinds",
                [kind.value for kind in Kind],
                selection_mode="multi",
                key="kind",
                label_visibility="collapsed",
                bind="query-params",
            )
            with st.popover("Refine", icon=":material/tune:", type="tertiary"):
                avoid = st.text_input("Not like", key="not", placeholder="rain", bind="query-params")
                balance = st.slider(
                    "Words or example?",
                    0,
                    100,
                    50,
                    key="balance",
                    help="Left: the example counts more. Right: the words count more.",
                )
                st.caption(_HELP)
        asked = understood(typed or "", Filters(kinds=frozenset(Kind(kind) for kind in kinds)))
        _chips(asked)
    likeness = _examples(library, files)
    like = _like()
    examples: list[Part] = [*likeness, *([like] if like else [])]
    parts: list[Part] = [*asked.parts(max(balance / 50, 0.02) if examples else 1.0)]
    parts += [_weighted(part, max(2 - balance / 50, 0.02) if asked.words else 1.0) for part in examples]
    if avoid and avoid.strip():
        parts.append(TextPart(avoid, NOT_WEIGHT))
    wished = any(part.weight > 0 for part in parts)
    if asked.tokens and not wished:
        st.info("Type what to look for beside the filters, or drop an example.", icon=":material/filter_alt:")
    return Question(
        parts=tuple(parts) if wished else (),
        then=asked.following,
        filters=asked.filters,
        words=asked.said,
    )


def _chips(asked: Asked) -> None:
    """The tokens of the box, each with a way out, and hints for those that are none."""
    if asked.tokens:
        with st.container(key="chips", horizontal=True):
            for number, token in enumerate(asked.tokens):
                st.button(
                    _plain(token.text),
                    key=f"chip-{number}",
                    icon=":material/close:",
                    icon_position="right",
                    on_click=_drop_token,
                    args=(token,),
                    help="Take this filter away",
                )
    for hint in asked.hints:
        st.caption(_plain(hint))


def _plain(text: str) -> str:
    """Text that a label shows as it is, none of it taken for Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", text)


def _drop_token(token: Token) -> None:
    st.session_state["q"] = without_token(st.session_state["q"], token)


def _weighted(part: Part, weight: float) -> Part:
    if isinstance(part, FilePart):
        return FilePart(part.path, weight, part.content)
    return SegmentPart(part.id, weight) if isinstance(part, SegmentPart) else part


def _examples(library: Library, files: Sequence[Any]) -> list[Part]:
    """The dropped files, each read and embedded once; their bytes are on disk only while they are read."""
    contents: dict[str, str] = st.session_state.setdefault("contents", {})
    parts: list[Part] = []
    for file in files or ():
        searching = service(library)
        content = contents.get(file.file_id)
        if content is None or not searching.knows(content):
            with (
                st.spinner(f"Looking at {file.name} …"),
                tempfile.TemporaryDirectory(prefix="omnia-") as folder,
            ):
                path = Path(folder) / (Path(file.name).name or "example")
                path.write_bytes(file.getbuffer())
                try:
                    content = contents[file.file_id] = searching.learn(path)
                except MediaError as error:
                    hint = f" ({error.hint})" if error.hint else ""
                    st.warning(f"{file.name}: {error.reason}{hint}", icon=":material/broken_image:")
                    continue
        parts.append(FilePart(Path(file.name), content=content))
    return parts


def _like() -> SegmentPart | None:
    """ "More like this", as the URL holds it, with a way out."""
    asked = st.query_params.get("like")
    if not asked:
        return None
    try:
        part = SegmentPart(UUID(asked))
    except ValueError:
        del st.query_params["like"]
        return None
    name = st.query_params.get("of", "")
    st.button(
        f"More like {Path(name).name}" if name else "More like one result",
        icon=":material/close:",
        icon_position="right",
        key="unlike",
        on_click=_forget_like,
        help="Stop looking for more like this",
    )
    return part


def _forget_like() -> None:
    for key in ("like", "of"):
        if key in st.query_params:
            del st.query_params[key]


def set_like(segment: str, path: str) -> None:
    st.query_params["like"] = segment
    st.query_params["of"] = Path(path).name
    st.session_state["q"] = ""
    st.session_state["turn"] += 1  # an empty drop zone
    st.session_state.pop("shown", None)


def service(library: Library) -> Any:
    """The search service; the first question, and the first after a switch, waits for the model."""
    made = library.service.made
    if made:
        return made
    with st.spinner("Waking the model, once …"):
        return library.service()
