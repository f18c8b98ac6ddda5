"""The plan of an audit, before it is run: that it is right, and that nothing is written."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from models import save_small_pipeline, write_images
from settings import changed

from privaudit.auditing.dry_run import plan_audit
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import choose_methods, run_audit
from privaudit.auditing.run_stages import measure
from privaudit.auditing.sources import list_sources, read_sources
from privaudit.errors import ConfigError, DataError
from privaudit.loading import ModelSource, load_target

MEMBERS, OTHERS = 14, 12


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> AuditOptions:
    root = tmp_path_factory.mktemp("plan")
    return AuditOptions.parse(
        target=str(save_small_pipeline(root / "model")),
        members=write_images(root / "members", MEMBERS, seed=1),
        nonmembers=write_images(root / "others", OTHERS, seed=2),
        out=root / "run",
        device="cpu",
        geometry_latents="encoder",
        replicates=100,
        attacks=("all",),
    )


@pytest.fixture(scope="module")
def forecast(options):
    return plan_audit(options)


class TestForecast:
    def test_nothing_is_written(self, options, forecast):
        assert not options.out.exists()

    def test_what_cannot_run_is_named_with_the_reason(self, forecast):
        reasons = {item.name: item.reason for item in forecast.refused}
        assert reasons == {
            "clid": "needs a text-to-image target, and this one takes no captions",
            "flow_mc": "needs a flow model, and this one predicts epsilon",
        }
        assert not {step.label for step in forecast.steps} & set(reasons)
        assert set(forecast.scorers) == {"combined", "conditioned", "selected"}

    def test_shared_passes_are_counted_once(self, forecast):
        by_title = {step.label: step for step in forecast.steps}
        assert by_title["pian"].added["forward"] == by_title["pian"].alone["forward"] - 1
        assert "pia" in by_title["pian"].shares

    def test_is_what_the_networks_are_asked_for(self, options, forecast, tmp_path, passes):
        """The plan is checked against the passes of the real run, stage by stage."""
        at: dict[str, Counter[str]] = {}

        def note(stage: str, done: int, total: int) -> None:
            if done == 0:
                at[stage] = Counter(passes)

        target = load_target(ModelSource(options.target, device="cpu"))
        samples = read_sources(list_sources(options), options, target, note).samples
        methods, _ = choose_methods(options, target, [sample.caption for sample in samples])
        measure(target, samples, methods, changed(options, out=tmp_path / "run"), note)
        images = MEMBERS + OTHERS
        during = {kind: passes[kind] - at["scores"][kind] for kind in ("forward", "encode", "decode")}
        planned = {kind: images * sum(step.added[kind] for step in forecast.steps) for kind in during}
        assert during == planned
        assert at["influence"] - at["latents"] == {"encode": images}
        assert sum(step.alone["forward"] for step in forecast.steps) * images > during["forward"], "something is shared"

    def test_a_reference_model_takes_the_same_passes_again(self, options, tmp_path, passes):
        few = changed(options, attacks=("sima:levels=20,40", "pia:levels=100"), out=tmp_path / "run")
        tuned = str(save_small_pipeline(tmp_path / "base", seed=5))
        alone, both = plan_audit(few), plan_audit(replace(few, reference=tuned))
        assert (alone.models, both.models) == (1, 2)
        assert both.steps == alone.steps
        assert both.cost(both.steps[0]) > 0
        passes.clear()
        run_audit(replace(few, reference=tuned))
        images, fitted = MEMBERS + OTHERS, 9 + 9 + 27  # the reference is not trained: other scales are tried, too
        assert passes["forward"] == images * (2 * sum(step.added["forward"] for step in alone.steps) + fitted)

    def test_the_time_is_made_of_passes_and_what_they_took(self, forecast):
        images = MEMBERS + OTHERS
        assert all(forecast.seconds_per_image[kind] > 0 for kind in ("forward", "backward", "encode", "decode"))
        assert forecast.seconds["scores"] == pytest.approx(sum(map(forecast.cost, forecast.steps)))
        assert forecast.seconds["influence"] == pytest.approx(images * forecast.seconds_per_image["influence"])

    def test_memory_is_counted_from_weights_and_a_batch(self, options, forecast):
        assert set(forecast.weights) == {"autoencoder", "denoiser"}
        target = load_target(options.model)
        weights = sum(value.nbytes for value in target.denoiser.module.parameters())
        assert forecast.weights["denoiser"] >= weights
        alone = plan_audit(replace(options, batch_size=1))
        assert 0 < alone.batch_bytes < forecast.batch_bytes
        together, offloaded = forecast.peak_bytes
        assert offloaded < together == sum(forecast.weights.values()) + forecast.batch_bytes

    def test_the_json_holds_everything(self, forecast):
        found = json.loads(forecast.to_json())
        assert found["sets"] == {"members": MEMBERS, "nonmembers": OTHERS}
        assert {step["title"]: step["added"]["forward"] for step in found["steps"]}["recon"] == 0
        assert [item["name"] for item in found["refused"]] == ["clid", "flow_mc"]
        assert set(found["seconds"]) == {"model fit", "latents", "influence", "scores"}


class TestErrors:
    def test_nothing_that_can_run(self, options):
        with pytest.raises(ConfigError) as error:
            plan_audit(changed(options, attacks=("clid", "flow_mc")))
        assert len(error.value.problems) == 2
        assert "clid needs a text-to-image target" in error.value.problems[0]

    def test_images_that_are_not_there(self, options, tmp_path):
        with pytest.raises(DataError, match="does not exist"):
            plan_audit(changed(options, members=tmp_path / "nowhere"))

    def test_a_level_that_does_not_exist(self, options):
        with pytest.raises(ConfigError, match="got 1000"):
            plan_audit(changed(options, attacks=("sima:levels=1000",)))


def test_an_unreadable_image_does_not_stop_the_plan(options, tmp_path):
    members = write_images(tmp_path / "members", 6, seed=3)
    (members / "0-broken.png").write_bytes(b"no image")
    found = plan_audit(changed(options, members=members, attacks=("sima",)))
    assert found.sets["members"] == 7
