"""Cards: one result as HTML, showing the thing itself. Everything from outside is escaped here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from app.clips import LEAD_S
from app.escaping import safe as _safe
from app.excerpt import excerpt, word_spans
from app.media_urls import clips_url, cut_url, media_url, play_url, preview_url, shown_in_browser
from app.results import Moment, Result
from app.table import clock
from data.printing import printable
from data.records import Evidence, Kind

_GAPS = re.compile(r"\s*\n\s*")
_MOST_SHOWN_CHARACTERS = 420
_ALL_OF_IT = 95  # per cent of a recording: a moment of that length needs no timeline
_PLAYED = (Kind.VIDEO, Kind.AUDIO)
_NEW = '<b class="om-new">new</b>'
_BRIEF = 130  # characters that may be set larger


def card(result: Result, *, words: str = "", new: bool = False, right: bool = False) -> str:
    """The HTML of a result; one whose score is 0 was not asked for and shows neither a score nor moments.

    Args:
        words: of the query; marked where a snippet, or the name, holds them.
        new: since a saved search was last looked at.
        right: somebody said so.
    """
    name = Path(result.path).name
    return (
        f'<article class="om-card om-{result.kind.value}" tabindex="0" aria-label="{_safe(name)}" '
        f'data-path="{_safe(printable(result.path))}" '
        f'data-segment="{result.moments[0].segment}">'
        f"{_SHOWN_AS[result.kind](result, words)}"
        '<div class="om-body">'
        f'<div class="om-title"><span class="om-icon om-i-{result.kind.value}"></span>'
        f'<span class="om-name" role="heading" aria-level="2" title="{_safe(result.path)}">{marked(name, words)}</span>'
        f"{_NEW * new}{_score(result, right=right)}{_pick(name)}</div>"
        f"{_place(result)}{_moments(result, words) * (result.score > 0)}"
        f'<button class="om-more" data-like="{result.moments[0].segment}">More like this</button></div></article>'
    )


def marked(text: str, words: str) -> str:
    """`text` as HTML with the query's words marked."""
    html, end = [], 0
    for first, last in word_spans(text, words):
        html += [_safe(text[end:first]), f"<mark>{_safe(text[first:last])}</mark>"]
        end = last
    return "".join([*html, _safe(text[end:])])


def _pick(name: str) -> str:
    return (
        f'<button class="om-pick" aria-label="Mark {_safe(name)}" aria-pressed="false" '
        'title="Mark, to take several together"></button>'
    )


def _image(result: Result, _words: str) -> str:
    moving = result.path.lower().endswith((".gif", ".webp"))
    source = media_url(result.id) if moving else preview_url(result.id, version=result.version)
    return _picture(result, source)


def _video(result: Result, _words: str) -> str:
    start_s = _start(result)
    poster = preview_url(result.id, version=result.version, start_s=start_s or 0.0)
    name = _safe(Path(result.path).name)
    return (
        f'<div class="om-media"><video controls playsinline preload="none" poster="{_safe(poster)}" '
        f'aria-label="{name}" {_source(result)}></video>'
        f'<button class="om-frame" data-frame aria-label="Enlarge this frame of {name}" '
        'title="Enlarge this frame, or search by a part of it">frame</button></div>'
        f"{_timeline(result)}"
    )


def _audio(result: Result, words: str) -> str:
    moment = result.moments[0]
    said = f"<q>{_shortened(moment.snippet, words)}</q>" if moment.snippet else '<span class="om-wave"></span>'
    preload = "metadata" if shown_in_browser(result.path) else "none"  # a clip is made when it is to be heard
    name = _safe(Path(result.path).name)
    player = f'<audio controls preload="{preload}" aria-label="{name}" {_source(result)}></audio>'
    return f'<div class="om-media om-sound"><div class="om-said">{said}</div>{player}</div>{_timeline(result)}'


