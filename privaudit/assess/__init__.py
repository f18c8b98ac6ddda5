"""Scores become the attack reports, checks and verdict of a result: numpy only, no model needed."""

from privaudit.assess.assessment import Assessment, assess
from privaudit.assess.exposed import influence_report, most_exposed, portraits
from privaudit.assess.split import Split, split_images

__all__ = ["Assessment", "Split", "assess", "influence_report", "most_exposed", "portraits", "split_images"]
