"""Thumbs: up and down under each result of one question."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from zlib import crc32

import streamlit as st

from data.printing import counted
from data.records import Verdict

if TYPE_CHECKING:
    from app.results import Result
    from data.catalogue import Catalogue


class Bench:
    """What was said of the results of one question, and the buttons to say it.

    Args:
        question: as JSON; see app/verdicts.py.
    """

    def __init__(self, catalogue: Catalogue, question: str) -> None:
        self._catalogue = catalogue
        self._question = question

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """As they are kept."""
        return self._catalogue.verdicts(self._question)

    @cached_property
    def right(self) -> frozenset[str]:
        """The contents that were said to be right."""
        return frozenset(verdict.content for verdict in self.verdicts if verdict.is_right)

    @property
    def key(self) -> int:
        """What tells one question from another."""
        return crc32(self._question.encode())

    def thumbs(self, result: Result, *, key: str) -> None:
        """Two buttons; the one that was chosen is filled, and another click takes it back."""
        said = {verdict.content: verdict.is_right for verdict in self.verdicts}.get(result.content)
        for is_right, word, icon, help_text in (
            (True, "Right", "thumb_up", "Right: show more like it"),
            (False, "Wrong", "thumb_down", "Wrong: show less like it"),
        ):
            st.button(
                f"{word}, chosen" if said is is_right else word,  # for screen readers; the style sheet hides it
                key=f"{'right' if is_right else 'wrong'}-{key}",
                icon=f":material/{icon}:",
                type="primary" if said is is_right else "tertiary",
                help=help_text,
                on_click=self._say,
                args=(result, None if said is is_right else is_right),
            )

    def undo(self) -> None:
        """A button that takes back all that was said, where something was: what is wrong sinks out of sight."""
        if self.verdicts:
            st.button(
                counted(len(self.verdicts), "thumb"),
                key="undo",
                icon=":material/undo:",
                type="tertiary",
                help="Forget what was said of these results",
                on_click=self._forget,
            )

    def _forget(self) -> None:
        for verdict in self.verdicts:
            self._catalogue.unjudge(self._question, verdict.content)

    def _say(self, result: Result, is_right: bool | None) -> None:
        if is_right is None:
            self._catalogue.unjudge(self._question, result.content)
            return
        self._catalogue.judge(
            Verdict(
                question=self._question,
                content=result.content,
                segment=result.moments[0].segment,
                is_right=is_right,
            )
        )
