"""Checks of which model was audited: files that were left out, words without an embedding, and the reference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import numpy as np

from privaudit.evaluation import Check, Fact, fact
from privaudit.model.model_files import LeftOut, LeftOutKind, ModelFiles, short_path
from privaudit.model.target import TargetInfo
from privaudit.scorers import ErrorTable

MODEL_FILES, PLACEHOLDERS, REFERENCE = "model files", "placeholder words", "reference"
"""Names of the checks."""
PLACEHOLDER = re.compile(r"<[^<>\s]+>")
"""Word that a textual-inversion embedding usually stands for, such as ``<cat-toy>``."""
MAX_WORDS = 5
"""Maximum number of placeholder words that are named."""


def model_file_checks(files: ModelFiles) -> tuple[Check, ...]:
    """Check whether everything that lies next to the model was audited.

    Returns:
        No check if nothing was left out. ``warn`` if an adapter was not merged, or if averaged or raw weights lie next
        to those that were audited, since either may be what is published and the finding says nothing about the other;
        else ``ok``, also with other variants or checkpoints.
    """
    if not files.left_out:
        return ()
    by_kind: dict[LeftOutKind, list[LeftOut]] = {}
    for item in files.left_out:
        by_kind.setdefault(item.kind, []).append(item)
    facts = [fact("adapter_left_out", file=short_path(item.path)) for item in by_kind.get("adapter", ())]
    facts += [fact("average_left_out", **_names(item)) for item in by_kind.get("average", ())]
    facts += [fact("component_left_out", **_names(item)) for item in by_kind.get("component", ())]
    facts += [fact("single_file_left_out", file=short_path(item.path)) for item in by_kind.get("single file", ())]
    # A component each has its variants, and a training tens of checkpoints.
    if variants := by_kind.get("variant"):
        facts.append(fact("variants_left_out", files=len(variants), **_names(variants[0])))
    if checkpoints := by_kind.get("checkpoint"):
        facts.append(fact("checkpoints_left_out", checkpoints=len(checkpoints)))
    other_weights = by_kind.keys() & {"adapter", "average"}
    return (Check(MODEL_FILES, "warn" if other_weights else "ok", tuple(facts)),)


def placeholder_checks(captions: Iterable[str | None], known: Collection[str]) -> tuple[Check, ...]:
    """Check that every placeholder word of the captions has an embedding.

    Args:
        captions: Caption of each image that the model reads, or None.
        known: Words in angle brackets that the tokenizers know.

    Returns:
        ``warn`` with the number of captions of each unknown word; no check without one.
    """
    counts: Counter[str] = Counter()
    for caption in captions:
        counts.update(set(PLACEHOLDER.findall(caption or "")) - set(known))
    if not counts:
        return ()
    named = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    facts = [fact("placeholder_unknown", captions=count, word=word) for word, count in named[:MAX_WORDS]]
    if further := len(named) - MAX_WORDS:
        facts += [fact("further_placeholders", words=further)] if further > 0 else []
    return (Check(PLACEHOLDERS, "warn", tuple(facts)),)


def reference_checks(
    reference: TargetInfo, target: TargetInfo, tables: Sequence[ErrorTable], references: Sequence[ErrorTable]
) -> tuple[Check, ...]:
    """Check what target and reference share.

    Args:
        reference: Description of the reference model.
        target: Description of the audited model.
        tables: Scores of each attack on the target.
        references: Scores of each attack on the reference, in the same order.

    Returns:
        ``warn`` if they are the same model, predict the same, or have different autoencoders; else ``ok``.
    """
    return (Check(REFERENCE, *_compared(reference, target, tables, references)),)


def _compared(
    reference: TargetInfo, target: TargetInfo, tables: Sequence[ErrorTable], references: Sequence[ErrorTable]
) -> tuple[Literal["ok", "warn"], tuple[Fact, ...]]:
    if reference.hash == target.hash:
        return "warn", (fact("reference_is_target"),)
    # An adapter that was never trained leaves the weights as they are, although it changes the hash.
    if references and all(map(_same_errors, tables, references)):
        return "warn", (fact("reference_scores_the_same"),)
    if reference.autoencoder_hash == target.autoencoder_hash:
        return "ok", (fact("reference_shares_autoencoder"),)
    return "warn", (fact("reference_has_other_autoencoder"),)


def _same_errors(one: ErrorTable, other: ErrorTable) -> bool:
    return all(np.array_equal(values, other.by_mask[mask]) for mask, values in one.by_mask.items())


def _names(item: LeftOut) -> dict[str, str]:
    return {"file": short_path(item.path), "audited": short_path(item.audited)}
