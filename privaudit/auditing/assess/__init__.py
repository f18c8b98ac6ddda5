"""Scores become the attack reports, checks and verdict of a result: numpy only, no model needed."""

from privaudit.auditing.assess.assessment import Assessment, assess
from privaudit.auditing.assess.exposed import exemplars, influence_report, most_exposed
from privaudit.auditing.assess.folds import Split, split_images

__all__ = ["Assessment", "Split", "assess", "exemplars", "influence_report", "most_exposed", "split_images"]
