"""Two runs beside each other: scores are simulated, everything else is what users run."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from models import save_small_pipeline, write_images
from results import gate_outcome, make_failure, make_result
from runs import labels, make_ids, rewrite, write_run

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit
from privaudit.compare import KINDS, CompareOptions, ComparisonResult, compare_runs, run_comparison
from privaudit.compare.comparable import mismatches
from privaudit.compare.holm import step_down
from privaudit.compare.unpaired import unpaired_difference
from privaudit.errors import ConfigError, ResultError
from privaudit.evaluation import Check, delong_test, evaluate, fact
from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.verdict import exit_code
from privaudit.report.sentences.comparison_text import note_lines
from privaudit.report.sentences.fact_text import fact_text, facts_text
from privaudit.results.audit_result import AuditResult

IMAGES = 400
MEMBER = labels(IMAGES)
ASKED = CompareOptions(fail_on_regression=True, replicates=400)
VERSION_5 = Path(__file__).parents[1] / "results" / "report-version-5.json"
"""An audit as privaudit wrote it with version 5 of the schema: `make_result` of 60 images with two gates."""
BROKEN = (Check("blind baseline", "fail", (fact("no_attack_exceeds_blind"),)),)


def simulate(
    strength: float, noise: int, *, alike: float = 0.9, masks=("none", "influence", "random"), names=("sima", "pia")
) -> dict[tuple[str, str], np.ndarray]:
    """Scores of a model: those of two models on the same images are correlated by `alike`."""
    of_images = np.random.default_rng(99).normal(size=len(MEMBER))
    own = np.random.default_rng(noise)
    return {
        (name, mask): np.sqrt(alike) * of_images
        + np.sqrt(1.0 - alike) * own.normal(size=len(MEMBER))
        + strength * MEMBER
        for name in names
        for mask in masks
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Make a run of a strength, once for each."""
    root, made = tmp_path_factory.mktemp("runs"), {}

    def make(strength: float, noise: int, **how):
        key = (strength, noise, json.dumps(how, sort_keys=True, default=str))
        if key not in made:
            scores = how.pop("scores", None)
            made[key] = write_run(root / str(len(made)), scores or simulate(strength, noise), MEMBER, **how)
        return made[key]

    return make


def change(found: ComparisonResult, attack="sima", mask="none", metric="auroc"):
    return next(c for c in found.changes if (c.attack, c.mask, c.metric) == (attack, mask, metric))


