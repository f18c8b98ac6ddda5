import numpy as np
import pytest

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import advantage, auroc, bootstrap, stratified_bootstrap, tpr_at_fpr

FPRS = (0.05, 0.2)


def case(seed: int = 0, n: int = 40, m: int = 60) -> tuple:
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.arange(n + m) < n)
    smooth = rng.normal(size=n + m) + member
    tied = np.round(smooth, 0)
    tied[:3] = np.inf, -np.inf, np.inf
    return {"smooth": smooth, "tied": tied, "constant": np.zeros(n + m)}, member


def literal(scores: dict, member: np.ndarray, replicates: int, seed: int, units: np.ndarray | None = None) -> dict:
    """Repeat each image as often as its unit was drawn and measure that sample."""
    units = np.arange(member.size) if units is None else units
    kinds: tuple = ([], [], [])
    for unit in dict.fromkeys(units.tolist()):
        inside = member[units == unit]
        kinds[0 if inside.all() else 1 if not inside.any() else 2].append(unit)
    drawn = np.zeros((replicates, member.size), dtype=int)
    for stream, kind in zip(np.random.default_rng(seed).spawn(3), kinds, strict=True):
        if kind:
            for row, picked in zip(drawn, stream.integers(0, len(kind), (replicates, len(kind))), strict=True):
                for number in picked:
                    row[units == kind[number]] += 1
    result = {}
    for name, values in scores.items():
        rows = []
        for counts in drawn:
            x, y = np.repeat(values, counts), np.repeat(member, counts)
            excess = max(
                (x[y] >= t).mean() - (x[~y] >= t).mean() - (values[member] >= t).mean() + (values[~member] >= t).mean()
                for t in values
            )
            strict = [max(0.0, fpr - 1 / (~y).sum()) for fpr in FPRS]
            rows.append([
                auroc(x, y),
                *(tpr_at_fpr(x, y, fpr).tpr for fpr in FPRS),
                *(tpr_at_fpr(x, y, fpr).tpr for fpr in strict),
                advantage(x, y),
                excess,
            ])
        result[name] = np.array(rows).T
    return result


@pytest.mark.parametrize("clustered", [False, True])
def test_equals_a_literal_resampling(monkeypatch: pytest.MonkeyPatch, clustered: bool) -> None:
    scores, member = case()
    units = np.random.default_rng(9).integers(0, 60, member.size) if clustered else None
    monkeypatch.setattr(bootstrap, "MAX_COUNTS", 7 * member.size)  # 7 replicates at a time, the last chunk shorter
    ours = stratified_bootstrap(scores, member, FPRS, 30, seed=3, units=units)
    for i, (name, rows) in enumerate(literal(scores, member, 30, 3, units).items()):
        assert ours.names[i] == name
        np.testing.assert_allclose(ours.auroc[i], rows[0], atol=1e-12)
        np.testing.assert_allclose(ours.tpr[i], rows[1:3], atol=1e-12)
        np.testing.assert_allclose(ours.tpr_strict[i], rows[3:5], atol=1e-12)
        np.testing.assert_allclose(ours.advantage[i], rows[5], atol=1e-12)
        np.testing.assert_allclose(ours.excess[i], rows[6], atol=1e-12)


def test_single_units_are_no_units() -> None:
    scores, member = case()
    labels = np.random.default_rng(1).permutation([f"picture {i}" for i in range(member.size)])
    for one, other in zip(
        vars(stratified_bootstrap(scores, member, FPRS, 20, 1)).values(),
        vars(stratified_bootstrap(scores, member, FPRS, 20, 1, labels)).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_units_are_drawn_as_one() -> None:
    """Ten copies of each image spread as widely as one; without units they would seem ten times as many."""
    scores, member = case()
    unit = np.repeat(np.arange(member.size), 10)
    copies = {"smooth": scores["smooth"][unit]}
    once = stratified_bootstrap({"smooth": scores["smooth"]}, member, FPRS, 300, 0)
    tied = stratified_bootstrap(copies, member[unit], FPRS, 300, 0, unit)
    np.testing.assert_allclose(tied.auroc, once.auroc, atol=1e-12)
    assert stratified_bootstrap(copies, member[unit], FPRS, 300, 0).auroc.std() < 0.5 * once.auroc.std()


def test_chunks_and_number_of_replicates_change_no_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, member = case()
    whole = stratified_bootstrap(scores, member, FPRS, 50, seed=1)
    monkeypatch.setattr(bootstrap, "MAX_COUNTS", 1)
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
    with pytest.raises(ConfigError, match="false-positive rate in"):
        stratified_bootstrap(scores, member, (1.5,), 5)
    with pytest.raises(DataError, match="one unit per image"):
        stratified_bootstrap(scores, member, FPRS, 5, units=[1])
    with pytest.raises(NonFiniteError):
        stratified_bootstrap({"a": np.full(100, np.nan)}, member, FPRS, 5)
