"""HunyuanImage 2.1 of Tencent (github.com/Tencent-Hunyuan/HunyuanImage-2.1), a flow model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import (
    QWEN_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)
from privaudit.loading.families.flux import configure_guidance, guidance_of
from privaudit.model.prompt import Prompt


@register_family
class HunyuanImage(Family):
    """A transformer conditioned on 1000 sigma, a hidden state of Qwen 2.5 VL, and ByT5 for quoted text; padding masked.

    The part of a caption in quotation marks is encoded by ByT5; it is zero where there is none. A distilled network is
    told a guidance scale, times 1000. The distilled model that predicts mean velocities (MeanFlow) is refused. The
    sample_size of its autoencoder is that of tiles, and not of images.
    """

    pipeline = "HunyuanImagePipeline"
    networks = ("HunyuanImageTransformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("Qwen2_5_VLForConditionalGeneration",), "tokenizer", QWEN_TOKENIZERS),
        TextEncoder("text_encoder_2", ("T5EncoderModel",), "tokenizer_2", ("ByT5Tokenizer",)),
    )
    autoencoders = ("AutoencoderKLHunyuanImage",)
    unused = ("guider", "ocr_guider")
    flow = True
    resolution = (2048, 2048)
    settings = {
        "guidance": Setting(3.25, "guidance scale that a guidance-distilled network is told"),
        "text_length": Setting(1000, "tokens of Qwen per caption"),
    }

    def configure(self, folder: PipelineFolder) -> None:
        """Read whether the network is told a guidance scale.

        Raises:
            ConfigError: A guidance scale is chosen for a network that is told none.
        """
        configure_guidance(self, folder, default=False)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        pipeline.tokenizer_max_length = self.values["text_length"]
        hidden, mask, glyphs, glyph_mask = pipeline.encode_prompt(captions(prompts), batch_size=len(prompts))
        return {
            "encoder_hidden_states": hidden,
            "encoder_attention_mask": mask.bool(),
            "encoder_hidden_states_2": glyphs,
            "encoder_attention_mask_2": glyph_mask.bool(),
        }

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer."""
        guidance = guidance_of(self, noisy)
        output: Tensor = network(
            hidden_states=noisy,
            timestep=level.to(noisy.dtype),
            guidance=None if guidance is None else guidance.to(noisy.dtype) * 1000,
            **condition,
        ).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List unsupported networks, and compare the widths of text encoders and transformer."""
        config, problems = pipeline.transformer.config, []
        if config.use_meanflow:
            problems.append(
                "expected a transformer that predicts the velocity at one noise level, got use_meanflow, a mean "
                "velocity between two; audit the model that it was distilled from"
            )
        if len(config.patch_size) != 2:
            problems.append(f"expected a transformer of 2-dimensional patches, got patch_size {config.patch_size}")
        if config.text_embed_2_dim is not None:
            width = pipeline.text_encoder_2.config.d_model
            problems += width_problems("text embeddings of ByT5", config.text_embed_2_dim, width)
        text = pipeline.text_encoder.config.get_text_config()
        return [*problems, *width_problems("text embeddings of Qwen", config.text_embed_dim, text.hidden_size)]
