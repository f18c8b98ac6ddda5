"""`privaudit attacks`: what there is, what it costs and what it needs."""

from __future__ import annotations

from privaudit.cli.output import to_reader


def attacks() -> None:
    """List the attacks with presets, cost, needs and where they were published."""
    from rich.console import Group
    from rich.text import Text

    from privaudit.cli.attack_list import attack_table, scorer_table
    from privaudit.report.terminal.console import standard_output

    counted = "Passes of the denoiser per image at the default levels; privaudit scan --dry-run counts what is shared."
    with to_reader():
        standard_output().print(Group(attack_table(), Text(), scorer_table(), Text(), Text(counted)))
