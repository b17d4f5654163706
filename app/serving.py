"""Serving: the server of the page and the API in this process, as `streamlit run streamlit_app.py` has it."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from app.binding import is_loopback, name_of
from data.errors import BadSettingsError

if TYPE_CHECKING:
    from streamlit.starlette import App

_SCRIPT = Path(__file__).parent.parent / "streamlit_app.py"
_USUAL = frozenset({"127.0.0.1", "::1", "localhost"})  # whose names .streamlit/config.toml lets in


def flags(address: str, port: int) -> list[str]:
    """What is said to Streamlit to serve at an address."""
    address = address.strip("[]")
    said = ["--server.port", str(port), "--server.address", address]
    if address not in _USUAL:
        allowed = name_of(address) if is_loopback(address) else "*"  # elsewhere the guard asks for the token instead
        said += ["--server.allowedHosts", allowed]
        said += ["--browser.serverAddress", name_of(address)]  # or its address is asked of the internet
    return said


def serve(bound: socket, address: str) -> None:
    """Serve until it is stopped: by a signal, which ends this process, or by Ctrl-C.

    What a browser reads first is there at once (`app/early.py`): importing the rest takes half a second.

    Args:
        bound: listens at the address; see `listening`.

    Raises:
        BadSettingsError: the server cannot start; says why and what to do.
        KeyboardInterrupt: it was stopped by Ctrl-C.
    """
    import uvicorn

    from app.early import Early

    address, port = address.strip("[]"), bound.getsockname()[1]
    found = find_spec("streamlit")  # does not import it
    if found is None or found.origin is None:
        raise BadSettingsError("Streamlit is not installed; install again with: pip install -e .")
    early = Early(
        lambda: _loaded(flags(address, port)),
        files=Path(found.origin).parent / "static",
        hosts={"localhost", "127.0.0.1", "[::1]", name_of(address)} if is_loopback(address) else set(),  # no token
        stop=lambda: setattr(server, "should_exit", True),
    )
    server = uvicorn.Server(uvicorn.Config(early, ws="websockets-sansio", access_log=False, use_colors=False))
    for said in ("uvicorn.access", "uvicorn.error"):  # Streamlit sets their levels and handlers anew
        logging.getLogger(said).addFilter(lambda record: record.levelno >= logging.WARNING)
    name = "localhost" if address in _USUAL else name_of(address)
    sys.stdout.write(f"Omnia is at http://{name}:{port}\n")
    sys.stdout.flush()
    server.run(sockets=[bound])
    if early.error is not None:
        raise _told(early.error) from early.error


def _loaded(said: list[str]) -> App:
    """The server that `streamlit run` would start with these flags, by its settings in files and environment, too."""
    from streamlit import config
    from streamlit.web import bootstrap, cli

    given = cli.main_run.make_context("streamlit run", [str(_SCRIPT), *said]).params
    config._main_script_path = str(_SCRIPT)  # beside which .streamlit lies
    bootstrap.load_config_options({name: value for name, value in given.items() if name not in ("target", "args")})
    if config.get_option("server.sslCertFile"):
        raise BadSettingsError(
            "server.sslCertFile is set, and this command serves without; start it with: "
            f"streamlit run streamlit_app.py --server.port {config.get_option('server.port')}"
        )
    sys.path.insert(0, str(_SCRIPT.parent))
    import streamlit_app

    server: App = streamlit_app.server
    return server


def _told(error: Exception | SystemExit) -> Exception:
    """Why the server did not start, as one line where it is of the settings."""
    from click.exceptions import ClickException

    if isinstance(error, ClickException):
        return BadSettingsError(f"{error.format_message()}; correct it, or unset it")
    if isinstance(error, SystemExit):
        return BadSettingsError("the server could not start; the lines above say why")
    return error
