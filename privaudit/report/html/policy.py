"""Style and script of the page, and the policy that lets a browser run these two and nothing else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from privaudit.report.html.svg import STYLE


@dataclass(frozen=True)
class Assets:
    """What stands in the head of every page.

    Attributes:
        style: The style sheet.
        script: The script, which the page can do without.
        policy: Content security policy: no request to anywhere, pictures only from the page itself.
    """

    style: Markup
    script: Markup
    policy: str


@cache
def assets() -> Assets:
    """Read style and script from the package."""
    style, script = _read("page.css") + STYLE, _read("page.js")
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return Assets(Markup(style), Markup(script), policy)  # texts of this package, nothing of a user


def _read(name: str) -> str:
    return files("privaudit.report.html").joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The hash of an inline element, of its text exactly as it stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
