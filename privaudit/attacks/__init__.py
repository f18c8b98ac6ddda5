"""Membership-inference attacks: one file each, discovered in this folder."""

from privaudit.attacks.base import (
    ATTACKS,
    Attack,
    FieldAttack,
    LevelAttack,
    masked_errors,
    register,
    register_attack,
    score_batch,
)
from privaudit.attacks.batch import Batch, PassCache
from privaudit.attacks.parsing import parse_attacks
from privaudit.attacks.plan import Plan, make_plan

__all__ = [
    "ATTACKS",
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
    "register_attack",
    "score_batch",
]
