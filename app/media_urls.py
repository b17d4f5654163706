"""Media URLs: where bytes, previews and clips are, as page and API tell; `app/media_route.py` serves them."""

from __future__ import annotations

from pathlib import Path

from app.clips import LEAD_S, MOST_CUT_S

MEDIA = ("/api/media/", "/api/thumb/", "/api/play/", "/api/cut/")  # below which bytes are given, and no JSON

TEXT = "text/plain"
# What a browser may show in place. Anything else (SVG and HTML can carry scripts) is offered as a download.
SHOWN = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",  # the same boxes; browsers refuse video/quicktime and play this
    ".webm": "video/webm",
    ".mkv": "video/webm",  # as above
    ".ogv": "video/ogg",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".pdf": "application/pdf",
    ".txt": TEXT,
    ".md": TEXT,
    ".rst": TEXT,
    ".csv": TEXT,
    ".json": TEXT,
    ".srt": TEXT,
    ".vtt": TEXT,
}


def media_url(file_id: int, *, start_s: float | None = None, end_s: float | None = None) -> str:
    """Where a file's bytes are, as a player wants them: with the moment as a media fragment."""
    url = f"/api/media/{file_id}"
    if start_s is None:
        return url
    return f"{url}#t={start_s:.2f}" + (f",{end_s:.2f}" if end_s is not None else "")


def preview_url(
    file_id: int,
    *,
    version: str,
    start_s: float | None = None,
    page: int | None = None,
    side: int = 640,
    passage: tuple[int, int] | None = None,
) -> str:
    """Where the picture of a moment is, its passage highlighted where it is known.

    Args:
        version: of the file's bytes; browsers keep the picture, and another file may get the number.
    """
    asked = [f"side={side}", f"v={version}"]
    if start_s is not None:
        asked.append(f"t={start_s:.2f}")
    if page is not None:
        asked.append(f"page={page}")
    if page is not None and passage is not None:
        asked.append(f"char_start={passage[0]}&char_end={passage[1]}")
    return f"/api/thumb/{file_id}?" + "&".join(asked)


def clips_url(file_id: int, *, version: str) -> str:
    """Where clips of a file are that every browser plays; `&t=` and `&end=` say which. For the version see above."""
    return f"/api/play/{file_id}?v={version}"


def play_url(file_id: int, *, version: str, start_s: float, end_s: float | None = None) -> str:
    """One of those clips; the fragment makes it start at its moment."""
    end = f"&end={end_s:.2f}" if end_s is not None and end_s > start_s else ""
    return f"{clips_url(file_id, version=version)}&t={start_s:.2f}{end}#t={min(start_s, LEAD_S):.2f}"


def cut_url(
    file_id: int, *, start_s: float | None = None, end_s: float | None = None, page: int | None = None
) -> str | None:
    """Where a moment is as a file of its own; None where it cannot be one. A long one is cut off."""
    if page is not None:
        return f"/api/cut/{file_id}?page={page}"
    if start_s is None or end_s is None or end_s <= start_s:
        return None
    return f"/api/cut/{file_id}?t={start_s:.2f}&end={min(end_s, start_s + MOST_CUT_S):.2f}"


def shown_in_browser(path: str) -> bool:
    """Whether a browser is given the file itself, and not its preview or a clip."""
    return Path(path).suffix.lower() in SHOWN
