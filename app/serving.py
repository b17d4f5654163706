"""Serving: the server of the page and the API in this process, as `streamlit run streamlit_app.py` starts it."""

from __future__ import annotations

from pathlib import Path

from app.binding import is_loopback, name_of, try_to_bind
from data.errors import BadSettingsError

_SCRIPT = Path(__file__).parent.parent / "streamlit_app.py"
_USUAL = frozenset({"127.0.0.1", "::1", "localhost"})  # whose names .streamlit/config.toml lets in


def command(address: str, port: int) -> list[str]:
    """What is said to `streamlit` to serve there.

    Raises:
        BadSettingsError: nothing can listen there; says why and what to do.
    """
    address = address.strip("[]")
    try_to_bind(address, port)
    said = ["run", str(_SCRIPT), "--server.port", str(port), "--server.address", address]
    if address not in _USUAL:
        allowed = name_of(address) if is_loopback(address) else "*"  # elsewhere the guard asks for the token instead
        said += ["--server.allowedHosts", allowed]
        said += ["--browser.serverAddress", name_of(address)]  # or its address is asked of the internet
    return said


def serve(said: list[str]) -> None:
    """Serve until it is stopped: by a signal, which ends this process, or by Ctrl-C.

    Raises:
        BadSettingsError: it cannot start.
        KeyboardInterrupt: it was stopped by Ctrl-C.
    """
    from click.exceptions import Abort, ClickException
    from streamlit.web import cli

    try:
        cli.main(said, prog_name="streamlit", standalone_mode=False)
    except Abort as stopped:
        raise KeyboardInterrupt from stopped
    except ClickException as error:
        raise BadSettingsError(f"{error.format_message()}; correct it, or unset it") from error
    except SystemExit as ended:
        if ended.code:
            raise BadSettingsError("the server could not start; the lines above say why") from ended