class TestPaired:
    def test_differences_are_delongs_and_metrics_those_of_the_reports(self, runs):
        old, new = simulate(0.5, 1), simulate(0.8, 2)
        found = compare_runs(runs(0.5, 1), runs(0.8, 2))
        own, expected = change(found), delong_test(new["sima", "none"], old["sima", "none"], MEMBER)
        assert found.pairing.paired
        assert (found.pairing.positives, found.pairing.nonmembers) == (IMAGES, IMAGES)
        assert own.difference.value == pytest.approx(expected.value)
        assert (own.difference.lo, own.difference.hi) == pytest.approx((expected.lo, expected.hi))
        assert own.difference.p == pytest.approx(expected.p)
        reported = AuditResult.load(runs(0.5, 1)).attacks[0].masks["none"]
        assert own.old == reported.auroc
        assert change(found, metric="tpr@1%fpr").old.value == reported.tpr_at_fpr["0.01"].value

    def test_rates_are_compared_on_the_same_resampled_images(self, runs):
        old, new = simulate(0.5, 1), simulate(0.8, 2)
        found = run_comparison(runs(0.5, 1), runs(0.8, 2), CompareOptions(replicates=1000))
        own = change(found, metric="tpr@1%fpr")
        both = evaluate(
            {"old": old["sima", "none"], "new": new["sima", "none"]}, MEMBER, np.zeros(2 * IMAGES), replicates=1000
        )
        draws = np.subtract(*(both.replicates.tpr[both.replicates.names.index(name), 0] for name in ("new", "old")))
        assert own.difference.value == pytest.approx(
            both.metrics["new"].tpr_at_fpr["0.01"].value - both.metrics["old"].tpr_at_fpr["0.01"].value
        )
        low, high = np.quantile(draws, [0.025, 0.975], method="weibull")
        assert (own.difference.lo, own.difference.hi) == pytest.approx((low, high))

    def test_pairing_is_worth_it(self, runs, tmp_path):
        old, new = runs(0.5, 1), runs(0.8, 2)
        bare = [
            write_run(tmp_path / name, simulate(s, n), MEMBER, keep_scores=False)
            for name, s, n in (("a", 0.5, 1), ("b", 0.8, 2))
        ]
        paired, unpaired = change(compare_runs(old, new)), change(compare_runs(*bare))
        widths = [own.difference.hi - own.difference.lo for own in (paired, unpaired)]
        assert widths[0] < 0.5 * widths[1]
        assert paired.difference.value == pytest.approx(unpaired.difference.value)

    def test_order_of_rows_does_not_matter(self, runs, tmp_path):
        order = np.random.default_rng(0).permutation(len(MEMBER))
        shuffled = {key: values[order] for key, values in simulate(0.8, 2).items()}
        ids = [make_ids(len(MEMBER))[at] for at in order]
        other = write_run(tmp_path / "shuffled", shuffled, MEMBER[order], ids=ids)
        one, two = (change(compare_runs(runs(0.5, 1), new)) for new in (runs(0.8, 2), other))
        assert one.difference == two.difference

    def test_units_make_intervals_wider(self, tmp_path):
        units = [f"film {at // 4}" for at in range(len(MEMBER))]
        films = np.repeat(np.random.default_rng(5).normal(size=(2, len(MEMBER) // 4)), 4, axis=1)
        folders = []
        for name, how in (("alone", {}), ("films", {"units": units})):
            for side, strength, film in (("old", 0.5, films[0]), ("new", 0.8, films[1])):
                scores = {("sima", "none"): film + 0.1 * np.arange(len(MEMBER)) % 0.37 + strength * MEMBER}
                folders.append(write_run(tmp_path / name / side, scores, MEMBER, **how))
        alone, films_ = (change(compare_runs(*folders[at : at + 2])).difference for at in (0, 2))
        assert films_.hi - films_.lo > 1.5 * (alone.hi - alone.lo)

    def test_learned_scores_get_the_larger_factor_of_both_runs(self, runs):
        plain = change(compare_runs(runs(0.5, 1), runs(0.8, 2))).difference
        wide = compare_runs(runs(0.5, 1), runs(0.8, 2, spreads={"sima": 1.5}))
        widths = [d.hi - d.lo for d in (change(wide).difference, plain)]
        assert widths[0] == pytest.approx(1.5 * widths[1])
        assert [note for note in wide.notes if note.code == "interval_widened"] == [
            fact("interval_widened", attack="sima", factor=1.5)
        ]

    def test_gates_add_what_they_look_at(self, runs):
        gates = ("tpr@10%fpr>0.3", "epsilon>1", "advantage>0.5")
        found = compare_runs(runs(0.5, 1), runs(0.8, 2, gates=gates))
        rate = change(found, metric="tpr@10%fpr")
        assert rate.difference.lo < rate.difference.value < rate.difference.hi
        assert not rate.tested
        assert np.isnan(change(found, metric="epsilon").difference.lo)
        assert change(found, metric="advantage").difference.reason


class TestSharedImages:
    def halves(self, tmp_path, kept: int):
        """The new run has `kept` of the images of either set, and others."""
        scores = simulate(0.5, 1)
        own = np.flatnonzero(np.concatenate([np.arange(IMAGES) < kept] * 2))
        more = write_run(
            tmp_path / "new",
            {key: np.concatenate([values[own], values[: 2 * 10]]) for key, values in scores.items()},
            np.concatenate([MEMBER[own], labels(10)]),
            ids=[*(make_ids(len(MEMBER))[at] for at in own), *make_ids(20, first=9000)],
            split="c" * 32,
        )
        return write_run(tmp_path / "old", scores, MEMBER), more

    def test_other_split_is_refused(self, tmp_path):
        with pytest.raises(ConfigError, match=r"expected the same split in both runs, .*--allow split"):
            compare_runs(*self.halves(tmp_path, 300))

    def test_shared_images_are_paired_and_counted(self, tmp_path):
        found = run_comparison(*self.halves(tmp_path, 300), CompareOptions(allow=("split",)))
        assert found.pairing.paired
        assert (found.pairing.positives, found.pairing.nonmembers) == (300, 300)
        assert (found.pairing.old_only, found.pairing.new_only, found.pairing.moved) == (200, 20, 0)
        own = change(found)
        assert own.difference.value == own.difference.hi == 0.0  # the same scores
        assert own.old == own.new
        assert [item.kind for item in found.allowed] == ["split"]

    def test_too_few_shared_images_are_not_paired(self, tmp_path):
        found = run_comparison(*self.halves(tmp_path, 100), CompareOptions(allow=("split",)))
        assert not found.pairing.paired
        assert found.pairing.facts == (fact("too_few_shared", positives=100, nonmembers=100),)
        assert change(found).difference.reason == fact("runs_not_paired")

    def test_images_that_changed_sets_are_left_out(self, runs, tmp_path):
        swapped = MEMBER.copy()
        swapped[[0, IMAGES]] = swapped[[IMAGES, 0]]
        new = write_run(tmp_path / "new", simulate(0.5, 1), swapped, split="c" * 32)
        found = run_comparison(runs(0.5, 1), new, CompareOptions(allow=("split",)))
        assert found.pairing.moved == 2
        assert (found.pairing.positives, found.pairing.old_only) == (IMAGES - 1, 0)
        assert fact("images_moved", images=2) in found.notes
        paired = fact("paired", positives=IMAGES - 1, nonmembers=IMAGES - 1)
        assert found.pairing.facts == (paired, fact("others_left_out"))


class TestUnpaired:
    def test_is_zou_and_donners(self):
        found = unpaired_difference(Estimate(0.6, 0.5, 0.68), Estimate(0.8, 0.7, 0.86), 0.025)
        assert found.value == pytest.approx(0.2)
        assert found.lo == pytest.approx(0.2 - np.hypot(0.1, 0.08))
        assert found.hi == pytest.approx(0.2 + np.hypot(0.06, 0.1))

    def test_p_is_where_the_limit_meets_zero(self):
        old, new = Estimate(0.6, 0.5, 0.68), Estimate(0.8, 0.7, 0.86)
        p = unpaired_difference(old, new, 0.025).p
        assert unpaired_difference(old, new, p / 2.0).lo == pytest.approx(0.0, abs=1e-12)

    def test_no_interval_no_limits(self):
        nan = float("nan")
        few = fact("too_few_independent", units=1)
        found = unpaired_difference(Estimate(0.6, nan, nan, few), Estimate(0.8, 0.7, 0.86), 0.025)
        assert found.value == pytest.approx(0.2)
        assert np.isnan([found.lo, found.hi, found.p]).all()
        assert found.reason == few

    @pytest.mark.parametrize("which", [0, 1])
    def test_report_files_alone_are_compared_by_their_intervals(self, runs, tmp_path, which):
        copied = tmp_path / "old-report.json"
        pair = [runs(0.5, 1), runs(0.8, 2)]
        copied.write_text((pair[which] / "report.json").read_text())
        pair[which] = copied
        found = compare_runs(*pair)
        assert not found.pairing.paired
        missing = fact("scores_missing", run=("OLD", "NEW")[which])
        assert found.pairing.facts == (missing, fact("same_images_unpaired"))
        assert found.tests == change_count(found)

    def test_report_file_with_scores_beside_it_is_paired(self, runs):
        assert compare_runs(runs(0.5, 1) / "report.json", runs(0.8, 2)).pairing.paired


def change_count(found: ComparisonResult) -> int:
    return sum(c.tested for c in found.changes)


class TestRefusals:
    @pytest.mark.parametrize(
        ("kind", "config"),
        [
            ("seed", {"seed": 1}),
            ("folds", {"folds": 4}),
            ("latents", {"attack_latents": "inversion"}),
            ("masks", {"drop": 0.2}),
            ("masks", {"gamma": 2.0}),
            ("masks", {"mask_scope": "set"}),
            ("masks", {"influence": "exact"}),
            ("masks", {"solver": "gradient"}),
            ("reference", {"reference": "models/base"}),
            ("reference", {"lora": ["style.safetensors"]}),
        ],
    )
    def test_settings_that_make_another_quantity(self, runs, kind, config):
        old, new = runs(0.5, 1), runs(0.5, 1, config=config)
        with pytest.raises(ConfigError, match=f"--allow {kind}"):
            compare_runs(old, new)
        found = run_comparison(old, new, CompareOptions(allow=(kind,)))
        assert {item.kind for item in found.allowed} == {kind}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ({"lora": ["a.safetensors"]}, {"lora": ["b.safetensors"], "embeddings": ["c.safetensors"]}),
            ({"reference": "none", "lora": ["a.safetensors"]}, {}),
            ({"lora": ["none"]}, {}),
        ],
    )
    def test_runs_with_the_same_reference_can_be_compared(self, runs, old, new):
        assert compare_runs(runs(0.5, 1, config=old), runs(0.5, 1, config=new)).allowed == ()

    def test_other_parameters_of_an_attack(self, runs, tmp_path):
        new = write_run(tmp_path / "new", simulate(0.5, 1), MEMBER)
        result = AuditResult.load(new)
        other = replace(result.attacks[0], parameters={**result.attacks[0].parameters, "order": 2.0})
        rewrite(new, attacks=(other, *result.attacks[1:]))
        with pytest.raises(ConfigError, match="the same order of sima in both runs, got 4 in OLD and 2 in NEW"):
            compare_runs(runs(0.5, 1), new)
        assert run_comparison(runs(0.5, 1), new, CompareOptions(allow=("preset",))).allowed[0].what == "order of sima"

    def test_another_kind_of_audit(self, runs, tmp_path):
        new = write_run(tmp_path / "new", simulate(0.5, 1), MEMBER)
        rewrite(new, data=replace(AuditResult.load(new).data, design="suspects"))
        with pytest.raises(ConfigError, match="--allow design"):
            compare_runs(runs(0.5, 1), new)
        for name in ("design", "role"):  # the second is its former name
            found = run_comparison(runs(0.5, 1), new, CompareOptions(allow=(name,)))
            assert [(item.kind, item.old, item.new) for item in found.allowed] == [("design", "members", "suspects")]
            assert (found.old.design, found.new.design) == ("members", "suspects")

    def test_all_reasons_at_once(self, runs):
        with pytest.raises(ConfigError) as refused:
            compare_runs(runs(0.5, 1), runs(0.5, 1, config={"seed": 1, "drop": 0.2, "folds": 4}, split="d" * 32))
        assert len(refused.value.problems) == 4

    def test_all_is_allowed_at_once(self, runs):
        new = runs(0.5, 1, config={"seed": 1, "drop": 0.2, "folds": 4}, split="d" * 32)
        assert len(run_comparison(runs(0.5, 1), new, CompareOptions(allow=("all",))).allowed) == 4

    def test_a_solver_that_was_not_used_does_not_matter(self, runs):
        encoder = {"geometry_latents": "encoder"}
        old, new = runs(0.5, 1, config=encoder), runs(0.5, 1, config={**encoder, "solver": "gradient"})
        assert compare_runs(old, new).allowed == ()

    def test_another_model_is_the_point(self, runs):
        found = compare_runs(runs(0.5, 1), runs(0.8, 2, model="e" * 32))
        assert not found.same_model
        assert found.old.hash != found.new.hash

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            (
                {"lora": ["a/x.safetensors"]},
                {"lora": ["a/y.safetensors@0.5"]},
                "lora: x.safetensors → y.safetensors@0.5",
            ),
            (
                {"lora": ["a/x.safetensors"]},
                {"lora": ["b/x.safetensors"]},
                "lora: x.safetensors → another x.safetensors",
            ),
            ({}, {"components": ["unet=o/checkpoint-5/unet"]}, "components: none → unet=checkpoint-5/unet"),
            ({"embeddings": None}, {"embeddings": ["a/c.safetensors@<c>"]}, "embeddings: none → c.safetensors@<c>"),
            ({}, {"config_from": "a/base"}, "config from: none → base"),
        ],
    )
    def test_other_files_of_the_model_are_named_without_their_folders(self, runs, old, new, said):
        plain = {"reference": "none"}
        found = compare_runs(runs(0.5, 1, config={**plain, **old}), runs(0.5, 1, config={**plain, **new}))
        assert [f"{item.name}: {item.old} → {item.new}" for item in found.settings] == [said]

    def test_a_report_of_a_version_without_these_options_differs_in_none(self, runs, tmp_path):
        old = write_run(tmp_path / "old", simulate(0.5, 1), MEMBER)
        result = AuditResult.load(old)
        absent = ("lora", "components", "embeddings", "config_from")
        rewrite(old, config={name: value for name, value in result.config.items() if name not in absent})
        assert compare_runs(old, runs(0.5, 1)).settings == ()

    def test_both_unreadable_runs_are_named(self, tmp_path):
        (tmp_path / "failed").mkdir()
        (tmp_path / "failed" / "report.json").write_text(make_failure("no such model").to_json())
        (tmp_path / "other.json").write_text('{"schema_version": 3}')
        with pytest.raises(ConfigError) as refused:
            compare_runs(tmp_path / "failed", tmp_path / "other.json")
        assert [problem[:4] for problem in refused.value.problems] == ["OLD:", "NEW:"]
        assert "no such model" in str(refused.value)
        assert "got 3" in str(refused.value)

    @pytest.mark.parametrize("name", ["nothing", "empty"])
    def test_no_run(self, runs, tmp_path, name):
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigError, match=r"NEW: expected a .*privaudit scan first"):
            compare_runs(runs(0.5, 1), tmp_path / name)

    def test_scores_of_another_run_are_noticed(self, runs, tmp_path):
        new = write_run(tmp_path / "new", simulate(0.8, 2), MEMBER)
        (new / "scores" / "scores.parquet").write_bytes((runs(0.5, 1) / "scores" / "scores.parquet").read_bytes())
        with pytest.raises(ConfigError, match="but sima/none has another AUROC and 5 more; scan again"):
            compare_runs(runs(0.5, 1), new)

    def test_scores_that_cannot_be_read(self, runs, tmp_path):
        new = write_run(tmp_path / "new", simulate(0.8, 2), MEMBER)
        table = pd.read_parquet(new / "samples.parquet")
        table.drop(columns="unit").to_parquet(new / "samples.parquet")
        with pytest.raises(ConfigError, match=r"NEW: expected .*samples\.parquet in .* as a scan wrote them"):
            compare_runs(runs(0.5, 1), new)
        (new / "scores" / "scores.parquet").write_text("something else")
        with pytest.raises(ConfigError, match="as a scan wrote them"):
            compare_runs(runs(0.5, 1), new)

    @pytest.mark.parametrize(
        ("chosen", "problem"),
        [
            ({"margin": -0.1}, r"0 <= margin < 0\.5"),
            ({"allow": ("colour",)}, "expected allow to name split, design,"),
            ({"confidence": 1.5}, "confidence in"),
            ({"replicates": 5}, "at least 39 bootstrap replicates"),
            ({"seed": -1}, "0 <= seed"),
        ],
    )
    def test_wrong_options(self, chosen, problem):
        with pytest.raises(ConfigError, match=problem):
            CompareOptions(**chosen)

    def test_all_wrong_options_at_once(self):
        with pytest.raises(ConfigError) as refused:
            CompareOptions(margin=2.0, allow=("colour", "taste"), confidence=0.0, seed=-1)
        assert len(refused.value.problems) == 5

    def test_every_kind_is_found(self, runs):
        """No kind that can be allowed is one that nothing is refused for."""
        one = AuditResult.load(runs(0.5, 1))
        attack = replace(one.attacks[0], parameters={"order": 1.0}, kind="ours", latents="inversion")
        config = {
            "seed": 5, "folds": 3, "attack_latents": "inversion", "drop": 0.1, "gamma": 3.0, "mask_scope": "set",
            "influence": "exact", "geometry_latents": "encoder", "solver": "gradient", "reference": "other",
            "orientation": "stored",
        }  # fmt: skip
        other = replace(
            one,
            data=replace(one.data, design="canaries", split_hash="f" * 32),
            config={**one.config, **config},
            attacks=(attack, *one.attacks[1:]),
        )
        assert {item.kind for item in mismatches(one, other)} == set(KINDS)


