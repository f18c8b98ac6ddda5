import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from privaudit.data import ImageFileInfo
from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation import assign_folds, auroc, blind_check, decide, evaluate
from privaudit.evaluation.blind import (
    FAMILIES,
    blind_scores,
    caption_scores,
    compression_traces,
    family_scores,
    file_features,
    image_features,
)
from privaudit.evaluation.blind.traces import QUALITIES, quantisation_table
from privaudit.evaluation.checks import BLIND
from privaudit.lab.photographs import FOLDER, cut_sheet

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
    monkeypatch.setattr("privaudit.evaluation.blind.pixel_features._BATCH_VALUES", 1)
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


def test_few_images_suffice_for_sets_that_plainly_differ() -> None:
    member = np.arange(24) < 12
    folds = assign_folds([str(i) for i in range(24)], member)
    features = np.random.default_rng(0).normal(size=(24, 3)) + 9.0 * member[:, None]
    assert auroc(blind_scores(features, member, folds), member) > 0.9


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
    with pytest.raises(DataError, match="one row of features per image"):
        blind_scores(np.zeros((3, 2)), MEMBER, FOLDS)
    with pytest.raises(DataError, match="fold 0 holds all"):
        blind_scores(np.zeros((2 * N, 2)), MEMBER, np.where(MEMBER, 0, 1))
    with pytest.raises(NonFiniteError, match="got NaN or infinity in 1 images, the first at position 2"):
        blind_scores(np.where(np.arange(2 * N)[:, None] == 2, [[1.0, np.nan]], 0.0), MEMBER, FOLDS)


# ------------------------------------------------------------------------------- traces of editing and compression


def scenes(n: int = 2 * N, seed: int = 0, size: int = 32) -> np.ndarray:
    """Pictures with detail at every scale, ``(n, size, size, 3)``, uint8."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)) + 1 / size
    x = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, 3, size, size))) / radius**1.3).real
    x += 2 * x.mean(axis=1, keepdims=True)  # colours go together
    x *= rng.uniform(25, 45, size=(n, 1, 1, 1)) / x.std(axis=(1, 2, 3), keepdims=True)
    x += rng.uniform(90, 160, size=(n, 1, 1, 1))
    return np.clip(np.round(x), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def to_input(pixels: np.ndarray) -> np.ndarray:
    return pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)


def edit(pixels: np.ndarray, kind: str) -> np.ndarray:
    image = Image.fromarray(pixels)
    if kind == "brighter":
        return np.asarray(ImageEnhance.Brightness(image).enhance(1.05))
    if kind == "contrast":
        return np.asarray(ImageEnhance.Contrast(image).enhance(0.9))
    if kind == "resize":
        return np.asarray(image.resize((36, 36), Image.Resampling.BICUBIC).resize((32, 32), Image.Resampling.BICUBIC))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(kind))
    return np.asarray(Image.open(buffer).convert("RGB"))


@cache
def half_edited(kind: str) -> np.ndarray:
    pixels = scenes()
    pixels[MEMBER] = [edit(image, kind) for image in pixels[MEMBER]]
    return pixels


@pytest.mark.parametrize(("kind", "least"), [("brighter", 0.98), ("contrast", 0.95), ("90", 0.98), ("70", 0.98)])
def test_an_edit_of_one_set_is_found_by_its_traces(kind: str, least: float) -> None:
    traces = compression_traces(to_input(half_edited(kind)))
    assert auroc(blind_scores(traces, MEMBER, FOLDS), MEMBER) > least


@pytest.mark.parametrize("first", ["members", "non-members"])
def test_a_set_that_was_resized_or_saved_once_more_is_never_clear(first: str) -> None:
    """The demo's photographs, one half of them resized to 36 pixels and back, or saved as JPEG on the way."""
    pixels = cut_sheets(400)
    member = np.arange(400) % 2 == (first == "members")
    folds = assign_folds([str(i) for i in range(400)], member)
    attack = {("attack", "none"): np.random.default_rng(0).normal(size=400)}  # which recognises nothing
    for change in ("resize", "90"):
        edited = pixels.copy()
        edited[member] = [edit(image, change) for image in pixels[member]]
        tables = {"pixels": image_features(to_input(edited)), "compression": compression_traces(to_input(edited))}
        by_family = family_scores(tables, [None] * 400, member, folds)
        blind = {(BLIND, family): scores for family, scores in by_family.items()}
        evaluation = evaluate({**attack, **blind}, member, folds, replicates=200, learned=list(blind))
        check = blind_check(evaluation, list(blind), list(attack))
        assert check.status == "fail"
        assert decide(evaluation, list(attack), checks=[check]).finding.level == "unclear"


