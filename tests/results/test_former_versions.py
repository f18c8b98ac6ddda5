from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from results import make_failure

from privaudit.errors import ResultError
from privaudit.results.audit_result import SCHEMA_VERSION, AuditResult, load_report, read_report
from privaudit.results.former_versions import upgraded
from privaudit.results.report_schema import shipped_schema

VERSION_4 = Path(__file__).with_name("report-version-4.json")
"""An audit of suspects as privaudit wrote it with version 4 of the schema, without most of its attacks and curves."""


def test_version_4_is_read_and_written_as_the_current_one():
    old = json.loads(VERSION_4.read_text())
    found = AuditResult.load(VERSION_4)
    assert (found.schema_version, found.data.design, found.data.positives) == (SCHEMA_VERSION, "suspects", 69)
    written = json.loads(found.to_json())
    jsonschema.validate(written, json.loads(shipped_schema()))
    data = written.pop("data")
    data = {"role": data.pop("design"), "members": data.pop("positives"), **data}
    assert {**written, "data": data, "schema_version": 4} == old
    assert AuditResult.from_json(found.to_json()).to_json() == found.to_json()


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