class TestVerdict:
    def test_a_rise_is_a_regression(self, runs):
        found = run_comparison(runs(0.3, 1), runs(1.0, 2), ASKED)
        assert found.verdict.status == "fail"
        assert exit_code(found.verdict.status, gated=found.fail_on_regression) == 1
        assert change(found).direction == "worse"
        assert change(found).rise > 0
        assert change(found, mask="random").direction == "unmeasured"
        own = change(found)
        values = {"old": own.old.value, "new": own.new.value, "rise": own.rise, "margin": 0.0}
        assert found.verdict.reasons[0] == fact("metric_rose", attack="sima", mask="none", metric="auroc", **values)
        worse = sum(one.direction == "worse" for one in found.changes)
        assert [reason.code for reason in found.verdict.reasons] == ["metric_rose"] * worse

    def test_a_fall_is_none(self, runs):
        found = run_comparison(runs(1.0, 2), runs(0.3, 1), ASKED)
        assert found.verdict.status == "pass"
        assert found.verdict.reasons == (fact("no_rise_shown", tests=found.tests, margin=0.0),)
        assert change(found).direction == "better"
        assert change(found).fall < 0

    def test_nothing_fails_unless_asked(self, runs):
        found = compare_runs(runs(0.3, 1), runs(1.0, 2))
        assert found.verdict.status == "fail"
        assert not found.fail_on_regression
        assert exit_code(found.verdict.status, gated=found.fail_on_regression) == 0

    def test_the_margin_is_beyond_what_was_shown(self, runs):
        old, new = runs(0.3, 1), runs(1.0, 2)
        risen = change(run_comparison(old, new, ASKED))
        within = run_comparison(old, new, replace(ASKED, margin=0.4))
        assert within.verdict.status == "pass"
        assert within.verdict.reasons == (fact("no_rise_shown", tests=within.tests, margin=0.4),)
        assert change(within).direction == "unclear"
        below = run_comparison(old, new, replace(ASKED, margin=risen.rise / 2))
        assert below.verdict.status == "fail"

    def test_the_same_run_twice(self, runs):
        found = run_comparison(runs(0.5, 1), runs(0.5, 1), ASKED)
        assert found.verdict.status == "pass"
        assert found.same_model
        assert fact("same_model") in found.notes
        assert {c.difference.value for c in found.changes} == {0.0}
        assert {c.direction for c in found.changes if c.tested} == {"unclear"}

    def test_a_gate_that_passed_and_fails(self, runs):
        gates = ("auroc>0.61",)
        old, new = runs(0.4, 1, gates=gates), runs(0.8, 2, gates=("AUROC > 0.610",))
        found = run_comparison(old, new, replace(ASKED, margin=0.4))
        assert (found.gates[0].old, found.gates[0].new, found.gates[0].regressed) == ("pass", "fail", True)
        assert found.verdict.status == "fail"
        assert found.verdict.reasons == (fact("gate_regressed", gate=found.gates[0].gate),)
        assert found.gates[0].gate == "AUROC > 0.610"
        assert found.gates[0].reason == AuditResult.load(new).verdict.gates[0].reason

    def test_a_gate_of_one_run_alone_is_no_regression(self, runs):
        found = run_comparison(runs(0.4, 1), runs(0.8, 2, gates=("auroc>0.61",)), replace(ASKED, margin=0.4))
        assert (found.gates[0].old, found.gates[0].new, found.gates[0].regressed) == (None, "fail", False)
        assert found.verdict.status == "pass"

    def test_a_failed_check_of_the_new_run(self, runs):
        found = run_comparison(runs(0.3, 1), runs(1.0, 2, checks=BROKEN), ASKED)
        assert found.verdict.status == "inconclusive"
        status, gated = found.verdict.status, found.fail_on_regression
        assert exit_code(status, gated=gated) == 3
        assert exit_code(status, gated=gated, inconclusive="fail") == 1
        assert exit_code(status, gated=gated, exit_zero=True) == 0
        assert found.verdict.reasons[0] == fact("new_check_failed", check="blind baseline")
        assert {reason.code for reason in found.verdict.reasons[1:]} == {"metric_rose"}
        assert (found.checks[0].old, found.checks[0].new) == (None, "fail")
        assert found.checks[0].facts == BROKEN[0].facts

    def test_a_failed_check_of_the_old_run_is_a_note(self, runs):
        found = run_comparison(runs(0.3, 1, checks=BROKEN), runs(1.0, 2), ASKED)
        assert found.verdict.status == "fail"
        assert fact("old_check_failed", check="blind baseline") in found.notes
        assert not any(reason.code == "new_check_failed" for reason in found.verdict.reasons)

    def test_too_few_images_are_inconclusive(self, tmp_path):
        member = labels(4)
        folders = [
            write_run(tmp_path / name, {("sima", "none"): np.random.default_rng(seed).normal(size=8)}, member)
            for name, seed in (("old", 0), ("new", 1))
        ]
        found = run_comparison(*folders, replace(ASKED, confidence=0.999, replicates=2000))
        assert found.verdict.status == "inconclusive"
        assert found.verdict.reasons == (
            fact("perfect_rise_unnoticed", members=4.0, nonmembers=4.0, tests=found.tests),
        )

    def test_nothing_in_common(self, runs, tmp_path):
        new = write_run(tmp_path / "new", simulate(0.5, 1, names=("secmi",)), MEMBER)
        found = run_comparison(runs(0.5, 1), new, ASKED)
        assert found.verdict.status == "inconclusive"
        assert found.verdict.reasons == (fact("nothing_in_common"),)
        assert found.added == ("secmi",)
        assert found.removed == ("sima", "pia")

    def test_a_rise_of_the_finding_alone_is_a_note(self, runs, tmp_path):
        old, new = (write_run(tmp_path / name, simulate(0.5, 1), MEMBER) for name in ("old", "new"))
        verdict = AuditResult.load(old).verdict
        rewrite(old, verdict=replace(verdict, finding=replace(verdict.finding, level="none")))
        found = run_comparison(old, new, ASKED)
        assert found.verdict.status == "pass"
        rose = fact("finding_rose", old="none", new=verdict.finding.level)
        at = found.notes.index(rose)
        assert found.notes[at + 1] == fact("no_difference_shown")

    def test_scores_made_of_other_attacks_are_left_out(self, tmp_path):
        learned = {"combined": "learned"}
        scores = simulate(0.5, 1, names=("sima", "combined"))
        old = write_run(tmp_path / "old", scores, MEMBER, kinds=learned)
        new = write_run(tmp_path / "new", {**scores, **simulate(0.5, 2, names=("pia",))}, MEMBER, kinds=learned)
        found = compare_runs(old, new)
        assert [item.attack for item in found.not_compared] == ["combined"]
        assert found.not_compared[0].differs_by == ("pia",)
        assert {c.attack for c in found.changes} == {"sima"}
        allowed = run_comparison(old, new, CompareOptions(allow=("preset",)))
        assert {c.attack for c in allowed.changes} == {"sima", "combined"}

    def test_rates_that_few_images_cannot_resolve_are_not_tested(self, tmp_path):
        member = labels(120)
        folders = []
        for name, strength, seed in (("old", 0.2, 0), ("new", 1.5, 1)):
            values = np.random.default_rng(seed).normal(size=240) + strength * member
            folders.append(write_run(tmp_path / name, {("sima", "none"): values}, member))
        found = run_comparison(*folders, ASKED)
        assert found.tests == 1
        assert change(found).direction == "worse"
        assert change(found, metric="tpr@1%fpr").direction == "unmeasured"
        (reason,) = found.untested
        assert reason == change(found, metric="tpr@1%fpr").difference.reason
        assert any(note.startswith("Some differences have no limit and were not tested") for note in note_lines(found))


