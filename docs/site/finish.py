"""What zensical leaves to a server: a search index as a script, and a page for what is not found at any depth."""

from __future__ import annotations

from pathlib import Path

NOT_FOUND = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>privaudit: no such page</title>
<style>body{font:1rem/1.6 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}</style>
</head>
<body>
<h1>No such page</h1>
<p>This site has no page at this address. Go back, or begin at the site's first page and use its search.</p>
</body>
</html>
"""
"""Without links and without files: a server shows it at any depth, below any path."""


def finish(site: Path) -> None:
    """Add both.

    Args:
        site: Folder of a built site.
    """
    index = (site / "search.json").read_text(encoding="utf-8")
    (site / "search.js").write_text(f"var __index={index}", encoding="utf-8")  # what its script asks for on file://
    (site / "404.html").write_text(NOT_FOUND, encoding="utf-8")
