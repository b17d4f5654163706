"""The sample folder: small, whole, and with a named source and licence for every file."""

import json
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
TRUTH = json.loads((Path(__file__).parent / "samples_truth.json").read_text(encoding="utf-8"))
PAIRS = json.loads((Path(__file__).parent / "pairs.json").read_text(encoding="utf-8"))
KINDS = ["text", "image", "video", "audio", "document"]


def sample_files() -> list[str]:
    found = (path for path in SAMPLES.rglob("*") if path.is_file() and path.name not in ("SOURCES.md", ".omniaignore"))
    return sorted(path.relative_to(SAMPLES).as_posix() for path in found)


def test_every_sample_is_described_and_nothing_else_is():
    assert sample_files() == sorted(TRUTH)


def test_the_samples_stay_under_eight_megabytes():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) <= 8_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_several_samples(kind):
    assert sum(truth["kind"] == kind for truth in TRUTH.values()) >= 8


def test_the_samples_speak_more_than_one_language():
    spoken = {line["language"] for truth in TRUTH.values() for line in truth.get("speech", [])}
    assert {"en", "de"} <= spoken


def test_every_sample_has_a_source_an_author_and_a_licence():
    sources: dict[str, list[str]] = {}
    folder = ""
    for line in (SAMPLES / "SOURCES.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            folder = line[3:]
        elif line.startswith("| ") and not line.startswith("| file"):
            name, *rest = (cell.strip() for cell in line.strip("|").split("|"))
            sources[folder + name] = rest
    assert sorted(sources) == sample_files()
    assert all(source and author and licence for source, author, licence, _ in sources.values())
    assert not any("NC" in licence.split() or "ND" in licence.split() for *_, licence, _ in sources.values())


def test_the_pairs_cover_every_kind_by_every_kind_with_files_of_those_kinds():
    assert sorted((pair["from"], pair["kind"]) for pair in PAIRS) == sorted((a, b) for a in KINDS for b in KINDS)
    for pair in PAIRS:
        asked = pair["query"].get("file")
        assert asked is None or TRUTH[asked]["kind"] == pair["from"]
        assert pair["right"]
        assert asked not in pair["right"]
        assert all(TRUTH[right]["kind"] == pair["kind"] for right in pair["right"])


def test_the_readme_shows_the_recorded_rank_of_each_pair():
    readme = (SAMPLES.parents[1] / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.partition("<!-- pairs -->")[2].partition("<!-- /pairs -->")[0].splitlines() if line]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]
    recorded = {(pair["from"], pair["kind"]): pair["rank"] for pair in PAIRS}
    shown = {
        (row[0], kind): int(cell.split("**")[1]) for row in cells for kind, cell in zip(KINDS, row[1:], strict=True)
    }
    assert shown == recorded
