"""Which components are on the device, and that the answers are the same wherever they wait."""

from __future__ import annotations

import torch
from pipelines import save_sd
from torch import nn

from privaudit.loading import ModelSource, load_target
from privaudit.loading.residence import Residence, parameter_bytes
from privaudit.model.prompt import Prompt


class Traveller(nn.Module):
    """Notes where it was sent, since there is no second device here."""

    def __init__(self) -> None:
        super().__init__()
        self.place = "cpu"

    def to(self, device: torch.device) -> Traveller:
        self.place = device.type
        return self


def places(residence: Residence) -> dict[str, str]:
    return {name: modules[0].place for name, modules in residence.components.items()}


def a_residence(*, offload: bool) -> Residence:
    components = {name: (Traveller(),) for name in ("autoencoder", "denoiser", "text encoders")}
    if not offload:
        for name in ("autoencoder", "denoiser"):
            components[name][0].place = "cuda"
    return Residence(torch.device("cuda"), components, offload)


def test_text_encoders_are_on_the_device_only_while_they_work() -> None:
    residence = a_residence(offload=False)
    residence.admit("text encoders")
    assert places(residence) == dict.fromkeys(("autoencoder", "denoiser", "text encoders"), "cuda")
    residence.release("text encoders")
    residence.admit("denoiser")
    assert places(residence) == {"autoencoder": "cuda", "denoiser": "cuda", "text encoders": "cpu"}


def test_offloaded_components_take_turns() -> None:
    residence = a_residence(offload=True)
    for name in ("autoencoder", "text encoders", "denoiser", "autoencoder"):
        residence.admit(name)
        assert [key for key, place in places(residence).items() if place == "cuda"] == [name]
    residence.release("autoencoder")
    assert set(places(residence).values()) == {"cpu"}


def test_nothing_moves_on_a_cpu() -> None:
    residence = Residence(
        torch.device("cpu"), {"denoiser": (Traveller(),), "autoencoder": (Traveller(),)}, offload=True
    )
    residence.components["denoiser"][0].place = "here"
    residence.admit("denoiser")
    residence.release("denoiser")
    assert residence.components["denoiser"][0].place == "here"


def test_a_target_admits_what_works(tmp_path) -> None:
    folder = save_sd(tmp_path / "model", tmp_path / "vocabulary")
    plain, offloaded = (load_target(ModelSource(folder, device="cpu", offload=offload)) for offload in (False, True))
    calls: list[str] = []
    offloaded.residence.admit = calls.append  # type: ignore[union-attr, method-assign]
    offloaded.residence.release = lambda name: calls.append(f"{name} done")  # type: ignore[union-attr, method-assign]
    answers = []
    for target in (plain, offloaded):
        latents = target.encode(torch.zeros(1, *target.info.sample_shape))
        condition = target.condition([Prompt("a cat")])
        answers.append((target.predict_noise(latents, 300, condition), target.decode(latents)))
    assert calls == ["autoencoder", "text encoders", "text encoders done", "denoiser", "autoencoder"]
    assert all(torch.equal(*pair) for pair in zip(*answers, strict=True))
    assert len(plain.residence.components["text encoders"]) == 1  # type: ignore[union-attr]


def test_shared_weights_count_once() -> None:
    layer = nn.Linear(4, 4)
    assert parameter_bytes([layer, nn.Sequential(layer, nn.BatchNorm1d(2))]) == 4 * (16 + 4 + 2 * 4) + 8
