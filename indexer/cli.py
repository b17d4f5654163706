"""`python -m indexer ingest|status|failures|retry|switch|prune`: parse, build, call, print."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import OmniaError
from data.printing import counted
from data.records import FileState
from data.settings import Settings
from data.streams import given, open_streams, print_line

if TYPE_CHECKING:
    from indexer.report import Report

log = logging.getLogger(__name__)

_COLUMNS = 78
_EXIT_CODES = """exit codes:
  0 all is well
  1 some files failed, a folder is away, or a model may not answer yet
  2 it could not start: an argument, a setting, the library
  130 stopped (Ctrl-C, or a signal to end); what was indexed is kept"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when all is well, 1 when some files failed, a root is offline or a model may not answer yet, 2 when the
        command could not start, 130 when it was stopped.
    """
    open_streams()
    args = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr
    )
    for chatty in ("httpx", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except OmniaError as error:
        sys.stderr.write(f"omnia: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("omnia: stopped; what was indexed is kept, the next ingest goes on from here\n")
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        log.debug("unexpected", exc_info=True)
        sys.stderr.write(f"omnia: unexpected {type(error).__name__}: {error}; please report it with --verbose\n")
        if args.verbose:
            raise
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m indexer",
        description="Fill and keep a library of mixed media, so that it can be searched.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_ingest(commands)
    _add_status(commands)
    _add_failures(commands)
    _add_retry(commands)
    _add_switch(commands)
    _add_prune(commands)
    return parser


def _add(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str) -> Any:
    command = commands.add_parser(
        name,
        help=text,
        description=textwrap.fill(text, _COLUMNS),
        epilog=f"example: {example}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout")
    command.add_argument("--verbose", action="store_true", help="log each event to stderr")
    command.set_defaults(run=run)
    return command


def _add_model_flags(command: Any) -> None:
    command.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    command.add_argument(
        "--model", metavar="M", type=given, help="the embedding model (default: OMNIA_MODEL, or the one that answers)"
    )
    command.add_argument(
        "--trust-remote-code", action="store_true", help="let a model run Python code that comes with its weights"
    )
    command.add_argument("--accept-licence", action="store_true", help="use a model whose licence is not commercial")
    command.add_argument(
        "--workers", metavar="N", type=int, help="decoding processes (default, and 0: one for each core, at most 8)"
    )


def _add_ingest(commands: Any) -> None:
    command = _add(
        commands,
        "ingest",
        _ingest,
        "Bring the library up to date with folders or files.",
        "python -m indexer ingest ~/Pictures ~/Music",
    )
    command.add_argument("paths", nargs="+", metavar="PATH", type=_path, help="a folder or a file")
    _add_model_flags(command)


def _add_retry(commands: Any) -> None:
    text = "Try the files that failed once more, and those that no reader took: a newer version may read them."
    _add_model_flags(_add(commands, "retry", _retry, text, "python -m indexer retry"))


def _add_status(commands: Any) -> None:
    _add(commands, "status", _status, "What the library holds.", "python -m indexer status --json")


def _add_failures(commands: Any) -> None:
    text = "The files that failed, or were skipped, why, and what to do."
    command = _add(commands, "failures", _failures, text, "python -m indexer failures")
    command.add_argument(
        "--skipped", action="store_true", help="the files that were skipped: empty, or of a kind that is not read"
    )
    command.add_argument("--model", metavar="M", type=given, help="under this model (default: the one that answers)")


def _add_switch(commands: Any) -> None:
    text = "Let another model answer, or say what it still lacks; an ingest that fills the last gap does so by itself."
    command = _add(commands, "switch", _switch, text, "python -m indexer switch omnia-zero")
    command.add_argument("model", metavar="MODEL", type=given, help="a model that the library was ingested with")
    command.add_argument("--force", action="store_true", help="also when files would not be found any more")


def _add_prune(commands: Any) -> None:
    text = "Let go of roots, and of vectors that no file has any more."
    command = _add(commands, "prune", _prune, text, "python -m indexer prune /mnt/old-drive")
    command.add_argument(
        "roots", nargs="*", metavar="ROOT", type=_path, help="ingested roots, or folders in them, to forget"
    )
    command.add_argument("--offline", action="store_true", help="forget every root that is away")
    command.add_argument(
        "--model", metavar="M", type=given, help="delete what a model left that does not answer any more"
    )


def _ingest(args: argparse.Namespace) -> int:
    from indexer.ingest import ingest
    from indexer.library import open_library

    settings = _settings(args)
    with open_library(settings) as library:
        report = ingest(args.paths, library, say=_say)
    return _print_report(args, report)


def _retry(args: argparse.Namespace) -> int:
    from indexer.ingest import ingest
    from indexer.library import open_library
    from indexer.report import Report

    settings = _settings(args)
    with open_library(settings) as library:
        roots = library.catalogue.forget_failures(library.fingerprint)
        report = ingest([Path(root) for root in roots], library, say=_say) if roots else Report()
    return _print_report(args, report)


def _status(args: argparse.Namespace) -> int:
    from data.catalogue import open_catalogue
    from data.locks import is_ingesting
    from indexer.library import trouble_of
    from indexer.status import place_of_library, status_as_json, status_as_text

    settings = Settings.load()
    catalogue = open_catalogue(settings.catalogue_url)
    summary, notes, models = catalogue.summary(), catalogue.notes(), catalogue.fillings()
    now, place = is_ingesting(settings.home), place_of_library(settings, catalogue.library_id())
    trouble = next((trouble_of(one.model, settings) for one in models if one.is_active), "")
    if args.json:
        found = status_as_json(summary, notes, place=place, models=models, trouble=trouble, is_ingesting=now)
        print_line(json.dumps(found))
    else:
        print_line(status_as_text(summary, notes, place=place, models=models, trouble=trouble, is_ingesting=now))
    return 0


def _failures(args: argparse.Namespace) -> int:
    from data.catalogue import open_catalogue
    from indexer.library import models_called

    catalogue = open_catalogue(Settings.load().catalogue_url)
    under = models_called(args.model, catalogue)[0].fingerprint if args.model else None
    failures = catalogue.failures(under, state=FileState.SKIPPED if args.skipped else FileState.FAILED)
    if args.json:
        rows = [{"path": f.path, "reason": f.reason, "hint": f.hint, "attempts": f.attempts} for f in failures]
        print_line(json.dumps({"skipped" if args.skipped else "failures": rows}))
        return 0
    for failure in failures:
        hint = f" ({failure.hint})" if failure.hint else ""
        print_line(f"{failure.path!r}: {failure.reason}{hint}")
    if not failures:
        print_line("nothing was skipped" if args.skipped else "nothing failed")
    return 0


def _switch(args: argparse.Namespace) -> int:
    from indexer.library import open_library
    from indexer.switch import switch

    with open_library(Settings.load(model=args.model)) as library:
        switched = switch(library, force=args.force)
    if switched is None:
        print_line("{}" if args.json else "the library is empty: python -m indexer ingest FOLDER")
        return 0
    print_line(json.dumps(switched.as_json()) if args.json else switched.as_text())
    return 0 if switched.filling.is_active else 1


def _prune(args: argparse.Namespace) -> int:
    from indexer.library import open_library
    from indexer.prune import prune

    with open_library(Settings.load(), any_model=True) as library:
        pruned = prune(library, roots=args.roots, offline=args.offline, model=args.model, say=_say)
    if args.json:
        print_line(json.dumps({"files": pruned.files, "contents": pruned.contents}))
    else:
        files, contents = counted(pruned.files, "file"), counted(pruned.contents, "content")
        print_line(f"{files} forgotten, vectors of {contents} deleted")
    return 0


def _path(text: str) -> Path:
    return Path(given(text))  # which would take nothing for the folder that one is in


def _settings(args: argparse.Namespace) -> Settings:
    return Settings.load(
        model=args.model,
        device=args.device,
        workers=args.workers,
        trust_remote_code=args.trust_remote_code,
        accept_licence=args.accept_licence,
    )


def _print_report(args: argparse.Namespace, report: Report) -> int:
    print_line(json.dumps(report.as_json()) if args.json else report.as_text())
    return report.exit_code


def _say(line: str) -> None:
    sys.stderr.write(f"omnia: {line}\n")
    sys.stderr.flush()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
