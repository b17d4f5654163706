"""A licence as a model's card states it: what it is called, and whether it is known to allow commercial use."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"\s*---[ \t]*\n(.*?)\n---", re.DOTALL)
_FIELD = re.compile(
    r"""^["']?licen[cs]e(|_name|_link)["']?[ \t]*:(.*(?:\n[ \t]+\S.*|\n-[ \t].*)*)""", re.MULTILINE | re.IGNORECASE
)
_YAML = re.compile(r"""^[ \t]*-[ \t]|[ \t]#.*|[>|][+-]?$|["'\[\],]""", re.MULTILINE)  # around what is meant
_TELLS_NOTHING = {"", "other", "unknown"}
_DULL = {"the", "licence", "license", "version"}
_COMMERCIAL = re.compile(  # by name alone: whatever else a name sounds like, it is not known
    r"apache(-[12]\.[01])?|mit(-0)?|isc|ncsa|zlib|0bsd|bsd(-[234]-clause(-clear)?)?|mpl(-[12]\.[01])?|unlicense|wtfpl"
    r"|[al]?gpl(-?v?[123](\.[01])?)?(\+|-only|-or-later)?|cc0(-1\.0)?|cc-by(-sa)?(-[1234]\.[05])?"
    r"|afl-3\.0|artistic-2\.0|cdla-permissive-[12]\.0|ecl-2\.0|epl-[12]\.0|eupl-1\.[12]|ms-pl|openmdw-1\.0|postgresql"
    r"|bigcode-openrail-m|bigscience-openrail-m|creativeml-openrail-m|openrail\+\+|gemma"
)
_MOST_CHARACTERS = 200  # of its name: it is told in one line


@dataclass(frozen=True, slots=True)
class Licence:
    """What a card says of the licence of its weights.

    Args:
        name: one line.
        commercial: whether it allows commercial use, as far as is known.
    """

    name: str
    commercial: bool


def stated_licence(card: str) -> Licence | None:
    """The licence that a README.md states in its head, as models of the hub do; None where it states none.

    It is commercial only where all that it is called, in whichever line, is known by name to be.
    """
    head = _HEAD.match(card.removeprefix("\ufeff"))
    fields = _FIELD.findall(head[1] if head else card[:4_000])
    said: dict[str, dict[str, None]] = {"": {}, "_name": {}, "_link": {}}  # in order, each once
    for key, value in fields:
        if plain := " ".join(_YAML.sub(" ", value).split()):
            said[key.lower()][plain] = None
    kinds, owns, links = (list(each) for each in said.values())
    if not (kinds or owns or links):
        return None
    is_named = any(kind.lower() not in _TELLS_NOTHING for kind in kinds)
    owns = owns or ([] if is_named else links)
    kind = ", ".join(kinds)
    name = f"{kind or 'other'}: {', '.join(owns)}" if owns else kind
    called = kinds * is_named + owns
    return Licence(name[:_MOST_CHARACTERS], bool(called) and all(_is_commercial(each) for each in called))


def _is_commercial(name: str) -> bool:
    """Whether a licence is known to allow commercial use, or each of several with spaces between."""
    return _is_known(name) or all(_is_known(each) for each in name.split())


def _is_known(name: str) -> bool:
    """By its plain name: "The MIT License" is "mit", "Apache 2.0" is "apache-2.0"."""
    words = [word for word in re.findall(r"[a-z0-9.+]+", name.lower()) if word not in _DULL]
    return _COMMERCIAL.fullmatch("-".join(words)) is not None
