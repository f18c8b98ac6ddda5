import json
import math
from typing import Any

import pytest

from privaudit.errors import ConfigError
from privaudit.lab.demo_target import FOLDER
from privaudit.lab.recipe import LabRecipe


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
