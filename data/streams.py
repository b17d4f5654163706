"""Streams: what the commands answer goes to stdout, a line at a time, for people or as JSON."""

from __future__ import annotations

import codecs
import json
import os
import sys
from argparse import ArgumentTypeError

from data.errors import OmniaError


def open_streams() -> None:
    """Give a process that was started without stdin an empty one, without the others such as lose what is written."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def given(text: str) -> str:
    """The value of an argument, as argparse's `type`.

    Raises:
        ArgumentTypeError: it is empty.
    """
    if not text:
        raise ArgumentTypeError("it is empty (a variable that is not set?)")
    return text


def print_json(answer: object) -> None:
    """Write an answer to stdout as one line of JSON, in ASCII alone where stdout is not UTF-8.

    Raises:
        BrokenPipeError, OmniaError: as `print_line`.
    """
    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    print_line(json.dumps(answer, ensure_ascii=not is_utf8))


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
