"""Images of unknown membership: a calibrated p-value for each, and a test of the set."""

from privaudit.evaluation.suspects.findings import SuspectFindings, SuspectReport
from privaudit.evaluation.suspects.judge import judge_suspects

__all__ = ["SuspectFindings", "SuspectReport", "judge_suspects"]
