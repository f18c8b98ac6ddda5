"""Stage that scores each attack under every mask, with one shard file per attack; only missing ones are computed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import torch

from privaudit.attacks import Attack, Batch, PassCache, make_plan, score_batch
from privaudit.auditing.stages.decoder_influence import DecoderInfluence
from privaudit.auditing.stages.image_stage import ImageStage, ids_of
from privaudit.auditing.stages.latents import Latents
from privaudit.auditing.stages.mask_settings import MaskSettings
from privaudit.data import Sample, load_images
from privaudit.execution.batching import Tensors
from privaudit.execution.stage import Rows, ShardStage


@dataclass(frozen=True, eq=False)
class Scoring(ImageStage):
    """Scores attacks on a model, at the latents of the audited target.

    Attributes:
        target: The model that is attacked: the audited one, or a reference of the same latent shape and schedule.
        name: Name of the stage, ``scores`` or ``reference``.
        latents: Stage of the latents.
        at: Latents at which the attacks are computed, ``encoded`` or ``inverted``.
        influence: Stage of the influence.
        attacks: Attacks, with the noise levels of the audited target.
        masks: Settings of the masks; None for scores without a mask, which need no influence.
        seed: Seed of the audit.
        dtype: Requested precision of the denoiser.
    """

    name: str
    latents: Latents
    at: str
    influence: DecoderInfluence
    attacks: tuple[Attack, ...]
    masks: MaskSettings | None
    seed: int
    dtype: str
    folder = "scores"

    def needs(self) -> Mapping[str, ShardStage[Sample]]:
        """Return the stage of the latents, and that of the influence if there are masks."""
        return {"latents": self.latents} | ({} if self.masks is None else {"influence": self.influence})

    def keys(self) -> Mapping[str, Mapping[str, object]]:
        """Return one key per attack, by its label; none under custom masks, which no key can tell apart."""
        if self.masks is not None and self.masks.rules:
            return {}
        masks = {"mask": "none"} if self.masks is None else {"influence": self.influence.key, **self.masks.key}
        shared = {
            "latents": {"at": self.at, **self.latents.key(inverted=self.at == "inverted")},
            "target": self.target.info.hash,
            "denoiser_dtype": self.dtype,
            "seed": self.seed,
            **masks,
        }
        return {
            attack.label: shared
            | {"attack": {"name": attack.name, **asdict(replace(attack, variant="", candidate_of=""))}}
            for attack in self.attacks
        }

    def item_key(self, item: Sample) -> str:
        """Return the id and the prompt."""
        return f"{item.id} {item.prompt}"

    def only(self, parts: Sequence[str]) -> Scoring:
        """Return the stage for the attacks with these labels."""
        return replace(self, attacks=tuple(attack for attack in self.attacks if attack.label in parts))

    @cached_property
    def _expected(self) -> Mapping[Hashable, int]:
        """Number of requests for each result that attacks share."""
        return make_plan(self.attacks, self.target).expected

    def compute(self, batch: Rows[Sample]) -> Tensors:
        """Return ``label/mask``, each ``(n, columns)``."""
        device, ids = self.target.device, ids_of(batch)
        images = None  # pixels are read only if an attack needs them
        if any("images" in attack.needs for attack in self.attacks):
            size = self.latents.target.info.image_size  # of the audited model, also if this one is a reference
            images = torch.from_numpy(load_images(batch.items, size)).to(device)
        model_batch = Batch(
            self.target,
            batch.inputs["latents"][self.at].to(device),
            ids,
            [sample.prompt for sample in batch.items],
            self.seed,
            images=images,
            cache=PassCache(expected=self._expected),
        )
        masks = {name: mask.to(device) for name, mask in self._masks(batch, ids).items()}
        scores: Tensors = {}
        # attacks whose errors have a known scale are also scored by influence decile, for the learned combination
        for by_decile in (True, False):
            attacks = [attack for attack in self.attacks if (attack.scale != "other") == by_decile]
            named = ("none",) if self.masks is None else self.masks.names
            chosen = masks if by_decile else {name: masks[name] for name in named}
            scores |= {f"{label}/{mask}": v for (label, mask), v in score_batch(attacks, model_batch, chosen).items()}
        return scores

    def _masks(self, batch: Rows[Sample], ids: Sequence[str]) -> Tensors:
        if self.masks is None:
            return {"none": torch.ones_like(batch.inputs["latents"][self.at])}
        return self.masks.build(batch.inputs["influence"]["values"], ids, self.seed)