def cut_sheets(count: int) -> np.ndarray:
    """Crops of the demo's photographs, spread over all of them, ``(count, 32, 32, 3)``, uint8."""
    sheets = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(FOLDER.glob("*.webp"))]
    crops = np.concatenate([cut_sheet(sheet, sheet.size // (32 * 32 * 3)) for sheet in sheets])
    crops = crops[crops.std(axis=(1, 2, 3)) > 10.0]  # not the empty places
    return crops[:: len(crops) // count][:count]


def test_traces_say_nothing_where_nothing_was_done() -> None:
    traces = compression_traces(to_input(scenes()))
    assert abs(auroc(blind_scores(traces, MEMBER, FOLDS), MEMBER) - 0.5) < 0.1


def test_traces_describe_each_image_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x = to_input(scenes(9))
    traces = compression_traces(x)
    assert traces.shape == (9, 93)
    monkeypatch.setattr("privaudit.evaluation.blind.traces._BATCH_VALUES", 1)
    np.testing.assert_allclose(compression_traces(x), traces, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(compression_traces(x[4:5]), traces[4:5], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(2, 2), (3, 40), (8, 8), (11, 12), (13, 21), (32, 32)])
def test_traces_of_any_size_and_of_plain_images_are_finite(size: tuple[int, int]) -> None:
    x = to_input(scenes(3, size=40))[:, :, : size[0], : size[1]]
    x[1] = 0
    x[2] = x[2].mean(axis=0)  # gray
    traces = compression_traces(x)
    assert traces.shape == (3, 93)
    assert np.isfinite(traces).all()


def test_blocks_that_the_edge_cuts_are_left_out() -> None:
    # 8 x 12 whole blocks either way; beyond them only the histogram and the steps between pixels may change
    whole = to_input(scenes(1, size=104))[:, :, :96, :96]
    more = np.concatenate([whole, np.ones((1, 3, 96, 3), dtype=np.float32)], axis=3)
    np.testing.assert_array_equal(compression_traces(whole)[:, 9:73], compression_traces(more)[:, 9:73])


def test_histogram_of_one_channel_by_hand() -> None:
    pixels = np.full((1, 10, 10, 3), 50, dtype=np.uint8)
    red = np.repeat([100, 102, 103, 104, 110], [10, 20, 40, 10, 20])  # a gap at 101; a peak at 103; 5 of 11 levels
    pixels[0, ..., 0] = red.reshape(10, 10)
    gaps, peaks, used = (compression_traces(to_input(pixels))[0, start] for start in (0, 3, 6))
    assert gaps == pytest.approx(10 / 100)
    assert peaks == pytest.approx((10 + (40 - 20 - 10) + 20) / 100)  # 100 and 110 stand alone
    assert used == pytest.approx(5 / 11)


def test_coefficients_and_their_period() -> None:
    # gray, so that luminance is the picture; every coefficient a multiple of the steps of quality 60, far from clipping
    rng = np.random.default_rng(0)
    steps = quantisation_table(60)
    coefficients = steps * rng.integers(-2, 3, size=(4, 4, 8, 8)) * (np.add.outer(np.arange(8), np.arange(8)) < 5)
    blocks = dctn(coefficients, type=3, axes=(2, 3), norm="ortho") / 255 * 0.9
    plane = blocks.transpose(0, 2, 1, 3).reshape(32, 32)
    rounded = np.clip(np.round(plane * 255 / 0.9 + 128), 0, 255).astype(np.uint8)
    traces = compression_traces(to_input(np.repeat(rounded[None, ..., None], 3, axis=3)))[0]
    periods = dict(zip(QUALITIES, traces[65:73], strict=True))
    assert max(periods, key=lambda quality: periods[quality]) == 60
    assert periods[60] > 0.5
    assert traces[9 + 10] > 0.9  # diagonal 11 in luminance: all zero, up to rounding
    assert traces[9 + 14 + 10] > 0.3  # but not on the displaced grid


@pytest.mark.parametrize("quality", [50, 60, 75, 90, 95, 100])
def test_tables_are_those_of_the_library(quality: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(scenes(1)[0]).save(buffer, "JPEG", quality=quality)
    np.testing.assert_array_equal(np.reshape(Image.open(buffer).quantization[0], (8, 8)), quantisation_table(quality))


def test_bad_images_have_no_traces() -> None:
    with pytest.raises(DataError, match="shape \\(n, 3, height, width\\)"):
        compression_traces(np.zeros((2, 1, 8, 8), dtype=np.float32))
    with pytest.raises(NonFiniteError, match="in 1 images, the first at position 1"):
        compression_traces(np.where(np.arange(3)[:, None, None, None] == 1, np.nan, pictures(3)))


# ------------------------------------------------------------------------------- files and captions


@pytest.mark.parametrize("describe", [image_features, compression_traces])
def test_shape_of_an_image_alone_changes_no_feature(describe: Callable[[np.ndarray], np.ndarray]) -> None:
    """Images of several sizes (aspect-ratio buckets) are described in units that do not depend on the size."""
    rng = np.random.default_rng(0)
    noise = [rng.normal(0, 0.4, size=(N, 3, *size)).clip(-1, 1).astype(np.float32) for size in ((64, 64), (32, 128))]
    square, wide = map(describe, noise)
    spread = np.sqrt((square.var(axis=0) + wide.var(axis=0)) / N) + 1e-9
    assert (np.abs(square.mean(axis=0) - wide.mean(axis=0)) < 5 * spread).all()


def test_a_shape_that_one_set_has_is_told_by_its_files() -> None:
    wide, tall = (ImageFileInfo("PNG", *size, 3000, "RGB") for size in ((64, 32), (32, 64)))
    features = file_features([wide] * N + [tall] * N)
    assert auroc(blind_scores(features, MEMBER, FOLDS), MEMBER) > 0.99


def test_files_by_hand() -> None:
    facts = [
        ImageFileInfo("PNG", 3, 5, 30, "RGB"),
        ImageFileInfo("JPEG", 7, 1, 14, "L", exif=True, icc=True, quantisation=99),
    ]
    found = file_features(facts)
    np.testing.assert_array_equal(found[:, [0, 1, 2, 3, 8, 9, 10]], [[0, 1, 0, 1, 0, 0, 0], [1, 0, 1, 0, 1, 1, 99]])
    np.testing.assert_allclose(np.expm1(found[:, 4:8]), [[3, 5, 30, 2], [7, 1, 14, 2]])
    assert file_features([]).shape == (0, 7)


def test_files_by_hand_with_orientation_tags_and_transparency() -> None:
    plain = ImageFileInfo("PNG", 3, 5, 30, "RGB")
    files = [plain, replace(plain, orientation=6), replace(plain, orientation=8, transparent=True)]
    np.testing.assert_array_equal(file_features(files)[:, 9:], [[0, 0, 0], [1, 0, 0], [0, 1, 1]])


def test_files_tell_a_format_that_one_set_has() -> None:
    rng = np.random.default_rng(0)
    facts = [ImageFileInfo("JPEG" if m and rng.random() < 0.6 else "PNG", 8, 8, 100, "RGB") for m in MEMBER]
    assert auroc(blind_scores(file_features(facts), MEMBER, FOLDS), MEMBER) == pytest.approx(0.8, abs=0.05)


WORDS = [f"word{i}" for i in range(50)]
CAPTIONS = [" ".join(np.random.default_rng(i).choice(WORDS, 6)) for i in range(2 * N)]


@pytest.mark.parametrize(
    ("member_caption", "least"),
    [
        (lambda text: f"photograph: {text}", 0.99),
        (lambda text: text.replace("word", "Wort"), 0.99),
        (lambda text: f"{text} {text}", 0.99),
        (lambda text: None, 0.99),
    ],
)
def test_captions_written_differently_are_found(member_caption, least: float) -> None:
    captions = [member_caption(text) if m else text for text, m in zip(CAPTIONS, MEMBER, strict=True)]
    assert auroc(caption_scores(captions, MEMBER, FOLDS), MEMBER) > least


def test_captions_alike_are_not() -> None:
    assert abs(auroc(caption_scores(CAPTIONS, MEMBER, FOLDS), MEMBER) - 0.5) < 0.1


def test_captions_without_any_word() -> None:
    captions = [("!" if m else "") for m in MEMBER]
    assert auroc(caption_scores(captions, MEMBER, FOLDS), MEMBER) == 1.0
    with pytest.raises(DataError, match="got 2 for 300 labels"):
        caption_scores(["a", "b"], MEMBER, FOLDS)


def test_a_caption_is_scored_by_the_other_folds() -> None:
    labels = np.where(FOLDS == 2, ~MEMBER, MEMBER)
    before, after = (caption_scores(CAPTIONS, y, FOLDS) for y in (MEMBER, labels))
    np.testing.assert_array_equal(before[FOLDS == 2], after[FOLDS == 2])


def test_families_that_are_the_same_for_all_are_left_out() -> None:
    tables = {"pixels": np.arange(2.0 * N)[:, None], "files": np.ones((2 * N, 4))}
    assert set(family_scores(tables, [None] * 2 * N, MEMBER, FOLDS)) == {"pixels"}
    assert set(family_scores(tables, ["a cat"] * 2 * N, MEMBER, FOLDS)) == {"pixels"}
    found = family_scores(tables, CAPTIONS, MEMBER, FOLDS)
    assert set(found) == {"pixels", "captions"} < set(FAMILIES)
    np.testing.assert_array_equal(found["pixels"], blind_scores(tables["pixels"], MEMBER, FOLDS))
    np.testing.assert_array_equal(found["captions"], caption_scores(CAPTIONS, MEMBER, FOLDS))
