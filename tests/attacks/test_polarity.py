"""Higher is a member: on a model that knows one image by heart, that image scores highest of twenty.

The model is exact for data with a narrow peak at the member's latent, and its decoder reproduces only the member.
"""

from __future__ import annotations

import pytest
import torch
from cases import SPECS
from models import LATENT, LinearAutoencoder, overfitted_target, prompts, random_normal

from privaudit.attacks import Batch, parse_attacks, score_batch
from privaudit.model.prompt import Prompt

COUNT, MEMBER = 20, 13
WHERE = {
    # a memorised image gives back every draw of the noise, so that its mean is only small if there are many draws;
    # and with little noise the others' is small as well, since the model takes it for detail of the image
    "epsilon": ":draws=32:log_snr=1,0,-0.5",
    "flow_mc": ":draws=8:log_snr=0,-1,-2",
    # where there is next to no image left, the model cannot know it
    "gsa": ":log_snr=2,1,0.5",
    "gsa@1": ":log_snr=2,1,0.5",
    "gsa@2": ":log_snr=2,1,0.5",
}
"""Parameters of attacks whose defaults reach beyond what this model knows."""
MODELS = {
    "diffusion": ("epsilon", False),
    "text": ("epsilon", True),
    "v": ("v_prediction", False),
    "flow": ("flow", False),
}


def audited(model: str) -> Batch:
    """Twenty images, of which the model was trained on one."""
    head, text = MODELS[model]
    latents = 0.8 * random_normal(COUNT, *LATENT, seed=11, dtype=torch.float64)
    captions = [f"picture number {place}" for place in range(COUNT)]
    target = overfitted_target(latents[[MEMBER]], [captions[MEMBER]], head, text=text)
    images = LinearAutoencoder.decode(target.autoencoder, latents)
    return Batch(target, latents, [str(place) for place in range(COUNT)], prompts(*captions), 0, images)


def on_its_models() -> list[tuple[str, str]]:
    """Every attack with every model that it does not refuse; levels of diffusion models mean nothing to a flow."""
    found = []
    for model in MODELS:
        target = audited(model).target
        for spec in SPECS:
            (attack,) = parse_attacks([spec])
            foreign = model == "flow" and attack.noise_levels and "flow model" not in attack.needs
            if attack.unsupported_reason(target) is None and not foreign:
                found.append((spec, model))
    return found


@pytest.mark.parametrize(("spec", "model"), on_its_models())
def test_the_member_scores_highest(spec, model):
    batch = audited(model)
    (attack,) = parse_attacks([spec + WHERE.get(spec, "")])
    masks = {"none": torch.ones(COUNT, *LATENT), "half": (random_normal(COUNT, *LATENT, seed=3) > 0).double()}
    for (_, mask), scores in score_batch([attack.for_target(batch.target)], batch, masks).items():
        # features of a classifier have no sign of their own: gradients are smallest for the member
        best = scores.argmin(dim=0) if attack.learned else scores.argmax(dim=0)
        assert best.tolist() == [MEMBER] * scores.shape[1], mask


@pytest.mark.parametrize("spec", ["sima", "loss", "pia"])
def test_the_member_scores_highest_among_several_members(spec):
    """Three are known by heart: the other seventeen score lower than each of them."""
    latents = 0.8 * random_normal(COUNT, *LATENT, seed=11, dtype=torch.float64)
    target = overfitted_target(latents[:3], ["", "", ""])
    (attack,) = parse_attacks([spec])
    batch = Batch(target, latents, [str(place) for place in range(COUNT)], [Prompt()] * COUNT, 0)
    scores = score_batch([attack.for_target(target)], batch, {"none": torch.ones(COUNT, *LATENT)})[spec, "none"]
    assert (scores[:3].min(dim=0).values > scores[3:].max(dim=0).values).all()


def test_a_caption_is_part_of_what_was_memorised():
    """The same image under another caption is no longer known: clid is what sees it."""
    batch = audited("text")
    told = [*batch.prompts]
    told[MEMBER] = Prompt("another picture altogether")
    (attack,) = parse_attacks(["clid"])
    other = Batch(batch.target, batch.latents, batch.sample_ids, told, 0, batch.images)
    masks = {"none": torch.ones(COUNT, *LATENT)}
    attacks = [attack.for_target(batch.target)]
    known, unknown = (score_batch(attacks, each, masks)["clid", "none"] for each in (batch, other))
    assert (known[MEMBER] > unknown[MEMBER] + 1).all()
    rest = [place for place in range(COUNT) if place != MEMBER]
    torch.testing.assert_close(known[rest], unknown[rest])
