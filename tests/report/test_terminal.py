from __future__ import annotations

import io
import math
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from results import gate_outcome, make_failure, make_result, make_suspects, noted
from rich.console import Console
from rich.text import Text

from privaudit.evaluation import (
    Check,
    Choice,
    Comparison,
    Difference,
    EpsilonBound,
    Estimate,
    Finding,
    GateOutcome,
    GroupStratum,
    Metrics,
    RateEstimate,
    Stratum,
    Verdict,
    fact,
)
from privaudit.report.terminal.console import Unpadded, standard_output
from privaudit.report.terminal.summary import headline_panel, print_failure, print_report
from privaudit.results.audit_result import AuditResult, RefusedReport

NAN = math.nan

MADE = make_result()
RATE = RateEstimate(0.123, 0.1, 0.15, 0.009, 9, 1000)
METRICS = Metrics(
    Estimate(0.812, 0.79, 0.833),
    {"0.01": RATE, "0.001": RateEstimate(NAN, NAN, NAN, NAN, 0, 100)},
    Estimate(0.5, 0.4, 0.6),
    Estimate(0.75, 0.7, 0.8),
    EpsilonBound(1.25, 0.95),
)
GAIN = Comparison(Difference(0.021, 0.01, 0.032, 0.001), Difference(NAN, NAN, NAN, NAN))
SIMA = replace(
    MADE.attacks[0],
    levels_by_fold=(60.0, 60.0, 80.0),
    search_space=(20.0, 60.0, 80.0),
    choices=(Choice("level", (20.0, 60.0, 80.0), (60.0, 60.0, 80.0), "auroc"),),
    masks=dict.fromkeys(("none", "random", "influence", "weighted"), METRICS),
    random_vs_none=GAIN,
    influence_vs_none=GAIN,
    weighted_vs_none=GAIN,
    distortion_quartiles=tuple(Stratum(q, q + 1, 25, 25, Estimate(0.6 + q / 10, 0.5, 0.9)) for q in range(4)),
)
COMBINED = replace(
    MADE.attacks[-1],
    masks={"none": METRICS},
    best_published="sima",
    versus_published=Comparison(Difference(0.077, 0.05, 0.1, 0.001), Difference(0.2, 0.1, 0.3, 0.001)),
    distortion_quartiles=SIMA.distortion_quartiles,
)


def a_result(finding: Finding | None = None, gates: tuple[GateOutcome, ...] = (), name: str = "model") -> AuditResult:
    return replace(
        MADE,
        target=replace(MADE.target, id=name),
        data=replace(MADE.data, positives=100, nonmembers=100),
        attacks=(SIMA,),
        refused=(),
        checks=(Check("duplicates", "warn", noted("1 [red]picture[/]")),),
        verdict=Verdict(
            "pass",
            (fact("no_gate_failed"),),
            gates,
            finding or Finding("medium", attack="sima", mask="weighted", p=0.001, scores=3),
        ),
    )


def printed(result: AuditResult, width: int = 80, *, watched: bool = False) -> str:
    stream = io.StringIO()
    colours = {"force_terminal": True, "color_system": None} if watched else {}
    print_report(result, Path("runs/demo"), Console(file=stream, width=width, highlight=False, **colours))
    return stream.getvalue()


def flat(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_says_what_was_found_and_how_sure_first():
    text = printed(a_result())
    assert "LEAK FOUND: MEDIUM" in text.splitlines()[1]
    assert "Evidence of leakage (medium) by the attack “sima, weighted mask”: it ranks members above" in flat(text)
    assert "No gate was set (--fail-on), so the exit code is 0." in flat(text)


def test_every_number_has_its_interval_and_what_is_unknown_is_na():
    text = printed(a_result())
    assert ".812 [.790,.833]" in text
    assert ".123 [.100,.150]" in text
    assert "+.021 [+.010,+.032]" in text
    assert "n/a" in text
    assert "nan" not in text.lower()


def test_levels_of_all_folds_are_named():
    assert "level 60/80" in printed(a_result())


@pytest.mark.parametrize("width", [80, 160])
def test_fits_the_width(width):
    lines = printed(a_result(), width).splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.startswith(("sima ", " level"))]
    assert all("]" in row for row in rows), "no interval is broken over two lines"


