"""The command line: python -m app search|serve|judge."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from app import serving
from app.asking import answered, joined, why_nothing
from app.batch import answer_lines, examples_of, in_json, lines_of, typed
from app.binding import listening
from app.query import DEFAULT_LIMIT, BadQueryError, check_limit
from data.errors import MediaError, OmniaError
from data.records import Kind
from data.settings import Settings
from data.streams import given, open_streams, print_json, print_line

if TYPE_CHECKING:
    from app.wiring import Library

_EXAMPLES = """examples:
  python -m app search dog on a beach
  python -m app search --file hum.wav --kind video
  python -m app search "city at night" --not rain --limit 5 --json
  python -m app search at night --file street.jpg --weight 0.5 --weight 2
  python -m app search --batch queries.jsonl > answers.jsonl
  python -m app search rain then applause
  python -m app search harbour kind:video in:trips/ after:2024-05 longer:30s
  python -m app search kind:video after:2024-05
  python -m app search -- '"red kite" lang:en type:pdf,txt -museum'

narrowing down, in WORDS or in the page's box (alone: the newest files):
  kind:video,image  in:trips/  type:pdf  after:2024-05  before:2024-06-15
  longer:30s  shorter:5m  evidence:seen|heard|said|written  lang:fr
  "said or written word for word"  -not-this

"""
_EXIT_CODES = """exit codes:
  0 all is well, also when nothing is found
  1 a file, or a line of --batch, could not be used
  2 it could not start: an argument, a setting, the library
  130 interrupted (Ctrl-C)
