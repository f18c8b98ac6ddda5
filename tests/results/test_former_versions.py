from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from results import make_failure

from privaudit.errors import ResultError
from privaudit.evaluation import Candidate, Choice
from privaudit.evaluation.selection import MEAN
from privaudit.model.model_files import ModelFiles
from privaudit.report.formats import FORMATS
from privaudit.report.sentences.finding_text import statement
from privaudit.results.audit_result import SCHEMA_VERSION, AuditResult, load_report, read_report
from privaudit.results.former_versions import RENAMED_IN_5, upgraded
from privaudit.results.report_schema import shipped_schema
from privaudit.storage.exact_json import encode

VERSION_7 = Path(__file__).with_name("report-version-7.json")
"""An audit of simulated scores as privaudit wrote it with version 7 of the schema."""
VERSION_6 = Path(__file__).with_name("report-version-6.json")
"""An audit of simulated scores as privaudit wrote it with version 6 of the schema."""
VERSION_5 = Path(__file__).with_name("report-version-5.json")
"""An audit as privaudit wrote it with version 5 of the schema, with a test of suspects and one of canaries added."""
VERSION_4 = Path(__file__).with_name("report-version-4.json")
"""An audit of suspects as privaudit wrote it with version 4 of the schema, without most of its attacks and curves."""


def test_version_4_is_read_and_written_as_the_current_one():
    old = json.loads(VERSION_4.read_text())
    found = AuditResult.load(VERSION_4)
    assert (found.schema_version, found.data.design, found.data.positives) == (SCHEMA_VERSION, "suspects", 69)
    written = json.loads(found.to_json())
    jsonschema.validate(written, json.loads(shipped_schema()))
    nothing = {"adapters": [], "sources": {}, "embeddings": {}, "left_out": [], "headers": []}
    assert written["target"] == {**old["target"], "components": {}, "settings": {}, "files": nothing}
    numbers = ("created", "config", "hardware", "timing", "refused", "influence")
    assert {key: written[key] for key in numbers} == {key: old[key] for key in numbers}
    assert [check.facts[0].values["text"] for check in found.checks] == [check["detail"] for check in old["checks"]]
    assert AuditResult.from_json(found.to_json()).to_json() == found.to_json()


def test_version_5_is_read_with_the_sentences_that_it_has():
    old = json.loads(VERSION_5.read_text())
    result = AuditResult.load(VERSION_5)
    written = json.loads(result.to_json())
    assert written["schema_version"] == SCHEMA_VERSION
    jsonschema.validate(written, json.loads(shipped_schema()))
    assert AuditResult.from_json(result.to_json()).to_json() == result.to_json()
    assert statement(result) == f"{old['verdict']['finding']['statement'].rstrip('.')}."
    page, summary = (form.encoded(result).decode() for form in (FORMATS["html"], FORMATS["md"]))
    for text in (
        old["checks"][0]["detail"][1:],
        old["verdict"]["gates"][0]["detail"][1:],
        old["suspects"]["reason"],
        old["suspects"]["type_i_rate"]["reason"] or "",
    ):
        assert text in page
        assert text in summary.replace("\\", "")


def test_version_6_differs_in_the_files_of_the_model_alone():
    old = json.loads(VERSION_6.read_text())
    written = json.loads(AuditResult.load(VERSION_6).to_json())
    jsonschema.validate(written, json.loads(shipped_schema()))
    assert written["target"].pop("files") == encode(ModelFiles())
    assert written["data"].pop("sets") == []
    assert written == {**old, "schema_version": SCHEMA_VERSION}


def test_version_7_differs_in_how_the_sets_were_read_alone():
    old = json.loads(VERSION_7.read_text())
    written = json.loads(AuditResult.load(VERSION_7).to_json())
    jsonschema.validate(written, json.loads(shipped_schema()))
    assert written["data"].pop("sets") == []
    assert written == {**old, "schema_version": SCHEMA_VERSION}


@pytest.mark.parametrize("target", [None, "a", {"id": 5}])
def test_what_is_no_report_of_version_6_is_refused(target):
    with pytest.raises(ResultError, match="at report"):
        read_report(json.dumps({**json.loads(VERSION_6.read_text()), "target": target}))


def test_an_error_of_version_6_is_read(tmp_path):
    failure = make_failure("no such model")
    (tmp_path / "report.json").write_text(json.dumps({**json.loads(failure.to_json()), "schema_version": 6}))
    assert load_report(tmp_path) == failure