def test_wide_terminals_show_epsilon():
    assert "1.250" in printed(a_result(), 160)
    assert "1.250" not in printed(a_result(), 80)


@pytest.mark.parametrize(
    ("level", "headline"),
    [("none", "NO LEAK FOUND"), ("low", "LEAK FOUND: LOW"), ("high", "LEAK FOUND: HIGH"), ("unclear", "INCONCLUSIVE")],
)
def test_headlines(level, headline):
    text = printed(a_result(Finding(level)))
    assert headline in text


def test_what_is_undecided_or_weak_is_not_green():
    """A tick's colour is only for a test that could have found a leak."""

    def colour_of(result: AuditResult) -> str:
        return str(headline_panel(result, 80).border_style)

    assert colour_of(make_result(strength=0.0, images=40, gates=("tpr@1%fpr>0.05",))) == "magenta"
    assert colour_of(make_result(strength=0.0, images=40)) == "blue"
    assert colour_of(make_result(strength=0.0)) == "green"
    assert colour_of(make_result(gates=("auroc>0.99",))) == "dark_orange", "a gate that passes hides no leak"
    assert "NOT DECIDED" in printed(make_result(strength=0.0, images=40, gates=("tpr@1%fpr>0.05",)))


def test_who_the_attacker_is_and_what_a_pass_means():
    result = make_result(gates=("auroc>0.99",))
    learned = replace(result.verdict.finding, attack="combined", mask="none")
    text = flat(printed(replace(result, verdict=replace(result.verdict, finding=learned))))
    assert "This attacker already knows other training images and learns from them: the worst case." in text
    assert "What the attacker needs: the image, and the model's weights" in text
    assert "How sure is one accusation? Of 100 accusations, " in text
    assert "A pass means that no more than the gate allows was shown." in text
    assert "Exit code 0." in text


def test_suspects_come_before_tables_that_only_describe_them():
    finding = Finding("none")
    result = replace(a_result(finding), data=replace(MADE.data, design="suspects"), suspects=make_suspects())
    text = flat(printed(result))
    assert text.index("the chance of scores this high") < text.index("How suspects score next to")
    assert "no row is the test of the set" in text
    assert "What the attacker needs" not in text


@pytest.mark.parametrize("width", [80, 160])
def test_no_line_ends_with_blanks(width):
    result = replace(make_result(groups=("a", "b")), suspects=make_suspects())
    assert [line for line in printed(result, width).splitlines() if line != line.rstrip()] == []


def test_colours_stay_where_padding_goes():
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="standard", highlight=False)
    console.print(Unpadded(Text("red", style="red")))
    assert stream.getvalue() == "\x1b[31mred\x1b[0m\n"


def test_gates_are_shown_with_their_reason():
    text = printed(a_result(gates=(gate_outcome("auroc>0.6", "fail", "lower limit 0.79 is above 0.6"),)))
    assert "gate auroc>0.6: FAIL. Lower limit 0.79 is above 0.6." in flat(text)
    assert "No gate was set" not in text


def test_markup_in_names_is_harmless():
    text = printed(a_result(name="[bold]evil[/nope]"))
    assert "nope]" in text, "the name is what the folder is called, to the letter"
    assert "1 [red]picture[/]" in text


def test_says_how_the_levels_were_chosen():
    result = a_result()
    assert "levels by cross-fitting, seed" in flat(printed(result))
    fixed = replace(result.attacks[0], search_space=(60,))
    assert "levels fixed beforehand" in flat(printed(replace(result, attacks=(fixed,))))
    both = printed(replace(result, attacks=(fixed, result.attacks[0])))
    assert "by cross-fitting where there are several" in flat(both)


def test_says_how_the_influence_was_measured_and_used():
    result = a_result()
    assert "inversion latents (separable), levels" in flat(printed(result))
    config = {**result.config, "gamma": 2.0, "mask_scope": "set"}
    text = flat(printed(replace(result, config=config)))
    assert "(separable, weights to the power 2, one mask for all images)" in text


