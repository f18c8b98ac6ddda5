"""Two runs next to each other: what got worse, what got better, and whether the runs can be compared at all.

`compare_runs` reads two run folders (or two report files) and needs no model. Scores of two models on the same images
are correlated, so differences are paired wherever both runs kept the scores of the same images.
"""

from privaudit.compare.compare_options import KINDS, CompareOptions
from privaudit.compare.comparing import compare_runs, run_comparison
from privaudit.compare.comparison import Change, ComparisonResult

__all__ = ["KINDS", "Change", "CompareOptions", "ComparisonResult", "compare_runs", "run_comparison"]
