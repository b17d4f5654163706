"""Fixtures that several files share."""

from __future__ import annotations

import pytest
from fakes import Shelf


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(tmp_path / "home")
    yield shelf
    shelf.library.close()