def test_a_learned_score_has_one_row_no_gain_of_masks_and_a_comparison_with_the_best_attack():
    text = printed(replace(a_result(), attacks=(SIMA, COMBINED)))
    assert "Gain over the strongest published attack that was run (by AUROC), sima: no masks" in flat(text)
    rows = [line for line in text.splitlines() if line.startswith("combined")]
    first, versus, quartiles = rows
    assert ".812 [.790,.833]" in first
    assert "none" in first
    assert "+.077 [+.050,+.100]" in versus
    assert ".600 [.500,.900]" in quartiles
    assert "+.021" not in versus


def test_without_such_a_score_nothing_is_compared():
    assert "strongest published" not in printed(a_result())


def test_two_scores_against_the_best_attack_have_a_row_each():
    reference = replace(SIMA, name="sima-reference", kind="reference", best_published="sima", versus_published=GAIN)
    text = printed(replace(a_result(), attacks=(SIMA, reference, COMBINED)))
    table = text[text.index("strongest published") : text.index("AUROC without mask")]
    assert [line.split()[0] for line in table.splitlines()[1:] if line.startswith(("sima", "combined"))] == [
        "sima-reference",
        "combined",
    ]


def test_another_axis_than_the_level_is_named():
    clid = replace(SIMA, name="clid", axis="loss weight / 1000", log_snr=None, levels_by_fold=(0.0, 30.0))
    assert "loss weight / 1000 0/30" in flat(printed(replace(a_result(), attacks=(clid,)), 120))
    narrow = printed(replace(a_result(), attacks=(clid, replace(SIMA, name="rediffuse@paper-reference"))))
    assert narrow.count(".812 [.790,.833]") == 8, "long names are broken, intervals are not"
    assert "…" not in narrow, "a name that is cut could be another's"


def test_attacks_that_could_not_run_are_named_with_their_reason():
    refused = (RefusedReport("clid", "needs a text-to-image target, and this one takes no captions"),)
    text = flat(printed(replace(a_result(), refused=refused)))
    assert "not run: clid needs a text-to-image target, and this one takes no captions" in text


def test_choices_are_listed_with_what_each_fold_took_and_what_was_compared():
    text = flat(printed(a_result(), 160))
    assert "chosen level by AUROC on the other folds: sima 60 (2 folds), 80 (1 fold), 3 tried" in text
    assert "chosen" not in printed(replace(a_result(), attacks=(replace(SIMA, choices=()),)))


def test_choices_of_one_kind_share_a_line():
    def fitted(*by_fold: str, mask: str | None = None) -> Choice:
        return Choice("penalty", ("a", "b"), by_fold, "inner_auroc", learner="logistic", mask=mask)

    gsa = replace(SIMA, name="gsa", choices=(fitted("a", "a"), fitted("a", "b", mask="influence")))
    best = Choice("attack, level and mask", ("a", "b"), ("b", "b"), "auroc")
    selected = replace(COMBINED, name="selected", choices=(best,))
    text = flat(printed(replace(a_result(), attacks=(SIMA, replace(SIMA, name="pia"), gsa, selected)), 160))
    levels = "60 (2 folds), 80 (1 fold), 3 tried"
    assert f"level by AUROC on the other folds: sima {levels}; pia {levels}" in text
    penalty, criterion = "penalty of the logistic classifier", "by AUROC on inner folds of the other folds"
    assert f"{penalty} {criterion}: gsa a, 2 tried" in text
    assert f"{penalty} (influence mask) {criterion}: gsa a (1 fold), b (1 fold), 2 tried" in text
    assert "attack, level and mask by AUROC on the other folds: selected b, 2 tried" in text


def test_several_shares_to_drop_are_named():
    result = a_result()
    text = flat(printed(replace(result, config={**result.config, "drop": [0.2, 0.4, 0.6]})))
    assert "(20 %, 40 % or 60 %, as chosen for each fold, dropped by random and influence)" in text


def test_a_rate_without_an_interval_says_so():
    bare = replace(METRICS, tpr_at_fpr={**METRICS.tpr_at_fpr, "0.01": replace(RATE, lo=NAN, hi=NAN)})
    assert ".123 (n/a)" in printed(replace(a_result(), attacks=(replace(SIMA, masks={"none": bare}),)))


