"""Membership-inference attacks: one file each, found by being in this folder."""

from importlib import import_module
from pkgutil import iter_modules

from privaudit.attacks.base import REGISTRY, Attack, FieldAttack, LevelAttack, masked_errors, register, score_batch
from privaudit.attacks.batch import Batch, PassCache
from privaudit.attacks.parsing import parse_attacks
from privaudit.attacks.plan import Plan, make_plan

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "REGISTRY",
    "Attack",
    "Batch",
    "FieldAttack",
    "LevelAttack",
    "PassCache",
    "Plan",
    "make_plan",
    "masked_errors",
    "parse_attacks",
    "register",
    "score_batch",
]
