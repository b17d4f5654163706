"""What the commands answer, where stdout is odd."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" {command}', sys.executable],
        cwd=ROOT,
        env=os.environ | {"OMNIA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_done_without(tmp_path, closed):
    done = run(f"-m indexer status {closed}", tmp_path / "home")
    assert done.returncode == 0
    assert "unexpected" not in done.stderr


def test_a_batch_from_a_stdin_that_is_closed_is_empty(tmp_path):
    done = run("-m app search --batch - <&-", tmp_path / "home")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_disk_that_is_full_is_said(tmp_path):
    done = run("-m indexer status >/dev/full", tmp_path / "home")
    assert done.returncode == 2
    assert "cannot be written: No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1
