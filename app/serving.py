"""Serving: the server of the page and the API in this process, as `streamlit run streamlit_app.py` has it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from app.binding import is_loopback, name_of, own_names
from data.errors import BadSettingsError

if TYPE_CHECKING:
    from streamlit.starlette import App

    from app.early import Early, Loaded

_SCRIPT = Path(__file__).parent.parent / "streamlit_app.py"
_USUAL = frozenset({"127.0.0.1", "::1", "localhost"})  # whose names .streamlit/config.toml lets in
_NOT_TAKEN = ("server.sslCertFile", "server.sslKeyFile", "server.baseUrlPath")


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

    What a browser reads first is there at once (`app/early.py`): importing the rest takes a while.

    Args:
        bound: listens at the address; see `listening`.

    Raises:
        BadSettingsError: the server cannot start; says why and what to do.
        KeyboardInterrupt: it was stopped by Ctrl-C.
    """
    found = find_spec("streamlit")  # does not import it
    if found is None or found.origin is None:
        raise BadSettingsError("Streamlit is not installed; install again with: pip install -e .")
    address, port = address.strip("[]"), bound.getsockname()[1]
    early = before(lambda: _loaded(flags(address, port)), Path(found.origin).parent / "static", address)
    name = "localhost" if address in _USUAL else name_of(address)
    sys.stdout.write(f"Omnia is at http://{name}:{port}\n")
    sys.stdout.flush()
    try:
        early.run(bound)
    except SystemExit as ended:
        raise BadSettingsError("the server could not start; the lines above say why") from ended


def before(load: Callable[[], Loaded], files: Path, address: str) -> Early:
    """What stands before the server at an address; to others than this machine it gives nothing before the token."""
    from app.early import Early

    return Early(load, files=files, hosts=own_names(address) if is_loopback(address) else ())


def _loaded(said: list[str]) -> App:
    """The server that `streamlit run` would start with these flags, by its settings in files and environment, too.

    Raises:
        BadSettingsError: a setting is not taken.
    """
    from click.exceptions import ClickException
    from streamlit import config
    from streamlit.web import bootstrap, cli

    config._main_script_path = str(_SCRIPT)  # beside which .streamlit lies
    for path in map(Path, config.get_config_files("config.toml")):
        try:
            tomllib.loads(path.read_text(encoding="utf-8") if path.is_file() else "")
        except ValueError as error:
            raise BadSettingsError(f"{str(path)!r} cannot be read: {error}; correct it, or remove it") from error
    try:  # environment variables are read with the flags
        given = cli.main_run.make_context("streamlit run", [str(_SCRIPT), *said]).params
    except ClickException as error:
        raise BadSettingsError(f"{error.format_message()}; correct it, or unset it") from error
    bootstrap.load_config_options({name: value for name, value in given.items() if name not in ("target", "args")})
    for option in _NOT_TAKEN:
        if config.get_option(option):
            raise BadSettingsError(
                f"{option} is set, which this command does not take; unset it, or serve with: "
                f"streamlit run streamlit_app.py {' '.join(said)}"
            )
    sys.path.insert(0, str(_SCRIPT.parent))
    import streamlit_app

    server: App = streamlit_app.server
    return server
