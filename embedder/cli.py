"""The command line: python -m embedder info|tables, and the stages of training."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence

from data.errors import OmniaError
from embedder.training.commands import add_commands

_EXAMPLES = """examples:
  python -m embedder info
  python -m embedder info --device cpu --json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when all went well, 2 when it could not, 130 when it was stopped.
    """
    parser = argparse.ArgumentParser(prog="python -m embedder", description="The model behind the library.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_info(commands)
    _add_tables(commands)
    add_commands(commands)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        if "device" in options:
            _read_settings(options)
        return int(options.run(options))
    except OmniaError as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except Exception as error:
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        _say(f"error: {type(error).__name__}: {error}; this is a fault of Omnia, please report it")
        return 2


def _read_settings(options: argparse.Namespace) -> None:
    """Have OMNIA_* count where no flag was given.

    Raises:
        BadSettingsError: one cannot be used.
    """
    from data.settings import Settings

    given = {name: value for name, value in vars(options).items() if name in ("trust_remote_code", "accept_licence")}
    settings = Settings.load(device=options.device, **given)
    vars(options).update({name: getattr(settings, name) for name in ("device", *given)})


def _add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "info",
        help="what the model is, where it computes, and whether it passes its self-test",
        description="Load the model, run its self-test and say what it is.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", metavar="M", help="row of the model table, or a folder (default: OMNIA_MODEL or omnia-mini)"
    )
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: OMNIA_DEVICE or auto)")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="let a model run Python code that comes with its weights"
    )
    parser.add_argument("--accept-licence", action="store_true", help="use a model whose licence is not commercial")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_info)


def _info(options: argparse.Namespace) -> int:
    from data.settings import Settings
    from embedder.embed import load_embedder
    from embedder.rows import model_row

    name = Settings.load(model=options.model).model_for(None)
    row = model_row(name)
    facts: dict[str, object] = {
        "model": row.name,
        "fingerprint": row.fingerprint,
        "dim": row.dim,
        "modalities": sorted(row.modalities),
        "licence": row.licence,
    }
    started = time.perf_counter()
    try:
        embedder = load_embedder(
            name,
            device=options.device,
            trust_remote_code=options.trust_remote_code,
            accept_licence=options.accept_licence,
        )
        facts |= {"device": embedder.device, "bf16": embedder.bf16, "self_test": "passed"}
    except OmniaError as error:
        facts |= {"device": options.device, "self_test": f"failed: {error}"}
    facts["load_s"] = round(time.perf_counter() - started, 2)
    if options.json:
        _print(json.dumps(facts))
    else:
        for name, value in facts.items():
            _print(f"{name:12} {', '.join(value) if isinstance(value, list) else value}")
    return 0 if facts["self_test"] == "passed" else 2


def _add_tables(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "tables",
        help="make omnia-zero's class tables and goldens anew, after its words or its recipe changed",
        description="Write embedder/classes/omnia-zero.safetensors: class vectors and self-test goldens (fp32, cpu).",
        epilog="example:\n  python -m embedder tables",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_tables)


def _tables(options: argparse.Namespace) -> int:
    from embedder.zero import build_tables

    path = build_tables()
    _print(f"wrote {path}; change the fingerprint in embedder/rows.py if vectors changed")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
