"""Pages with a text layer, and pages that are nothing but pixels, found by what they say, through the real commands."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen import canvas

ROOT = Path(__file__).parent.parent
PAGES = 100
WIDTH, HEIGHT, MARGIN, LINE = 1240, 1754, 90, 34  # A4 at 150 dots an inch
LETTERS = 84  # in a line
MODULES = (
    "abc argparse base64 bdb bz2 cmd code codecs collections compileall configparser contextlib csv ctypes dataclasses "
    "datetime decimal difflib dis doctest email enum fileinput fractions ftplib functools getopt gettext glob gzip "
    "hashlib heapq http imaplib inspect io ipaddress json linecache locale logging lzma mailbox multiprocessing os "
    "pathlib pdb pickle pickletools platform plistlib poplib pprint profile pstats queue random re sched selectors "
    "shelve shlex shutil smtplib socket socketserver sqlite3 ssl statistics string subprocess symtable tarfile "
    "tempfile textwrap threading timeit tokenize trace traceback tracemalloc turtle types unittest urllib uuid "
    "warnings wave weakref webbrowser xmlrpc zipfile"
).split()

pytestmark = pytest.mark.slow


def described() -> dict[str, str]:
    """What parts of Python's library do, in a line, and what else is said of them: the page."""
    found: dict[str, str] = {}
    for name in MODULES:
        for what in vars(__import__(name)).values():
            if not (inspect.isclass(what) or inspect.isfunction(what)) or what.__module__.partition(".")[0] != name:
                continue
            line, _, rest = (inspect.getdoc(what) or "").partition("\n\n")
            line = " ".join(line.split())
            if 20 < len(line) < 100 and ">>>" not in line and len(rest) > 250 and line not in rest:
                found.setdefault(line, rest)
    return found


def sentence(written: str) -> str:
    """The first sentence of a page that says something, or ""."""
    said = (" ".join(part.split()) for part in re.split(r"(?<=[.!?])\s+", written.partition("\n\n")[0]))
    return next((one for one in said if one[-1:] in (".", "!", "?") and 6 <= len(one.split()) <= 25), "")


def wrapped(written: str) -> list[str]:
    lines = [part for line in written.splitlines() for part in textwrap.wrap(line, LETTERS) or [""]]
    return lines[: (HEIGHT - 2 * MARGIN) // LINE]


def scan(path: Path, written: str) -> None:
    """A page of pixels in a PDF without a text layer."""
    page = Image.new("L", (WIDTH, HEIGHT), 250)
    drawn, font = ImageDraw.Draw(page), ImageFont.load_default(24)
    for number, line in enumerate(wrapped(written)):
        drawn.text((MARGIN, MARGIN + number * LINE), line, fill=20, font=font)
    page.rotate(0.4, fillcolor=250).save(path, "PDF", resolution=150)


def typeset(path: Path, written: str) -> None:
    """The same page as text."""
    sheet = canvas.Canvas(str(path), pagesize=(WIDTH, HEIGHT))
    sheet.setFont("Helvetica", 24)
    for number, line in enumerate(wrapped(written)):
        sheet.drawString(MARGIN, HEIGHT - MARGIN - number * LINE, line)
    sheet.save()


def recall(folder: Path, make: Callable[[Path, str], None]) -> dict[str, tuple[float, float]]:
    """R@1 and R@10 of 100 pages, asked for by a line that is not on them, and by a sentence that is."""
    found = {line: rest for line, rest in described().items() if sentence(rest)}
    lines = sorted(found)[:: len(found) // PAGES][:PAGES]
    assert len(lines) == PAGES
    media = folder / "pages"
    media.mkdir()
    for number, line in enumerate(lines):
        make(media / f"{number:03}.pdf", found[line])
    environment = os.environ | {"OMNIA_HOME": str(folder / "home"), "OMNIA_DEVICE": "cpu"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(run("indexer", "ingest", str(media), "--json").splitlines()[-1])["indexed"] == PAGES
    reached: dict[str, tuple[float, float]] = {}
    for how, asked in {"about": lines, "says": [sentence(found[line]) for line in lines]}.items():
        queries = folder / f"{how}.jsonl"
        each = ({"words": one.replace('"', "'"), "kinds": ["document"], "limit": 10} for one in asked)
        queries.write_text("".join(json.dumps(one) + "\n" for one in each))
        answers = [json.loads(line)["results"] for line in run("app", "search", "--batch", str(queries)).splitlines()]
        ranks = [[Path(one["path"]).stem for one in results] for results in answers]
        reached[how] = (
            sum(rank[:1] == [f"{number:03}"] for number, rank in enumerate(ranks)) / PAGES,
            sum(f"{number:03}" in rank for number, rank in enumerate(ranks)) / PAGES,
        )
    return reached


@pytest.mark.parametrize("make", [scan, typeset])
def test_a_page_is_found_by_what_it_is_about_and_by_what_it_says(
    tmp_path: Path, make: Callable[[Path, str], None]
) -> None:
    reached = recall(tmp_path, make)
    (about, about_tenth), (says, says_tenth) = reached["about"], reached["says"]
    assert about >= 0.5, reached  # chance is .01
    assert about_tenth >= 0.8, reached
    assert says >= 0.9, reached
    assert says_tenth >= 0.9, reached
    print(reached)  # noqa: T201  (figures, shown by -rP)
