"""Address: what is asked and how it is shown, in the page's address, to be shared, saved and gone back to.

The page alone writes the address, after all its widgets have spoken: widgets that are bound to it by themselves write
over each other where one answers to another.
"""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.asking import DEFAULTS, parameters, segments_of
from app.weighing import restore_weights

ASKING = ("q", "kind", "not", "like", "weights")  # the others say how it is shown


def restore() -> None:
    """Give the widgets what the address holds: at the first run, and when the browser went back or forward."""
    context = get_script_run_ctx()
    if "address" in st.session_state and not (context and context.is_history_navigation):
        return
    given = {name: st.query_params.get_all(name) for name in DEFAULTS}
    for name, value in parameters(given).items():
        st.session_state[name] = value
    restore_weights(st.session_state["weights"], [str(segment) for segment in segments_of(st.session_state["like"])])
    st.session_state["address"] = _now()


def keep() -> None:
    """Write what the widgets say now into the address."""
    now = _now()
    if now != st.session_state["address"]:
        st.session_state["address"] = now
        st.query_params.from_dict(now)


def asking() -> dict[str, Any]:
    """Of the address's parameters, those that ask for something."""
    return {name: value for name, value in _now().items() if name in ASKING}


def _now() -> dict[str, Any]:
    """The parameters that are not as they are at first."""
    said = {name: st.session_state.get(name, default) for name, default in DEFAULTS.items()}
    return {
        name: value if isinstance(value, list) else str(value)
        for name, value in said.items()
        if value not in (None, DEFAULTS[name])
    }
