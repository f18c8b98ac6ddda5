"""The sweep on a small real pipeline: levels, what is swept, what a point is, what is computed once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from models import flow_target, linear_target, save_small_pipeline, v_target, write_images
from settings import changed
from sklearn.metrics import roc_auc_score

from privaudit.attacks import parse_attacks
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit
from privaudit.auditing.sweep import MAX_SCHEDULE_FRACTION, choose_curves, curve_levels, run_sweep
from privaudit.auditing.sweep_options import NOT_SWEPT, SweepOptions
from privaudit.errors import ConfigError


@pytest.fixture(scope="module")
def common(tmp_path_factory) -> dict[str, object]:
    """What a sweep and an audit of the same images have in common."""
    root = tmp_path_factory.mktemp("sweep")
    return {
        "target": str(save_small_pipeline(root / "model")),
        "members": write_images(root / "members", 14, seed=1),
        "nonmembers": write_images(root / "others", 12, seed=2),
        "device": "cpu",
        "geometry_latents": "encoder",
        "replicates": 100,
    }


@pytest.fixture(scope="module")
def options(common) -> SweepOptions:
    folder = common["members"].parent / "run"
    return SweepOptions.parse(**common, out=folder, attacks=("sima", "secmi:step=50"), points=4)


@pytest.fixture(scope="module")
def found(options):
    return run_sweep(options)


class TestLevels:
    @pytest.mark.parametrize("target", [linear_target(), v_target(), flow_target()], ids=["epsilon", "v", "flow"])
    def test_cover_the_cleaner_part_of_the_schedule_finer_where_it_is_cleaner(self, target):
        (sima,) = parse_attacks(["sima"])
        levels = curve_levels(sima, target.schedule, 25)
        assert len(levels) in (24, 25)  # of the first two, one may round to the other
        assert levels[-1] == round(MAX_SCHEDULE_FRACTION * target.schedule.last)
        gaps = [high - low for low, high in pairwise(levels)]
        assert all(low <= high + 1 for low, high in pairwise(gaps))
        assert gaps[-1] > 20 * gaps[0]
        assert np.isfinite([target.schedule.log_snr(level) for level in levels]).all()

    def test_start_at_the_first_that_the_attack_can_take_and_that_has_noise(self):
        sima, secmi, flow_mc = parse_attacks(["sima", "secmi", "flow_mc"])
        assert curve_levels(sima, linear_target().schedule)[0] == 0
        assert curve_levels(sima, flow_target().schedule)[0] == 1
        assert curve_levels(secmi, linear_target().schedule)[0] == 10
        assert curve_levels(flow_mc, flow_target().schedule)[0] == 1

    def test_an_attacks_own_are_kept(self, options):
        chosen = changed(options, attacks=("sima:levels=3,9", "secmi@paper", "loss:log_snr=0", "epsilon"))
        attacks, _ = choose_curves(chosen, linear_target(), [None], 5)
        middle = linear_target().schedule.nearest(0)
        assert [attack.levels for attack in attacks[:3]] == [(3, 9), (100,), (middle,)]
        assert len(attacks[3].levels) == 5


class TestRefusal:
    def test_attacks_without_a_score_a_level_are_named_with_the_reason(self, options):
        chosen = changed(options, attacks=("sima", "pfami", "gsa", "recon", "clid", "combined", "mirror"))
        attacks, refused = choose_curves(chosen, linear_target(), [None], 3)
        assert [attack.label for attack in attacks] == ["sima", "mirror"]
        reasons = {item.name: item.reason for item in refused}
        assert set(reasons) == {"pfami", "gsa", "recon", "clid", "combined"}
        assert "text-to-image" in reasons["clid"]
        assert "other attacks" in reasons["combined"]
        assert reasons["pfami"] == reasons["gsa"] == "has no score for each of its levels"

    def test_nothing_to_sweep_is_an_error(self, options):
        with pytest.raises(ConfigError, match="expected an attack that can be swept: pfami has no score"):
            run_sweep(changed(options, attacks=("pfami",)))

    def test_a_curve_has_two_points_at_least(self, options):
        with pytest.raises(ConfigError, match=r"at least 2 points \(25 is usual\), got 1"):
            replace(options, points=1)

    @pytest.mark.parametrize("name", NOT_SWEPT)
    def test_options_that_a_sweep_would_ignore(self, options, name):
        value = ("auroc>0.6",) if name == "fail_on" else "other"
        with pytest.raises(ConfigError, match=f"expected no {name}, since"):
            changed(options, **{name: value})

    def test_several_fractions_to_drop(self, options):
        with pytest.raises(ConfigError, match="expected one fraction to drop, since a sweep chooses nothing"):
            changed(options, drop=(0.2, 0.4))

    def test_a_level_beyond_the_schedule(self, options):
        with pytest.raises(ConfigError, match="got 1000"):
            run_sweep(changed(options, attacks=("sima:levels=1000",)))


class TestPoints:
    def test_every_attack_has_a_curve_under_every_mask(self, found):
        assert found.attacks == ("sima", "secmi")
        for attack, first in (("sima", 0), ("secmi", 50)):
            for mask in ("none", "random", "influence", "weighted"):
                levels = [point.level for point in found.curve(attack, mask)]
                assert len(levels) == 4
                assert (levels[0], levels[-1]) == (first, 599)
        assert all(point.log_snr == found.schedule.log_snr(point.level) for point in found.points)

    def test_a_point_is_what_a_scan_at_that_fixed_level_reports(self, common, found, tmp_path):
        point = found.curve("sima", "weighted")[2]
        run_audit(AuditOptions.parse(**common, out=tmp_path / "run", attacks=(f"sima:levels={point.level}",)))
        table = pd.read_parquet(tmp_path / "run" / "scores" / "scores.parquet")
        own = table[(table["attack"] == "sima") & (table["mask"] == "weighted")]
        assert point.auroc.value == pytest.approx(roc_auc_score(own["set"] == "member", own["score"]))
        assert point.auroc.lo < point.auroc.value < point.auroc.hi

    def test_images_of_one_group_count_once_in_the_interval_as_they_do_in_a_scan(self, common, tmp_path):
        sets = {}
        for name in ("members", "nonmembers"):
            paths = sorted(common[name].iterdir())
            rows = [{"path": str(path), "group": f"{name}{place // 3}"} for place, path in enumerate(paths)]
            pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)
            sets[name] = tmp_path / f"{name}.csv"
        grouped = common | sets
        swept = run_sweep(SweepOptions.parse(**grouped, out=tmp_path / "sweep", attacks=("sima",), points=2))
        point = swept.curve("sima", "none")[1]
        scanned = run_audit(
            AuditOptions.parse(**grouped, out=tmp_path / "run", attacks=(f"sima:levels={point.level}",))
        )
        area = scanned.attacks[0].masks["none"].auroc
        assert (point.auroc.value, point.auroc.lo, point.auroc.hi) == pytest.approx((area.value, area.lo, area.hi))

    def test_the_best_is_the_highest_and_the_cleanest_of_equals(self, found):
        curve = found.curve("sima", "none")
        best = found.best("sima", "none")
        assert best.auroc.value == max(point.auroc.value for point in curve)
        flat = replace(found, points=tuple(replace(point, auroc=curve[0].auroc) for point in found.points))
        assert flat.best("sima", "none").level == 0

    def test_a_rate_at_one_percent_needs_a_hundred_non_members(self, found):
        assert all(np.isnan(point.tpr_at_1pct) for point in found.points)

    def test_the_file_holds_the_points(self, options, found):
        table = pd.read_csv(options.out / "sweep.csv")
        assert list(table) == ["attack", "mask", "level", "log_snr", "auroc", "lo", "hi", "tpr_at_1pct"]
        pd.testing.assert_frame_equal(table, found.table())
        assert len(table) == 2 * 4 * 4


class TestCache:
    def test_the_same_sweep_again_runs_nothing(self, options, found, passes):
        again = run_sweep(options)
        assert not passes
        assert again.table().equals(found.table())

    def test_the_folder_of_a_scan_lends_its_latents_and_geometry(self, common, tmp_path, passes):
        run_audit(AuditOptions.parse(**common, out=tmp_path / "run", attacks=("sima:levels=20",)))
        passes.clear()
        run_sweep(SweepOptions.parse(**common, out=tmp_path / "run", attacks=("sima",), points=3))
        assert passes == {"forward": 3 * 26}
        assert (tmp_path / "run" / "report.json").is_file()

    def test_fresh_forgets(self, options, found, tmp_path, passes):
        chosen = changed(options, out=tmp_path / "run", attacks=("sima",))
        run_sweep(chosen)
        once = dict(passes)
        run_sweep(replace(chosen, fresh=True))
        assert passes == {kind: 2 * count for kind, count in once.items()}
