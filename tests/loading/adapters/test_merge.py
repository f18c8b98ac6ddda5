"""Every weight changes by scale * alpha / rank * up * down, with the layer's rank and alpha, or nothing is merged."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import adapter_files as files
import pipelines
import pytest
import torch
from torch import Tensor, nn

from privaudit.errors import TargetError
from privaudit.loading.adapters import merge_adapter, read_adapter


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    torch.manual_seed(0)
    return pipelines.tiny_conditional_unet().requires_grad_(False)


@pytest.fixture(scope="module")
def text_encoder() -> nn.Module:
    torch.manual_seed(1)
    return pipelines.tiny_text_encoder(40).requires_grad_(False)


def merged(path: Path, scale: float = 1.0, **components: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Weights after a merge into copies, by component."""
    copies = {name: copy.deepcopy(each) for name, each in components.items()}
    merge_adapter(read_adapter(path), copies, scale)
    return {name: dict(each.state_dict()) for name, each in copies.items()}


def assert_changed(after: dict[str, Tensor], before: nn.Module, changes: dict[str, Tensor], scale: float = 1.0) -> None:
    """The weights of these layers have changed by exactly this much, and all others are bit-equal."""
    for key, values in before.state_dict().items():
        change = changes.get(key.removesuffix(".weight")) if key.endswith(".weight") else None
        if change is None:
            assert torch.equal(after[key], values), key
        else:
            torch.testing.assert_close(after[key], values + scale * change, rtol=1e-5, atol=1e-6)
            assert not torch.equal(after[key], values), key


@pytest.mark.parametrize("scale", [1.0, 0.6, -2.0])
@pytest.mark.parametrize(
    ("style", "start"),
    [("peft", "unet."), ("kohya", "lora_unet_"), ("peft", "diffusion_model."), ("peft", "base_model.model.")],
)
def test_every_layer_has_its_own_rank_and_alpha(
    unet: nn.Module, tmp_path: Path, style: str, start: str, scale: float
) -> None:
    tensors, changes = files.lora_tensors(unet, style, start=start, ranks=(1, 4, 3), alphas=(None, 2.0, 0.5, 8.0))
    order = list(tensors)
    random.Random(0).shuffle(order)
    path = files.save(tmp_path / "style.safetensors", {key: tensors[key] for key in order})
    after = merged(path, scale, unet=unet)
    assert_changed(after["unet"], unet, changes, scale)


@pytest.mark.parametrize("start", ["text_encoder.text_model.", "text_encoder.", "lora_te_text_model_", "lora_te1_"])
def test_text_encoders_are_changed_whatever_their_level(
    unet: nn.Module, text_encoder: nn.Module, tmp_path: Path, start: str
) -> None:
    inner = text_encoder.get_submodule("text_model") if hasattr(text_encoder, "text_model") else text_encoder
    tensors, changes = files.lora_tensors(inner, start=start, alphas=(1.0,))
    path = files.save(tmp_path / "style.safetensors", tensors)
    after = merged(path, unet=unet, text_encoder=text_encoder)
    level = "" if inner is text_encoder else "text_model."
    assert_changed(after["text_encoder"], text_encoder, {level + key: change for key, change in changes.items()})
    assert_changed(after["unet"], unet, {})


def test_a_file_of_the_unet_alone_leaves_the_text_encoder_bit_equal(
    unet: nn.Module, text_encoder: nn.Module, tmp_path: Path
) -> None:
    path = files.save(tmp_path / "style.safetensors", files.lora_tensors(unet)[0])
    assert_changed(merged(path, unet=unet, text_encoder=text_encoder)["text_encoder"], text_encoder, {})


def test_two_adapters_add_up(unet: nn.Module, tmp_path: Path) -> None:
    tensors, changes = files.lora_tensors(unet, only=(nn.Linear,))
    path = files.save(tmp_path / "style.safetensors", tensors)
    network = copy.deepcopy(unet)
    for scale in (0.5, 0.25):
        merge_adapter(read_adapter(path), {"unet": network}, scale)
    assert_changed(dict(network.state_dict()), unet, changes, 0.75)


