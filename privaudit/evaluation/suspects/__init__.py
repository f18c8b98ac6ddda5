"""Images of unknown membership (suspects): a test of the set, and a calibrated p-value for each image."""

from privaudit.evaluation.suspects.findings import SuspectFindings, SuspectReport
from privaudit.evaluation.suspects.judge import judge_suspects

__all__ = ["SuspectFindings", "SuspectReport", "judge_suspects"]
