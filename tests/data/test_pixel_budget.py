"""Decoded pixels that stay in memory: how many, which, and that nothing else depends on them."""

from __future__ import annotations

import shutil

import numpy as np
from models import write_images

from privaudit.data import PixelBudget, load_images, read_set

SIZE = (8, 8)
BYTES = 8 * 8 * 3


def test_what_fits_is_counted_and_the_rest_is_left_out():
    budget, pixels = PixelBudget(2 * BYTES + 1), np.zeros((*SIZE, 3), np.uint8)
    assert budget.take(pixels) is pixels
    assert budget.take(pixels) is pixels
    assert budget.take(pixels) is None
    assert budget.bytes_left == 1


def test_a_set_holds_as_many_as_fit_and_copies_take_nothing(tmp_path):
    folder = write_images(tmp_path / "x", 4, side=8)
    first = sorted(folder.iterdir())[0]
    shutil.copy(first, folder / f"{first.stem}-copy.png")  # the second file that is read
    budget = PixelBudget(3 * BYTES)
    found = read_set(folder, SIZE, budget=budget)
    assert found.duplicates == 1
    assert [sample.pixels is not None for sample in found.samples] == [True, True, True, False]
    assert budget.bytes_left == 0
    assert found.samples == read_set(folder, SIZE).samples, "samples are compared by what they are, not by what is held"


def test_what_is_held_is_what_is_decoded_again(tmp_path):
    folder = write_images(tmp_path / "x", 4, side=8)
    none, some = (read_set(folder, SIZE, budget=PixelBudget(n * BYTES)).samples for n in (0, 2))
    np.testing.assert_array_equal(load_images(none, SIZE), load_images(some, SIZE))
    shutil.rmtree(folder)
    assert load_images(some[:2], SIZE).shape == (2, 3, *SIZE), "no file is opened for them"


def test_pixels_of_another_size_are_decoded_again(tmp_path):
    folder = write_images(tmp_path / "x", 1, side=8)
    wide = read_set(folder, (4, 8), budget=PixelBudget(10**6)).samples
    square = read_set(folder, SIZE).samples
    mixed = [type(wide[0])(square[0].id, square[0].path, pixels=wide[0].pixels)]
    np.testing.assert_array_equal(load_images(mixed, SIZE), load_images(square, SIZE))
