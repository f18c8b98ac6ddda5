from pathlib import Path

import pytest

from privaudit.cli.option_files import Setting


@pytest.mark.parametrize(
    ("value", "argument"),
    [("images", "runs/images"), ("set@train", "runs/set@train"), ("hub:owner/name@train", "hub:owner/name@train")],
)
def test_a_name_of_the_hub_is_no_path_relative_to_the_file(value: str, argument: str) -> None:
    assert Setting("members", value, Path("runs/privaudit.toml"), 1).as_argument("path") == argument