class TestFormerVersions:
    """A report of version 5 of the schema, which has sentences, next to one of the same audit as it is written now."""

    @pytest.fixture
    def now(self, tmp_path):
        """Write a report of the same attacks on the same images, whose members score as far from the others as said."""

        def write(strength: float = 1.0, **changed) -> Path:
            gates = ("auroc>0.6", "epsilon>1")
            result = make_result(images=60, strength=strength, gates=gates, groups=("a", "b"))
            path = tmp_path / f"{strength}.json"
            path.write_text(replace(result, **changed).to_json(), encoding="utf-8")
            return path

        return write

    def old(self, folder, **changed) -> Path:
        """Write the stored report with parts of its own version changed."""
        path = folder / "old.json"
        path.write_text(json.dumps({**json.loads(VERSION_5.read_text()), **changed}), encoding="utf-8")
        return path

    @pytest.mark.parametrize("turned", [False, True])
    def test_the_same_scores_are_no_change(self, now, turned):
        pair = (now(), VERSION_5) if turned else (VERSION_5, now())
        found = run_comparison(*pair, ASKED)
        assert (found.allowed, found.not_compared, found.added, found.removed) == ((), (), (), ())
        assert {c.attack for c in found.changes} == {"sima", "mirror", "combined"}
        assert {c.metric for c in found.changes} == {"auroc", "tpr@1%fpr", "epsilon"}
        differences = np.array([c.difference.value for c in found.changes if c.metric != "tpr@1%fpr"])  # too few images
        np.testing.assert_allclose(differences, 0.0, atol=1e-9)
        assert found.verdict.status == "pass"
        assert [(gate.gate, gate.old, gate.new) for gate in found.gates] == [
            ("auroc>0.6", "fail", "fail"),
            ("epsilon>1", "pass", "pass"),
        ]
        assert found.checks == ()
        assert ComparisonResult.from_json(found.to_json()).to_json() == found.to_json()

    def test_a_rise_is_a_regression(self, now):
        found = run_comparison(VERSION_5, now(3.0), ASKED)
        assert found.verdict.status == "fail"
        assert {reason.code for reason in found.verdict.reasons} == {"metric_rose", "gate_regressed"}
        assert fact("gate_regressed", gate="epsilon>1") in found.verdict.reasons
        assert found.gates[1].reason.code == "limit_beyond_gate"
        assert fact("finding_rose", old="medium", new="high") in found.notes

    def test_what_only_the_old_run_says_is_shown_as_it_was_written(self, now, tmp_path):
        values = json.loads(VERSION_5.read_text())
        check = {"name": "captions", "status": "fail", "detail": "captions tell the sets apart: 90% of them"}
        gates = [{**values["verdict"]["gates"][0], "gate": "auroc>0.7", "detail": "no limit above it"}]
        verdict = {**values["verdict"], "gates": gates}
        old = self.old(tmp_path, checks=[*values["checks"], check], verdict=verdict)
        found = run_comparison(old, now(), ASKED)
        assert [(item.check, item.old, item.new) for item in found.checks] == [("captions", "fail", None)]
        assert facts_text(found.checks[0].facts) == check["detail"]
        assert fact("old_check_failed", check="captions") in found.notes
        gate = found.gates[-1]
        assert (gate.gate, gate.old, gate.new, fact_text(gate.reason)) == (
            "auroc>0.7",
            "fail",
            None,
            "no limit above it",
        )

    def test_gates_that_are_not_understood_are_known_by_their_text(self, now, tmp_path):
        values = json.loads(VERSION_5.read_text())
        gates = [{"gate": text, "status": "pass", "detail": text} for text in ("recall>0.5", "precision>0.5")]
        old = self.old(tmp_path, verdict={**values["verdict"], "gates": gates})
        verdict = AuditResult.load(now()).verdict
        new = now(verdict=replace(verdict, gates=(gate_outcome("precision>0.5", "fail"),)))
        found = run_comparison(old, new, ASKED)
        assert [(gate.gate, gate.old, gate.new, gate.regressed) for gate in found.gates] == [
            ("precision>0.5", "pass", "fail", True),
            ("recall>0.5", "pass", None, False),
        ]
        assert found.verdict.reasons == (fact("gate_regressed", gate="precision>0.5"),)


