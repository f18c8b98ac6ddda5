from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields, replace
from io import BytesIO
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from results import make_result, with_hostile_names

from privaudit.errors import ResultError
from privaudit.evaluation import Difference, Estimate
from privaudit.evaluation.curves import Histogram
from privaudit.report import plots
from privaudit.report.plots import DARK, LIGHT, Palette

NAMES = ("overview", "roc", "distributions", "masks", "quartiles", "levels", "influence")
PAIRS = ("overview", "influence")
NAN = float("nan")


@pytest.fixture(scope="module")
def result():
    return make_result(images=400, attacks=("sima", "pia", "mirror"))


def figure_of(drawn) -> Figure:
    return (drawn[0] if isinstance(drawn, tuple) else drawn).figure


def own_axes(name):
    figure = Figure()
    return tuple(figure.subplots(1, 2)) if name in PAIRS else figure.subplots()


def svg_of(figure: Figure) -> str:
    drawn = BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "test"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue().decode()


def texts_of(drawn) -> list[str]:
    return [text.get_text() for text in figure_of(drawn).findobj(mpl.text.Text) if text.get_text()]


def swapped(result, name, **changes):
    attacks = tuple(replace(a, **changes) if a.name == name else a for a in result.attacks)
    return replace(result, attacks=attacks)


@pytest.mark.parametrize("name", NAMES)
class TestEveryPlot:
    def test_draws_in_given_axes_and_returns_them(self, result, name):
        axes = own_axes(name)
        drawn = getattr(plots, name)(result, axes=axes)
        assert drawn is axes or tuple(drawn) == axes

    def test_makes_its_own_that_a_notebook_shows(self, result, name):
        assert getattr(plots, name)(result)._repr_png_().startswith(b"\x89PNG")

    def test_is_what_the_result_offers(self, result, name):
        assert svg_of(figure_of(getattr(result.plot, name)())) == svg_of(figure_of(getattr(plots, name)(result)))

    def test_takes_its_colours_from_the_palette_alone(self, result, name):
        given = [part.name for part in fields(Palette) if part.name not in ("cycle", "colours")]
        marked = {part: f"#fe{number:02x}03" for number, part in enumerate(given)}
        palette = Palette(**marked, cycle=tuple(f"#fd{number:02x}03" for number in range(6)))
        drawn = svg_of(figure_of(getattr(plots, name)(result, palette=palette)))
        drawn = re.sub(r'<image [^>]*href="data:[^"]*"', "", drawn)  # maps have colours of their own
        found = set(re.findall(r"#[0-9a-f]{6}\b", drawn))
        assert found - {*marked.values(), *palette.cycle} == set()
        assert found & {*marked.values(), *palette.cycle}

    def test_names_are_what_they_are(self, result, name):
        hostile = "_<b>$x_1$ & \x1b[31m"
        other = with_hostile_names(result, hostile)
        other = replace(
            other,
            attacks=(replace(other.attacks[0], name=hostile), *other.attacks[1:]),
            verdict=replace(other.verdict, finding=replace(other.verdict.finding, attack=hostile)),
        )
        chosen = {"masks": {"attacks": [hostile]}, "roc": {"attacks": [hostile]}}
        drawn = getattr(plots, name)(other, **chosen.get(name, {}))
        root = ElementTree.fromstring(svg_of(figure_of(drawn)))
        shown = "".join(root.itertext())
        assert "\x1b" not in shown
        if name in ("overview", "roc", "distributions", "masks"):
            assert "_<b>$x_1$" in shown

    def test_leaves_pyplot_alone(self, result, name):
        pyplot = pytest.importorskip("matplotlib.pyplot")
        before = dict(mpl.rcParams)
        getattr(plots, name)(result)._repr_png_()
        assert pyplot.get_fignums() == []
        assert dict(mpl.rcParams) == before

    def test_does_not_depend_on_the_users_style(self, result, name):
        usual = svg_of(figure_of(getattr(plots, name)(result)))
        loud = {"axes.grid": True, "axes.facecolor": "red", "text.color": "lime", "font.size": 20, "lines.linewidth": 9}
        with mpl.rc_context(loud):
            drawn = getattr(plots, name)(result)
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg_of(figure_of(drawn)))) == set(re.findall(r"#[0-9a-f]{6}\b", usual))

    @pytest.mark.parametrize("images", [5, 30])
    def test_few_images_are_enough_to_draw(self, name, images):
        few = make_result(images=images)
        assert getattr(plots, name)(few)._repr_png_()