def test_files_in_sixteen_bits_change_weights_in_thirty_two(unet: nn.Module, tmp_path: Path) -> None:
    tensors = {key: values.bfloat16() for key, values in files.lora_tensors(unet)[0].items()}
    path = files.save(tmp_path / "style.safetensors", tensors)
    name = files.layers(unet)[3]
    down, up = (tensors[f"unet.{name}.{end}"].float() for end in files.ENDS["peft"])
    after = merged(path, unet=unet)["unet"]
    torch.testing.assert_close(after[f"{name}.weight"], unet.get_submodule(name).weight + files.product(down, up))


class TestAlphaOutsideOfTheTensors:
    LINEAR = (nn.Linear,)

    def peft_folder(self, unet: nn.Module, folder: Path, **config: object) -> tuple[Path, dict[str, Tensor]]:
        tensors, changes = files.lora_tensors(unet, start="base_model.model.", ranks=(4,), only=self.LINEAR)
        files.save(folder / "adapter_model.safetensors", tensors)
        settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 4} | config
        (folder / "adapter_config.json").write_text(json.dumps(settings))
        return folder, changes

    def test_in_the_configuration_of_peft(self, unet: nn.Module, tmp_path: Path) -> None:
        pattern = {"attn1.to_q": 8}
        path, changes = self.peft_folder(unet, tmp_path / "style", lora_alpha=2, alpha_pattern=pattern)
        expected = {name: change * (2 if name.endswith("attn1.to_q") else 0.5) for name, change in changes.items()}
        assert_changed(merged(path, unet=unet)["unet"], unet, expected)

    def test_by_the_square_root_of_the_rank(self, unet: nn.Module, tmp_path: Path) -> None:
        path, changes = self.peft_folder(unet, tmp_path / "style", lora_alpha=2, use_rslora=True)
        assert_changed(merged(path, unet=unet)["unet"], unet, changes)  # 2 / sqrt(4)

    def test_in_the_header_of_diffusers(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, changes = files.lora_tensors(unet, only=self.LINEAR)
        saved = {"unet.r": 4, "unet.lora_alpha": 12, "unet.rank_pattern": {}, "unet.alpha_pattern": {}}
        header = {"format": "pt", "lora_adapter_metadata": json.dumps(saved)}
        path = files.save(tmp_path / "style.safetensors", tensors, header)
        assert_changed(merged(path, unet=unet)["unet"], unet, changes, 3)

    def test_in_the_header_of_kohya(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, changes = files.lora_tensors(unet, "kohya", start="lora_unet_", only=self.LINEAR)
        header = {"ss_network_dim": "4", "ss_network_alpha": "2.0"}
        path = files.save(tmp_path / "style.safetensors", tensors, header)
        assert_changed(merged(path, unet=unet)["unet"], unet, changes, 0.5)

    @pytest.mark.parametrize(
        ("alpha", "header", "problem"),
        [
            (3.0, {"ss_network_dim": "4", "ss_network_alpha": "2.0"}, r"alpha 3 in its weights and 2 in the header"),
            (
                3.0,
                {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 4})},
                r"alpha 3 in its weights and 4 in the header",
            ),
            (
                4.0,
                {"lora_adapter_metadata": json.dumps({"unet.r": 8, "unet.lora_alpha": 4})},
                r"rank 4 in its weights and 8 in the header",
            ),
        ],
    )
    def test_that_disagrees_is_refused(
        self, unet: nn.Module, tmp_path: Path, alpha: float, header: dict, problem: str
    ) -> None:
        kohya = "ss_network_dim" in header
        style, start = ("kohya", "lora_unet_") if kohya else ("peft", "unet.")
        tensors, _ = files.lora_tensors(unet, style, start=start, alphas=(alpha,), only=self.LINEAR)
        path = files.save(tmp_path / "style.safetensors", tensors, header)
        with pytest.raises(TargetError, match=f"expected one strength per layer .*{problem} \\(and so \\d+ more\\)"):
            read_adapter(path)

    @pytest.mark.parametrize(
        "header",
        [
            {"ss_network_dim": "Dynamic", "ss_network_alpha": "Dynamic"},
            {"ss_network_dim": "8", "ss_network_alpha": "2"},  # other ranks: not about these layers
            {"ss_network_dim": "4", "ss_network_alpha": "2", "ss_network_args": '{"block_alphas": "1,2"}'},
            {"ss_network_dim": "4"},
            {"lora_adapter_metadata": "broken"},
        ],
    )
    def test_that_says_nothing_certain_does_not_count(self, unet: nn.Module, tmp_path: Path, header: dict) -> None:
        tensors, changes = files.lora_tensors(unet, "kohya", start="lora_unet_", only=self.LINEAR)
        path = files.save(tmp_path / "style.safetensors", tensors, header)
        assert_changed(merged(path, unet=unet)["unet"], unet, changes)

    def test_of_peft_is_refused_without_its_configuration(self, unet: nn.Module, tmp_path: Path) -> None:
        path, _ = self.peft_folder(unet, tmp_path / "style", lora_alpha=8)
        (path / "adapter_config.json").unlink()
        with pytest.raises(TargetError, match="expected adapter_config.json next to .*, found none; copy it"):
            read_adapter(path)

    def test_of_another_component_is_refused(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet, start="diffusion_model.", only=self.LINEAR)
        header = {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 16})}
        path = files.save(tmp_path / "style.safetensors", tensors, header)
        with pytest.raises(TargetError, match=r"alphas of diffusion_model.* whose header states those of unet alone"):
            read_adapter(path)

    def test_in_the_header_of_kohya_is_not_about_flattened_convolutions(self, unet: nn.Module, tmp_path: Path) -> None:
        weight = unet.get_submodule("conv_in").weight
        ends = {"w1_a": (len(weight), 4), "w1_b": (4, weight[0].numel())}
        ends |= {end.replace("1", "2"): shape for end, shape in ends.items()}
        tensors = {f"lora_unet_conv_in.hada_{end}": files.random(*shape) for end, shape in ends.items()}
        header = {"ss_network_dim": "4", "ss_network_alpha": "2.0", "ss_network_args": '{"conv_alpha": "1"}'}
        path = files.save(
            tmp_path / "style.safetensors", tensors | {"lora_unet_conv_in.alpha": torch.tensor(1.0)}, header
        )
        assert read_adapter(path).layers[0].alpha == 1

    @pytest.mark.parametrize(
        ("config", "problem"),
        [
            ({"peft_type": "OFT"}, "is one of LORA, LOHA, got OFT"),
            ({"fan_in_fan_out": True}, "without fan_in_fan_out"),
            ({"use_dora": True}, "expected the magnitudes of a DoRA in .* found none"),
            ({"modules_to_save": ["conv_in"]}, "without modules_to_save"),
        ],
    )
    def test_settings_that_change_the_meaning_are_refused(
        self, unet: nn.Module, tmp_path: Path, config: dict, problem: str
    ) -> None:
        path, _ = self.peft_folder(unet, tmp_path / "style", **config)
        with pytest.raises(TargetError, match=problem):
            read_adapter(path)