class TestHolm:
    def test_steps_down(self):
        found = step_down([partial(_limit, p) for p in (0.001, 0.02, 0.2)], 0.0, 0.05)
        assert [limit > 0 for limit in found] == [True, True, False]  # .02 is held to .05 / 2, not to .05 / 3

    def test_stops_at_the_first_that_stays(self):
        found = step_down([partial(_limit, p) for p in (0.03, 0.04)], 0.0, 0.05)
        assert [limit > 0 for limit in found] == [False, False]

    def test_what_cannot_be_resolved_does_not_count(self):
        def unresolved(error: float) -> float:
            return float("nan") if error < 0.04 else 0.5

        found = step_down([unresolved, partial(_limit, 0.03)], 0.0, 0.05)
        assert np.isnan(found[0])
        assert found[1] > 0

    def test_nothing(self):
        assert step_down([], 0.0, 0.05) == []


def _limit(p: float, error: float) -> float:
    """A lower limit that is above 0 where a test of this p-value rejects."""
    return error - p


class TestJson:
    def test_round_trip(self, runs):
        found = run_comparison(runs(0.5, 1), runs(0.8, 2, gates=("epsilon>1", "auroc>0.6")), ASKED)
        again = ComparisonResult.from_json(found.to_json())
        assert again.to_json() == found.to_json()
        assert again.verdict.status == found.verdict.status

    @pytest.mark.parametrize("text", ["{}", "[]", "not JSON", '{"schema_version": 1}', '{"schema_version": 99}'])
    def test_something_else(self, text):
        with pytest.raises(ResultError, match="expected a comparison"):
            ComparisonResult.from_json(text)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    root = tmp_path_factory.mktemp("scanned")
    sets = [write_images(root / name, 40, seed=seed) for name, seed in (("members", 1), ("others", 2))]
    folders = []
    for name, seed in (("old", 0), ("new", 5)):
        model = save_small_pipeline(root / f"model-{name}", seed=seed)
        options = AuditOptions.parse(
            target=str(model),
            members=sets[0],
            nonmembers=sets[1],
            out=root / name,
            device="cpu",
            replicates=200,
            attacks=("sima:levels=20,100", "loss:levels=50", "combined"),
        )
        run_audit(options)
        folders.append(root / name)
    return folders


