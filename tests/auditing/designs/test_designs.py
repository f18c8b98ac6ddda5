"""Audits of suspects and of canaries, from the command's options to the run folder."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from models import save_small_pipeline, write_images
from rich.console import Console
from settings import changed

import privaudit
from privaudit.auditing.assess import assess, split_images
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.canaries import CanariesDesign, canary_finding, draw_check
from privaudit.auditing.designs.design import Design
from privaudit.auditing.designs.members import MembersDesign
from privaudit.auditing.designs.members_and_suspects import MembersAndSuspectsDesign
from privaudit.auditing.designs.suspects import SuspectsDesign, suspect_finding
from privaudit.auditing.measurements import Convergence, GeometrySummary, Measurements, PixelFeatures
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit
from privaudit.canaries import Canaries, draw_canaries, read_canaries
from privaudit.data import Sample, SampleSet
from privaudit.data.perceptual_hash import phash, thumbnail
from privaudit.data.samples import Skipped
from privaudit.errors import ConfigError, DataError
from privaudit.evaluation import Check, Finding, fact, parse_gates
from privaudit.evaluation.one_run import epsilon_one_run
from privaudit.model.schedule import DiffusionSchedule
from privaudit.report.sentences.design_text import canary_statement, suspect_statement
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.verdict_text import gate_reason
from privaudit.report.terminal.summary import print_report
from privaudit.results.audit_result import AuditResult
from privaudit.scorers import ErrorTable, Methods, parse_methods
from privaudit.storage.exact_json import encode

MEMBERS, SUSPECTS = MembersDesign(), SuspectsDesign()
CANARIES = CanariesDesign(Canaries(Path(), (), (), "seal", "today", seeded=False))
ATTACKS = ("sima:levels=20,100", "loss:levels=50")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("designs")
    save_small_pipeline(root / "model")
    for seed, (name, count) in enumerate(
        {"members": 30, "others": 30, "suspects": 12, "candidates": 60}.items(), start=10
    ):
        write_images(root / name, count, seed=seed)
    draw_canaries(root / "candidates", root / "drawn", seed=1)
    return root


def audit(root: Path, out: str, attacks: tuple[str, ...] = ATTACKS, **choices: object) -> AuditResult:
    return privaudit.audit(root / "model", out=root / out, attacks=attacks, device="cpu", replicates=200, **choices)


def printed(result: AuditResult) -> str:
    stream = io.StringIO()
    print_report(result, Path("run"), Console(file=stream, width=100, highlight=False))
    return " ".join(stream.getvalue().split())


@pytest.fixture(scope="module")
def of_suspects(root) -> AuditResult:
    attacks = (*ATTACKS, "combined", "gsa")
    sets = {"suspects": root / "suspects", "nonmembers": root / "others"}
    return audit(root, "suspects-run", attacks, **sets, fail_on=("auroc>0.9",))


@pytest.fixture(scope="module")
def of_canaries(root) -> AuditResult:
    return audit(root, "canaries-run", canaries=root / "drawn", fail_on=("epsilon>0", "auroc>0.7"))


class TestSuspects:
    def test_are_what_the_nonmembers_are_compared_with(self, of_suspects):
        assert (of_suspects.data.design, of_suspects.data.positives, of_suspects.data.suspects) == ("suspects", 12, 12)
        assert of_suspects.suspects is not None
        assert (of_suspects.suspects.count, of_suspects.suspects.nonmembers, of_suspects.suspects.known_members) == (
            12,
            30,
            0,
        )
        assert of_suspects.canaries is None

    def test_a_random_model_gives_no_evidence(self, of_suspects):
        assert of_suspects.verdict.finding.level == "none"
        assert of_suspects.verdict.finding.basis == "set_test"
        assert statement(of_suspects) == suspect_statement(of_suspects.suspects)
        assert statement(of_suspects).startswith("No evidence was found")

    def test_nothing_is_learned_from_suspects_as_if_they_were_members(self, of_suspects):
        assert {item.name for item in of_suspects.refused} == {"combined", "gsa"}
        assert all("the membership of suspects is unknown" in item.reason for item in of_suspects.refused)
        assert {report.kind for report in of_suspects.attacks} == {"published"}

    def test_gates_say_what_they_compare(self, of_suspects):
        (gate,) = of_suspects.verdict.gates
        assert gate_reason(gate, of_suspects).endswith(
            "; the gate compares the suspects, whose membership is not known, with the non-members"
        )

    def test_each_has_a_line_in_the_run_folder(self, root, of_suspects):
        table = pd.read_csv(root / "suspects-run" / "suspects.csv")
        assert len(table) == 12
        assert {Path(path).name for path in table["path"]} == {p.name for p in (root / "suspects").iterdir()}
        assert table["p"].is_monotonic_increasing
        assert table["p"].between(1 / 31, 1).all()
        assert (table["q"] >= table["p"]).all()
        scores = pd.read_parquet(root / "suspects-run" / "scores" / "scores.parquet")
        assert set(scores["set"]) == {"suspect", "nonmember"}
        samples = pd.read_parquet(root / "suspects-run" / "samples.parquet")
        assert samples["set"].value_counts().to_dict() == {"nonmember": 30, "suspect": 12}

    def test_are_saved_exactly_and_printed_once(self, root, of_suspects):
        assert AuditResult.load(root / "suspects-run").to_json() == of_suspects.to_json()
        text = printed(of_suspects)
        assert "NOT DECIDED" in text  # the gate, by so few images
        assert "No evidence was found that the model was trained on some of these 12 images" in text
        assert "12 suspects and 30 non-members" in text
        assert "suspects.csv" in text

    def test_a_run_without_suspects_leaves_none_behind(self, root):
        folder = root / "reused"
        audit(root, "reused", suspects=root / "suspects", nonmembers=root / "others")
        assert (folder / "suspects.csv").is_file()
        found = audit(root, "reused", members=root / "members", nonmembers=root / "others")
        assert not (folder / "suspects.csv").exists()
        assert found.suspects is None

    def test_beside_known_members_are_judged_by_what_finds_these(self, root):
        sets = {"members": root / "members", "nonmembers": root / "others"}
        # an image alone in its batch is rounded alike in both runs; few evaluations keep that fast
        alone = {"batch_size": 1, "solver": "anderson:evaluations=10"}
        attacks = (*ATTACKS, "combined")
        found = audit(root, "beside", attacks, suspects=root / "suspects", **sets, **alone)
        assert (found.data.design, found.data.positives, found.data.suspects) == ("members", 30, 12)
        assert found.suspects.known_members == 30
        without = audit(root, "without", attacks, **sets, **alone)
        for ours, theirs in zip(found.attacks, without.attacks, strict=True):
            assert ours.choices == theirs.choices, "suspects have no part in the audit of the members"
            assert encode(ours.masks) == encode(theirs.masks)


class TestCanaries:
    def test_both_sets_are_as_they_were_drawn(self, of_canaries):
        assert of_canaries.data.design == "canaries"
        assert of_canaries.data.positives + of_canaries.data.nonmembers == of_canaries.canaries.canaries == 60

    def test_epsilon_gates_rest_on_the_one_run_audit(self, of_canaries):
        epsilon, area = of_canaries.verdict.gates
        assert (epsilon.reason.code, area.reason.code) == ("one_run_limit_within_gate", "limit_within_gate")
        assert (epsilon.status, area.status) == ("pass", "pass")

    def test_a_random_model_shows_nothing(self, of_canaries):
        assert of_canaries.canaries.epsilon_lower == 0.0
        assert of_canaries.canaries.p > 0.01
        assert "No evidence of leakage" in canary_statement(of_canaries.canaries)

    def test_the_seal_is_in_the_report(self, root, of_canaries):
        (check,) = [check for check in of_canaries.checks if check.name == "canaries"]
        assert check.status == "warn", "the draw of this test follows from a seed"
        assert check.facts[0].values["seal"] == read_canaries(root / "drawn").seal

    def test_are_saved_exactly_and_printed(self, root, of_canaries):
        assert AuditResult.load(root / "canaries-run").to_json() == of_canaries.to_json()
        assert "drawn at random" in printed(of_canaries)

    @pytest.mark.parametrize(("seeded", "status"), [(False, "ok"), (True, "warn")])
    def test_a_draw_that_someone_could_know_is_a_warning(self, seeded, status):
        check = draw_check(replace(CANARIES.draw, seeded=seeded))
        assert (check.name, check.status) == ("canaries", status)
        assert check.facts[0] == fact("draw_sealed", canaries=0, created="today", seal="seal")
        assert check.facts[1].code == ("draw_from_seed" if seeded else "seal_to_compare")

    def test_sets_that_differ_by_chance_are_not_held_against_the_audit(self):
        data, measured, options = made_up(0.0, CANARIES, differ=True)
        found = judged(data, measured, options)
        assert found.checks[0].status == "ok"
        assert found.checks[0].facts[-1] == fact("drawn_at_random")
        as_members = replace(data, design=MEMBERS)
        assert judged(as_members, measured, options).checks[0].status == "fail"


def made_up(
    shift: float, design: Design, *, differ: bool = False, n: int = 200
) -> tuple[AuditData, Measurements, AuditOptions]:
    """Images that need no model: random pixels, scores that are ``shift`` higher in the first set."""
    generator = np.random.default_rng(0)
    samples = []
    for i in range(2 * n):
        pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        samples.append(Sample(f"{i:04d}", Path(f"{i}.png"), perceptual_hash=phash(pixels), thumbnail=thumbnail(pixels)))
    first = np.arange(2 * n) < n
    score = generator.normal(size=(2 * n, 2)) + shift * first[:, None]
    masks = {mask: score for mask in ("none", "random", "influence", "weighted")}
    features = generator.normal(size=(2 * n, 3)) + (4.0 * differ) * first[:, None]
    distortion = generator.normal(size=2 * n)
    measured = Measurements(
        tables=(ErrorTable("loss", "level", (20.0, 50.0), masks),),
        references=(),
        pixels=PixelFeatures(features, generator.normal(size=(2 * n, 3))),
        convergence=Convergence(np.zeros(2 * n), np.ones(2 * n, np.int64), np.zeros(2 * n, np.bool_), 0.01),
        geometry=GeometrySummary(distortion, np.ones((2 * n, 1, 1), np.float32), np.ones((2 * n, 1), np.float32)),
        seconds={},
    )
    here = Path()
    return (
        AuditData(SampleSet(tuple(samples[:n])), SampleSet(tuple(samples[n:])), design=design),
        measured,
        AuditOptions("model", here, here, here, replicates=200, fail_on=parse_gates(("epsilon>0.5", "tpr@10%fpr>0.2"))),
    )


def judged(data: AuditData, measured: Measurements, options: AuditOptions, reading: tuple[Check, ...] = ()):
    methods = Methods(parse_methods(("loss:levels=20,50",)).attacks, ())
    split = split_images(data, methods, options)
    schedule = DiffusionSchedule(np.linspace(0.999, 0.01, 1000))
    return assess(measured, data, split, methods, options, schedule, {}, reading)


class TestEvidence:
    def test_of_suspects(self):
        found = judged(*made_up(1.0, SUSPECTS))
        assert found.judgement.suspects.set_p < 0.001
        assert found.verdict.finding.level in ("low", "medium", "high")
        assert found.verdict.finding.basis == "set_test"
        assert "There is evidence" in suspect_statement(found.judgement.suspects)
        assert "Evidence is not proof" in suspect_statement(found.judgement.suspects)

    def test_of_suspects_whose_files_differ_is_unclear(self):
        found = judged(*made_up(1.0, SUSPECTS, differ=True))
        assert found.verdict.finding.level == "unclear"
        assert found.verdict.status == "inconclusive"
        assert found.verdict.finding.basis == "checks"
        assert found.judgement.suspects.failed_checks == ("blind baseline",)

    def test_of_canaries(self):
        data, measured, options = made_up(1.5, CANARIES)
        found = judged(data, measured, options)
        report = found.judgement.canaries
        assert report.p < 0.001
        assert report.epsilon_lower > 0.5
        epsilon = found.verdict.gates[0]
        assert epsilon.status == "fail"
        corrected = epsilon_one_run(
            report.audited, report.guesses, report.correct, 1 - 0.05 / epsilon.reason.values["tests"], report.delta
        )
        assert epsilon.reason.code == "one_run_limit_beyond_gate"
        assert epsilon.reason.values["limit"] == pytest.approx(corrected)
        assert corrected < report.epsilon_lower

    def test_a_gate_that_so_few_canaries_cannot_fail_is_inconclusive(self):
        data, measured, options = made_up(1.5, CANARIES)
        gate = judged(data, measured, changed(options, fail_on=("epsilon>20",))).verdict.gates[0]
        assert gate.status == "inconclusive"
        assert gate.reason.code == "gate_out_of_reach"

    def test_canaries_are_judged_by_the_exact_test(self):
        found = judged(*made_up(1.5, CANARIES))
        assert found.verdict.finding.level in ("low", "medium", "high")
        assert found.verdict.finding.basis == "canary_test"
        report, leak = found.judgement.canaries, found.verdict.finding
        assert canary_finding(leak, replace(report, p=0.2)).level == "none"
        assert canary_finding(replace(leak, level="none"), report) == replace(leak, level="low")
        assert canary_finding(leak, replace(report, p=float("nan"))) == leak
        assert canary_finding(leak, report, [Check("sample size", "fail")]) == leak
        few = canary_finding(leak, replace(report, audited=8, included=1, p=0.2))
        assert few.level == "unclear"
        assert few.reason == fact("perfect_canaries_unnoticed", audited=8, included=1)

    def test_suspects_too_few_for_any_evidence_are_unclear(self):
        found = judged(*made_up(1.0, SUSPECTS))
        few = replace(found.judgement.suspects, smallest_set_p=0.1, set_p=0.1)
        unclear = Finding("unclear", "set_test", fact("perfect_suspects_unnoticed", smallest_p=0.1))
        assert suspect_finding(found.verdict.finding, few) == unclear

    @pytest.mark.parametrize("design", [MEMBERS, SUSPECTS, CANARIES], ids=lambda design: design.code)
    @pytest.mark.parametrize("shift", [0.0, 1.0])
    def test_a_misread_model_is_unclear_in_every_design(self, design, shift):
        misread = Check("prediction", "fail", (fact("worse_than_linear", log_snr=-3.0, ratio=1.6),))
        found = judged(*made_up(shift, design), (misread,))
        assert (found.verdict.finding.level, found.verdict.status) == ("unclear", "inconclusive")
        assert all(gate.status == "inconclusive" for gate in found.verdict.gates)

    @pytest.mark.parametrize(
        ("design", "why"),
        [
            (MEMBERS, "sets_may_be_exchanged"),
            (SUSPECTS, "suspects_may_be_exchanged"),
            (CANARIES, "draw_may_be_exchanged"),
        ],
        ids=lambda value: getattr(value, "code", value),
    )
    def test_exchanged_sets_are_unclear_in_every_design(self, design, why):
        found = judged(*made_up(-1.0, design))
        (check,) = [check for check in found.checks if check.name == "direction"]
        assert check.status == "fail"
        assert [noticed.code for noticed in check.facts] == ["below_chance", why]
        assert check.facts[0].values["of"] == 3, "three masks; the random one is a control"
        assert (found.verdict.finding.level, found.verdict.finding.basis) == ("unclear", "checks")
        assert all(gate.status == "inconclusive" for gate in found.verdict.gates)

    @pytest.mark.parametrize("design", [MEMBERS, SUSPECTS, CANARIES], ids=lambda design: design.code)
    def test_a_warning_that_can_hide_a_leak_clears_no_design_and_no_leak(self, design):
        turned = Check("orientation", "warn", (fact("images_may_be_turned", images=12, total=40),))
        quiet, leaking = (judged(*made_up(shift, design), (turned,)) for shift in (0.0, 1.5))
        assert (quiet.verdict.finding.level, quiet.verdict.status) == ("unclear", "inconclusive")
        assert quiet.verdict.finding.reason == fact("reading_in_doubt", check="orientation")
        assert leaking.verdict.finding.leaks

    def test_members_that_are_exchanged_clear_no_suspect(self):
        data, measured, options = made_up(-1.0, MEMBERS)
        apart = replace(
            data,
            design=MembersAndSuspectsDesign(),
            positives=SampleSet(data.positives.samples[100:]),
            nonmembers=SampleSet(data.nonmembers.samples[:100]),
            suspects=SampleSet(data.positives.samples[:100]),
        )
        found = judged(apart, measured.rows(np.r_[100:200, 200:300, 0:100]), options)
        assert found.judgement.suspects.failed_checks == ("direction",)
        assert suspect_statement(found.judgement.suspects).startswith("Whether the model was trained on the suspects")

    def test_a_misread_model_clears_no_suspect_next_to_members(self):
        data, measured, options = made_up(0.0, MEMBERS)
        apart = replace(
            data,
            design=MembersAndSuspectsDesign(),
            positives=SampleSet(data.positives.samples[100:]),
            nonmembers=SampleSet(data.nonmembers.samples[:100]),
            suspects=SampleSet(data.positives.samples[:100]),
        )
        misread = Check("latent scale", "fail", (fact("latents_vanish"),))
        found = judged(apart, measured.rows(np.r_[100:200, 200:300, 0:100]), options, (misread,))
        assert found.judgement.suspects.failed_checks == ("latent scale",)
        assert suspect_statement(found.judgement.suspects) == (
            "Whether the model was trained on the suspects cannot be told as the model was read: it may be read "
            "otherwise than it was trained (failed checks: latent scale)."
        )

    @pytest.mark.parametrize("differ", [False, True])
    def test_suspects_beside_members_have_a_blind_baseline_of_their_own(self, differ):
        data, measured, options = made_up(1.0, MEMBERS)
        suspects, members = data.positives.samples[:100], data.positives.samples[100:]
        order = np.r_[100:200, 200:300, 0:100]
        measured.pixels.statistics[:100] += 4.0 * differ
        apart = replace(
            data,
            design=MembersAndSuspectsDesign(),
            positives=SampleSet(members),
            nonmembers=SampleSet(data.nonmembers.samples[:100]),
            suspects=SampleSet(suspects),
            known_suspects=3,
        )
        found = judged(apart, measured.rows(order), options)
        checks = {check.name: check for check in found.checks}
        assert checks["blind baseline"].status != "fail"
        assert checks["suspects"].facts == (fact("suspects_already_known", images=3),)
        assert found.verdict.finding.level in ("low", "medium", "high")
        assert found.judgement.suspects.set_p < 0.001
        apart = {noticed.code for noticed in checks["blind baseline, suspects"].facts}
        assert ("blind_told_apart" in apart) == differ
        assert checks["blind baseline, suspects"].status != "fail"  # about the suspects alone
        assert found.judgement.suspects.failed_checks == (("blind baseline, suspects",) if differ else ())
        wanted = "Whether the model was trained on the suspects cannot be told" if differ else "There is evidence"
        assert suspect_statement(found.judgement.suspects).startswith(wanted)

    @pytest.mark.parametrize(("bound", "status"), [("lower", "pass"), ("upper", "fail")])
    def test_the_cautious_fail_what_is_not_ruled_out(self, bound, status):
        data, measured, options = made_up(0.0, MEMBERS)
        found = judged(data, measured, changed(options, gate_bound=bound, fail_on=("auroc>0.51",)))
        assert found.verdict.status == status


@pytest.mark.parametrize("sets", [{"canaries": "drawn"}, {"members": "members", "suspects": "suspects"}])
def test_suspects_and_canaries_need_a_score_that_was_not_learned(root, sets):
    paths = {name: root / folder for name, folder in sets.items()}
    others = {} if "canaries" in sets else {"nonmembers": root / "others"}
    with pytest.raises(ConfigError, match=r"without learning from known membership, got gsa alone; add --attack sima"):
        audit(root, "learned", ("gsa",), **paths, **others)


def test_too_few_distinct_images_are_named_as_what_they_are():
    data = made_up(0.0, SUSPECTS)[0]
    alone = replace(data, positives=SampleSet(data.positives.samples[:1], duplicates=5))
    methods = Methods(parse_methods(("loss:levels=20,50",)).attacks, ())
    lost = replace(alone.positives, duplicates=0, skipped=(Skipped(Path("a.png"), "broken"),) * 3)
    with pytest.raises(DataError, match=r"at least 2 distinct suspects, .* got 1 \(3 files could not be read\)"):
        split_images(replace(data, positives=lost), methods, made_up(0.0, SUSPECTS)[2])
    with pytest.raises(DataError, match=r"at least 2 distinct suspects, .* got 1 \(5 copies of it were dropped\)"):
        split_images(alone, methods, made_up(0.0, SUSPECTS)[2])


def test_too_few_images_for_suspects_stop_before_anything_is_computed():
    data, _, options = made_up(0.0, SUSPECTS)
    fixed = Methods(parse_methods(("loss:levels=20",)).attacks, ())
    one = SampleSet(data.nonmembers.samples[:1])
    with pytest.raises(DataError, match="at least 2 non-members to compare suspects with"):
        split_images(replace(data, nonmembers=one), fixed, options)
    of_one_group = SampleSet(tuple(replace(sample, group="a") for sample in data.nonmembers.samples))
    with pytest.raises(DataError, match="got 200 in 1; add images"):
        split_images(replace(data, nonmembers=of_one_group), fixed, options)
    beside = replace(data, design=MembersAndSuspectsDesign(), positives=one, suspects=data.positives)
    with pytest.raises(DataError, match="at least 2 known members in addition to the suspects"):
        split_images(beside, fixed, options)


def test_few_images_do_when_nothing_is_chosen(root, tmp_path):
    """Two against two, with one level: the numbers that need folds are NaN with a reason, the others are there."""
    few = {name: write_images(tmp_path / name, 2, seed=seed) for seed, name in enumerate(("a", "b"), start=7)}
    options = AuditOptions(
        *(str(root / "model"), few["a"], few["b"], tmp_path / "run"),
        attacks=parse_methods(("sima:levels=20",)),
        device="cpu",
    )
    found = run_audit(options)
    assert not np.isnan(found.attacks[0].masks["none"].auroc.value)
    assert found.verdict.finding.level in ("none", "unclear")
    assert found.attacks[0].choices == ()