def _source(result: Result) -> str:
    """What a player plays, the file or, where no browser plays such files, a clip; and where further clips are."""
    moment = next((moment for moment in result.moments if moment.start_s is not None), result.moments[0])
    start_s, end_s = moment.start_s or 0.0, moment.end_s
    if shown_in_browser(result.path):
        source = f'src="{_safe(media_url(result.id, start_s=moment.start_s))}"'
    else:
        clip = play_url(result.id, version=result.version, start_s=start_s, end_s=end_s)
        source = f'src="{_safe(clip)}" data-begin="{max(0.0, start_s - LEAD_S):.2f}"'
    clips = _safe(clips_url(result.id, version=result.version))
    return f'{source} data-play="{clips}" data-lead="{LEAD_S:g}" {_seek(start_s, end_s)}'


def _seek(start_s: float, end_s: float | None) -> str:
    """The moment to play from, as page.js reads it."""
    end = f' data-end="{end_s:.2f}"' if end_s is not None and end_s > start_s else ""
    return f'data-seek="{start_s:.2f}"{end}'


def _timeline(result: Result) -> str:
    """The whole recording as a line with its moments on it, each a way to play from there."""
    if not result.duration_s:
        return ""
    marks = []
    for moment in result.moments:
        if moment.start_s is None or moment.start_s >= result.duration_s:
            continue
        end_s = min(moment.end_s or moment.start_s, result.duration_s)
        left, width = (100 * part / result.duration_s for part in (moment.start_s, end_s - moment.start_s))
        if width > _ALL_OF_IT:
            continue
        marks.append(
            f'<button class="om-mark om-{moment.evidence.value}" {_seek(moment.start_s, moment.end_s)} '
            f'style="left:{left:.2f}%;width:{width:.2f}%;opacity:{0.35 + 0.65 * moment.score:.2f}" '
            f'title="{_VERBS[moment.evidence]} {clock(moment.start_s)}, play from here"></button>'
        )
    return f'<div class="om-timeline" title="{clock(result.duration_s)} long">{"".join(marks)}</div>' if marks else ""


def _document(result: Result, words: str) -> str:
    moment = result.moments[0]
    if _is_passage(result):
        return _text(result, words)
    return _picture(
        result, preview_url(result.id, version=result.version, page=moment.page or 1, passage=moment.passage)
    )


def _text(result: Result, words: str) -> str:
    snippet = result.moments[0].snippet or Path(result.path).stem
    brief = " om-brief" if len(snippet) < _BRIEF else ""
    return f'<div class="om-media om-passage{brief}"><p>{_shortened(snippet, words)}</p></div>'


_SHOWN_AS: Mapping[Kind, Callable[[Result, str], str]] = {
    Kind.IMAGE: _image,
    Kind.VIDEO: _video,
    Kind.AUDIO: _audio,
    Kind.DOCUMENT: _document,
    Kind.TEXT: _text,
}


def _picture(result: Result, source: str) -> str:
    whole, name = source.replace("side=640", "side=2048"), _safe(Path(result.path).name)
    return (
        f'<div class="om-media"><button class="om-zoom" data-full="{_safe(whole)}" aria-label="Enlarge {name}">'
        f'<img loading="lazy" src="{_safe(source)}" alt="{name}"></button></div>'
    )


def _score(result: Result, *, right: bool) -> str:
    """Its band; what is known needs no estimate."""
    if result.same or right:
        return f'<b class="om-sure">{"the same file" if result.same else "right"}</b>'
    if result.score == 0:
        return ""
    percent = f"{result.score * 100:.0f}"
    return (
        f'<span class="om-score om-{result.band}" data-percent="{percent}" '
        f'title="{percent} % likely to be what you asked for, by an estimate">'
        f'<i style="width:{percent}%"></i><b>{result.band}</b></span>'
    )


def _place(result: Result) -> str:
    folder, path = _safe(_folder(result)), _safe(printable(result.path))
    copies = "".join(f"<li>{_safe(path)}</li>" for path in result.other_paths)
    more = f"<details><summary>+{len(result.other_paths)} more</summary><ul>{copies}</ul></details>" if copies else ""
    return (
        f'<div class="om-place"><button class="om-copy" data-copy="{path}" title="Copy {path}">'
        f"<bdi>{folder}</bdi></button>"
        f'<a class="om-open" href="{media_url(result.id)}" target="_blank" title="Open the file">open</a>'
        f"{more}</div>"
    )


