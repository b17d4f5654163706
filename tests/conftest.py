"""Fixtures that several files share."""

from __future__ import annotations

import pytest
from browsing import BROWSER, FLAGS
from fakes import Shelf


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(tmp_path / "home")
    yield shelf
    shelf.library.close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()
