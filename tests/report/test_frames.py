"""The numbers as a table: complete, and the same in CSV and Parquet."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
from results import make_failure, make_result

from privaudit.report.formats.data_formats import render_csv, render_parquet
from privaudit.report.frames import metrics_frame

RESULT = make_result(gates=("tpr@5%fpr>0.5",))
FRAME = metrics_frame(RESULT)


def test_one_row_an_attack_and_mask_with_every_number() -> None:
    assert len(FRAME) == sum(len(report.masks) for report in RESULT.attacks)
    for report in RESULT.attacks:
        for mask, metrics in report.masks.items():
            (row,) = FRAME[(FRAME.attack == report.name) & (FRAME["mask"] == mask)].to_dict("records")
            for fpr in ("0.01", "0.001", "0.05"):
                rate = metrics.tpr_at_fpr[fpr]
                found = [row[f"tpr@{fpr}{part}"] for part in ("", "_lo", "_hi", "_fpr_realised")]
                np.testing.assert_equal(found, [rate.value, rate.lo, rate.hi, rate.fpr_realised])
                assert (row[f"tpr@{fpr}_k"], row[f"tpr@{fpr}_n"]) == (rate.k, rate.n)
            assert (row["auroc"], row["auroc_lo"], row["auroc_hi"]) == (
                metrics.auroc.value,
                metrics.auroc.lo,
                metrics.auroc.hi,
            )
            assert row["epsilon_lower"] == metrics.epsilon_lower.value
            assert row["level"] == report.level or (report.level is None and math.isnan(row["level"]))
            assert row["members"] == RESULT.data.positives


def test_gains_stand_beside_the_mask_that_they_are_of() -> None:
    first = RESULT.attacks[0]
    assert first.influence_vs_none is not None
    rows = FRAME[FRAME.attack == first.name].set_index("mask")
    assert rows.loc["influence", "auroc_gain"] == first.influence_vs_none.auroc_delta.value
    assert rows.loc["influence", "tpr_gain_p"] == first.influence_vs_none.tpr_delta.p
    assert math.isnan(rows.loc["none", "auroc_gain"])


def test_the_number_to_quote_stands_in_the_row_that_the_finding_rests_on() -> None:
    finding = RESULT.verdict.finding
    (row,) = FRAME[FRAME.finding_metric.notna()].to_dict("records")
    assert (row["attack"], row["mask"]) == (finding.attack, finding.mask)
    assert (row["finding_metric"], row["finding_limit"]) == (finding.metric, finding.limit)
    assert FRAME.finding_limit.notna().sum() == 1


def test_reasons_stand_where_numbers_do_not() -> None:
    missing = FRAME["tpr@0.001"].isna()
    assert missing.all()
    assert FRAME["tpr@0.001_reason"].str.contains("need at least 1000 non-members").all()


@pytest.mark.parametrize("render", [render_csv, render_parquet])
def test_files_hold_the_same_table(render) -> None:
    content = render(RESULT)
    found = pd.read_csv(io.StringIO(content)) if isinstance(content, str) else pd.read_parquet(io.BytesIO(content))
    assert list(found.columns) == list(FRAME.columns)
    for name in FRAME.columns:
        if FRAME[name].dtype.kind in "fi":
            np.testing.assert_allclose(found[name].to_numpy(float), FRAME[name].to_numpy(float), rtol=1e-12)
        else:
            assert found[name].isna().tolist() == FRAME[name].isna().tolist()
            assert found[name].dropna().tolist() == FRAME[name].dropna().tolist()


def test_a_failure_has_a_row_a_problem() -> None:
    failure = make_failure("no model", "no images", kind="ConfigError")
    for frame in (
        pd.read_csv(io.StringIO(render_csv(failure))),
        pd.read_parquet(io.BytesIO(render_parquet(failure))),
    ):
        assert frame.to_dict("records") == [
            {"status": "error", "kind": "ConfigError", "reason": reason} for reason in ("no model", "no images")
        ]
