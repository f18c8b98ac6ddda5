"""Options of an audit: every problem at once, and which option each is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from privaudit.auditing.options import AuditOptions, OptionsError

SETS = {"members": Path("a"), "nonmembers": Path("b")}


@pytest.mark.parametrize(
    ("chosen", "about", "message"),
    [
        ({"drop": 1.0}, ("drop",), "expected 0 <= drop < 1, got 1.0"),
        ({"drop": ()}, ("drop",), "expected one share to drop"),
        ({"gamma": -1.0}, ("gamma",), "expected 0 <= gamma < infinity"),
        ({"mask_scope": "all"}, ("mask_scope",), "expected mask_scope to be one of image, set, got all"),
        ({"gate_bound": "both"}, ("gate_bound",), "expected gate_bound to be one of lower, upper"),
        ({"seed": 2**32}, ("seed",), "expected 0 <= seed < 2^32"),
        ({"batch_size": 0}, ("batch_size",), "expected a batch size >= 1"),
        ({"memory": 0.0}, ("memory",), "expected memory > 0 GiB"),
        ({"folds": 1}, ("folds",), "expected folds >= 2"),
        ({"confidence": 0.4}, ("confidence",), "expected 0.5 < confidence < 1"),
        ({"replicates": 100, "confidence": 0.99}, ("replicates", "confidence"), "expected at least 200 replicates"),
        ({"attacks": ("nothing",)}, ("attacks",), "expected an attack of"),
        ({"fail_on": ("x",)}, ("fail_on",), "cannot read the gate 'x'"),
        ({"fail_on": "auroc>0.6"}, ("fail_on",), "expected a tuple of texts for fail_on"),
        ({"solver": "x"}, ("solver",), "expected"),
        ({"influence": "x"}, ("influence",), "expected"),
        ({"device": "tpu"}, ("device",), "expected --device auto, cuda or cpu, got tpu"),
        ({"dtype": "int8"}, ("dtype",), "expected --dtype auto"),
        ({"influence": "adaptive", "drop": (0.2, 0.4)}, ("drop", "influence"), "which settles one cut"),
        ({"canaries": Path("c")}, ("canaries", "members", "nonmembers"), "expected canaries alone"),
        ({"nonmembers": None}, ("nonmembers",), "expected nonmembers"),
        ({"members": None}, ("members", "suspects"), "expected members or suspects"),
    ],
)
def test_every_problem_names_the_options_that_it_is_about(tmp_path, chosen, about, message):
    with pytest.raises(OptionsError) as raised:
        AuditOptions("model", **{**SETS, "out": tmp_path, **chosen})
    (problem,) = raised.value.problems
    assert message in problem
    assert raised.value.about == (about,)


def test_all_problems_are_named_at_once(tmp_path):
    with pytest.raises(OptionsError) as raised:
        AuditOptions("model", None, None, tmp_path, drop=2.0, seed=-1, fail_on=("x", "y"), device="tpu")
    assert len(raised.value.problems) == len(raised.value.about) == 6
