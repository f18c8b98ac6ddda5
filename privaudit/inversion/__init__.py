"""Decoder inversion: latents z with D(z) = x for given images x. One solver per file, one result type."""

from privaudit.inversion.inversion_result import OUTCOMES, Inversion, nmse_db
from privaudit.inversion.recover import DEFAULT, invert, require_any_finite
from privaudit.inversion.solver import SOLVERS, Evaluation, Invertible, Memory, Solver, register

__all__ = [
    "DEFAULT",
    "OUTCOMES",
    "SOLVERS",
    "Evaluation",
    "Inversion",
    "Invertible",
    "Memory",
    "Solver",
    "invert",
    "nmse_db",
    "register",
    "require_any_finite",
]
