"""Tables of the attacks and scorers, with cost and requirements."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Column, Table

from privaudit.attacks import ATTACKS, Attack, make_plan
from privaudit.attacks.plan import model_for_counting
from privaudit.scorers import SCORERS


def attack_table() -> Table:
    """Build a table with one row per attack."""
    table = Table(
        "attack", Column("passes", justify="right"), "needs", "what it measures, presets, reference", box=None
    )
    for name, kind in ATTACKS.items():
        attack = kind()
        details = [attack.citation]
        if kind.presets:
            details.insert(0, "presets " + ", ".join(f"{name}@{preset}" for preset in kind.presets))
        text = "\n".join([attack.summary, *(f"[dim]{escape(line)}[/dim]" for line in details)])
        table.add_row(name, _passes(attack), ", ".join(attack.needs), text)
    return table


def scorer_table() -> Table:
    """Build a table with one row per scorer."""
    table = Table("scorer", "how it combines the attacks' scores, reference", box=None)
    for name, kind in SCORERS.items():
        table.add_row(name, f"{kind.summary}\n[dim]{escape(kind.citation)}[/dim]")
    return table


def _passes(attack: Attack) -> str:
    """Denoiser passes per image at the default levels, counted on a stand-in target that runs no model."""
    target = model_for_counting("flow" if "flow model" in attack.needs else "epsilon")
    (step,) = make_plan([attack.for_target(target)], target).steps
    back = f" + {step.alone['backward']} back" if step.alone["backward"] else ""
    return f"{step.alone['forward']}{back}"