class TestRefusals:
    """One line, and never a report equal to that of the base."""

    def refuse(self, path: Path, problem: str, scale: float = 1.0, **components: nn.Module) -> None:
        with pytest.raises(TargetError, match=problem) as caught:
            merged(path, scale, **components)
        assert "\n" not in str(caught.value)

    def test_no_key_fits(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet, start="transformer.blocks.")
        path = files.save(tmp_path / "style.safetensors", tensors)
        count = len(tensors) // 2
        self.refuse(
            path, f"but 0 of {count} fit; transformer.blocks.* and {count - 3} more have none; .*family", unet=unet
        )

    def test_one_key_fits_nowhere(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet, only=(nn.Linear,))
        extra = dict(
            zip(
                (f"unet.elsewhere.{end}" for end in files.ENDS["peft"]), files.factors(torch.ones(4, 4), 2), strict=True
            )
        )
        path = files.save(tmp_path / "style.safetensors", tensors | extra)
        count = len(tensors) // 2
        self.refuse(path, f"but {count} of {count + 1} fit; unet.elsewhere has none; pass the base", unet=unet)

    def test_a_module_under_two_names(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet, "kohya", start="lora_unet_", only=(nn.Conv2d,))
        ends = files.ENDS["kohya"]
        copy_of = {f"lora_unet_input_blocks_0_0.{end}": tensors[f"lora_unet_conv_in.{end}"].clone() for end in ends}
        path = files.save(tmp_path / "style.safetensors", tensors | copy_of)
        problem = "expected one change of conv_in .* got lora_unet_conv_in and lora_unet_input_blocks_0_0"
        self.refuse(path, problem, unet=unet)

    def test_an_unknown_key(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet)
        path = files.save(tmp_path / "style.safetensors", tensors | {"unet.conv_in.gamma": torch.ones(1)})
        self.refuse(path, "has 1 keys that no known method has: unet.conv_in.gamma; merge it with the tool", unet=unet)

    @pytest.mark.parametrize(
        ("key", "method"),
        [
            ("lora_unet_a.oft_blocks", "OFT"),
            ("lora_unet_a.a1.weight", "GLoRA"),
            ("unet.conv_in.lora_B.bias", "with a bias"),
        ],
    )
    def test_another_method(self, unet: nn.Module, tmp_path: Path, key: str, method: str) -> None:
        path = files.save(tmp_path / "style.safetensors", files.lora_tensors(unet)[0] | {key: torch.ones(1)})
        self.refuse(path, f"keys of .*{method}.*, which cannot be merged: {key}", unet=unet)

    def test_another_shape(self, unet: nn.Module, tmp_path: Path) -> None:
        other = pipelines.tiny_conditional_unet(cross_attention_dim=24)
        path = files.save(tmp_path / "style.safetensors", files.lora_tensors(other)[0])
        self.refuse(
            path, "expected a change of 8x16 for .*attn2.to_k, got 8x24; the adapter was trained on another", unet=unet
        )

    def test_a_change_of_zero(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet)
        zeros = {key: values * ("lora_A" in key) for key, values in tensors.items()}
        path = files.save(tmp_path / "style.safetensors", zeros)
        self.refuse(path, "expected an adapter that changes the model, but every change .* is zero", unet=unet)

    def test_values_that_are_not_finite(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet)
        tensors[next(iter(tensors))][0] = torch.nan
        path = files.save(tmp_path / "style.safetensors", tensors)
        self.refuse(path, "expected finite values in .*, got NaN or infinity in down", unet=unet)

    def test_half_of_a_layer(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet)
        tensors.pop("unet.conv_in.lora_B.weight")
        path = files.save(tmp_path / "style.safetensors", tensors)
        self.refuse(path, "expected factors of unet.conv_in that fit together, got down 4x4x3x3; copy", unet=unet)

    @pytest.mark.parametrize("values", [torch.nan, 0.0, [1.0, 2.0]])
    def test_an_alpha_that_is_no_strength(self, unet: nn.Module, tmp_path: Path, values: float | list[float]) -> None:
        tensors = files.lora_tensors(unet)[0] | {"unet.conv_in.alpha": torch.tensor(values)}
        path = files.save(tmp_path / "style.safetensors", tensors)
        self.refuse(path, "expected one number other than 0 for unet.conv_in.alpha in .*; save", unet=unet)

    @pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
    def test_quantised_factors(self, unet: nn.Module, tmp_path: Path, dtype: torch.dtype) -> None:
        tensors = {key: values.to(dtype) for key, values in files.lora_tensors(unet)[0].items()}
        path = files.save(tmp_path / "style.safetensors", tensors)
        self.refuse(path, "its weights are quantised", unet=unet)

    @pytest.mark.parametrize("other", ["diff", "hada_w1_a", "lokr_w1"])
    def test_two_methods_for_one_layer(self, unet: nn.Module, tmp_path: Path, other: str) -> None:
        tensors, _ = files.lora_tensors(unet)
        extra = {f"unet.conv_in.{other}": torch.ones_like(unet.get_submodule("conv_in").weight)}
        path = files.save(tmp_path / "style.safetensors", tensors | extra)
        self.refuse(path, "expected factors of unet.conv_in that fit together, got .*down", unet=unet)

    def test_changes_that_the_precision_rounds_away(self, unet: nn.Module, tmp_path: Path) -> None:
        path = files.save(tmp_path / "style.safetensors", files.lora_tensors(unet)[0])
        half = copy.deepcopy(unet).bfloat16()
        assert merged(path, unet=half)["unet"]["conv_in.weight"].dtype == torch.bfloat16
        self.refuse(path, r"but bfloat16 keeps \d+% of those of the unet; pass --dtype float32", 0.003, unet=half)

    def test_a_truncated_file(self, unet: nn.Module, tmp_path: Path) -> None:
        path = files.save(tmp_path / "style.safetensors", files.lora_tensors(unet)[0])
        path.write_bytes(path.read_bytes()[:-100])
        self.refuse(path, r"style.safetensors: it has \d+ of \d+ bytes; copy or download it again", unet=unet)

    def test_something_else(self, unet: nn.Module, tmp_path: Path) -> None:
        path = files.save(tmp_path / "model.safetensors", {"model.diffusion_model.a.weight": torch.ones(1)})
        self.refuse(path, "expected the safetensors file of an adapter .* is a single-file checkpoint", unet=unet)

    def test_a_file_that_is_missing(self, unet: nn.Module, tmp_path: Path) -> None:
        self.refuse(tmp_path / "style.safetensors", "does not exist; check the path", unet=unet)

    def test_alphas_alone(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors = files.lora_tensors(unet)[0] | {"unet.elsewhere.alpha": torch.tensor(1.0)}
        path = files.save(tmp_path / "style.safetensors", tensors)
        self.refuse(path, "expected weights for every alpha .*, got none for unet.elsewhere", unet=unet)

    def test_a_scaled_dora(self, unet: nn.Module, tmp_path: Path) -> None:
        tensors, _ = files.lora_tensors(unet, only=(nn.Linear,))
        name = next(iter(tensors)).removesuffix(".lora_A.weight")
        tensors[f"{name}.lora_magnitude_vector"] = torch.ones(len(tensors[f"{name}.lora_B.weight"]))
        path = files.save(tmp_path / "style.safetensors", tensors)
        self.refuse(path, "expected scale 1 for a DoRA", 0.5, unet=unet)


def test_what_was_merged_is_described(unet: nn.Module, text_encoder: nn.Module, tmp_path: Path) -> None:
    first, _ = files.lora_tensors(unet, "kohya", start="lora_unet_", ranks=(2, 8))
    second, _ = files.lora_tensors(text_encoder, "kohya", start="lora_te_", ranks=(4,))
    path = files.save(tmp_path / "style.safetensors", first | second)
    parts = {"unet": copy.deepcopy(unet), "text_encoder": copy.deepcopy(text_encoder)}
    described = merge_adapter(read_adapter(path), parts, 0.5)
    assert (described.path, described.kind, described.style, described.scale) == (str(path), "LoRA", "kohya", 0.5)
    assert described.layers == {"unet": len(first) // 2, "text_encoder": len(second) // 2}
    assert described.ranks == (2, 8)
    assert len(described.hash) == 32
