"""A real browser for the pages that privaudit writes: an installed Chromium, driven by Playwright, offline."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VARIABLE = "PRIVAUDIT_CHROMIUM"
SCREENSHOTS = "PRIVAUDIT_SCREENSHOTS"


@dataclass
class Visit:
    """A page that is open, and what it said and asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def find_chromium() -> str | None:
    """Path of an installed Chromium, or what PRIVAUDIT_CHROMIUM names."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)


def screenshot_folder(otherwise: Path) -> Path:
    """Where screenshots go: PRIVAUDIT_SCREENSHOTS, so that CI can keep them."""
    folder = Path(os.environ.get(SCREENSHOTS) or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def chromium() -> Generator[Browser]:
    """Start the browser; skips the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra test)")
    path = find_chromium()
    if path is None:
        pytest.skip(f"no browser is installed: install chromium, or name one in {VARIABLE}")
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # as root, Chromium's sandbox cannot start
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, file: Path, *, width: int = 1280, height: int = 800, **context: Any) -> Generator[Visit]:
    """Open a file, offline, and note every error and every request."""
    with browser.new_context(viewport={"width": width, "height": height}, offline=True, **context) as opened:
        visit = Visit(opened.new_page())
        visit.page.on("console", lambda m: visit.errors.append(m.text) if m.type in ("error", "warning") else None)
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.goto(file.as_uri())
        yield visit
