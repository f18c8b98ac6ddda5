"""Facts: codes of what was observed, each with its values.

The evaluation writes no sentences. The reason for a missing number, the result of a check or the limit that decided a
gate is a `Fact`, in memory as in report.json, and `privaudit.report.sentences` has one template per code. A new code
needs one entry here and one there; a test compares the two lists.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Value: TypeAlias = int | float | str

CODES: Mapping[str, Mapping[str, type]] = {
    # why a number or its interval is missing, or what to keep in mind about it
    "all_scores_equal": {},
    "sets_separated": {"pairs": int},
    "too_few_independent": {"units": int},
    "interval_without_width": {},
    "rate_at_zero": {},
    "rate_not_evaluated": {"fpr": float},
    "rate_needs_nonmembers": {"fpr": float, "needed": int, "nonmembers": int},
    "limit_needs_nonmembers": {"fpr": float, "error": float, "needed": int, "nonmembers": float},
    "few_false_positives": {"fpr": float, "expected": float, "nonmembers": int},
    "interval_needs_members": {"members": int},
    "no_members": {},
    "no_nonmembers": {},
    "folds_need_images": {"members": int, "nonmembers": int},
    "single_member_in_group": {},
    "no_classifier_fitted": {},
    "no_splits_requested": {},
    "splits_need_nonmembers": {"needed": int, "nonmembers": int},
    "splits_cannot_resolve": {"permutations": int, "level": float},
    "fewer_pseudo_suspects": {"images": int},
    "coins_on_one_side": {"canaries": int, "side": str},
    "too_few_canaries": {"pilot": int, "needed_pilot": int, "audited": int, "needed_audited": int, "confidence": float},
    "not_measured": {},
    "not_measured_in_both": {},
    "no_interval_for_metric": {},
    "runs_not_paired": {},
    # what a check noticed
    "set_sizes": {"positives": int, "nonmembers": int},
    "set_too_small": {"positives": int, "nonmembers": int},
    "rate_rests_on_few": {"fpr": float, "expected": float, "needed": int},
    "rate_not_reported": {"fpr": float, "needed": int},
    "in_both_sets": {"images": int},
    "copies_dropped": {"images": int},
    "look_alike_across": {"positives": int, "nonmembers": int},
    "many_look_alikes_across": {"fraction": float},
    "look_alike_within": {"images": int},
    "look_alikes_share_folds": {},
    "file_info_unknown": {},
    "files_alike": {"format": str, "fraction": float},
    "file_kinds_differ": {
        "property": str,
        "positives": str,
        "positives_fraction": float,
        "nonmembers": str,
        "nonmembers_fraction": float,
    },
    "file_numbers_differ": {"property": str, "positives": float, "nonmembers": float, "auroc": float},
    "nothing_to_tell_apart": {},
    "blind_not_measured": {},
    "blind_not_told_apart": {"auroc": float, "upper": float},
    "blind_too_few": {"auroc": float},
    "blind_not_ruled_out": {"auroc": float, "upper": float},
    "blind_told_apart": {"family": str, "auroc": float, "lower": float},
    "blind_told_apart_by_rank": {"family": str, "auroc": float, "p": float},
    "attack_exceeds_blind": {"attack": str, "mask": str, "gain": float, "lo": float, "hi": float},
    "no_attack_exceeds_blind": {},
    "drawn_at_random": {},
    "none_below_chance": {"scores": int},
    "below_chance": {"attack": str, "mask": str, "auroc": float, "lo": float, "hi": float, "scores": int, "of": int},
    "above_chance": {"attack": str, "mask": str, "auroc": float, "lo": float, "hi": float, "scores": int, "of": int},
    "scores_disagree": {},
    "direction_unconfirmed": {"attack": str, "mask": str},
    "sets_may_be_exchanged": {},
    "suspects_may_be_exchanged": {},
    "draw_may_be_exchanged": {},
    "direction_may_be_chance": {},
    "all_files_readable": {},
    "files_skipped": {"files": int},
    "images_may_be_turned": {"images": int, "total": int},
    "transparency_may_differ": {"images": int, "total": int},
    "crop_may_differ": {"images": int, "total": int},
    "images_turned": {"images": int, "total": int},
    "images_transparent": {"images": int, "total": int},
    "images_cropped": {"images": int, "total": int},
    "images_enlarged": {"images": int, "total": int},
    "images_read_alike": {},
    "inversion_not_used": {},
    "inversion_reached": {"fraction": float, "tolerance": float, "median": float, "evaluations": float},
    "inversion_diverged": {"images": int},
    "all_scores_finite": {},
    "latent_scale_usual": {"rms": float},
    "latent_scale_unusual": {"rms": float},
    "latents_vanish": {},
    "other_scale_fits": {"rms": float, "factor": float, "error": float, "recorded": float},
    "better_than_linear": {"ratio": float},
    "worse_than_linear": {"log_snr": float, "ratio": float},
    "other_head_fits": {"recorded": str, "other": str, "error": float, "recorded_error": float},
    "other_time_fits": {"log_snr": float, "offset": float, "factor": float},
    "prompts_fit": {"ratio": float},
    "prompts_worsen": {"ratio": float},
    "rates_consistent": {"scores": int},
    "rate_contradicts_auroc": {"attack": str, "mask": str},
    "draw_sealed": {"canaries": int, "created": str, "seal": str},
    "seal_to_compare": {},
    "draw_from_seed": {},
    "suspects_already_known": {"images": int},
    "adapter_left_out": {"file": str},
    "average_left_out": {"file": str, "audited": str},
    "component_left_out": {"file": str, "audited": str},
    "single_file_left_out": {"file": str},
    "variants_left_out": {"files": int, "file": str, "audited": str},
    "checkpoints_left_out": {"checkpoints": int},
    "captions_read": {"images": int, "total": int, "where": str},
    "captions_not_used": {"images": int, "where": str},
    "captions_several": {"images": int},
    "caption_lines_may_be_one": {"images": int},
    "captions_cut": {"images": int, "total": int},
    "captions_may_be_longer": {"images": int, "total": int},
    "captions_missing": {"images": int, "total": int},
    "captions_absent": {},
    "captions_left_empty": {},
    "captions_replaced": {"where": str},
    "classes_numbered": {"classes": int},
    "class_names_are_numbers": {"classes": int},
    "masks_left_out": {"files": int},
    "unlisted_left_out": {"files": int},
    "latents_left_out": {"files": int},
    "regularisation_left_out": {"files": int},
    "containers_left_out": {"files": int, "suffix": str},
    "videos_left_out": {"files": int},
    "rows_left_out": {"rows": int},
    "unsafe_names_left_out": {"files": int},
    "formats_left_out": {"files": int, "suffix": str},
    "placeholder_unknown": {"captions": int, "word": str},
    "further_placeholders": {"words": int},
    "reference_is_target": {},
    "reference_scores_the_same": {},
    "reference_shares_autoencoder": {},
    "reference_has_other_autoencoder": {},
    # what decided a gate
    "limit_beyond_gate": {"attack": str, "mask": str, "limit": float, "side": str, "confidence": float, "tests": int},
    "limit_within_gate": {"attack": str, "mask": str, "limit": float, "side": str, "confidence": float, "tests": int},
    "one_run_limit_beyond_gate": {"limit": float, "confidence": float, "tests": int},
    "one_run_limit_within_gate": {"limit": float, "confidence": float, "tests": int},
    "gate_out_of_reach": {"limit": float, "tests": int},
    "gate_needs_nonmembers": {"fpr": float, "error": float, "needed": int, "nonmembers": float, "tests": int},
    "checks_failed": {},
    "no_score": {},
    "epsilon_has_no_upper_limit": {},
    "too_few_replicates": {"tests": int},
    # why the verdict is what it is
    "gate_failed": {"gate": str},
    "gate_inconclusive": {"gate": str},
    "check_failed": {"check": str},
    "no_gate_failed": {},
    "no_gate_set": {},
    # why a finding is unclear
    "reading_in_doubt": {"check": str},
    "no_score_on_two_of_each": {},
    "perfect_scores_unnoticed": {
        "members": int,
        "nonmembers": int,
        "effective_members": float,
        "effective_nonmembers": float,
        "tests": int,
    },
    "perfect_canaries_unnoticed": {"audited": int, "included": int},
    "perfect_suspects_unnoticed": {"smallest_p": float},
    # what a test of suspects cannot resolve
    "no_out_of_fold_test": {},
    "part_of_each_group": {"images": int},
    "set_p_at_least": {"smallest_p": float},
    "permutations_cannot_resolve": {"permutations": int, "level": float},
    "no_flag_possible": {"rate": float, "nonmembers": int, "smallest_p": float, "needed": int},
    "flag_needs_several": {"rate": float, "needed": int, "suspects": int},
    # why a comparison of two runs came out as it did, and what to keep in mind about it
    "new_check_failed": {"check": str},
    "metric_rose": {
        "attack": str,
        "mask": str,
        "metric": str,
        "old": float,
        "new": float,
        "rise": float,
        "margin": float,
    },
    "gate_regressed": {"gate": str},
    "nothing_in_common": {},
    "nothing_tested": {},
    "perfect_rise_unnoticed": {"members": float, "nonmembers": float, "tests": int},
    "no_rise_shown": {"tests": int, "margin": float},
    "same_model": {},
    "finding_rose": {"old": str, "new": str},
    "no_difference_shown": {},
    "gate_undecided_now": {"gate": str},
    "old_check_failed": {"check": str},
    "versions_differ": {},
    "level_differs": {"attack": str},
    "interval_widened": {"attack": str, "factor": float},
    "images_moved": {"images": int},
    "paired": {"positives": int, "nonmembers": int},
    "others_left_out": {},
    "scores_missing": {"run": str},
    "same_images_unpaired": {},
    "too_few_shared": {"positives": int, "nonmembers": int},
    # of a report that an earlier version of privaudit wrote
    "text": {"text": str},
}
"""Names and types of the values of each code."""


@dataclass(frozen=True)
class Fact:
    """Something that was observed.

    Attributes:
        code: Code of the fact, a key of `CODES`.
        values: Values by name, as listed in `CODES`.
    """

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate the code and its values.

        Raises:
            ValueError: The code is unknown, or the values are not those of the code.
        """
        kinds = CODES.get(self.code)
        if kinds is None:
            raise ValueError(f"expected a code of a fact, got {self.code!r}; list it in privaudit.evaluation.facts")
        valid = set(self.values) == set(kinds) and all(_fits(self.values[name], kind) for name, kind in kinds.items())
        if not valid:
            expected = ", ".join(f"{name}: {kind.__name__}" for name, kind in kinds.items()) or "no values"
            actual = ", ".join(f"{name}={value!r}" for name, value in self.values.items()) or "none"
            raise ValueError(f"expected {self.code} with {expected}, each of them finite, got {actual}")

    def __hash__(self) -> int:
        return hash((self.code, frozenset(self.values.items())))

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """JSON Schema of all codes and their values."""
        values = {
            code: {name: {"type": JSON_TYPES[kind]} for name, kind in kinds.items()} for code, kinds in CODES.items()
        }
        return {
            "description": "Something that was observed: a code and its values by name.",
            "oneOf": [
                _object({"code": {"const": code}, "values": _object(properties)}) for code, properties in values.items()
            ],
        }


JSON_TYPES: Mapping[type, str] = {str: "string", int: "integer", float: "number"}
"""JSON types of the values of a fact; no value is NaN."""


def fact(code: str, **values: Value) -> Fact:
    """Make a fact from keyword arguments, such as ``fact("sets_separated", pairs=12)``."""
    return Fact(code, values)


def _fits(value: Value, kind: type) -> bool:
    """Whether a value has the expected type and is finite; an int is accepted as a float."""
    accepted = (float, int) if kind is float else (kind,)
    return (
        isinstance(value, accepted) and not isinstance(value, bool) and (isinstance(value, str) or math.isfinite(value))
    )


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Check:
    """Result of one check of the conditions under which the metrics can be interpreted.

    Attributes:
        name: Name of the check.
        status: Result; ``fail`` makes the verdict inconclusive.
        facts: Observations, the most important first.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    facts: tuple[Fact, ...] = ()
