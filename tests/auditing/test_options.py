"""Options of an audit: every problem at once, and which option each is about."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Unpack, get_type_hints

import pytest

from privaudit.auditing.option_table import table
from privaudit.auditing.options import AuditChoices, AuditOptions
from privaudit.auditing.parsed_options import OptionsError
from privaudit.auditing.run import audit
from privaudit.decoder_geometry import Estimator
from privaudit.evaluation import Gate
from privaudit.inversion import Solver
from privaudit.inversion.anderson import Anderson
from privaudit.scorers import Methods, parse_methods

NAMES = {"Gate": Gate, "Estimator": Estimator, "Solver": Solver, "Methods": Methods}
SETS = {"members": Path("a"), "nonmembers": Path("b")}


@pytest.mark.parametrize(
    ("chosen", "about", "message"),
    [
        ({"drop": 1.0}, ("drop",), "expected 0 <= drop < 1, got 1.0"),
        ({"drop": ()}, ("drop",), "expected one fraction to drop"),
        ({"gamma": -1.0}, ("gamma",), "expected 0 <= gamma < infinity"),
        ({"mask_scope": "all"}, ("mask_scope",), "expected mask_scope to be one of image, set, got all"),
        ({"gate_bound": "both"}, ("gate_bound",), "expected gate_bound to be one of lower, upper"),
        ({"seed": 2**32}, ("seed",), "expected 0 <= seed < 2^32"),
        ({"batch_size": 0}, ("batch_size",), "expected a batch size >= 1"),
        ({"memory": 0.0}, ("memory",), "expected memory > 0 GiB"),
        ({"folds": 1}, ("folds",), "expected folds >= 2"),
        ({"confidence": 0.4}, ("confidence",), "expected 0.5 < confidence < 1"),
        ({"replicates": 100, "confidence": 0.99}, ("replicates", "confidence"), "expected at least 200 replicates"),
        ({"attacks": ("nothing",)}, ("attacks",), "expected an attack, one of"),
        ({"fail_on": ("x",)}, ("fail_on",), "or 'epsilon>1', got 'x': it is not METRIC>NUMBER"),
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
        AuditOptions.parse(**{"target": "model", **SETS, "out": tmp_path, **chosen})
    (problem,) = raised.value.problems
    assert message in problem
    assert raised.value.about == (about,)


def test_all_problems_are_named_at_once(tmp_path):
    with pytest.raises(OptionsError) as raised:
        AuditOptions.parse(target="model", out=tmp_path, drop=2.0, seed=-1, fail_on=("x", "y"), device="tpu")
    assert len(raised.value.problems) == len(raised.value.about) == 6


def test_what_cannot_be_read_follows_what_is_wrong(tmp_path):
    with pytest.raises(OptionsError) as raised:
        AuditOptions.parse(target="model", **SETS, out=tmp_path, attacks=("smia",), drop=1.5)
    assert raised.value.about == (("drop",), ("attacks",))


def test_the_constructor_takes_parsed_values_only(tmp_path):
    with pytest.raises(OptionsError) as raised:
        AuditOptions("model", **SETS, out=tmp_path, attacks=("sima",), solver="anderson", fail_on=("auroc>0.6",))
    assert raised.value.about == (("attacks",), ("solver",), ("fail_on",))
    assert "expected solver parsed, got text, 'anderson'; AuditOptions.parse reads it" in raised.value.problems


def test_texts_and_parsed_values_make_the_same_options(tmp_path):
    sets = {"target": "model", "out": tmp_path, **SETS}
    texts = {
        "attacks": ["sima:order=2,4", "combined"],
        "solver": "anderson:memory=8",
        "influence": "exact",
        "fail_on": ["auroc > 0.6"],
        "drop": "0.2,0.5",
        "batch_size": "8",
    }
    read = AuditOptions.parse(**sets, **texts)
    assert AuditOptions.parse(**vars(read)) == AuditOptions(**vars(read)) == read
    written = read.texts()
    assert {name: written[name] for name in texts} == {**texts, "drop": [0.2, 0.5], "batch_size": 8}
    assert AuditOptions.parse(**written) == read
    assert json.loads(json.dumps(written)) == written


def test_what_was_not_named_is_written_by_its_parameters(tmp_path):
    attacks = Methods(parse_methods(["sima:levels=20"]).attacks, ())
    made = AuditOptions("model", **SETS, out=tmp_path, attacks=attacks, solver=Anderson(memory=3))
    assert (made.texts()["attacks"], made.texts()["solver"]) == (["sima:levels=20"], "anderson:memory=3")
    assert AuditOptions.parse(**made.texts()).solver == made.solver


def test_defaults_are_not_written_as_attacks(tmp_path):
    made = AuditOptions("model", **SETS, out=tmp_path)
    assert made.attacks == parse_methods(())
    assert made.texts()["attacks"] == made.texts()["fail_on"] == []
    assert AuditOptions.parse(target="model", **SETS, out=tmp_path, solver=None, batch_size=None) == made


def test_the_folder_has_the_name_of_the_target():
    assert AuditOptions.parse(target="models/small", **SETS).out == Path("privaudit-runs/small")


def test_a_name_that_is_no_option_is_refused():
    with pytest.raises(TypeError, match="sead"):
        AuditOptions.parse(target="model", **SETS, sead=3)


def test_what_audit_takes_is_what_the_table_has():
    own = {"target", "members", "nonmembers", "suspects", "canaries", "out"}
    assert set(get_type_hints(AuditChoices, localns=NAMES)) == set(table(AuditOptions)) - own - {"config_file"}
    assert get_type_hints(audit, localns=NAMES)["choices"] == Unpack[AuditChoices]


@pytest.mark.slow
def test_an_editor_and_mypy_know_the_options(tmp_path):
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text(
        "import privaudit\n"
        "privaudit.audit('m', 'a', 'b', seed=3, attacks=('sima',), solver='anderson')\n"
        "privaudit.audit('m', 'a', 'b', sead=3)\n"
        "privaudit.audit('m', 'a', 'b', seed='three')\n"
        "privaudit.sweep('m', 'a', 'b', points=9, drop=0.4)\n"
        "privaudit.sweep('m', 'a', 'b', fail_on=('auroc>0.6',))\n"
        "privaudit.compare_runs('a', 'b', margin=0.1, allow=('seed',))\n"
        "privaudit.compare_runs('a', 'b', margn=0.1)\n"
        "privaudit.geometry('m', ['a', 'b'], maps=0).tabel\n"
    )
    flags = ["--strict", "--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent", "--no-error-summary"]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, str(script)], capture_output=True, text=True, check=False
    ).stdout
    lines = [line.split(":")[1] for line in found.splitlines() if ": error:" in line]
    assert lines == ["3", "4", "6", "8", "9"], found
