"""Fixtures that several files share."""

from __future__ import annotations

import pytest
from browsing import BROWSER, FLAGS, opened
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


@pytest.fixture
def page(browser, address):
    """The page in a tab of its own, at the address that the test file serves it at."""
    with opened(browser, address) as page:
        yield page


@pytest.fixture
def client(shelf, tmp_path):
    """Asks the API of the shelf's library; previews are kept beside the test's other files."""
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    from app.api import api
    from app.previews import PreviewCache

    shelf.library.previews = lambda: PreviewCache(tmp_path / "cache", readers=shelf.readers)
    app = Starlette(routes=[Mount("/api", api(lambda: shelf.library))])
    with TestClient(app, base_url="http://localhost") as client:
        yield client
