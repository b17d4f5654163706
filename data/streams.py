"""Streams: what the commands answer goes to stdout, a line at a time."""

from __future__ import annotations

import os
import sys

from data.errors import OmniaError


def open_streams() -> None:
    """Give a process that was started without stdout or stderr such as lose what is written."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def print_line(line: str) -> None:
    """Write a line to stdout, whatever a file name holds.

    Raises:
        BrokenPipeError: nobody reads it any more.
        OmniaError: it cannot be written.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  or the interpreter tries again at its end
        raise OmniaError(f"the answer cannot be written: {error.strerror}; give stdout another place") from error