class TestWords:
    @pytest.mark.parametrize("name", ["roc", "distributions", "masks", "quartiles", "levels"])
    def test_no_legend_lies_on_data(self, result, name):
        axes = getattr(plots, name)(result)
        drawn = FigureCanvasAgg(axes.figure)
        drawn.draw()
        renderer = drawn.get_renderer()
        assert axes.get_legend().get_window_extent(renderer).y0 >= axes.get_window_extent(renderer).y1

    def test_of_suspects_nobody_says_who_is_found(self, result):
        suspects = replace(result, data=replace(result.data, design="suspects"))
        axes = plots.roc(suspects)
        assert axes.get_ylabel() == "suspects above the threshold"
        assert axes.get_xlabel() == "non-members above the threshold"
        assert [panel.get_title() for panel in plots.influence(suspects)] == ["all images", "the 20 highest-scoring"]
        assert "members recognised" in plots.roc(result).get_ylabel()

    def test_an_attack_that_is_called_like_a_number_is_called_an_attack(self):
        left, _ = plots.overview(make_result(images=50, attacks=("epsilon", "sima")))
        assert "epsilon (attack)" in [text.get_text() for text in left.get_yticklabels()]


class TestRoc:
    def test_draws_the_curve_its_band_and_the_one_percent_point(self, result):
        axes = plots.roc(result, ["pia"])
        curve = next(a for a in result.attacks if a.name == "pia").curves["none"]
        line, point = axes.lines[0], axes.lines[1]
        positive = [(f, t) for f, t in zip(curve.fpr, curve.tpr, strict=True) if f > 0 and t > 0]
        assert list(zip(*line.get_data(), strict=True)) == positive
        assert np.allclose(point.get_data(), [[0.01], [curve.tpr[curve.fpr.index(0.01)]]])
        (band,) = axes.collections
        at = curve.fpr.index(0.05)
        corners = band.get_paths()[0].vertices
        assert {tuple(corner) for corner in corners} >= {(0.05, curve.lo[at]), (0.05, curve.hi[at])}
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")

    def test_the_first_has_a_band_if_there_are_many(self, result):
        assert len(plots.roc(result, ["pia", "sima"]).collections) == 2
        assert len(plots.roc(result, ["pia", "sima", "mirror"]).collections) == 1

    def test_shows_the_strongest_first_and_no_more_than_fit(self):
        many = make_result(images=100, attacks=("sima", "pia", "loss", "mirror", "secmi"))
        shown = [text.get_text().split(" (")[0] for text in plots.roc(many).get_legend().get_texts()]
        best = sorted(many.attacks, key=lambda a: -a.masks["none"].auroc.value)
        assert shown == [a.name for a in best[:4]] + ["without the model", "guessing"]

    def test_the_blind_baseline_can_be_left_out_or_missing(self, result):
        assert not any("without" in text for text in texts_of(plots.roc(result, blind=False)))
        missing = replace(result, blind=replace(result.blind, curve=None))
        assert not any("without" in text for text in texts_of(plots.roc(missing)))

    def test_guessing_is_the_diagonal_and_one_percent_is_within_the_axes(self):
        few = make_result(images=30)
        axes = plots.roc(few)
        assert axes.get_xlim()[0] <= 0.01
        assert any(np.array_equal(*line.get_data()) and len(line.get_xdata()) == 2 for line in axes.lines)

    def test_an_unknown_mask_names_those_there_are(self, result):
        with pytest.raises(
            ResultError, match=r"a mask with a ROC curve \(none, random, influence, weighted\), got 'x'"
        ):
            plots.roc(result, mask="x")


