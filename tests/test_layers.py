"""The layer rule, read from the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("data", "embedder", "indexer", "app")
MAY_IMPORT = {
    "data": {"data"},
    "embedder": {"embedder", "data.records", "data.errors"},
    "indexer": {"indexer", "data", "embedder.embed", "embedder.media", "embedder.rows", "embedder.segment"},
    "app": {"app", "data", "embedder.embed", "embedder.media", "embedder.rows", "embedder.segment"},
}
ALSO = {"embedder/cli.py": {"data.settings"}}
HOMES = {
    "qdrant_edge": ("data/edge.py", "data/points.py"),
    "qdrant_client": ("data/server.py",),
    "sqlalchemy": ("data/",),
    "ffmpeg": ("embedder/media/ffmpeg.py",),
    "streamlit": ("app/", "streamlit_app.py"),
    "torch": ("embedder/",),
    "torchaudio": ("embedder/",),
    "transformers": ("embedder/",),
    "timm": ("embedder/",),
    "sentence_transformers": ("embedder/hub.py",),
    "huggingface_hub": ("embedder/hub.py",),
    "mteb": ("embedder/mteb_",),
    "datasets": ("embedder/mteb_",),
    "onnx": ("embedder/towers/sounds.py",),
    "onnxruntime": ("embedder/",),
    "faster_whisper": ("embedder/media/speech.py",),
}


def imports(source: Path) -> set[str]:
    """Dotted names of every module that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def sources() -> list[Path]:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    return [file for file in files if "store" not in file.relative_to(ROOT).parts]


def is_within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("source", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_what_its_layer_may(source: Path) -> None:
    place = source.relative_to(ROOT).as_posix()
    allowed = MAY_IMPORT[place.split("/")[0]] | ALSO.get(place, set())
    ours = {name for name in imports(source) if name.split(".")[0] in PACKAGES}
    assert not {name for name in ours if not is_within(name, allowed)}


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_has_one_home(library: str) -> None:
    homes = HOMES[library]
    for source in sources():
        place = source.relative_to(ROOT).as_posix()
        if any(name.split(".")[0] == library for name in imports(source)):
            assert place.startswith(homes), f"{place} imports {library}; its home is {homes}"


@pytest.mark.parametrize("package", ["indexer", "app", "embedder"])
def test_help_imports_nothing_heavy_and_is_quick(package: str) -> None:
    code = (
        "import runpy, sys, time\n"
        f"sys.argv = ['{package}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('{package}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "heavy = {'torch', 'transformers', 'streamlit', 'sqlalchemy', 'qdrant_edge', 'qdrant_client', 'numpy', 'av'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "print('cpu', time.process_time())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.rsplit("cpu", 1)[1]) <= 0.3


def test_what_the_first_page_waits_for_imports_no_orm_no_other_database_and_no_numbers() -> None:
    code = (
        "import sys, data.catalogue, embedder.rows\n"
        "early = {'sqlalchemy.dialects.postgresql', 'sqlalchemy.orm', 'numpy', 'torch'} & set(sys.modules)\n"
        "assert not early, early\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
