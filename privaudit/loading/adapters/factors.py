"""Reads which layer a key of an adapter file belongs to, and what it is of that layer."""

from __future__ import annotations

import re
from collections.abc import Mapping

BUNDLED = re.compile(r"bundle_emb\.(?P<word>.+)\.(?P<key>[^.]+(?:\.\*)?)")
"""Embedding that was trained together with the adapter."""
_NAME = r"(?:\.\w+)?"
"""Name of an adapter of peft, such as ``.default``."""
ENDINGS: Mapping[str, str] = {
    rf"\.lora_(?:A|down){_NAME}(?:\.weight)": "down",
    rf"\.lora_(?:B|up){_NAME}(?:\.weight)": "up",
    r"\.lora_mid\.weight": "mid",
    r"(?:\.lora_linear_layer|\.lora|_lora)\.down\.weight": "down",
    r"(?:\.lora_linear_layer|\.lora|_lora)\.up\.weight": "up",
    rf"\.lora_magnitude_vector{_NAME}(?:\.weight)?": "magnitude",
    r"\.dora_scale": "dora scale",
    r"(?:\.lora_linear_layer|\.lora|_lora)?\.alpha": "alpha",
    rf"\.(?P<hada>hada_(?:w[12]_[ab]|t[12])){_NAME}": "hada",
    rf"\.(?P<lokr>lokr_(?:w[12](?:_[ab])?|t2)){_NAME}": "lokr",
    r"\.diff": "difference",
    r"\.diff_b": "bias difference",
}
"""Role by the end of a key."""
_KEY = re.compile(
    r"(?P<layer>.+?)(?:" + "|".join(f"(?P<role{number}>{end})" for number, end in enumerate(ENDINGS)) + ")"
)
REFUSED: Mapping[str, str] = {
    r"\.on_input$|\.ia3_l": "IA3",
    r"\.oft_(blocks|diag|R)": "OFT",
    r"\.boft_|oft_blocks": "BOFT",
    r"\.(a1|a2|b1|b2|bm1|bm2|am)\.weight$": "GLoRA",
    r"\.lora_embedding_[AB]": "LoRA of an embedding table",
    r"\.lora_[AB].*\.bias$": "LoRA with a bias (lora_bias)",
    r"_mid\.lora|\.w_norm$|\.b_norm$": "normalisation layers of LyCORIS",
    r"\.vera_|vera_lambda": "VeRA",
}
"""Methods whose keys are known and that cannot be merged, by their keys."""


def split_key(key: str) -> tuple[str, str] | None:
    """Split a key into the name of its layer and the role of the tensor.

    Args:
        key: Key of an adapter file.

    Returns:
        Name and role: ``down``, ``up``, ``mid``, ``magnitude``, ``dora scale``, ``alpha``, ``difference``,
        ``bias difference``, or the name of a factor of LoHa and LoKr, such as ``hada_w1_a``. None for any other key.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    role = next(name for number, name in enumerate(ENDINGS.values()) if match[f"role{number}"] is not None)
    return match["layer"], match[role] if role in ("hada", "lokr") else role


def refused_kind(key: str) -> str | None:
    """Name the method that a key belongs to, if it is one that cannot be merged."""
    return next((name for pattern, name in REFUSED.items() if re.search(pattern, key)), None)
