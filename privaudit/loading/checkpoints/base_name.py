"""Finds the name of the base that the files of a training record; it is shown and never downloaded."""

from __future__ import annotations

import json
import re
from pathlib import Path

from privaudit.loading.weight_files import PEFT_CONFIG, read_header

KOHYA = "ss_sd_model_name"


def recorded_base(folder: Path) -> str | None:
    """Find the base in ``adapter_config.json``, the model card or the header of an adapter.

    Args:
        folder: Output folder of a training.

    Returns:
        The first name that is recorded; None if there is none.
    """
    for path in (*folder.glob(PEFT_CONFIG), *sorted(folder.glob(f"*/{PEFT_CONFIG}"))):
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(config, dict) and config.get("base_model_name_or_path"):
            return _one_line(config["base_model_name_or_path"])
    for card in (*folder.glob("README.md"), *sorted(folder.glob("*/README.md"))):
        match = re.search(r"^base_model:\s*[\"']?([^\s\"']+)", card.read_text("utf-8", "replace"), re.MULTILINE)
        if match:
            return _one_line(match[1])
    names = (read_header(path)[1].get(KOHYA) for path in sorted(folder.glob("*.safetensors")))
    return next((_one_line(name) for name in names if name), None)


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:200]
