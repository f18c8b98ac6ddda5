"""Scorers, which combine the scores of attacks: one file each, discovered in this folder."""

from privaudit.scorers.error_table import ErrorTable
from privaudit.scorers.methods import DEFAULT, Methods, parse_methods
from privaudit.scorers.scorer import SCORERS, Evidence, Scored, Scorer, register

__all__ = ["DEFAULT", "SCORERS", "ErrorTable", "Evidence", "Methods", "Scored", "Scorer", "parse_methods", "register"]
