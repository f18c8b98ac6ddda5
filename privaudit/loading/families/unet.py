"""What the families with a U-Net share: conditions in addition to the text, and how they are stated or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import Family, Network, Pipeline, Setting
from privaudit.loading.units import read_units
from privaudit.model.prompt import Prompt

CONDITIONS = ("class_embed_type", "num_class_embeds", "addition_embed_type")
"""Keys of a U-Net configuration that add a condition to the text."""
GUIDANCE = Setting(8.5, "guidance scale that a distilled (LCM) network is told, as the pipeline counts it")
"""Default of the pipelines of diffusers for such networks. Training draws the scale per image, from 3 to 15 (Luo et al.
2023, arXiv:2310.04378) or 6 to 16 (script of diffusers), and no file records which."""


def unsupported_conditions(config: Any, supported: str | None = None) -> list[str]:  # noqa: ANN401 - a diffusers configuration
    """List the conditions of a U-Net that would be ignored.

    Args:
        config: Configuration of the U-Net.
        supported: The ``addition_embed_type`` that the family computes.

    Returns:
        One problem per condition.
    """
    ignored = [
        key
        for key in CONDITIONS
        if config.get(key) is not None and (key, config[key]) != ("addition_embed_type", supported)
    ]
    if config.get("encoder_hid_dim_type") not in (None, "text_proj"):
        ignored.append("encoder_hid_dim_type")
    if config.get("attention_type") not in (None, "default"):
        ignored.append("attention_type")
    return [
        f"expected a U-Net without conditions or conditioned on text, got {key} = {config[key]}; "
        "other conditions, such as image embeddings or boxes, are not supported for this pipeline"
        for key in ignored
    ]


def guidance_condition(pipeline: Pipeline, scale: float, count: int) -> dict[str, Tensor]:
    """Embed the guidance scale for a distilled network, as the pipeline embeds it.

    Args:
        pipeline: Pipeline with a U-Net.
        scale: Guidance scale; 1 is no guidance.
        count: Number of prompts.

    Returns:
        ``timestep_cond``, ``(count, time_cond_proj_dim)``; nothing for a network that is not told the scale.
    """
    width = pipeline.unet.config.time_cond_proj_dim
    if width is None:
        return {}
    # The network is told w of its paper, which is 0 without guidance.
    weight = torch.tensor(scale - 1).repeat(count)
    return {"timestep_cond": pipeline.get_guidance_scale_embedding(weight, embedding_dim=width).to(pipeline.device)}


def drop_untold_guidance(family: Family, folder: PipelineFolder) -> None:
    """Drop the setting ``guidance`` of a network that is told none, so that no report states one."""
    # A folder without the file is refused later, when the network is loaded.
    config = folder.config("unet") if (folder.place("unet") / "config.json").is_file() else {}
    if config.get("time_cond_proj_dim") is None and "guidance" not in family.chosen:
        family.values.pop("guidance", None)


def guidance_of(family: Family) -> float:
    """Return the guidance scale of a family; the default for a network that is told none, where it has no effect."""
    return float(family.values.get("guidance", GUIDANCE.default))


def guidance_problems(config: Any, family: Family) -> list[str]:  # noqa: ANN401 - a diffusers configuration
    """List a guidance scale that the network would not be told."""
    if config.time_cond_proj_dim is None and "guidance" in family.chosen:
        return [
            "expected no condition.guidance for a U-Net that is not told a guidance scale, got "
            f"{family.values['guidance']}; leave it out"
        ]
    return []


def untold_guidance(config: Any) -> list[str]:  # noqa: ANN401 - a diffusers configuration
    """List the embedding of a guidance scale that the pipeline never computes."""
    width = config.get("time_cond_proj_dim")
    if width is None:
        return []
    return [f"expected a U-Net that is not told a guidance scale for this pipeline, got time_cond_proj_dim = {width}"]


def masked_everywhere(pipeline: Pipeline, image_size: tuple[int, int], count: int) -> dict[str, Tensor]:
    """Compute what an inpainting U-Net sees in addition to the noisy latent if the whole image is masked.

    Args:
        pipeline: Pipeline with an autoencoder.
        image_size: Height and width of the images in pixels.
        count: Number of prompts.

    Returns:
        ``masked``: the mask, 1, and the scaled latent of the blank (grey, zero) image, ``(count, 1 + channels, h',
        w')``; nothing for a U-Net that sees the noisy latent alone.
    """
    vae = pipeline.vae
    if pipeline.unet.config.in_channels == vae.config.latent_channels:
        return {}
    # on the device of the autoencoder, which may wait in main memory
    blank = torch.zeros(1, vae.config.in_channels, *image_size, device=vae.device, dtype=vae.dtype)
    encoded = vae.encode(blank)
    # The mean, where the pipeline draws from the posterior: two runs of an audit give the same.
    latent = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
    channels = torch.cat([torch.ones_like(latent[:, :1]), read_units(vae, latent.device).scaled(latent)], dim=1)
    return {"masked": channels.to(pipeline.device).expand(count, -1, -1, -1)}


class MasksEverything(Family):
    """Part of a family whose U-Net may see a mask and the latent of the image without the masked part.

    An audit masks everything: the mask is 1 everywhere, and the other channels hold the latent of the blank (zero)
    image. A U-Net with the channels of the latent alone is read without a mask. It comes before the family in the list
    of bases.
    """

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Embed the prompts as the family does, and the blank image for a U-Net that sees a mask."""
        masked = masked_everywhere(pipeline, self.image_size, len(prompts))
        return {**super().condition(pipeline, prompts), **masked}  # type: ignore[safe-super]  # the family comes next

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net on the noisy latent, the mask and the masked latent, in this order."""
        channels, rest = next_to_mask(noisy, condition)
        return super().predict(network, channels, level, rest)  # type: ignore[safe-super]

    def input_channels(self, latent_channels: int) -> tuple[int, ...]:
        """Count the channels of latent, mask and masked latent, or those of the latent alone if there is no mask."""
        return (latent_channels, 2 * latent_channels + 1)


class SeesNullImage(Family):
    """Part of a family whose U-Net sees the latent of an image to edit; an audit shows it zeros, its null condition.

    It comes before the family in the list of bases.
    """

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net on the noisy latent and the null image."""
        both = torch.cat([noisy, torch.zeros_like(noisy)], dim=1)
        return super().predict(network, both, level, condition)  # type: ignore[safe-super]  # the family comes next

    def input_channels(self, latent_channels: int) -> tuple[int, ...]:
        """Count the channels of two latents."""
        return (2 * latent_channels,)


def next_to_mask(noisy: Tensor, condition: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Concatenate noisy latent, mask and masked latent, in this order.

    Args:
        noisy: Noisy latents.
        condition: Condition that may hold the tensor of `masked_everywhere`.

    Returns:
        The input of the U-Net, and the rest of the condition.
    """
    rest = {name: values for name, values in condition.items() if name != "masked"}
    return (torch.cat([noisy, condition["masked"]], dim=1) if "masked" in condition else noisy), rest
