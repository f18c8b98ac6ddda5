"""`privaudit attacks`: available attacks and scorers, their cost and requirements."""

from __future__ import annotations

from privaudit.cli.output import tolerate_closed_stdout


def attacks() -> None:
    """List the attacks and scorers with presets, cost, requirements and reference."""
    from rich.console import Group
    from rich.text import Text

    from privaudit.cli.attack_list import attack_table, scorer_table
    from privaudit.report.terminal.console import standard_output

    note = (
        "Passes: denoiser passes per image at the default levels. privaudit scan --dry-run counts shared passes once."
    )
    with tolerate_closed_stdout():
        standard_output().print(Group(attack_table(), Text(), scorer_table(), Text(), Text(note)))