@pytest.mark.slow
class TestRealRuns:
    """Two denoisers, the same images, scanned as users scan them."""

    def test_are_paired_on_every_image(self, scanned):
        found = run_comparison(*scanned, ASKED)
        assert found.pairing.paired
        assert (found.pairing.positives, found.pairing.nonmembers) == (40, 40)
        assert found.allowed == ()
        assert not found.same_model
        assert {c.attack for c in found.changes} == {"sima", "loss", "combined"}
        old, new = (AuditResult.load(folder) for folder in scanned)
        own = change(found, "loss")
        assert own.difference.value == pytest.approx(
            new.attacks[1].masks["none"].auroc.value - old.attacks[1].masks["none"].auroc.value
        )
        assert fact("interval_widened", attack="combined", factor=1.5) in found.notes

    def test_a_run_and_itself(self, scanned):
        found = run_comparison(scanned[0], scanned[0], ASKED)
        assert found.same_model
        assert {c.difference.value for c in found.changes if c.metric == "auroc"} == {0.0}


@pytest.mark.slow
class TestErrorRates:
    """The real function on simulated run folders: AUROCs of 2 attacks under 2 masks, tested together.

    ``benchmarks/compare_runs.py`` has more audits, and rates among what is tested.
    """

    def regressions(self, tmp_path, draws: int, old: float, new: float) -> int:
        flagged = 0
        for draw in range(draws):
            generator = np.random.default_rng(draw)
            member, images = labels(400), generator.normal(size=800)
            folders = []
            for name, strength in (("old", old), ("new", new)):
                common = 0.6 * images + 0.5 * generator.normal(size=800)
                scores = {
                    (attack, mask): common + 0.6 * generator.normal(size=800) + strength * member
                    for attack in ("sima", "pia")
                    for mask in ("none", "influence")
                }
                folders.append(write_run(tmp_path / f"{draw}-{name}", scores, member, replicates=39))
            flagged += run_comparison(*folders, ASKED).verdict.status == "fail"
        return flagged

    def test_no_change_is_rarely_flagged(self, tmp_path):
        # 5 % are allowed; 7 of 40 and more have a probability of .3 % then
        assert self.regressions(tmp_path, 40, 0.8, 0.8) < 7

    def test_a_change_is_found(self, tmp_path):
        assert self.regressions(tmp_path, 10, 0.5, 0.8) > 8
