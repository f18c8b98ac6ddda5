from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from privaudit.evaluation.canary_audit import CanaryReport, audit_canaries
from privaudit.report.canary_section import canary_section

IDS = [f"{i}" for i in range(200)]


def printed(report: CanaryReport, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, color_system=None).print(canary_section(report))
    return stream.getvalue()


def a_report(shift: float, n: int = 200, **options: float) -> CanaryReport:
    rng = np.random.default_rng(0)
    coins = rng.random(n) < 0.5
    return audit_canaries(rng.normal(size=(n, 2)) + shift * coins[:, None], ["a", "[b]"], coins, IDS[:n], **options)


def test_every_number_is_there() -> None:
    report = a_report(3.0)
    text = " ".join(printed(report).split())
    assert f"canaries 200: 50 to choose on, 150 audited ({report.included} of them trained on)" in text
    assert f"chosen {report.chosen}, of 3 scores" in text
    assert f"{report.guesses_in} in, {report.guesses_out} out; {report.correct} of {report.guesses} right" in text
    assert f"epsilon >= {report.epsilon_lower:.3f} (95 %; even a perfect attack could have shown only "
    assert f"{report.epsilon_most:.3f})" in text
    assert "p 0.0001: the chance of such scores if the model knew nothing of the coins (9999 rearrangements of" in text
    assert text.endswith(" ".join(report.statement.split()))


def test_delta_is_named_if_there_is_one() -> None:
    assert "(95 %, delta 0.0001; " in printed(a_report(3.0, delta=1e-4, draws=9))


def test_too_few_say_why() -> None:
    report = a_report(0.0, n=5)
    assert f"not measured: {report.reason}" in " ".join(printed(report).split())
    assert "epsilon" not in printed(report)


def test_no_p_value_says_why() -> None:
    coins = np.ones(200, dtype=bool)
    report = audit_canaries(np.arange(200.0)[:, None], ["a"], coins, IDS)
    assert "p         n/a: no p-value: all 150 audited canaries came out in" in printed(report)


def test_80_columns_cut_nothing() -> None:
    report = a_report(3.0)
    text = printed(report, 80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
