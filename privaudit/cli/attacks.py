"""`privaudit attacks`: what there is and what it costs."""

from __future__ import annotations


def attacks() -> None:
    """List the attacks with their cost and where they were published."""
    from rich.console import Console
    from rich.table import Column, Table

    from privaudit.attacks import REGISTRY

    table = Table(
        "attack", "what it measures", "passes/image", Column("levels", overflow="fold"), "order", "reference", box=None
    )
    for name, kind in sorted(REGISTRY.items()):
        attack = kind()
        levels = ",".join(map(str, attack.levels))
        table.add_row(name, kind.summary, str(attack.cost), levels, f"{attack.order:g}", kind.reference)
    Console().print(table)