"""


class _Parser(argparse.ArgumentParser):
    """Says what to do about words that begin with "-"."""

    def error(self, message: str) -> NoReturn:
        if re.search(r"unrecognized arguments: (.* )?-[^-]|-h/--help: ignored explicit argument", message):
            message += "; before words that begin with - write --, as in: python -m app search -- at night -museum"
        super().error(message)


_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when all went well, 1 when a file or a line could not be used, 2 when nothing could start, 130 when
        interrupted.
    """
    open_streams()
    parser = _Parser(
        prog="python -m app",
        description="Ask the library: by words, by files, or by a mix of them.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_search(commands)
    _add_serve(commands)
    _add_judge(commands)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        return int(options.run(options))
    except MediaError as error:
        _say(f"error: {error}")
        return 1
    except OmniaError as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output had enough
        sys.stderr.close()
        return 0
    except Exception as error:
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        _say(f"error: {type(error).__name__}: {error}; this is a fault of Omnia, please report it")
        return 2


def _add_search(commands: _Commands) -> None:
    parser = commands.add_parser(
        "search",
        help='find files: search "dog on a beach" --file hum.wav --kind video',
        description="Find files in the library by words, by example files, or by a mix of them.",
        epilog=_EXAMPLES + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORDS", help="what you are looking for")
    parser.add_argument(
        "--file", action="append", default=[], type=Path, metavar="PATH", help="something like this file"
    )
    parser.add_argument(
        "--like", action="append", default=[], metavar="SEGMENT", help="something like this moment of an answer in JSON"
    )
    parser.add_argument(
        "--weight",
        action="append",
        default=[],
        type=float,
        metavar="W",
        help="how much each counts: the words, if any, then each --file, then each --like (1); below 0: not like it",
    )
    parser.add_argument("--not", action="append", default=[], dest="avoid", metavar="WORDS", help="nothing like this")
    parser.add_argument(
        "--kind",
        action="append",
        default=[],
        choices=[kind.value for kind in Kind],
        help="files of this kind",
    )
    parser.add_argument(
        "--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help="most results, of a batch for each line (20)"
    )
    parser.add_argument(
        "--weak", action="store_true", help="show weak results, too: no better than what any question finds by chance"
    )
    parser.add_argument("--json", action="store_true", help="answer as one JSON object, weak results and all")
    parser.add_argument(
        "--batch",
        type=Path,
        metavar="FILE",
        help='queries, one a line as JSON {"words", "files", "like", "weights", "not", "kinds", "limit"}; - is stdin',
    )
    _add_model(parser)
    parser.set_defaults(run=_search)


def _add_serve(commands: _Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve the page and the API: serve --port 8501",
        description=(
            "Serve the page and the API, until Ctrl-C:\nto this machine alone, or to others that bring a token."
        ),
        epilog=(
            "examples:\n  python -m app serve --port 8600\n  python -m app serve --address 0.0.0.0\n\n" + _EXIT_CODES
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8501, help="8501 by default")
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help="0.0.0.0 serves other machines, too, which need a token (127.0.0.1)",
    )
    _add_model(parser)
    parser.set_defaults(run=_serve)


def _add_judge(commands: _Commands) -> None:
    parser = commands.add_parser(
        "judge",
        help="how well the search does, by the thumbs that were given in the page",
        description=(
            "Ask every judged question again and tell recall and nDCG of the first 10,\nfor each pair of kinds."
        ),
        epilog=(
            "examples:\n  python -m app judge --json > before.json\n  python -m app judge --before before.json\n\n"
            + _EXIT_CODES
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")
    parser.add_argument("--before", type=Path, metavar="FILE", help="an earlier --json answer to compare with")
    _add_model(parser)
    parser.set_defaults(run=_judge)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (auto)")
    parser.add_argument(
        "--model", metavar="M", type=given, help="ask what this model made of the library (the one that answers)"
    )
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="let a model run Python code that comes with its weights"
    )
    parser.add_argument("--accept-licence", action="store_true", help="use a model whose licence is not commercial")


def _search(options: argparse.Namespace) -> int:
    if options.batch is not None:
        if options.words or options.file or options.like or options.weight or options.avoid or options.kind:
            raise BadQueryError("--batch reads whole queries; give words, files and kinds inside its lines")
        if options.weak:
            raise BadQueryError("--batch answers with the weak results, too, each with its band; leave out --weak")
        check_limit(options.limit)
        with _library(options) as library, lines_of(options.batch) as lines:
            return answer_lines(library, lines, print_json, limit=options.limit)
    asked = typed(" ".join(options.words), options.kind)
    examples = examples_of(options.file, options.like)
    question = joined(asked, avoid=options.avoid, examples=examples, weights=options.weight)
    if question.parts or question.is_browsed:  # else the first of them is why there is no answer
        _hint(question.hints)
    with _library(options) as library:
        answer = answered(library, question, limit=options.limit)
        why = why_nothing(library, question, answer)
    _hint(answer.hints)
    for line in why:
        _say(line)
    if options.json:
        print_json(in_json(question, answer, why=why))
    else:
        from app.table import newest_table, table

        colour = sys.stdout.isatty()
        if question.is_browsed:
            print_line(newest_table(answer, colour=colour))
        else:
            print_line(table(answer, words=asked.said, weak=options.weak, colour=colour))
    return 0


def _hint(hints: Iterable[str]) -> None:
    for hint in hints:
        _say(f"hint: {hint}")


def _judge(options: argparse.Namespace) -> int:
    from app.judge import Judged, earlier, judge, pairs_json

    before = None if options.before is None else earlier(options.before)
    with _library(options) as library:
        verdicts = library.catalogue().verdicts()
        if verdicts:
            judged = judge(library.service(), library.catalogue(), library.store(), verdicts)
        else:
            _say("nothing is judged yet; give results in the page a thumb up or down")
            judged = Judged(pairs={}, left_out=0)
    if judged.left_out:
        _say(f"left out, for a file that they ask by is not in the library: {judged.left_out} of the questions")
    if options.json:
        print_json(judged.to_json() | ({} if before is None else {"before": pairs_json(before)}))
    elif verdicts or before:
        from app.table import judged_table

        print_line(judged_table(judged, before))
    return 0


def _serve(options: argparse.Namespace) -> int:
    with listening(options.address, options.port) as bound:
        if _settings(options).model:
            with _library(options) as library:
                library.space()  # refuses a model that is unknown or has filled nothing
        chosen = {
            "OMNIA_MODEL": options.model,
            "OMNIA_DEVICE": options.device,
            "OMNIA_TRUST_REMOTE_CODE": "1" if options.trust_remote_code else None,
            "OMNIA_ACCEPT_LICENCE": "1" if options.accept_licence else None,
        }
        os.environ.update({name: value for name, value in chosen.items() if value})
        serving.serve(bound, options.address)
    return 0


@contextmanager
def _library(options: argparse.Namespace) -> Iterator[Library]:
    from app.wiring import Library

    library = Library(_settings(options))
    try:
        yield library
    finally:
        library.close()


def _settings(options: argparse.Namespace) -> Settings:
    return Settings.load(
        model=options.model,
        device=options.device,
        trust_remote_code=options.trust_remote_code,
        accept_licence=options.accept_licence,
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
