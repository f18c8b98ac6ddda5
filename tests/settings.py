"""Options of a run as tests change them."""

from __future__ import annotations

from typing import TypeVar

from privaudit.auditing.parsed_options import Options

Chosen = TypeVar("Chosen", bound=Options)


def changed(options: Chosen, **changes: object) -> Chosen:
    """The same options with others in their place, as text or parsed."""
    return type(options).parse(**{**vars(options), **changes})