def _folder(result: Result) -> str:
    """The file's folder, from the name of the ingested root on."""
    folder, root = Path(result.path).parent, Path(result.root)
    return str(folder.relative_to(root.parent)) if folder.is_relative_to(root) else str(folder)


def _moments(result: Result, words: str) -> str:
    rows = []
    for number, moment in enumerate(result.moments):
        is_above = number == 0 and (result.kind in (Kind.TEXT, Kind.AUDIO) or _is_passage(result))
        snippet = "" if is_above else _shortened(moment.snippet, words, most=140)
        said = f'<span class="om-snippet">{snippet}</span>' if snippet else ""
        rows.append(
            f'<li><span class="om-evidence om-{moment.evidence.value}">{_VERBS[moment.evidence]}</span>'
            f"{_spot(result, moment)}{_cut(result, moment)}{_likewise(moment) if len(result.moments) > 1 else ''}"
            f"{said}</li>"
        )
    return f'<ul class="om-moments">{"".join(rows)}</ul>'


_VERBS: Mapping[Evidence, str] = {
    Evidence.SEEN: "seen",
    Evidence.HEARD: "heard",
    Evidence.SAID: "said",
    Evidence.WRITTEN: "written",
}


def _spot(result: Result, moment: Moment) -> str:
    """Where the moment is, and a way there if there is one: subtitles alone do not play, slides are not drawn."""
    if moment.start_s is not None:
        end = f"–{clock(moment.end_s)}" if moment.end_s and moment.end_s - moment.start_s >= 1 else ""
        time = f"{clock(moment.start_s)}{end}"
        if result.kind not in _PLAYED:
            return f'<span class="om-spot">{time}</span>'
        return f'<button class="om-seek" {_seek(moment.start_s, moment.end_s)} title="Play from here">{time}</button>'
    if moment.page is not None and not has_picture(result):
        return f'<span class="om-spot">page {moment.page}</span>'
    if moment.page is not None:
        page = preview_url(result.id, version=result.version, page=moment.page, passage=moment.passage)
        return f'<button class="om-page" data-page="{_safe(page)}">page {moment.page}</button>'
    return ""


def _likewise(moment: Moment) -> str:
    return f'<button class="om-like" data-like="{moment.segment}" title="More like this moment">more like it</button>'


def _cut(result: Result, moment: Moment) -> str:
    """A link that takes the moment of a recording, or the page of a PDF, as a file of its own."""
    page = moment.page if result.kind is Kind.DOCUMENT and has_picture(result) else None
    if page is None and result.kind not in _PLAYED:
        return ""
    url = cut_url(result.id, start_s=moment.start_s, end_s=moment.end_s, page=page)
    what = f"page {page} as a PDF" if page else "these seconds as a file"
    return f'<a class="om-cut" href="{_safe(url)}" download title="Take {what}">cut</a>' if url else ""


def has_picture(result: Result) -> bool:
    """Whether there is a picture of it to show: of documents only the pages of a PDF are drawn."""
    return result.kind in (Kind.IMAGE, Kind.VIDEO) or _is_pdf(result)


def _is_pdf(result: Result) -> bool:
    return result.kind is Kind.DOCUMENT and result.path.lower().endswith(".pdf")


def _is_passage(result: Result) -> bool:
    """Whether a document is shown by its words."""
    return result.kind is Kind.DOCUMENT and not _is_pdf(result)


def _start(result: Result) -> float | None:
    return next((moment.start_s for moment in result.moments if moment.start_s is not None), None)


def _shortened(text: str, words: str, *, most: int = _MOST_SHOWN_CHARACTERS) -> str:
    text = _GAPS.sub("\n", text.strip())
    return marked(excerpt(text, words, most=most), words)
