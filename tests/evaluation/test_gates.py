import pytest

from privaudit.errors import ConfigError
from privaudit.evaluation import Gate, parse_gates, required_fprs


@pytest.mark.parametrize(
    ("text", "metric", "fpr", "limit"),
    [
        ("auroc>0.6", "auroc", None, 0.6),
        ("AUROC > .6", "auroc", None, 0.6),
        ("tpr@1%fpr>0.05", "tpr", 0.01, 0.05),
        ("tpr@0.1%fpr>0.02", "tpr", 0.001, 0.02),
        ("tpr @ 0.7 % FPR > 0.02", "tpr", 0.007, 0.02),
        ("epsilon>1", "epsilon", None, 1.0),
        ("advantage>0.2", "advantage", None, 0.2),
    ],
)
def test_reads(text: str, metric: str, fpr: float | None, limit: float) -> None:
    assert parse_gates([text]) == (Gate(text, metric, fpr, limit),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "auroc",
        "auroc<0.6",
        "auroc>=0.6",
        "auroc>high",
        "auroc>nan",
        "auroc>1",
        "auroc>-0.1",
        "auc>0.6",
        "tpr>0.1",
        "auroc@1%fpr>0.6",
        "tpr@1fpr>0.1",
        "tpr@0%fpr>0.1",
        "tpr@100%fpr>0.1",
        "tpr@x%fpr>0.1",
        "epsilon>-1",
        "epsilon>inf",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a gate such as 'auroc>0\.6', .* got "):
        parse_gates([text])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tpr@1fpr>0.05", "unknown metric 'tpr@1fpr'; did you mean tpr@1%fpr?"),
        ("TPR @ 0.1 fpr > 0.05", "unknown metric 'tpr@0.1fpr'; did you mean tpr@0.1%fpr?"),
        ("tpr@1%>0.05", "unknown metric 'tpr@1%'; did you mean tpr@1%fpr?"),
        ("tprr@1%fpr>0.05", "unknown metric 'tprr@1%fpr'; did you mean tpr@1%fpr?"),
        ("auc>0.6", "unknown metric 'auc'; did you mean auroc?"),
        ("lift>0.6", "unknown metric 'lift'"),
        ("auroc", "it is not METRIC>NUMBER"),
        (">0.6", "it is not METRIC>NUMBER"),
    ],
)
def test_suggests_what_was_meant(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_gates([text])
    assert str(caught.value).endswith(f", got {text!r}: {problem}")


def test_names_all_that_are_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_gates(["auc>1", "auroc>0.6", "tpr>0.1"])
    assert len(caught.value.problems) == 2
    assert "'auc>1'" in caught.value.problems[0]
    assert "'tpr>0.1'" in caught.value.problems[1]


def test_required_rates() -> None:
    assert required_fprs(parse_gates(["tpr@5%fpr>.1", "auroc>.5", "tpr@1%fpr>.1"])) == (0.01, 0.001, 0.05)