class TestDistributions:
    def test_both_sets_are_densities(self, result):
        axes = plots.distributions(result, "sima", mask="influence")
        found = next(a for a in result.attacks if a.name == "sima").histograms["influence"]
        steps = [patch.get_data() for patch in axes.patches]
        for values, edges, _ in steps:
            assert np.isclose((values * np.diff(edges)).sum(), 1)
        pairs = np.array(found.members).reshape(24, 2).sum(axis=1)  # bins of so few images are joined
        assert np.allclose(steps[0].values, pairs / 400 / np.diff(found.edges[::2]))
        assert {"400 members", "400 non-members"} <= set(texts_of(axes))

    @pytest.mark.parametrize(("images", "bins"), [(1100, 48), (400, 24), (25, 8), (1, 2)])
    def test_few_images_have_few_bins(self, result, images, bins):
        many = Histogram(tuple(range(49)), (images, *(0,) * 47), (*(0,) * 47, images))
        axes = plots.distributions(swapped(result, "sima", histograms={"none": many}), "sima")
        assert len(axes.patches[0].get_data().values) == bins
        assert axes.patches[0].get_data().edges.tolist()[::bins] == [0, 48]

    def test_equal_scores_are_one_bin(self, result):
        one = Histogram((0.5, 1.5), (400,), (400,))
        axes = plots.distributions(swapped(result, "sima", histograms={"none": one}), "sima")
        assert axes.get_xlim() == (0.5, 1.5)

    def test_suspects_are_not_called_members(self, result):
        other = replace(result, data=replace(result.data, design="suspects"))
        for drawn in (plots.distributions(other), plots.roc(other), plots.quartiles(other)):
            assert any("suspects" in text for text in texts_of(drawn))
            assert not any(re.search("(?<!non-)members", text) for text in texts_of(drawn))

    def test_a_score_without_masks_says_so(self, result):
        with pytest.raises(ResultError, match=r"a mask of combined \(none\), got 'influence'"):
            plots.distributions(result, "combined", mask="influence")


class TestMasks:
    def test_values_are_the_paired_gains(self, result):
        axes = plots.masks(result, ["sima"], metric="tpr")
        report = next(a for a in result.attacks if a.name == "sima")
        drawn = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
        wanted = (report.random_vs_none, report.influence_vs_none, report.weighted_vs_none)
        assert drawn == [gain.tpr_delta.value for gain in wanted]

    def test_what_has_no_masks_has_no_row(self, result):
        assert "combined" not in texts_of(plots.masks(result))
        with pytest.raises(ResultError, match="that was compared under masks"):
            plots.masks(result, ["combined"])

    def test_gain_and_loss_are_drawn_at_one_scale(self, result):
        low, high = plots.masks(result).get_xlim()
        assert low == -high

    def test_what_was_not_measured_is_written(self, result):
        missing = Difference(NAN, NAN, NAN, NAN, "no reason")
        report = next(a for a in result.attacks if a.name == "sima")
        other = swapped(result, "sima", influence_vs_none=replace(report.influence_vs_none, auroc_delta=missing))
        assert "n/a" in texts_of(plots.masks(other))

    def test_an_unknown_metric(self, result):
        with pytest.raises(ResultError, match=r"a metric \(auroc, tpr\), got 'epsilon'"):
            plots.masks(result, metric="epsilon")


class TestQuartiles:
    def test_points_are_the_strata(self, result):
        axes = plots.quartiles(result, "pia")
        report = next(a for a in result.attacks if a.name == "pia")
        drawn = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o"]
        assert drawn == [stratum.auroc.value for stratum in report.distortion_quartiles]

    def test_a_quarter_without_an_auroc_is_written(self, result):
        report = next(a for a in result.attacks if a.name == "pia")
        first = replace(report.distortion_quartiles[0], auroc=Estimate(NAN, NAN, NAN, "one class"))
        other = swapped(result, "pia", distortion_quartiles=(first, *report.distortion_quartiles[1:]))
        assert "n/a" in texts_of(plots.quartiles(other, "pia"))

    def test_none_at_all(self, result):
        with pytest.raises(ResultError, match="expected quartiles of distortion for pia, got none"):
            plots.quartiles(swapped(result, "pia", distortion_quartiles=()), "pia")


