"""Address: what is asked and how it is shown, in the page's address, to be shared, saved and gone back to.

The page alone writes the address, after all its widgets have spoken: widgets that are bound to it by themselves write
over each other where one answers to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.asking import BALANCE
from data.records import Kind

VIEWS = ("grid", "list", "lanes")
ASKING = ("q", "kind", "not", "like", "balance")  # the others say how it is shown
_MOST = 100  # of a number
_DEFAULTS: Mapping[str, Any] = {
    "q": "",
    "kind": [],
    "not": "",
    "like": "",
    "balance": BALANCE,
    "view": VIEWS[0],
    "page": 1,
}


def restore() -> None:
    """Give the widgets what the address holds: at the first run, and when the browser went back or forward."""
    context = get_script_run_ctx()
    if "address" in st.session_state and not (context and context.is_history_navigation):
        return
    for name, default in _DEFAULTS.items():
        st.session_state[name] = _understood(name, st.query_params.get_all(name), default)
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
    said = {name: st.session_state.get(name, default) for name, default in _DEFAULTS.items()}
    return {
        name: value if isinstance(value, list) else str(value)
        for name, value in said.items()
        if value not in (None, _DEFAULTS[name])
    }


def _understood(name: str, given: list[str], default: Any) -> Any:
    """A parameter's value; what it cannot be is its default."""
    if name == "kind":
        return [kind for kind in given if kind in set(Kind)]
    text = given[-1] if given else ""
    if isinstance(default, int):
        return int(text) if text.isdecimal() and int(text) <= _MOST else default
    return default if not text or (name == "view" and text not in VIEWS) else text
