import numpy as np
import pytest

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation import assign_folds, auroc, blind_scores, image_features

N = 150
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)


def pictures(n: int = 2 * N, seed: int = 0, size: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3, size, size)).cumsum(axis=2).cumsum(axis=3)
    x -= x.mean(axis=(2, 3), keepdims=True)
    return np.clip(0.1 * x + rng.normal(0, 0.3, size=(n, 3, 1, 1)), -1, 1).astype(np.float32)


def test_features_describe_each_image_alone() -> None:
    x = pictures(20)
    features = image_features(x)
    assert features.shape == (20, 52)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(image_features(x[7:8]), features[7:8], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(features[:, :3], x.mean(axis=(2, 3)), atol=1e-6)
    np.testing.assert_allclose(features[:, 3:6], x.std(axis=(2, 3)), atol=1e-5)
    assert image_features(x[:0]).shape == (0, 52)


def test_features_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    x = pictures(20)
    whole = image_features(x)
    monkeypatch.setattr("privaudit.evaluation.blind._BATCH_VALUES", 1)
    np.testing.assert_allclose(image_features(x), whole, rtol=1e-9, atol=1e-12)


def test_bands_find_the_frequency() -> None:
    stripes = np.cos(np.pi * np.arange(32))  # 0.5 cycles a pixel along one axis: ring 5 of 8
    x = np.broadcast_to(0.5 * stripes, (1, 3, 32, 32)).astype(np.float32)
    assert image_features(x)[0, -8:].argmax() == 5


def test_flat_and_tiny_images_are_finite() -> None:
    assert np.isfinite(image_features(np.full((2, 3, 2, 2), -1, dtype=np.float32))).all()


@pytest.mark.parametrize("kind", ["brightness", "smoothing", "contrast"])
def test_a_shift_is_found(kind: str) -> None:
    x = pictures()
    y = x[MEMBER]
    if kind == "brightness":
        y = y + 0.3
    elif kind == "smoothing":
        y = (y + np.roll(y, 1, axis=3)) / 2
    else:
        y = y * np.random.default_rng(1).choice([0.3, 2.0], size=(N, 1, 1, 1))
    x[MEMBER] = np.clip(y, -1, 1)
    assert auroc(blind_scores(image_features(x), MEMBER, FOLDS), MEMBER) > 0.7


def test_chance_without_a_difference() -> None:
    features = image_features(pictures())
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(8):
        member = rng.permutation(MEMBER)
        folds = assign_folds([str(i) for i in range(2 * N)], member)
        areas.append(auroc(blind_scores(features, member, folds), member))
    assert abs(np.mean(areas) - 0.5) < 0.05


def test_an_image_is_scored_by_the_other_folds() -> None:
    features = image_features(pictures())
    labels = MEMBER.copy()
    labels[FOLDS == 2] = ~labels[FOLDS == 2]
    before, after = (blind_scores(features, y, FOLDS) for y in (MEMBER, labels))
    np.testing.assert_array_equal(before[FOLDS == 2], after[FOLDS == 2])
    assert (before[FOLDS != 2] != after[FOLDS != 2]).any()


def test_bad_input() -> None:
    with pytest.raises(DataError, match="shape \\(n, 3, height, width\\)"):
        image_features(np.zeros((2, 1, 8, 8), dtype=np.float32))
    with pytest.raises(NonFiniteError, match="in 1 images, the first at position 1"):
        image_features(np.where(np.arange(3)[:, None, None, None] == 1, np.nan, pictures(3)))
    with pytest.raises(DataError, match="a row of features an image"):
        blind_scores(np.zeros((3, 2)), MEMBER, FOLDS)
    with pytest.raises(DataError, match="fold 0 holds all"):
        blind_scores(np.zeros((2 * N, 2)), MEMBER, np.where(MEMBER, 0, 1))
