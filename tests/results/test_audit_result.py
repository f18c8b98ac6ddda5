from __future__ import annotations

import json

import pytest

from privaudit.errors import ResultError
from privaudit.results.audit_result import SCHEMA_VERSION, AuditResult


def test_no_report(tmp_path):
    with pytest.raises(ResultError, match="found none; run privaudit scan first"):
        AuditResult.load(tmp_path)


@pytest.mark.parametrize("text", ["not json", "[]", "{}", json.dumps({"schema_version": 99})])
def test_refuses_what_is_no_report_of_this_version(text):
    with pytest.raises(ResultError, match="expected"):
        AuditResult.from_json(text)


def test_a_missing_key_is_named():
    with pytest.raises(ResultError, match="expected the key privaudit_version at report"):
        AuditResult.from_json(json.dumps({"schema_version": SCHEMA_VERSION}))
