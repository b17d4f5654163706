"""Examples: files that were dropped or recorded, each read and embedded once, as parts of a question."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.escaping import harmless_name, literal
from app.query import FilePart
from data.errors import MediaError

if TYPE_CHECKING:
    from app.search import SearchService
    from app.wiring import Library


def dropped(most_mb: int) -> Sequence[Any]:
    """The drop zone, and what lies in it."""
    found = st.file_uploader(
        "Drop a photo, a sound, a clip or a document",
        key=f"files-{_turn()}",
        accept_multiple_files=True,
        max_upload_size=most_mb,
        label_visibility="collapsed",
        on_change=first_page,
    )
    return found or ()


def recorded() -> Sequence[Any]:
    """The microphone, and what it heard."""
    with st.popover("Hum, play or say it", icon=":material/mic:", type="tertiary"):
        found = st.audio_input(
            "Find what sounds like this, or where it is said",
            key=f"recording-{_turn()}",
            on_change=first_page,
        )
    return [found] if found else []


def forget_files() -> None:
    """An empty drop zone and no recording, from the next run on."""
    st.session_state["turn"] = time.time_ns()


def _turn() -> int:
    """Which drop zone this is; a browser goes on showing what it gave to an earlier session under the same name."""
    turn: int = st.session_state.setdefault("turn", time.time_ns())
    return turn


def first_page() -> None:
    """Another question is read from its first page on."""
    st.session_state["page"] = 1


def file_parts(library: Library, files: Sequence[Any]) -> list[FilePart]:
    """Files as examples; their bytes are on disk only while they are read. One that cannot be read is said."""
    contents: dict[str, str] = st.session_state.setdefault("contents", {})
    parts: list[FilePart] = []
    for file in files:
        searching = service(library)
        content = contents.get(file.file_id)
        if content is None or not searching.knows(content):
            with (
                st.spinner(literal(f"Looking at {file.name} …")),
                tempfile.TemporaryDirectory(prefix="omnia-") as folder,
            ):
                path = Path(folder) / harmless_name(file.name)
                path.write_bytes(file.getbuffer())
                try:
                    content = contents[file.file_id] = searching.learn(path)
                except MediaError as error:
                    hint = f" ({error.hint})" if error.hint else ""
                    st.warning(literal(f"{file.name}: {error.reason}{hint}"), icon=":material/broken_image:")
                    continue
        parts.append(FilePart(Path(file.name), content=content))
    return parts


def service(library: Library) -> SearchService:
    """The search service; the first question, and the first after a switch, waits for the model."""
    made = library.service.made
    if made:
        return made
    with st.spinner("Waking the model, once …"):
        return library.service()
