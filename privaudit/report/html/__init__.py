"""Renders HTML pages: self-contained files that need no network and no script."""

from privaudit.report.html.page import render_html, render_html_failure

__all__ = ["render_html", "render_html_failure"]
