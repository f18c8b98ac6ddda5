"""Autoencoders and bases of other targets, and the images that these have seen."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from privaudit.errors import ConfigError, DataError, TargetError
from privaudit.lab.demo_target import SPLIT, TARGET
from privaudit.lab.manifests import Trained
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.starting_point import training_images
from privaudit.lab.train import train_target

Recipe = Callable[..., LabRecipe]
WEIGHTS = "diffusion_pytorch_model.safetensors"
KINDS = [{}, {"family": "text"}, {"family": "flow", "prediction_type": "flow"}]


def ids(path: Path) -> set[str]:
    return set(pd.read_csv(path, dtype=str)["id"])


def record(trained: Trained) -> dict[str, Any]:
    return json.loads((trained.folder / "lab.json").read_text())


@pytest.fixture(scope="session")
def bases(images: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> list[Trained]:
    """A base of each family, which has seen auxiliary images alone."""
    folder = tmp_path_factory.mktemp("bases")
    return [
        train_target(images, folder / str(place), recipe(**kind, denoiser_images="auxiliary", denoiser_steps=3))
        for place, kind in enumerate(KINDS)
    ]


def test_a_base_is_trained_on_auxiliary_images(bases: list[Trained], images: Path, recipe: Recipe) -> None:
    base = bases[0].folder
    assert training_images(base, "denoiser") == training_images(base, "autoencoder") == ids(base / "auxiliary.csv")
    plain = train_target(images, base.parent / "plain", recipe(denoiser_steps=3))
    one, other = (load_file(folder / "unet" / WEIGHTS) for folder in (base, plain.folder))
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert training_images(plain.folder, "denoiser") == ids(plain.members)


@pytest.mark.parametrize("place", range(3))
def test_a_fine_tune_starts_where_its_base_ends(
    bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path, place: int
) -> None:
    base, kind = bases[place].folder, KINDS[place]
    tuned = train_target(images, tmp_path / "tuned", recipe(**kind, denoiser_steps=1, denoiser_rate=1e-12), base=base)
    for path in sorted(base.glob("*/*.safetensors")):
        one, other = load_file(path), load_file(tuned.folder / path.relative_to(base))
        for name, value in one.items():
            torch.testing.assert_close(other[name], value, rtol=0, atol=1e-9, msg=f"{path.parent.name} {name}")
    moved = train_target(images, tmp_path / "moved", recipe(**kind, denoiser_steps=2), base=base)
    for path in sorted(base.glob("*/*.safetensors")):
        one, other = load_file(path), load_file(moved.folder / path.relative_to(base))
        same = all(torch.equal(one[name], other[name]) for name in one)
        assert same is (path.parent.name in ("vae", "vqvae")), "the autoencoder is kept, all else is trained"
    assert not (moved.folder / "training" / "autoencoder.pt").exists()
    assert record(moved)["base"]["overlap"] == {"autoencoder": "none", "denoiser": "none"}


def test_a_fine_tune_has_seen_what_its_base_has(
    bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path
) -> None:
    base = bases[0]
    tuned = train_target(images, tmp_path / "tuned", recipe(denoiser_steps=1), base=base.folder)
    assert training_images(tuned.folder, "autoencoder") == ids(base.auxiliary)
    assert training_images(tuned.folder, "denoiser") == ids(base.auxiliary) | ids(tuned.members)
    with pytest.raises(
        DataError, match="expected the denoiser of .* not to be trained on the members, got 8 images that trained it"
    ):
        train_target(images, tmp_path / "again", recipe(denoiser_steps=1), base=tuned.folder)


def test_fine_tuning_resumes_and_is_not_mistaken_for_another(
    bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path
) -> None:
    base, out = bases[0].folder, tmp_path / "out"
    train_target(images, out, recipe(denoiser_steps=2), base=base)
    train_target(images, out, recipe(denoiser_steps=4), base=base)
    whole = train_target(images, tmp_path / "whole", recipe(denoiser_steps=4), base=base)
    one, other = (load_file(folder / "unet" / WEIGHTS) for folder in (out, whole.folder))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(ConfigError, match=f"holds a training with base = {base}, not nothing"):
        train_target(images, out, recipe(denoiser_steps=4))
    with pytest.raises(ConfigError, match="holds a training with autoencoder_from = nothing, not"):
        train_target(images, out, recipe(denoiser_steps=4), autoencoder_from=base)


@pytest.mark.parametrize("place", range(3))
def test_an_autoencoder_of_another_target(
    bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path, place: int
) -> None:
    trained = train_target(
        images, tmp_path / "out", recipe(**KINDS[place], denoiser_steps=1), autoencoder_from=bases[0].folder
    )
    component = "vqvae" if place == 0 else "vae"
    one = load_file(bases[0].folder / "vqvae" / WEIGHTS)
    other = load_file(trained.folder / component / WEIGHTS)
    assert all(torch.equal(one[name], other[name]) for name in one)
    configs = [
        json.loads((bases[0].folder / "vqvae" / "config.json").read_text()),
        json.loads((trained.folder / component / "config.json").read_text()),
    ]
    assert configs[0]["scaling_factor"] == configs[1]["scaling_factor"]
    assert record(trained)["autoencoder_from"]["overlap"] == {"autoencoder": "none"}
    assert training_images(trained.folder, "autoencoder") == ids(bases[0].auxiliary)


def test_the_demo_target_is_known_wherever_it_lies(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(TARGET, tmp_path / "copy"))
    table = pd.read_csv(SPLIT, dtype=str).set_index("id")["set"]
    for folder in (TARGET, copy):
        assert training_images(folder, "autoencoder") == set(table.index[table == "auxiliary"])
        assert training_images(folder, "denoiser") == set(table.index[table == "members"])


def test_snapshots_have_seen_what_their_target_has(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    trained = train_target(images, tmp_path / "out", recipe(denoiser_steps=2), snapshots=(1,))
    assert training_images(tmp_path / "out" / "snapshots" / "1", "denoiser") == ids(trained.members)


def test_a_target_that_does_not_say_is_not_checked(
    bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path
) -> None:
    foreign = Path(shutil.copytree(bases[0].folder, tmp_path / "foreign"))
    (foreign / "lab.json").unlink()
    assert training_images(foreign, "autoencoder") is None
    trained = train_target(images, tmp_path / "out", recipe(denoiser_steps=1), autoencoder_from=foreign)
    assert record(trained)["autoencoder_from"]["overlap"] == {"autoencoder": "not checked"}
    # nor is what is made from it: the autoencoder stays unknown, its own denoiser is known
    assert training_images(trained.folder, "autoencoder") is None
    assert training_images(trained.folder, "denoiser") == ids(trained.members)


def test_an_autoencoder_that_has_seen_members_is_refused(
    images: Path, recipe: Recipe, tmp_path: Path, bases: list[Trained]
) -> None:
    spoiled = train_target(images, tmp_path / "seen", recipe(autoencoder_images="members", denoiser_steps=1))
    with pytest.raises(
        DataError, match="expected the autoencoder of .* not to be trained on the members, got 8 images that trained it"
    ):
        train_target(images, tmp_path / "out", recipe(), autoencoder_from=spoiled.folder)
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="not to be trained on the heldout, got "):
        train_target(images, tmp_path / "out", recipe(heldout=15), autoencoder_from=bases[0].folder)


def test_both_at_once(bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected --base or --autoencoder-from, got both"):
        train_target(images, tmp_path / "o", recipe(), base=bases[0].folder, autoencoder_from=bases[0].folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction_type": "v_prediction"}, "expected a base with prediction type v_prediction, got epsilon in"),
        ({"family": "text"}, "expected a base with family text-to-image, got unconditional in"),
        ({"resolution": 24}, r"expected a base with image size \(24, 24\), got \(16, 16\) in"),
    ],
)
def test_bases_that_do_not_fit(
    bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path, changes: dict, message: str
) -> None:
    seed = 3 if "resolution" in changes else 0
    folder = bases[0].folder
    if seed:  # pixels of another size have other ids, so nothing can be compared
        folder = Path(shutil.copytree(folder, tmp_path / "foreign"))
        (folder / "lab.json").unlink()
    with pytest.raises(ConfigError, match=message):
        train_target(images, tmp_path / "out", recipe(**changes), base=folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_channels": 3}, "expected 3 latent channels in .*, got 2; pass --latent-channels"),
    ],
)
def test_autoencoders_that_do_not_fit(
    bases: list[Trained], images: Path, recipe: Recipe, tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train_target(images, tmp_path / "out", recipe(**changes), autoencoder_from=bases[0].folder)


def test_a_vq_autoencoder_under_text(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    vq = train_target(images, tmp_path / "vq", recipe(autoencoder="vq", denoiser_steps=1))
    with pytest.raises(ConfigError, match="expected the autoencoder of .* to be AutoencoderKL, got VQModel"):
        train_target(images, tmp_path / "out", recipe(family="text"), autoencoder_from=vq.folder)


def test_no_such_target(images: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"expected model_index\.json in .*missing, found none"):
        train_target(images, tmp_path / "out", recipe(), autoencoder_from=tmp_path / "missing")