def leaves(value, path=()):
    """Every number, truth value and null of a report, with the keys that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from leaves(item, (*path, at))
    elif not isinstance(value, str):
        yield path, value


@pytest.mark.parametrize("file", [VERSION_4, VERSION_5, VERSION_6], ids=["4", "5", "6"])
def test_every_number_of_a_former_version_stays_in_its_place(file):
    old = json.loads(file.read_text())
    written = json.loads(AuditResult.load(file).to_json())
    if old["schema_version"] == 4:
        old["data"] = {RENAMED_IN_5.get(key, key): value for key, value in old["data"].items()}
    before, after = dict(leaves(old)), dict(leaves(written))
    nulls = [path for path, value in before.items() if value is None and path[-1] == "reason"]
    missing = {path for path in before if path not in after} - set(nulls)
    assert missing == set()
    changed = {path: value for path, value in before.items() if path in after and after[path] != value}
    assert changed == {("schema_version",): old["schema_version"]}


def test_numbers_of_version_5_stay():
    old, result = json.loads(VERSION_5.read_text()), AuditResult.load(VERSION_5)
    for before, report in zip(old["attacks"], result.attacks, strict=True):
        assert {mask: m["auroc"]["value"] for mask, m in before["masks"].items()} == {
            mask: metrics.auroc.value for mask, metrics in report.masks.items()
        }
    assert [(gate.metric, gate.fpr, gate.threshold) for gate in result.verdict.gates] == [
        ("auroc", None, 0.6),
        ("epsilon", None, 1.0),
    ]
    assert [gate.status for gate in result.verdict.gates] == [gate["status"] for gate in old["verdict"]["gates"]]
    assert (result.suspects.set_p, result.canaries.correct) == (old["suspects"]["set_p"], old["canaries"]["correct"])


def test_joined_names_of_version_5_are_taken_apart():
    values = json.loads(VERSION_5.read_text())
    values["suspects"]["search_space"] = ["sima@40/weighted", "clid@order 2/none", "loss/none", "mean of all"]
    values["suspects"]["chosen"] = "sima@40/weighted"
    values["attacks"][0]["choices"] = [
        {
            "what": "penalty of logistic, influence mask",
            "search_space": [1.0, 10.0],
            "by_fold": [1.0],
            "seen": "AUROC of inner folds, within the other folds",
        },
        {"what": "drop", "search_space": [0.2], "by_fold": [0.2], "seen": "AUROC on the other folds"},
    ]
    result = read_report(json.dumps(values))
    assert result.suspects.chosen == Candidate("sima", 40.0, "weighted")
    assert result.suspects.search_space[1:] == (
        Candidate("clid", "order 2", "none"),
        Candidate("loss", None, "none"),
        MEAN,
    )
    assert result.attacks[0].choices == (
        Choice("penalty", (1.0, 10.0), (1.0,), "inner_auroc", learner="logistic", mask="influence"),
        Choice("drop", (0.2,), (0.2,), "auroc"),
    )


@pytest.mark.parametrize("part", ["attacks", "checks", "verdict", "suspects", "canaries", "blind"])
@pytest.mark.parametrize("value", [5, [5], {"x": 1}, "text"])
def test_what_is_no_report_of_version_5_is_refused(part, value):
    values = {**json.loads(VERSION_5.read_text()), part: value}
    with pytest.raises(ResultError):
        read_report(json.dumps(values))


def test_an_error_of_version_4_is_read(tmp_path):
    failure = make_failure("no such model")
    (tmp_path / "report.json").write_text(json.dumps({**json.loads(failure.to_json()), "schema_version": 4}))
    assert load_report(tmp_path) == failure


@pytest.mark.parametrize("data", [[], "images", None, {"role": "members"}])
def test_what_is_no_report_of_version_4_is_refused(data):
    values = {**json.loads(VERSION_4.read_text()), "data": data}
    with pytest.raises(ResultError, match="at report"):
        read_report(json.dumps(values))


def test_what_is_current_or_unknown_stays_as_it_is():
    values = {"schema_version": SCHEMA_VERSION, "data": {"role": "x"}}
    assert upgraded(values) == values
    with pytest.raises(ResultError, match="got 3; read it with the privaudit version that wrote it"):
        read_report(json.dumps({"schema_version": 3, "data": {"role": "members"}}))