def test_groups_are_ranked_and_say_what_they_are_compared_with(monkeypatch):
    groups = tuple(
        GroupStratum(f"painter [b]{i}", 10, 5, "group" if i % 2 else "all", Estimate(0.5 + i / 50, 0.4, 0.9), None)
        for i in range(15)
    )
    monkeypatch.delenv("CI", raising=False)
    result = replace(a_result(), attacks=(replace(SIMA, groups=groups),))
    text = printed(result, watched=True)
    assert "sima without mask by group, the most exposed first; 3 more in report.json" in flat(text)
    rows = [line for line in text.splitlines() if line.startswith("painter")]
    assert [row.split()[1] for row in rows] == [f"[b]{i}" for i in range(14, 2, -1)]
    assert "5 (all)" in rows[0]
    assert "(all)" not in rows[1]
    assert "painter" not in printed(result), "a pipe may be a log that others read"
    assert "group 01" in printed(result)
    monkeypatch.setenv("CI", "true")
    assert "painter" not in printed(result, watched=True)


@pytest.mark.parametrize(
    ("level", "headline"),
    [
        ("none", "NO EVIDENCE OF TRAINING ON THE SUSPECTS"),
        ("low", "EVIDENCE OF TRAINING ON SOME OF THE SUSPECTS"),
        ("high", "EVIDENCE OF TRAINING ON SOME OF THE SUSPECTS"),
        ("unclear", "INCONCLUSIVE"),
    ],
)
def test_headlines_about_suspects(level, headline):
    result = a_result(Finding(level))
    result = replace(result, data=replace(result.data, design="suspects", suspects=100))
    assert headline in printed(result).splitlines()[1]
    assert "images 100 suspects, 100 non-members, 3 duplicates removed" in flat(printed(result))
    assert "LEAK" not in printed(result)


def test_what_is_beside_the_two_sets_is_counted():
    result = a_result()
    result = replace(result, data=replace(result.data, suspects=7, near_duplicates=2))
    wanted = "100 members, 100 non-members, 7 suspects, 3 duplicates removed, 2 pairs of near-duplicates kept"
    assert f"{wanted} together" in flat(printed(result))


def test_a_long_name_is_broken_and_not_the_interval_beside_it():
    long = replace(COMBINED, name="conditioned-on-everything")
    text = printed(replace(a_result(), attacks=(SIMA, long)))
    table = text[text.index("by quarter of local distortion") :]
    assert table.count(".900 [.500,.900]") == 2
    assert max(map(len, text.splitlines())) <= 80


def test_a_tiny_p_is_not_zero():
    sure = Comparison(Difference(0.021, 0.01, 0.032, 1e-9), Difference(0.1, 0.05, 0.2, 0.0004998))
    text = printed(replace(a_result(), attacks=(replace(SIMA, random_vs_none=sure),)))
    row = next(line for line in text.splitlines() if line.startswith("sima") and "random" in line)
    assert row.count("<.001") == 2


def test_a_wide_terminal_has_the_gain_beside_what_it_is_a_gain_of():
    narrow, wide = printed(a_result(), 100), printed(a_result(), 160)
    assert "Gain of each mask over no mask" in narrow
    assert "Gain of each mask" not in wide
    row = next(line for line in wide.splitlines() if "influence" in line and "[" in line)
    assert re.split(" {2,}", row)[2:7] == [
        ".812 [.790,.833]",
        "+.021 [+.010,+.032]",
        ".001",
        ".123 [.100,.150]",
        "n/a",
    ]
    assert ".500 [.400,.600]" in row, "the advantage"
    assert "1.250" in row, "the bound on epsilon"


def test_a_table_of_perfect_scores_still_fits_80_columns():
    sure = replace(METRICS, auroc=Estimate(1.0, 0.998, 1.0), tpr_at_fpr=dict.fromkeys(("0.01", "0.001"), RATE))
    rates = {rate: replace(RATE, value=1.0, lo=0.998, hi=1.0) for rate in ("0.01", "0.001")}
    perfect = replace(SIMA, masks=dict.fromkeys(SIMA.masks, replace(sure, tpr_at_fpr=rates)))
    lines = printed(replace(a_result(), attacks=(perfect,))).splitlines()
    assert sum(line.count("1.000 [.998,1.000]") for line in lines) == 12


