"""Canaries: images whose membership was decided by a fair coin that no one could see or change.

`draw_canaries` tosses one coin per candidate, writes the manifest for the training team and seals the assignment.
`read_canaries` checks the seal and every file, and returns the two sets for an audit. The coins are independent of
everything else, so any difference between included and excluded images comes from the training. No other choice of
members and non-members has a known false-positive rate.
"""

from privaudit.canaries.assignment import Assignment, Candidate, check_assignment, key_of_seed, seal_of, toss
from privaudit.canaries.draw import Drawn, draw_canaries
from privaudit.canaries.read import ASSIGNMENT, SEAL, TRAIN, Canaries, read_canaries, verify_canaries

__all__ = [
    "ASSIGNMENT",
    "SEAL",
    "TRAIN",
    "Assignment",
    "Canaries",
    "Candidate",
    "Drawn",
    "check_assignment",
    "draw_canaries",
    "key_of_seed",
    "read_canaries",
    "seal_of",
    "toss",
    "verify_canaries",
]
