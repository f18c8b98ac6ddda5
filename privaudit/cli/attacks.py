"""`privaudit attacks`: what there is, what it costs and what it needs."""

from __future__ import annotations


def attacks() -> None:
    """List the attacks with presets, cost, needs and where they were published."""
    from rich.console import Console, Group
    from rich.text import Text

    from privaudit.report.attacks import attack_table, scorer_table

    Console().print(
        Group(
            attack_table(),
            Text(),
            scorer_table(),
            Text(),
            Text(
                "Passes of the denoiser an image at the default levels; privaudit scan --dry-run counts what is shared."
            ),
        )
    )