def test_says_what_to_do():
    assert "What to do" in printed(a_result())
    assert "set a gate, such as --fail-on" in flat(printed(a_result()))


def test_long_lines_of_checks_are_indented_below_their_own():
    check = Check("sample size", "warn", noted("word " * 40))
    lines = printed(replace(a_result(), checks=(check,))).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("warn sample size"))
    assert lines[at + 1].startswith("     word")


def test_files_have_a_line_each_and_are_never_broken():
    long = Path("runs") / ("a" * 90) / "report.json"
    stream = io.StringIO()
    print_report(a_result(), Path("x"), Console(file=stream, width=80), files=[long, Path("b/report.html")])
    lines = stream.getvalue().splitlines()
    assert lines[lines.index(f"files   {long}") + 1] == "        b/report.html"


def test_the_last_lines_are_finding_gates_exit_code_and_page():
    page = Path("runs") / ("a" * 90) / "report.html"
    stream = io.StringIO()
    gates = (gate_outcome("auroc>0.6", "pass", "x"),)
    files = [Path("x/report.json"), page]
    print_report(a_result(gates=gates), Path("x"), Console(file=stream, width=80), files=files, exit_code=3)
    ending = ["", "LEAK FOUND: MEDIUM; gates: PASS; exit code 3", f"open {page}"]
    assert stream.getvalue().splitlines()[-3:] == ending
    # without a page, a gate or a command that exits
    assert printed(a_result()).splitlines()[-2:] == ["", "LEAK FOUND: MEDIUM"]


def test_no_name_controls_the_terminal():
    """Whatever console is used: the texts themselves are harmless before anything is laid out."""
    evil = "\x1b[2J\x1b]0;owned\x07\u202etxt\r\x9b31m"
    result = replace(
        a_result(
            Finding("low", reason=fact("text", text=evil)),
            gates=(gate_outcome(evil, "fail", evil),),
            name=f"models/{evil}",
        ),
        attacks=(
            replace(SIMA, name=evil, groups=(GroupStratum(evil, 10, 5, "group", Estimate(0.5, 0.4, 0.6), None),)),
        ),
        checks=(Check(evil, "warn", noted(evil)),),
        refused=(RefusedReport(evil, evil),),
    )
    failure = make_failure(evil)
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=False)
    print_report(result, Path(evil), console)
    print_failure(failure, [Path(evil)], console)
    assert not {character for character in stream.getvalue() if unicodedata.category(character) in {"Cc", "Cf"}} - {
        "\n"
    }
    assert "\\x1b[2J" in stream.getvalue()


def test_standard_output_shows_control_characters_of_any_summary(capsys):
    standard_output().print(Text("a\x1b[31mb\nc"))
    assert capsys.readouterr().out == "a\\x1b[31mb\nc\n"


def test_a_failure_says_what_went_wrong_and_that_nothing_is_known():
    stream = io.StringIO()
    print_failure(make_failure("first", "second"), [Path("run/report.json")], Console(file=stream, width=80))
    text = flat(stream.getvalue())
    assert "AUDIT FAILED" in text
    assert "nothing is known about the model. - first - second Fix each of these and run the same command again" in text
    assert "defect" not in text
    assert text.endswith("files run/report.json")


def test_a_defect_is_called_one():
    stream = io.StringIO()
    print_failure(make_failure("RuntimeError: x", kind="RuntimeError", defect=True), (), Console(file=stream, width=80))
    assert "This is a defect of privaudit (RuntimeError). Please report it" in flat(stream.getvalue())


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, False),
        ({"CI": "true", "GITHUB_ACTIONS": "true"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_a_pipe_gets_colours_only_if_it_asks_for_them(monkeypatch, capsys, variables, coloured):
    for name in ("CI", "GITHUB_ACTIONS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **variables}.items():
        monkeypatch.setenv(name, value)
    print_report(a_result(), Path("run"))
    out = capsys.readouterr().out
    assert bool(re.search("\x1b\\[[0-9;]*3[0-7]", out)) == coloured
