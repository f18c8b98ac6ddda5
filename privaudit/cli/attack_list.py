"""The list of attacks and scorers, with what each needs and costs."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Column, Table

from privaudit.attacks import ATTACKS, Attack, make_plan
from privaudit.attacks.plan import model_for_counting
from privaudit.scorers import SCORERS


def attack_table() -> Table:
    """One row per attack."""
    table = Table(
        "attack", Column("passes", justify="right"), "needs", "what it measures, presets, reference", box=None
    )
    for name, kind in ATTACKS.items():
        attack = kind()
        about = [attack.summary]
        if kind.presets:
            about.append("presets " + ", ".join(f"{name}@{preset}" for preset in kind.presets))
        about.append(attack.citation)
        text = "\n".join([about[0], *(f"[dim]{escape(line)}[/dim]" for line in about[1:])])
        table.add_row(name, _passes(attack), ", ".join(attack.needs), text)
    return table


def scorer_table() -> Table:
    """One row per scorer."""
    table = Table("scorer", "what it makes of the attacks' scores, reference", box=None)
    for name, kind in SCORERS.items():
        table.add_row(name, f"{kind.summary}\n[dim]{escape(kind.citation)}[/dim]")
    return table


def _passes(attack: Attack) -> str:
    target = model_for_counting("flow" if "flow model" in attack.needs else "epsilon")
    (step,) = make_plan([attack.for_target(target)], target).steps
    back = f" + {step.alone['backward']} back" if step.alone["backward"] else ""
    return f"{step.alone['forward']}{back}"