class TestLevels:
    def test_lines_are_the_levels_with_noise_on_the_right(self, result):
        axes = plots.levels(result, "sima")
        report = next(a for a in result.attacks if a.name == "sima")
        line = next(line for line in axes.lines if len(line.get_xdata()) == len(report.levels))
        assert line.get_xdata().tolist() == [level.log_snr for level in report.levels]
        assert line.get_ydata().tolist() == [level.auroc["none"].value for level in report.levels]
        assert axes.get_xlim()[0] > axes.get_xlim()[1]
        assert "chosen by most folds" in texts_of(axes)

    def test_levels_stand_in_where_there_is_no_log_snr(self, result):
        report = next(a for a in result.attacks if a.name == "sima")
        first = replace(report.levels[0], log_snr=None)
        axes = plots.levels(swapped(result, "sima", levels=(first, *report.levels[1:])), "sima")
        assert axes.get_xlabel() == "level, noise to the right"
        assert axes.get_xlim()[0] < axes.get_xlim()[1]

    def test_the_strongest_that_has_levels_is_drawn(self, result):
        assert plots.strongest(result) == "combined"
        best = max((a for a in result.attacks if a.levels), key=lambda a: a.masks["none"].auroc.value)
        line = next(line for line in plots.levels(result).lines if len(line.get_xdata()) == len(best.levels))
        assert line.get_ydata().tolist() == [level.auroc["none"].value for level in best.levels]

    def test_an_attack_without_levels(self, result):
        with pytest.raises(ResultError, match="compared at noise levels, got combined, which was not"):
            plots.levels(result, "combined")


class TestInfluence:
    def test_both_maps_share_a_scale(self, result):
        left, right = plots.influence(result)
        assert left.images[0].get_array().tolist() == [list(row) for row in result.influence.everywhere]
        assert right.images[0].get_array().tolist() == [list(row) for row in result.influence.exposed]
        assert left.images[0].get_clim() == right.images[0].get_clim()
        assert right.get_title() == "the 20 most exposed"

    def test_needs_two_axes(self, result):
        with pytest.raises(ResultError, match="expected two axes, of all and of exposed images, got 1"):
            plots.influence(result, axes=[Figure().subplots()])


class TestOverview:
    def test_values_are_the_metrics(self, result):
        left, right = plots.overview(result)

        def drawn(axes):
            return [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]

        best = plots.strongest(result)
        order = sorted(result.attacks, key=lambda a: (a.name != best, -a.masks["none"].auroc.value))
        assert drawn(left) == [a.masks["none"].auroc.value for a in order]
        assert drawn(right) == [a.masks["none"].tpr_at_fpr["0.01"].value for a in order]
        assert [text.get_text() for text in left.get_yticklabels()] == [a.name for a in order]

    def test_what_was_not_measured_is_written(self):
        assert "n/a" in texts_of(plots.overview(make_result(images=30)))

    def test_a_mask_leaves_out_what_has_none(self, result):
        assert "combined" not in texts_of(plots.overview(result, mask="influence"))
        with pytest.raises(ResultError, match=r"a mask of this audit \(none, random, influence, weighted\), got 'x'"):
            plots.overview(result, mask="x")

    def test_needs_two_axes(self, result):
        with pytest.raises(ResultError, match="expected two axes, of AUROC and of TPR, got 1"):
            plots.overview(result, axes=[Figure().subplots()])


def test_an_unknown_attack_names_those_there_are(result):
    with pytest.raises(ResultError, match=r"an attack of this audit \(sima, pia, mirror, combined\), got 'smia'"):
        plots.distributions(result, "smia")


@pytest.mark.parametrize("given", ["sima", []])
def test_attacks_are_a_list(result, given):
    with pytest.raises(ResultError, match=r"write attacks=\['sima'\]"):
        plots.roc(result, given)


def test_the_quoted_attack_is_the_strongest_and_without_one_the_largest_auroc(result):
    assert plots.strongest(result) == result.verdict.finding.attack
    quiet = replace(result, verdict=replace(result.verdict, finding=replace(result.verdict.finding, attack=None)))
    best = max(result.attacks, key=lambda a: a.masks["none"].auroc.value)
    assert plots.strongest(quiet) == best.name


def luminance(colour: str) -> float:
    parts = (int(to_hex(colour)[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stand_out(palette):
    """WCAG 2.2: 4.5:1 for text, 3:1 for what is not."""
    for text in (palette.text, palette.muted, palette.chance):
        assert contrast(text, palette.background) >= 4.5
    sets = (palette.members, palette.nonmembers, palette.blind)
    masks = (palette.none, palette.random, palette.influence, palette.weighted)
    for colour in (*sets, *masks, *palette.cycle):
        assert contrast(colour, palette.background) >= 3
    assert len(set(masks)) == len(masks)
    assert len(set(palette.cycle)) == len(palette.cycle)


def test_drawing_needs_no_torch():
    code = "import privaudit.report.plots, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
