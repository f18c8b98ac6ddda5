"""The stages that ask the model, without an audit around them: what is computed, kept and asked again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from models import gaussian_target, linear_target, network_target, write_images
from settings import changed

from privaudit.attacks import ATTACKS, parse_attacks
from privaudit.auditing.measurements import Measurements
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run_stages import measure
from privaudit.data import Sample, read_set
from privaudit.decoder_geometry import DECILES, MASKS
from privaudit.execution import engine
from privaudit.execution.progress import no_progress
from privaudit.scorers import parse_methods

COUNT = 7


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> tuple[Sample, ...]:
    return read_set(write_images(tmp_path_factory.mktemp("images") / "x", COUNT, side=8), (8, 8)).samples


@pytest.fixture
def run(tmp_path, samples):
    """Measure the images with some attacks on a target, into one folder."""

    def run(target, *specs: str, samples=samples, **changes) -> Measurements:
        methods = parse_methods(specs)
        methods = replace(methods, attacks=tuple(attack.for_target(target) for attack in methods.attacks))
        reference, on_progress = changes.pop("reference", None), changes.pop("on_progress", no_progress)
        options = AuditOptions("target", tmp_path, tmp_path, tmp_path / "run", geometry_latents="encoder")
        return measure(target, samples, methods, changed(options, **changes), on_progress, reference=reference)

    return run


def asked(target) -> int:
    """Passes of the denoiser since the last time; each is of a whole batch at one level."""
    count = len(target.denoiser.passes)
    target.denoiser.passes.clear()
    return count


def another(target):
    """A target whose weights have another hash."""
    return replace(target, info=replace(target.info, hash="2" * 32))


class TestTables:
    def test_hold_a_column_a_level_under_every_mask(self, run):
        found = run(linear_target(), "sima:levels=20,60", "pfami:levels=100", "recon")
        assert [table.name for table in found.tables] == ["sima", "pfami", "recon"]
        assert [table.candidates for table in found.tables] == [(20.0, 60.0), (), ()]
        for table, width in zip(found.tables, (2, 1, 1), strict=True):
            assert tuple(table.by_mask)[: len(MASKS)] == MASKS
            assert all(values.shape == (COUNT, width) for values in table.by_mask.values())
        assert found.references == ()

    def test_tenths_add_up_to_the_whole_for_attacks_that_have_a_field(self, run):
        found = run(linear_target(), "sima:levels=20,60", "pfami:levels=100")
        sima, pfami = found.tables
        assert tuple(sima.by_mask) == (*MASKS, *DECILES)
        np.testing.assert_allclose(sum(sima.by_mask[band] for band in DECILES), sima.by_mask["none"])
        assert tuple(pfami.by_mask) == MASKS

    def test_several_shares_to_drop_take_the_same_passes(self, run):
        target, drops = network_target(), (0.2, 0.4, 0.6)
        found = run(target, "sima:levels=20,60", "pfami:levels=100", drop=drops)
        passes = asked(target)
        for drop in drops:
            alone = run(target, "sima:levels=20,60", "pfami:levels=100", drop=drop)
            assert asked(target) == passes, "another share is not read from the shards of several"
            for several, one in zip(found.tables, alone.tables, strict=True):
                assert (several.drops, one.drops) == (drops, ())
                for mask in ("random", "influence"):
                    np.testing.assert_allclose(several.hard(mask)[drop], one.by_mask[mask])
                for mask in ("none", "weighted"):
                    np.testing.assert_allclose(several.by_mask[mask], one.by_mask[mask])
        run(target, "sima:levels=20,60", "pfami:levels=100", drop=drops)
        assert asked(target) == 0

    def test_several_orders_take_the_same_passes(self, run):
        target = network_target()
        found = run(target, "sima:order=2,4:levels=20,60")
        assert asked(target) == 2
        assert [table.name for table in found.tables] == [f"sima:order={order}:levels=20,60" for order in (2, 4)]
        alone = run(target, "sima:levels=20,60")
        np.testing.assert_allclose(found.tables[1].by_mask["weighted"], alone.tables[0].by_mask["weighted"])

    def test_features_of_a_learned_attack_are_marked(self, run):
        target = network_target()
        (gsa,) = run(target, "gsa:levels=100,500").tables
        assert gsa.learned
        assert gsa.by_mask["none"].shape == (COUNT, len(list(target.denoiser.module.parameters())))
        assert not np.allclose(gsa.by_mask["none"], gsa.by_mask["influence"])


class TestReference:
    def test_is_asked_the_same_with_the_same_noise_at_the_targets_latents(self, run):
        target, other = network_target(), another(network_target("sample"))
        found = run(target, "loss:levels=50:draws=2", "pia:levels=100", reference=other)
        alone = run(other, "loss:levels=50:draws=2", "pia:levels=100")
        for ours, theirs in zip(found.references, alone.tables, strict=True):
            for mask in MASKS:
                np.testing.assert_allclose(ours.by_mask[mask], theirs.by_mask[mask])
        assert not np.allclose(found.tables[0].by_mask["none"], found.references[0].by_mask["none"])

    def test_the_target_itself_is_not_asked_twice(self, run):
        target = network_target()
        found = run(target, "sima:levels=20,60", "loss:levels=50", reference=target)
        assert asked(target) == 3
        for ours, theirs in zip(found.tables, found.references, strict=True):
            np.testing.assert_array_equal(ours.by_mask["weighted"], theirs.by_mask["weighted"])


class TestCache:
    def test_the_same_again_asks_nothing(self, run):
        target = network_target()
        first = run(target, "sima:levels=20,60", "loss:levels=50", "gsa:levels=100")
        assert asked(target) > 0
        second = run(target, "sima:levels=20,60", "loss:levels=50", "gsa:levels=100")
        assert asked(target) == 0
        for one, two in zip(first.tables, second.tables, strict=True):
            np.testing.assert_array_equal(one.by_mask["random"], two.by_mask["random"])

    def test_everything_there_is_is_asked_once(self, run):
        target, other = network_target(text=True), another(network_target("v_prediction", text=True))
        specs = [name for name in sorted(ATTACKS) if name != "flow_mc"]
        first = run(target, *specs, "combined", reference=other)
        assert asked(target) > 0
        assert asked(other) > 0
        second = run(target, *specs, "combined", reference=other)
        assert asked(target) == asked(other) == 0
        for one, two in zip((*first.tables, *first.references), (*second.tables, *second.references), strict=True):
            assert one.candidates == two.candidates
            for mask, values in one.by_mask.items():
                np.testing.assert_array_equal(two.by_mask[mask], values)

    def test_a_scorer_asks_nothing(self, run):
        target = network_target()
        run(target, "sima:levels=20,60")
        asked(target)
        run(target, "sima:levels=20,60", "combined", "conditioned")
        assert asked(target) == 0

    def test_a_new_attack_asks_its_own_passes_even_where_it_could_have_shared(self, run):
        target = network_target()
        run(target, "sima:levels=0,60")
        assert asked(target) == 2
        found = run(target, "sima:levels=0,60", "pia:levels=100,200")
        assert asked(target) == 3  # the model's own noise at level 0, and one a level
        together = run(network_target(), "sima:levels=0,60", "pia:levels=100,200")
        np.testing.assert_allclose(found.tables[1].by_mask["none"], together.tables[1].by_mask["none"])

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("loss:levels=50", "loss:levels=50:draws=2"),
            ("sima:levels=50", "sima:levels=60"),
            ("sima:levels=50", "sima:levels=50:order=2"),
            ("secmi:levels=50", "secmi:levels=50:step=5"),
            ("pian:levels=50", "pian@eq:levels=50"),
        ],
    )
    def test_a_changed_parameter_or_preset_is_never_read_from_the_others_shard(self, run, first, second):
        target = network_target()
        one = run(target, first).tables[0].by_mask["none"]
        asked(target)
        two = run(target, second).tables[0].by_mask["none"]
        assert asked(target) > 0
        assert not np.allclose(one, two)
        np.testing.assert_array_equal(run(target, first).tables[0].by_mask["none"], one)
        assert asked(target) == 0

    def test_a_changed_caption_is_another_shard_of_that_image_set(self, run, samples):
        target = gaussian_target(text=True)
        plain = run(target, "sima:levels=50").tables[0].by_mask["none"]
        asked(target)
        captioned = tuple(replace(sample, caption="a cat") for sample in samples[:1]) + samples[1:]
        told = run(target, "sima:levels=50", samples=captioned).tables[0].by_mask["none"]
        assert asked(target) == 1
        assert told[0] != plain[0]
        np.testing.assert_allclose(told[1:], plain[1:])

    @pytest.mark.parametrize("change", [{"seed": 1}, {"drop": 0.6}, {"gamma": 2.0}])
    def test_what_the_masks_are_made_of_is_part_of_the_key(self, run, change):
        target = linear_target()
        one = run(target, "loss:levels=50").tables[0].by_mask
        asked(target)
        two = run(target, "loss:levels=50", **change).tables[0].by_mask
        assert asked(target) == 1
        assert any(not np.allclose(one[mask], two[mask]) for mask in MASKS)

    def test_a_damaged_shard_is_computed_again(self, run, tmp_path):
        target = linear_target()
        one = run(target, "sima:levels=50").tables[0].by_mask["none"]
        (shard,) = (tmp_path / "run" / "scores").glob("sima-*.safetensors")
        shard.write_bytes(b"half a file")
        np.testing.assert_array_equal(run(target, "sima:levels=50").tables[0].by_mask["none"], one)

    def test_each_shard_is_read_at_most_once_by_each_stage_that_needs_it(self, run, monkeypatch):
        reads, running = Counter(), [""]
        original = engine.read_shard

        def read(path):
            found = original(path)
            reads[running[0], path] += found is not None
            return found

        def note(stage, done, total):
            running[0] = stage

        monkeypatch.setattr(engine, "read_shard", read)
        monkeypatch.setattr(engine, "SHARD_SIZE", 3)
        target, other = network_target(), another(network_target("sample"))
        for specs in (["sima:levels=20", "loss:levels=50"], ["sima:levels=20", "pia:levels=100"]):
            run(target, *specs, reference=other, on_progress=note)
        assert {stage for stage, _ in reads} == {"pixels", "latents", "influence", "scores", "reference"}
        assert max(reads.values()) == 2, "once by each of two runs"
        reads.clear()
        run(target, "sima:levels=20", "pia:levels=100", reference=other, on_progress=note)
        assert {(stage, path.parent.name) for stage, path in reads if reads[stage, path]} == {
            *((stage, stage) for stage in ("pixels", "latents", "influence", "scores")),
            ("reference", "scores"),
        }, "what is not computed needs nothing of the other stages"
        assert max(reads.values()) == 1

    def test_another_solver_does_not_describe_the_pixels_again(self, run, monkeypatch):
        first = run(linear_target(), "sima:levels=20", geometry_latents="inversion", solver="encoder")
        monkeypatch.setattr("privaudit.auditing.stages.pixel_statistics.image_features", None)
        second = run(
            linear_target(), "sima:levels=20", geometry_latents="inversion", solver="anderson:evaluations=3:tolerance=0"
        )
        np.testing.assert_array_equal(first.pixels.statistics, second.pixels.statistics)
        np.testing.assert_array_equal(first.pixels.traces, second.pixels.traces)
        assert (second.convergence.evaluations == 3).all()


class TestBatches:
    def test_scores_do_not_depend_on_their_size(self, run, tmp_path):
        specs = ("sima:levels=20", "loss:levels=50:draws=2", "pfami:levels=100", "secmi:levels=40", "gsa:levels=100")
        whole, pairs = (run(network_target(), *specs, batch_size=size, out=tmp_path / str(size)) for size in (64, 2))
        for one, two in zip(whole.tables, pairs.tables, strict=True):
            for mask in MASKS:
                wanted = one.by_mask[mask]
                np.testing.assert_allclose(two.by_mask[mask], wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())

    def test_images_are_read_for_attacks_that_need_them_alone(self, run, monkeypatch):
        run(linear_target(), "sima:levels=20")
        monkeypatch.setattr("privaudit.auditing.stages.scoring.load_images", None)
        run(linear_target(), "loss:levels=20")
        with pytest.raises(TypeError):
            run(linear_target(), "recon")

    def test_no_generator_is_touched(self, run):
        before = torch.random.get_rng_state()
        run(network_target(), *(attack.label for attack in parse_attacks(["sima", "loss", "gsa", "pfami"])))
        assert torch.equal(before, torch.random.get_rng_state())
