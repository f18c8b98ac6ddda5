import json
import math
from typing import Any

import pytest

from privaudit.errors import ConfigError
from privaudit.lab.demo_target import FOLDER
from privaudit.lab.recipe import LabRecipe, name_family


def test_the_defaults_are_a_recipe() -> None:
    assert LabRecipe().denoiser_steps > 0


def test_the_defaults_are_the_recipe_of_the_demo_target() -> None:
    assert LabRecipe(**json.loads((FOLDER / "lab.json").read_text())["recipe"]) == LabRecipe()


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        LabRecipe(
            members=0,
            heldout=-1,
            resolution=20,
            autoencoder="gan",
            codes=1,
            autoencoder_width=12,
            denoiser_width=33,
            denoiser_rate=math.nan,
            ema_decay=1.0,
            kl_weight=-1.0,
            warmup=-1,
            prediction_type="sample",
            seed=-1,
        )
    assert set(caught.value.problems) == {
        "expected members > 0, got 0",
        "expected heldout > 0, got -1",
        "expected denoiser_rate > 0, got nan",
        "expected resolution to be a multiple of 8, got 20",
        "expected autoencoder kl or vq, got gan",
        "expected codes >= 2, got 1",
        "expected autoencoder_width to be a multiple of 8, got 12",
        "expected denoiser_width to be a multiple of 32, got 33",
        "expected 0 <= ema_decay < 1, got 1.0",
        "expected kl_weight >= 0, got -1.0",
        "expected warmup >= 0, got -1",
        "expected 0 <= seed < 2**32, got -1",
        "expected prediction_type epsilon or v_prediction for the family unconditional, got sample",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"autoencoder_rate": math.inf}, "expected autoencoder_rate > 0, got inf"),
        ({"kl_weight": math.nan}, "expected kl_weight >= 0, got nan"),
        ({"ema_decay": math.nan}, "expected 0 <= ema_decay < 1, got nan"),
        ({"resolution": 8}, "expected resolution >= 16, got 8"),
        ({"seed": 2**32}, "got 4294967296"),
        ({"denoiser_steps": 0}, "expected denoiser_steps > 0, got 0"),
    ],
)
def test_single_problems(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("*", r"\*")) as caught:
        LabRecipe(**changes)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "video"}, "expected family unconditional or class or text or flow, got video"),
        ({"denoiser_images": "heldout"}, "expected denoiser_images members or auxiliary, got heldout"),
        ({"autoencoder_images": "all"}, "expected autoencoder_images auxiliary or members, got all"),
        ({"caption_drop": 1.0}, "expected 0 <= caption_drop < 1, got 1.0"),
        ({"caption_drop": math.nan}, "expected 0 <= caption_drop < 1, got nan"),
        (
            {"prediction_type": "flow"},
            "expected prediction_type epsilon or v_prediction for the family uncond.*got flow",
        ),
        ({"family": "flow"}, "expected prediction_type flow for the family flow, got epsilon"),
        ({"family": "text", "autoencoder": "vq"}, "expected autoencoder kl for the family text, got vq"),
    ],
)
def test_families_that_cannot_be_trained(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        LabRecipe(**changes)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("name", "asked", "family", "prediction_type"),
    [
        ("unconditional", None, "unconditional", "epsilon"),
        ("unconditional", "v_prediction", "unconditional", "v_prediction"),
        ("v", None, "unconditional", "v_prediction"),
        ("v", "v_prediction", "unconditional", "v_prediction"),
        ("text", None, "text", "epsilon"),
        ("text", "v_prediction", "text", "v_prediction"),
        ("flow", None, "flow", "flow"),
    ],
)
def test_names_of_families(name: str, asked: str | None, family: str, prediction_type: str) -> None:
    found = name_family(name, asked)
    assert (found.family, found.prediction_type) == (family, prediction_type)
    LabRecipe(family=found.family, prediction_type=found.prediction_type)


def test_v_is_no_name_for_epsilon() -> None:
    with pytest.raises(ConfigError, match="expected prediction_type v_prediction of the family v, got epsilon"):
        name_family("v", "epsilon")
