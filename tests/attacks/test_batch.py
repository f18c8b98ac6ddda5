"""A batch gives noise that belongs to the image, and runs each distinct pass once, whoever asks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cases import CAPTIONS, a_batch, a_network
from models import LATENT, gaussian_target, prompts

from privaudit.attacks import Batch, PassCache
from privaudit.attacks.batch import crop_centre
from privaudit.attacks.clid import Clid, reduce
from privaudit.attacks.recon import spread
from privaudit.model.noise import normal_for
from privaudit.model.prompt import Prompt


class TestNoise:
    def test_is_that_of_seed_image_level_and_draw(self):
        wanted = normal_for(5, ["b"], LATENT, "noise", 50, 2)[0].double()
        assert torch.equal(a_batch(seed=5).noise(50, 2)[1], wanted)

    def test_is_new_for_each_of_them(self):
        batch = a_batch()
        drawn = [
            batch.noise(50)[0],
            batch.noise(50)[1],
            batch.noise(50, 1)[0],
            batch.noise(60)[0],
            a_batch(seed=6).noise(50)[0],
        ]
        for place, one in enumerate(drawn):
            assert not any(torch.isclose(one, other).all() for other in drawn[place + 1 :])

    def test_does_not_depend_on_the_place_in_a_batch(self):
        whole = a_batch().noise(50)
        assert torch.equal(a_batch(rows=[3, 1]).noise(50), whole[[3, 1]])

    def test_has_the_type_of_the_latents(self):
        batch = a_batch()
        assert batch.noise(1).dtype == torch.float64
        assert replace(batch, latents=batch.latents.float()).noise(1).dtype == torch.float32


def test_noised_is_signal_and_noise_by_the_schedule():
    for target in (gaussian_target(), gaussian_target("flow")):
        batch = a_batch(target)
        alpha, sigma = target.alpha_sigma(300)
        assert torch.equal(batch.noised(300, batch.noise(300)), alpha * batch.latents + sigma * batch.noise(300))


class TestSharing:
    def test_a_prediction_is_run_once_by_level_and_draw(self):
        batch = a_batch()
        for _ in range(3):
            batch.predict_clean(20)
            batch.predict_clean(0)
            batch.predict_noised(20)
            batch.predict_noised(20, 1)
            batch.residual(20)
        assert batch.target.denoiser.passes == [20, 0, 20, 20]

    def test_predictions_at_other_latents_are_shared_with_nobody(self):
        batch = a_batch()
        first, second = (batch.predict(latents, 20) for latents in (batch.latents, 2 * batch.latents))
        assert not torch.equal(first, second)
        assert batch.target.denoiser.passes == [20, 20]

    def test_paths_with_the_same_beginning_share_it(self):
        batch = a_batch()
        whole = batch.ddim_invert((0, 10, 20, 30))
        assert batch.target.denoiser.passes == [0, 10, 20]
        part = batch.ddim_invert((0, 10, 20))
        assert batch.target.denoiser.passes == [0, 10, 20], "on the way to 30"
        other = batch.ddim_invert((0, 10, 25))
        assert batch.target.denoiser.passes == [0, 10, 20, 10]
        assert not torch.equal(part, other)
        assert not torch.equal(part, whole)
        assert torch.equal(a_batch().ddim_invert((0, 10, 20)), part)

    def test_a_path_of_one_level_is_where_it_starts(self):
        batch = a_batch()
        assert batch.ddim_invert((0,)) is batch.latents
        assert batch.target.denoiser.passes == []

    def test_other_images_of_the_same_batch_have_their_own_predictions(self):
        batch = a_batch(gaussian_target(damping=0.1))
        flipped = batch.with_images("flip", lambda images: images.flip(-1))
        crop, other = batch.crop(0.81), batch.crop(0.6)
        found = [each.residual(20) for each in (batch, flipped, crop, other)]
        for place, one in enumerate(found):
            assert not any(torch.isclose(one, another).all() for another in found[place + 1 :])
        assert batch.target.denoiser.passes == [20] * 4
        again = batch.crop(0.81).residual(20)
        assert torch.equal(again, found[2])
        assert batch.target.denoiser.passes == [20] * 4

    def test_a_change_of_a_change_is_another_image(self):
        batch = a_batch()
        crop = batch.crop(0.81)
        assert crop.with_images("flip", lambda images: images.flip(-1)).tag != batch.with_images("flip", torch.abs).tag

    def test_changed_images_are_encoded_once(self):
        batch = a_batch()
        for _ in range(3):
            batch.crop(0.81)
        assert batch.cache.work["", "encode"] == 1

    def test_changed_images_keep_noise_captions_and_seed(self):
        batch = a_batch(a_network("text"))
        crop = batch.crop(0.5)
        assert torch.equal(crop.noise(20), batch.noise(20))
        assert crop.prompts == batch.prompts
        assert not torch.equal(crop.latents, batch.latents)
        assert crop.latents.dtype == batch.latents.dtype

    def test_other_captions_have_their_own_predictions_of_the_same_latents(self):
        batch = a_batch(a_network("text"))
        bare = batch.with_captions("none", [None] * 4)
        assert torch.equal(bare.noised(20, bare.noise(20)), batch.noised(20, batch.noise(20)))
        assert not torch.isclose(bare.residual(20), batch.residual(20)).all()
        assert torch.equal(batch.with_captions("none", [None] * 4).residual(20), bare.residual(20))
        assert batch.target.denoiser.passes == [20, 20]

    def test_other_captions_leave_the_rest_of_a_prompt_as_it_is(self):
        told = [Prompt("a", 3, (8, 9), (1, 2))] * 4
        assert a_batch(prompts=told).with_captions("none", [None] * 4).prompts == [Prompt(None, 3, (8, 9), (1, 2))] * 4

    def test_a_change_needs_images(self):
        with pytest.raises(
            ValueError, match="^expected a batch with images, got none; add 'images' to the attack's needs$"
        ):
            replace(a_batch(), images=None).crop(0.5)

    def test_a_target_without_captions_has_no_condition(self):
        assert a_batch().condition is None
        assert a_batch(a_network("text")).condition["number"].shape == (4,)


class TestPassCache:
    def test_says_who_did_what(self):
        batch = a_batch()
        batch.cache.attack = "first"
        batch.residual(20)
        batch.cache.attack = "second"
        batch.residual(20)
        batch.residual(40)
        batch.crop(0.5)
        assert batch.cache.work == {("first", "forward"): 1, ("second", "forward"): 1, ("second", "encode"): 1}

    def test_remembers_everything_if_it_does_not_know_what_is_to_come(self):
        cache, made = PassCache(), []
        for _ in range(3):
            cache.shared("key", lambda: made.append(1))
        assert made == [1]

    def test_forgets_after_the_last_time(self):
        cache, made = PassCache(expected={"key": 2}), []

        def compute() -> int:
            made.append(1)
            return len(made)

        assert [cache.shared("key", compute) for _ in range(2)] == [1, 1]
        assert cache._results == {}
        assert cache.shared("key", compute) == 2, "asked more often than planned, it is computed again"
        assert cache.shared("unplanned", compute) == 3
        assert cache._results == {}

    def test_what_raised_is_asked_again(self):
        cache = PassCache(expected={"key": 1})
        with pytest.raises(ZeroDivisionError):
            cache.shared("key", lambda: 1 / 0)
        assert cache.shared("key", lambda: "well") == "well"

    def test_a_fresh_batch_has_a_fresh_one(self):
        first, second = (Batch(gaussian_target(), torch.zeros(1, *LATENT), ["a"], [Prompt()], 0) for _ in range(2))
        first.predict_clean(0)
        assert second.cache.work == {}
        assert second.cache._results == {}


class TestCrop:
    def test_keeps_the_centre(self):
        images = torch.zeros(1, 3, 8, 8)
        images[..., 2:6, 2:6] = 1
        torch.testing.assert_close(crop_centre(images, 0.5), torch.ones(1, 3, 8, 8))

    def test_of_a_constant_image_changes_nothing(self):
        torch.testing.assert_close(crop_centre(torch.full((1, 3, 9, 7), 0.3), 0.7), torch.full((1, 3, 9, 7), 0.3))

    def test_leaves_at_least_a_pixel(self):
        assert torch.isfinite(crop_centre(torch.rand(1, 3, 4, 4), 0.01)).all()


class TestReducedCaptions:
    def test_are_the_first_words(self):
        found = dict(reduce(["one two three four", "one two three four five six seven eight"]))
        assert list(found) == [0.75, 0.5, 0.25, 0]
        assert found[0.75] == ["one two three", "one two three four five six"]
        assert found[0.5] == ["one two", "one two three four"]
        assert found[0.25] == ["one", "one two"]
        assert found[0] == [None, None]

    def test_of_no_caption_is_none(self):
        assert all(cut == [None, None] for _, cut in reduce([None, "  "]))

    def test_an_image_without_caption_has_no_discrepancy(self):
        batch = a_batch(a_network("text"), prompts=prompts(CAPTIONS[0], None, CAPTIONS[2], None))
        attack = Clid(weights=(0,)).for_target(batch.target)
        rises = attack.measure(batch, {"none": torch.ones(4, *LATENT)})["none"][:, 0]
        assert rises[1] == rises[3] == 0
        assert (rises[[0, 2]] != 0).all()


def test_pixel_errors_are_spread_over_the_channels_of_their_position():
    squares = torch.zeros(1, 3, 8, 8)
    squares[0, :, 2, 5] = torch.tensor([1.0, 2.0, 3.0])
    found = spread(squares, torch.Size((1, 2, 4, 4)))
    assert found.shape == (1, 2, 4, 4)
    assert found[0, :, 1, 2].tolist() == [3.0, 3.0]
    assert found.sum() == 6
