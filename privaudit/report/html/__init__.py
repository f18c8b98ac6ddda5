"""The HTML page: one self-contained file that needs no network and no script."""

from privaudit.report.html.page import render_html, render_html_failure

__all__ = ["render_html", "render_html_failure"]
