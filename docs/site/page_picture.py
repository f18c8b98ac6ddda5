"""Draws the picture of the page in README.md: ``python docs/site/page_picture.py privaudit-runs/demo/report.html``.

Needs the extra ``test`` and a Chromium that playwright finds (`tests/browser.py` says where it looks).
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parents[1] / "pictures" / "page.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, COLOURS = 1040, 64


def draw(report: Path) -> None:
    """Photograph the first screen of a page, in light colours."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        shot = page.locator("section.first").screenshot()
        browser.close()
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").quantize(COLOURS).save(PICTURE, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
