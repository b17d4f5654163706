"""A licence as a model's card states it: what it is called, and whether it is known to allow commercial use."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"\s*---[ \t]*\n(.*?)\n---", re.DOTALL)
_FIELD = re.compile(r"^licen[cs]e(|_name|_link)[ \t]*:(.*(?:\n[ \t]+\S.*|\n-[ \t].*)*)", re.MULTILINE)
_YAML = re.compile(r"""^[ \t]*-[ \t]|[ \t]#.*|[>|][+-]?$|["'\[\],]""", re.MULTILINE)  # around what is meant
_NOT_COMMERCIAL = re.compile(r"(?<![a-z])nc(?![a-z])|non[-_ ]?commercial|research")
_TELLS_NOTHING = {"", "other", "unknown"}
_COMMERCIAL = {"apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "mit"}
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

    A licence called "other" is commercial only where its own name is that of one that is known to be.
    """
    head = _HEAD.match(card.removeprefix("\ufeff"))
    fields = _FIELD.findall(head[1] if head else card[:4_000])
    said = {key: " ".join(_YAML.sub(" ", value).split()) for key, value in fields}
    kind, own, link = (said.get(key, "") for key in ("", "_name", "_link"))
    if not (kind or own or link):
        return None
    is_named = kind.lower() not in _TELLS_NOTHING
    own = own or ("" if is_named else link)
    name = f"{kind or 'other'}: {own}" if own else kind
    is_known = is_named or own.lower().replace(" ", "-") in _COMMERCIAL
    return Licence(name[:_MOST_CHARACTERS], is_known and not _NOT_COMMERCIAL.search(name.lower()))
