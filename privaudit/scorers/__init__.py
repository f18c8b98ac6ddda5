"""Scores made of the attacks' scores: one file each, found by being in this folder."""

from importlib import import_module
from pkgutil import iter_modules

from privaudit.scorers.error_table import ErrorTable
from privaudit.scorers.methods import DEFAULT, Methods, parse_methods
from privaudit.scorers.scorer import REGISTRY, Evidence, Scored, Scorer

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["DEFAULT", "REGISTRY", "ErrorTable", "Evidence", "Methods", "Scored", "Scorer", "parse_methods"]
