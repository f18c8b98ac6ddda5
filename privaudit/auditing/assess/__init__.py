"""From scores to attack reports, checks and verdict; needs NumPy only, no model."""

from privaudit.auditing.assess.assessment import Assessment, assess
from privaudit.auditing.assess.exposed import exemplars, influence_report, most_exposed
from privaudit.auditing.assess.folds import Split, split_images

__all__ = ["Assessment", "Split", "assess", "exemplars", "influence_report", "most_exposed", "split_images"]
