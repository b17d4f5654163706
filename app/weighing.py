"""Weighing: how much each part of a question counts, as sliders where there is more than one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.asking import WORDS, weights_of, weights_text
from app.examples import first_page

_LEAST, _MOST, _STEP = -1.0, 2.0, 0.25
_SAID = "weights said"  # in the session, which forgets a slider's value as soon as it is not drawn


def restore_weights(text: str, like: Sequence[str]) -> None:
    """Let the sliders of the words and of segments say what an address says."""
    given = weights_of(text)
    st.session_state.pop(_SAID, None)
    for name in (WORDS, *like):
        st.session_state[_key(name)] = min(max(given.get(name, 1.0), _LEAST), _MOST)


def weighed(words: str, files: Mapping[str, str], like: Mapping[str, str]) -> list[float]:
    """How much each part counts, in the order of `joined`: a slider for each, where there are several.

    Args:
        words: what was typed; "" where nothing was.
        files, like: what a person calls each example, by its content or its id.
    """
    names = {WORDS: f"The words “{words}”"} if words else {}
    names |= {**files, **like}
    if len(names) < 2:
        st.session_state["weights"] = ""
        return [1.0] * len(names)
    found: dict[str, float] = {}
    for name, called in names.items():
        key = _key(name)
        found[name] = st.slider(
            called,
            _LEAST,
            _MOST,
            weight_of(name),
            _STEP,
            format="%g ×",
            key=key,
            on_change=first_page,
            help="How much this counts beside the others. 0: not at all. Below 0: nothing like it.",
        )
    st.session_state.setdefault(_SAID, {}).update(found)
    st.session_state["weights"] = weights_text({name: found[name] for name in found if name not in files})
    return list(found.values())


def weight_of(name: str) -> float:
    """What the slider of a part said last; 1 where it never had one."""
    said: dict[str, float] = st.session_state.get(_SAID, {})
    weight: float = st.session_state.get(_key(name), said.get(name, 1.0))
    return weight


def _key(name: str) -> str:
    return f"weight-{name}"
