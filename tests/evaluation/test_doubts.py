import numpy as np
import pytest
from results import sample_fact

from privaudit.evaluation import Check, Conclusion, Finding, Verdict, decide, evaluate, exit_code, fact, parse_gates
from privaudit.evaluation.doubts import DOUBTS, doubtful_checks
from privaudit.evaluation.facts import CODES

SIMA = ("sima", "none")
MEMBER = np.arange(600) < 300
NOISE = np.random.default_rng(0).normal(size=600)
TURNED = Check("orientation", "warn", (fact("images_may_be_turned", images=12, total=40),))
SKIPPED = Check("unreadable files", "warn", (fact("files_skipped", files=2),))
IN_DOUBT = fact("reading_in_doubt", check="orientation")


def verdict(shift: float = 0.0, gates: tuple[str, ...] = (), **options: object) -> Verdict:
    evaluation = evaluate({SIMA: NOISE + shift * MEMBER}, MEMBER, np.arange(600) % 5, replicates=200)
    return decide(evaluation, [SIMA], gates=parse_gates(gates), **options)


@pytest.mark.parametrize("code", sorted(DOUBTS))
def test_a_warning_with_such_a_fact_is_a_doubt(code: str) -> None:
    assert code in CODES
    facts = (fact("all_files_readable"), sample_fact(code))
    assert [doubtful_checks([Check("x", status, facts)]) for status in ("ok", "fail")] == [(), ()]
    assert doubtful_checks([SKIPPED, Check("x", "warn", facts)]) == (Check("x", "warn", facts),)


def test_nothing_found_in_doubt_is_unclear() -> None:
    judged = verdict(checks=[TURNED, SKIPPED])
    assert (judged.finding.level, judged.finding.basis, judged.finding.reason) == ("unclear", "checks", IN_DOUBT)
    assert (judged.status, judged.reasons) == ("inconclusive", (IN_DOUBT, fact("no_gate_set")))
    assert verdict(checks=[SKIPPED]).finding.level == "none"


def test_a_leak_stands_in_doubt() -> None:
    judged, sure = verdict(1.0, checks=[TURNED]), verdict(1.0)
    assert judged == sure
    assert judged.finding.leaks


def test_a_gate_does_not_pass_in_doubt_and_fails_all_the_same() -> None:
    judged = verdict(gates=("auroc>0.9",), checks=[TURNED])
    assert (judged.status, judged.reasons) == ("inconclusive", (IN_DOUBT,))
    assert (judged.gates[0].status, judged.gates[0].reason) == ("inconclusive", IN_DOUBT)
    assert [test.status for test in judged.gates[0].tests] == ["inconclusive"]
    assert exit_code(judged.status, gated=True) == 3
    failing = verdict(1.0, gates=("auroc>0.6", "auroc>0.95"), checks=[TURNED])
    assert (failing.status, [gate.status for gate in failing.gates]) == ("fail", ["fail", "inconclusive"])
    leaking = verdict(1.0, gates=("auroc>0.95",), checks=[TURNED])
    assert (leaking.finding.leaks, leaking.status) == (True, "inconclusive")
    assert leaking.reasons == (fact("gate_inconclusive", gate="auroc>0.95"),)


def test_a_failed_check_comes_first() -> None:
    failed = Check("blind baseline", "fail", (fact("no_attack_exceeds_blind"),))
    judged = verdict(checks=[TURNED, failed])
    assert judged.finding == Finding("unclear", "checks")
    assert judged.reasons == (fact("check_failed", check="blind baseline"), fact("no_gate_set"))


@pytest.mark.parametrize("basis", ["set_test", "canary_test"])
def test_no_design_clears_a_model_in_doubt(basis: str) -> None:
    conclusion = Conclusion(lambda finding: Finding("none", basis))
    assert verdict(1.0, checks=[TURNED], conclusion=conclusion).finding == Finding("unclear", "checks", IN_DOUBT)
