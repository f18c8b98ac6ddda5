"""Headline, answer, tone and advice agree with one another, and none of them reassures where nothing was decided."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from results import CANARIES, SUSPECTS, gate_outcome, make_result, noted

from privaudit.attacks import ATTACKS
from privaudit.evaluation import Check, Finding, fact
from privaudit.evaluation.estimate import RateEstimate
from privaudit.evaluation.rate import nonmembers_needed, rate_estimate, unresolved
from privaudit.evaluation.roc import count
from privaudit.registry import summary_of
from privaudit.report.quoted import quoted
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.attacker import base_rate, learns, measures_rate, rests_on, right_of_100, worst_case
from privaudit.report.sentences.design_text import canary_statement, suspect_statement
from privaudit.report.sentences.fact_text import fact_text
from privaudit.report.sentences.finding_text import brief_statement, largest_auroc, statement
from privaudit.report.sentences.lines import reach_lines, scale_text
from privaudit.report.sentences.names import attack_text, score_text
from privaudit.report.sentences.overall import answer, headline, tone
from privaudit.report.sentences.verdict_text import exit_text, gate_reason, limits_note, pass_meaning, undecided
from privaudit.scorers import SCORERS

NAN = math.nan


def steps(result):
    return [step.text for step in advice(result)]


def pass_note(result):
    return " ".join(pass_meaning(result))


def with_status(result, status, gates=("auroc>0.6",), **config):
    outcomes = tuple(gate_outcome(gate, status) for gate in gates)
    verdict = replace(result.verdict, status=status, gates=outcomes)
    return replace(result, verdict=verdict, config={**result.config, **config})


def with_finding(result, level, **changes):
    return replace(result, verdict=replace(result.verdict, finding=Finding(level, **changes)))


def of_suspects(result, **changes):
    return replace(result, data=replace(result.data, design="suspects"), suspects=replace(SUSPECTS, **changes))


NONE = make_result(strength=0.0)
SMALL = make_result(strength=0.0, images=40)


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        (NONE, ("NO LEAK FOUND", "none")),
        (SMALL, ("NO LEAK FOUND BY A SMALL TEST", "neutral")),
        (with_status(NONE, "inconclusive"), ("NOT DECIDED", "unclear")),
        (with_status(NONE, "fail", gate_bound="upper"), ("NOT RULED OUT", "neutral")),
        (with_status(NONE, "fail"), ("A GATE FAILED", "low")),
        (with_status(NONE, "pass"), ("NO LEAK FOUND", "none")),
        (with_finding(NONE, "unclear"), ("INCONCLUSIVE", "unclear")),
        (with_finding(NONE, "low"), ("LEAK FOUND: LOW", "low")),
        (with_status(with_finding(NONE, "high"), "inconclusive"), ("LEAK FOUND: HIGH", "high")),
        (of_suspects(NONE, flagged={"0.05": 0}), ("NO EVIDENCE OF TRAINING ON THE SUSPECTS", "neutral")),
        (of_suspects(NONE), ("NO EVIDENCE FROM THE SUSPECTS AS A SET, 4 FLAGGED SINGLY", "low")),
        (with_finding(of_suspects(NONE), "low"), ("EVIDENCE OF TRAINING ON SOME OF THE SUSPECTS", "low")),
        (with_finding(of_suspects(NONE), "unclear"), ("INCONCLUSIVE", "unclear")),
    ],
)
def test_headline_and_tone(result, wanted):
    assert (headline(result), tone(result)) == wanted
    assert answer(result).endswith(".")
    assert steps(result)


def test_the_tick_stands_for_a_stated_limit():
    upper = largest_auroc(NONE)
    assert 0.5 < upper < 0.6
    assert f"an AUROC above {upper:.2f} is ruled out for these attacks (95" in answer(NONE)
    without = replace(
        NONE,
        attacks=tuple(
            replace(
                report,
                masks={
                    mask: replace(metrics, tpr_at_fpr={"0.01": RateEstimate(NAN, NAN, NAN, NAN, 0, 60)})
                    for mask, metrics in report.masks.items()
                },
            )
            for report in NONE.attacks
        ),
    )
    assert tone(without) == "neutral"
    assert answer(without) == "There were too few non-members to tell whether single images stand out."


def test_a_small_test_says_what_it_would_have_missed():
    assert answer(SMALL).startswith(
        f"A leak with an AUROC of up to {largest_auroc(SMALL):.2f} could have gone unnoticed"
    )
    assert steps(SMALL)[0] == "Do not rely on this: 40 members and 40 non-members show only strong leaks."
    canaries = replace(SMALL, data=replace(SMALL.data, design="canaries"), canaries=CANARIES)
    assert answer(canaries).endswith("could have shown an epsilon of only 3.5 with these canaries.")
    assert steps(canaries)[0].startswith("Draw more canaries")


def test_an_inconclusive_gate_says_what_it_needs_and_comes_first():
    result = make_result(strength=0.3, images=40, gates=("tpr@1%fpr>0.05",))
    assert result.verdict.status == "inconclusive"
    assert answer(result) == "No leak was found, but the gate tpr@1%fpr>0.05 could not be decided with so few images."
    assert steps(result)[0] == (
        "Add images: the gate tpr@1%fpr>0.05 needs at least 492 independent non-members, since 7 tests share the "
        "error; there are 40."
    )
    reason = gate_reason(result.verdict.gates[0], result)
    assert reason.startswith(
        "1 % false positives need at least 492 independent non-members for 7 tests together; these"
    )
    assert not any("Keep the report" in item for item in steps(result))
    high = with_finding(result, "high")
    assert [item.startswith("Add images") for item in steps(high)] == [False, False, True]


def test_what_a_gate_needs_is_what_the_limit_needs():
    needed = nonmembers_needed(0.01, 0.05 / 7)
    assert unresolved(0.01, needed, 0.05 / 7) is None
    assert unresolved(0.01, needed - 1, 0.05 / 7) is not None
    assert nonmembers_needed(0.01, 0.9) == 100


def test_no_number_of_images_gives_an_upper_bound():
    result = with_status(NONE, "inconclusive", ("epsilon>1",), gate_bound="upper")
    assert undecided(result) == (
        "Leave --gate-bound upper out for the gate epsilon>1: an audit bounds epsilon from below only.",
    )
    failed = replace(result, checks=(Check("blind baseline", "fail", noted("x")),))
    assert undecided(failed) == ()


@pytest.mark.parametrize("result", [with_finding(NONE, "unclear"), of_suspects(NONE)])
def test_no_gate_is_advised_where_none_can_help(result):
    assert not any("set a gate" in item for item in steps(result))


def test_a_gate_is_advised_that_can_be_decided():
    assert any("'tpr@1%fpr>0.05'" in item for item in steps(NONE))
    assert any("'auroc>0.6'" in item for item in steps(SMALL))


def test_a_pass_is_not_a_proof():
    assert pass_note(with_status(NONE, "pass")).startswith("A pass means that no more than the gate allows was shown.")
    assert pass_note(with_status(NONE, "pass", gate_bound="upper")) == ""
    assert pass_note(with_status(NONE, "fail")) == ""
    assert pass_note(NONE) == ""


def test_no_option_rules_out_a_larger_epsilon() -> None:
    bounded = make_result(strength=0.0, gates=("epsilon>3",))
    assert bounded.verdict.gates[0].status == "pass"
    assert "no audit could: epsilon is bounded from below only." in pass_note(bounded)
    assert "--gate-bound" not in pass_note(bounded)
    assert "--gate-bound upper does" in pass_note(make_result(strength=0.0, gates=("epsilon>3", "auroc>0.6")))


def test_the_statement_has_the_numbers_of_the_page():
    result = make_result(strength=2.0)
    finding, rate = result.verdict.finding, quoted(result).metrics.tpr_at_fpr["0.01"]
    text = statement(result)
    assert f"recognises {100 * rate.value:.0f} of 100 training images (at least {100 * finding.limit:.0f}, " in text
    assert f" by the attack “{finding.attack}, {finding.mask} mask”: " in text
    assert "(corrected p below 0.001)" in text
    assert text.endswith(".")
    assert "p = 0.036" in statement(make_result(strength=0.12, gates=("auroc>0.6",)))


def test_attacks_and_scores_are_counted_once():
    assert scale_text(NONE) == "3 attacks gave 9 scores per image: 7 are compared, 2 (random masks) are controls"
    alone = replace(NONE, attacks=NONE.attacks[-1:])
    assert scale_text(alone) == "1 attack gave 1 score per image"


def test_a_name_is_not_taken_for_a_number():
    assert attack_text("epsilon") == "epsilon (attack)"
    assert score_text("sima", "weighted") == "sima, weighted mask"
    assert score_text("sima", "none") == "sima"


def test_the_worst_case_is_told_of_learned_scores_alone():
    result = make_result(images=400, strength=2.0)
    assert learns(quoted(result).report)
    assert worst_case(result).startswith("This attacker already knows other training images")
    assert worst_case(make_result(strength=2.0)) == ""  # sima
    alone = replace(result, attacks=tuple(report for report in result.attacks if learns(report)))
    assert worst_case(alone).endswith("the worst case.")
    assert worst_case(replace(result, data=replace(result.data, design="suspects"))) == ""


def test_base_rates():
    assert right_of_100(0.575, 0.01, 0.5) == pytest.approx(100 * 0.575 / 0.585)
    assert right_of_100(0.575, 0.01, 0.001) == pytest.approx(5.44, abs=0.01)
    assert math.isnan(right_of_100(0.0, 0.0, 0.5))
    assert base_rate(NONE) == (
        "Of 100 accusations of an attack that recognises 20 of 100 training images, 95 are right if half of the images "
        "that the attacker checks are training images, but only 2.0 if 1 of 1000 is."
    )


def test_a_rate_without_interval_does_not_say_how_sure_an_accusation_is():
    result = make_result(strength=2.0)
    assert measures_rate(result)
    assert base_rate(result).startswith("Of 100 accusations, 97 are right if half")
    score = quoted(result)
    rates = {"0.01": replace(score.metrics.tpr_at_fpr["0.01"], lo=math.nan, hi=math.nan)}
    masks = {**score.report.masks, score.mask: replace(score.metrics, tpr_at_fpr=rates)}
    attacks = tuple(replace(r, masks=masks) if r.name == score.report.name else r for r in result.attacks)
    few = replace(result, attacks=attacks)
    assert not measures_rate(few)
    assert base_rate(few) == base_rate(NONE)


def test_a_gate_that_passes_below_what_was_measured_says_so_and_why_its_limit_differs():
    result = make_result(strength=2.0, gates=("tpr@1%fpr>0.3",))
    (gate,) = result.verdict.gates
    measured, finding = quoted(result).metrics.tpr_at_fpr["0.01"].value, result.verdict.finding
    assert gate.status == "pass"
    assert measured > gate.threshold > finding.limit
    reason = gate_reason(gate, result)
    assert reason.startswith(
        f"{measured:.3f} was measured, but more than 0.3 is not shown with certainty: largest lower"
    )
    assert limits_note(result) == (
        "The gate's limit and “at least” of the finding differ: the one is corrected for 7 tests, the other for "
        f"{2 * finding.scores}, two per score."
    )
    assert limits_note(make_result(strength=2.0)) == ""
    clear = make_result(strength=2.0, gates=("tpr@1%fpr>0.9",))
    assert gate_reason(clear.verdict.gates[0], clear).startswith("largest lower limit")


def test_the_exit_code_is_the_actual_one_where_it_is_known():
    result = make_result(gates=("auroc>0.6",))
    assert exit_text(result) == "Exit code 1 by default."
    assert exit_text(result, 1) == "Exit code 1."
    assert exit_text(result, 0) == "Exit code 0, as requested, instead of 1."


def test_what_was_found_says_what_its_level_means():
    result = make_result(strength=2.0)
    assert brief_statement(result) == (
        f"High means at least 20 of 100 training images; here it is at least {100 * result.verdict.finding.limit:.0f}."
    )
    low = replace(result, verdict=replace(result.verdict, finding=replace(result.verdict.finding, level="low")))
    assert brief_statement(low) == "Low means more than guessing; 5 of 100 training images are not shown."
    area = replace(low.verdict.finding, level="medium", metric="auroc", limit=0.7)
    medium = replace(result, verdict=replace(result.verdict, finding=area))
    assert brief_statement(medium) == (
        "Medium means at least 69 of 100 pairs, where there are too few non-members to count images; here it is at "
        "least 70."
    )
    assert " the attack tells 9" in statement(medium)
    assert "apart (at least 70, corrected for the 7 scores compared); guessing would be right in 50." in statement(
        medium
    )
    assert brief_statement(NONE) == statement(NONE)


def test_an_attack_says_what_it_measures_as_its_class_does():
    for name, kind in {**ATTACKS, **SCORERS}.items():
        assert summary_of(name) == kind.summary != ""
    assert summary_of("pia@paper") == summary_of("pia-reference") == ATTACKS["pia"].summary
    assert summary_of("of a user") == ""


def test_why_a_rate_is_missing():
    def reason(members: int, fpr: float) -> str | None:
        curve = count([1.0] * members + [0.0] * members, [True] * members + [False] * members)
        found = rate_estimate(curve, fpr).reason
        return None if found is None else fact_text(found)

    assert reason(1100, 0.01) is None
    assert reason(1100, 0.001) == (
        "no interval: 0.1 % false positives need at least 3688 independent non-members; these count as 1100"
    )
    assert reason(60, 0.01) == "n/a: 1 % false positives need at least 100 non-members; there are 60"
    assert reason(800, 0.01) == "rough: 1 % false positives are only 8 of 800 non-members"


def test_a_model_that_is_read_wrongly_is_never_free_of_leaks_and_the_images_are_not_blamed():
    worse = Check("prediction", "fail", (fact("worse_than_linear", log_snr=-3.0, ratio=1.6),))
    result = make_result(strength=0.0, checks=(worse,))
    assert (result.verdict.finding.level, headline(result)) == ("unclear", "INCONCLUSIVE")
    assert answer(result) == (
        "Whether images that the model was trained on can be recognised cannot be told as the model was read."
    )
    assert statement(result).startswith(
        "Whether the model leaks cannot be told as the model was read: check prediction failed: the network predicts "
        "noise worse than a linear guess (1.60 times its error at a log SNR of -3.0)"
    )
    assert steps(result)[0].startswith("Correct how the model is read (prediction), for example with --override")
    also = make_result(
        strength=0.0, checks=(worse, Check("blind baseline", "fail", (fact("no_attack_exceeds_blind"),)))
    )
    assert answer(also).endswith("cannot be told from these images.")
    captions = make_result(checks=(Check("condition", "fail", (fact("prompts_worsen", ratio=1.2),)),))
    assert steps(captions)[0].startswith(
        "Check that captions or labels, and the text encoder, are those of the training"
    )


def test_canaries_of_a_misread_model_are_no_sign_that_nothing_leaks():
    nothing = replace(CANARIES, p=0.8, epsilon_lower=0.0)
    assert canary_statement(nothing).endswith("No evidence of leakage by these attacks (p = 0.8).")
    misread = (Check("latent scale", "fail", (fact("latents_vanish"),)),)
    assert canary_statement(nothing, misread).endswith(
        "This says nothing about leakage, since the model may be read otherwise than it was trained (failed checks: "
        "latent scale)."
    )
    assert canary_statement(replace(nothing, p=0.001), misread) == canary_statement(replace(nothing, p=0.001))


TURNED = Check("orientation", "warn", (fact("images_may_be_turned", images=12, total=40),))
OPPOSED = fact("below_chance", attack="sima", mask="none", auroc=0.408, lo=0.359, hi=0.458, scores=5, of=6)


def exchanged(code: str) -> Check:
    return Check("direction", "fail", (OPPOSED, fact(code)))


def test_what_can_hide_a_leak_is_never_an_all_clear() -> None:
    result = make_result(strength=0.0, checks=(TURNED,), gates=("auroc>0.6",))
    assert (headline(result), tone(result), result.verdict.status) == ("INCONCLUSIVE", "unclear", "inconclusive")
    text = statement(result)
    assert text.startswith(
        "Whether the model leaks cannot be told from these images: no attack shows it, but what check"
    )
    assert "12 of 40 images have an orientation tag" in text
    assert "--orientation stored" in text
    assert steps(result)[0] == "Settle what can hide a leak, as the checks say (orientation), and scan again."
    assert undecided(result) == ()  # more images would not help
    assert not any("Add images" in step for step in steps(result))
    assert gate_reason(result.verdict.gates[0], result) == "what check orientation warns of can hide a leak"


def test_a_leak_in_doubt_is_a_leak() -> None:
    result, sure = make_result(checks=(TURNED,)), make_result()
    assert headline(result) == headline(sure) == "LEAK FOUND: MEDIUM"
    assert statement(result) == statement(sure)
    assert steps(result)[:-2] == steps(sure)[:-1]


@pytest.mark.parametrize(
    ("design", "code", "step"),
    [
        ("members", "sets_may_be_exchanged", "If --members and --nonmembers are exchanged, exchange them"),
        ("suspects", "suspects_may_be_exchanged", "If --suspects and --nonmembers are exchanged, exchange them"),
        ("canaries", "draw_may_be_exchanged", "which side of the draw the training used"),
    ],
)
def test_exchanged_sets_are_named_as_the_reason(design: str, code: str, step: str) -> None:
    result = make_result(strength=0.0, checks=(exchanged(code),))
    result = replace(result, data=replace(result.data, design=design))
    assert headline(result) == "INCONCLUSIVE"
    assert "check direction failed: sima ranks the non-members above the" in statement(result)
    assert "AUROC 0.408 [0.359, 0.458], below .5, as 5 of 6 scores do" in statement(result)
    assert step in steps(result)[0]
    assert "one source and prepared by one program" not in " ".join(steps(result))


def test_suspects_next_to_exchanged_sets_are_not_cleared() -> None:
    text = suspect_statement(replace(SUSPECTS, failed_checks=("direction",)))
    assert text.startswith("Whether the model was trained on the suspects cannot be told from these images")
    assert "fits the non-members better" in text


def test_canaries_are_not_cleared_in_doubt() -> None:
    quiet = replace(CANARIES, p=0.4, epsilon_lower=0.0)
    assert "No evidence of leakage" in canary_statement(quiet)
    for check in (TURNED, exchanged("draw_may_be_exchanged")):
        text = canary_statement(quiet, (check,))
        assert "No evidence of leakage" not in text
        assert f"something can hide it (checks: {check.name})" in text


def test_no_leak_rests_on_the_non_members() -> None:
    """With half of the non-members trained on, an AUROC A is measured as .5 + (A - .5) / 2."""
    upper = 0.5 + 2 * (largest_auroc(NONE) - 0.5)
    said = f"if half of them were in the training set, an AUROC of up to {upper:.2f} could have gone unnoticed."
    assert reach_lines(NONE)[0].endswith(said)
    assert rests_on(NONE) not in f"{headline(NONE)} {answer(NONE)}"
    wide = make_result(strength=0.0, images=8)
    assert "a leak of any size could have gone unnoticed" in rests_on(wide)
    random = replace(NONE, data=replace(NONE.data, design="canaries"))
    for other in (make_result(), random, of_suspects(NONE), make_result(strength=0.0, checks=(TURNED,))):
        assert rests_on(other) == ""


def test_few_images_are_advised_on_where_to_get_more() -> None:
    few = make_result(strength=0.0, images=20)
    advised = " ".join(steps(few))
    assert "the same subject, camera and session" in advised
    assert "privaudit canaries make" in advised
    assert "1000 to each set" not in advised
    many = " ".join(steps(make_result(strength=0.0, images=120)))
    assert "the same subject" not in many
    assert "1000 to each set" in many
    leaking = " ".join(steps(make_result(images=20)))
    assert "the same subject" not in leaking
    drawn = replace(few, data=replace(few.data, design="canaries"))
    assert "privaudit canaries make" not in " ".join(steps(drawn))
