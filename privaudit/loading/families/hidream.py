"""HiDream-I1 (Cai et al. 2025, arXiv:2505.22705), a flow model with a sparse mixture of experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from privaudit.loading.families.contract import (
    LLAMA_TOKENIZERS,
    T5_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt


@register_family
class HiDream(Family):
    """A transformer conditioned on 1000 sigma, T5, the hidden states of every layer of Llama, and two CLIP vectors.

    Padding is attended to. The output is z_0 - eps, the opposite of other flow models.
    """

    pipeline = "HiDreamImagePipeline"
    networks = ("HiDreamImageTransformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("CLIPTextModelWithProjection",), "tokenizer"),
        TextEncoder("text_encoder_2", ("CLIPTextModelWithProjection",), "tokenizer_2"),
        TextEncoder("text_encoder_3", ("T5EncoderModel",), "tokenizer_3", T5_TOKENIZERS),
        TextEncoder("text_encoder_4", ("LlamaForCausalLM",), "tokenizer_4", LLAMA_TOKENIZERS),
    )
    autoencoders = ("AutoencoderKL",)
    flow = True
    settings = {"text_length": Setting(128, "tokens per caption of each text encoder")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        t5, _, llama, _, pooled, _ = pipeline.encode_prompt(
            captions(prompts), do_classifier_free_guidance=False, max_sequence_length=self.values["text_length"]
        )
        # The images are the second axis of Llama's hidden states, after the layers.
        return {
            "encoder_hidden_states_t5": t5,
            "encoder_hidden_states_llama3": llama.transpose(0, 1),
            "pooled_embeds": pooled,
        }

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer and turn the sign of its output."""
        output: Tensor = network(
            hidden_states=noisy,
            timesteps=level.float(),
            encoder_hidden_states_t5=condition["encoder_hidden_states_t5"],
            encoder_hidden_states_llama3=condition["encoder_hidden_states_llama3"].transpose(0, 1),
            pooled_embeds=condition["pooled_embeds"],
        ).sample
        return -output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare lengths, layers, widths and positions of text encoders, images and transformer."""
        config, length = pipeline.transformer.config, self.values["text_length"]
        clips = [pipeline.text_encoder.config, pipeline.text_encoder_2.config]
        llama, longest = pipeline.text_encoder_4.config, min(clip.max_position_embeddings for clip in clips)
        problems = []
        if length > longest:
            problems.append(
                f"expected condition.text_length of at most {longest}, the positions of its CLIP encoders, got "
                f"{length}; use --override condition.text_length={longest}, or copy the long CLIP encoders of HiDream"
            )
        if max(config.llama_layers) >= llama.num_hidden_layers:
            problems.append(
                f"expected a Llama encoder with {max(config.llama_layers) + 1} layers, got {llama.num_hidden_layers}; "
                "save the whole pipeline again"
            )
        positions = self.image_size[0] * self.image_size[1] // (pipeline.vae_scale_factor * config.patch_size) ** 2
        if positions > pipeline.transformer.max_seq:
            problems.append(
                f"expected images of at most {pipeline.transformer.max_seq} patches, got {positions}; pass a smaller "
                "resolution"
            )
        t5, width = config.caption_channels
        return [
            *problems,
            *width_problems("text embeddings of T5", t5, pipeline.text_encoder_3.config.d_model),
            *width_problems("text embeddings of Llama", width, llama.hidden_size),
            *width_problems("pooled embeddings", config.text_emb_dim, sum(clip.projection_dim for clip in clips)),
        ]
