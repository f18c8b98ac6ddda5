import numpy as np
import pytest

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import advantage, auroc, bootstrap, roc, stratified_bootstrap, tpr_at_fpr

FPRS = (0.05, 0.2)


def case(seed: int = 0, n: int = 40, m: int = 60) -> tuple:
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.arange(n + m) < n)
    smooth = rng.normal(size=n + m) + member
    tied = np.round(smooth, 0)
    tied[:3] = np.inf, -np.inf, np.inf
    return {"smooth": smooth, "tied": tied, "constant": np.zeros(n + m)}, member


def literal(scores: dict, member: np.ndarray, replicates: int, seed: int) -> dict:
    """Repeat each image as often as it was drawn and measure that sample."""
    streams = np.random.default_rng(seed).spawn(2)
    drawn = np.empty((replicates, member.size), dtype=int)
    for stream, part in zip(streams, (member, ~member), strict=True):
        size = part.sum()
        drawn[:, part] = stream.multinomial(size, np.full(size, 1 / size), size=replicates)
    result = {}
    for name, values in scores.items():
        rows = []
        for counts in drawn:
            x, y = np.repeat(values, counts), np.repeat(member, counts)
            excess = max(
                (x[y] >= t).mean() - (x[~y] >= t).mean() - (values[member] >= t).mean() + (values[~member] >= t).mean()
                for t in values
            )
            strict = [max(0, roc.allowed_false_positives(fpr, int((~y).sum())) - 1) / (~y).sum() for fpr in FPRS]
            rows.append([
                auroc(x, y),
                *(tpr_at_fpr(x, y, fpr).tpr for fpr in FPRS),
                *(tpr_at_fpr(x, y, fpr).tpr for fpr in strict),
                advantage(x, y),
                excess,
            ])
        result[name] = np.array(rows).T
    return result


def test_equals_a_literal_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, member = case()
    monkeypatch.setattr(bootstrap, "CHUNK", 7 * member.size)  # 7 replicates at a time, the last chunk shorter
    ours = stratified_bootstrap(scores, member, FPRS, 30, seed=3)
    for i, (name, rows) in enumerate(literal(scores, member, 30, 3).items()):
        assert ours.names[i] == name
        np.testing.assert_allclose(ours.auroc[i], rows[0], atol=1e-12)
        np.testing.assert_allclose(ours.tpr[i], rows[1:3], atol=1e-12)
        np.testing.assert_allclose(ours.tpr_strict[i], rows[3:5], atol=1e-12)
        np.testing.assert_allclose(ours.advantage[i], rows[5], atol=1e-12)
        np.testing.assert_allclose(ours.excess[i], rows[6], atol=1e-12)


def test_chunks_and_number_of_replicates_change_no_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, member = case()
    whole = stratified_bootstrap(scores, member, FPRS, 50, seed=1)
    monkeypatch.setattr(bootstrap, "CHUNK", 1)
    part = stratified_bootstrap(scores, member, FPRS, 20, seed=1)
    np.testing.assert_array_equal(whole.auroc[:, :20], part.auroc)
    np.testing.assert_array_equal(whole.tpr[:, :, :20], part.tpr)


def test_scores_are_paired_and_the_seed_decides() -> None:
    scores, member = case()
    both = stratified_bootstrap({"a": scores["smooth"], "b": 2 * scores["smooth"] + 1}, member, FPRS, 40, seed=5)
    np.testing.assert_array_equal(both.auroc[0], both.auroc[1])
    np.testing.assert_array_equal(both.tpr[0], both.tpr[1])
    other = stratified_bootstrap({"a": scores["smooth"]}, member, FPRS, 40, seed=6)
    assert (other.auroc[0] != both.auroc[0]).any()


def test_the_global_generator_is_left_alone() -> None:
    scores, member = case()
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    stratified_bootstrap(scores, member, FPRS, 5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_bad_input() -> None:
    scores, member = case()
    with pytest.raises(ConfigError, match="at least one bootstrap replicate"):
        stratified_bootstrap(scores, member, FPRS, 0)
    with pytest.raises(DataError, match="got 100 and 0"):
        stratified_bootstrap(scores, np.ones(100, bool), FPRS, 5)
    with pytest.raises(NonFiniteError):
        stratified_bootstrap({"a": np.full(100, np.nan)}, member, FPRS, 5)
