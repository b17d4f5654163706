"""Pages that are nothing but pixels: scans in PDFs, found by what is written on them, through the real commands."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

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


def scan(path: Path, written: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    """A page of pixels in a PDF without a text layer."""
    page = Image.new("L", (WIDTH, HEIGHT), 250)
    drawn = ImageDraw.Draw(page)
    lines = [part for line in written.splitlines() for part in textwrap.wrap(line, LETTERS) or [""]]
    for number, line in enumerate(lines[: (HEIGHT - 2 * MARGIN) // LINE]):
        drawn.text((MARGIN, MARGIN + number * LINE), line, fill=20, font=font)
    page.rotate(0.4, fillcolor=250).save(path, "PDF", resolution=150)


def test_a_scan_is_found_by_what_it_is_about(tmp_path):
    found = described()
    lines = sorted(found)[:: len(found) // PAGES][:PAGES]
    assert len(lines) == PAGES
    media = tmp_path / "scans"
    media.mkdir()
    font = ImageFont.load_default(24)
    for number, line in enumerate(lines):
        scan(media / f"{number:03}.pdf", found[line], font)
    environment = os.environ | {"OMNIA_HOME": str(tmp_path / "home"), "OMNIA_DEVICE": "cpu"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(run("indexer", "ingest", str(media), "--json").splitlines()[-1])["indexed"] == PAGES
    queries = tmp_path / "queries.jsonl"
    asked = ({"words": line.replace('"', "'"), "kinds": ["document"], "limit": 10} for line in lines)
    queries.write_text("".join(json.dumps(one) + "\n" for one in asked))
    answers = [json.loads(line)["results"] for line in run("app", "search", "--batch", str(queries)).splitlines()]
    ranks = [[Path(one["path"]).stem for one in results] for results in answers]
    first = sum(rank[:1] == [f"{number:03}"] for number, rank in enumerate(ranks)) / PAGES
    tenth = sum(f"{number:03}" in rank for number, rank in enumerate(ranks)) / PAGES
    assert first >= 0.5, f"R@1 {first:.2f}, R@10 {tenth:.2f} of {PAGES}"  # chance is .01
    assert tenth >= 0.8, f"R@1 {first:.2f}, R@10 {tenth:.2f} of {PAGES}"
