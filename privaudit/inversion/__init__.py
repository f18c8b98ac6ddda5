"""Gradient-free decoder inversion: one solver a file, one result type."""

from privaudit.inversion import adam, forward_step  # noqa: F401 - importing registers them
from privaudit.inversion.base import SOLVERS, Inversion, Solver, make_solver

__all__ = ["SOLVERS", "Inversion", "Solver", "make_solver"]
