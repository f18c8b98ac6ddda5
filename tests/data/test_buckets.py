from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from privaudit.data.buckets import bucket_size, bucket_sizes
from privaudit.errors import DataError

# From sd-scripts 48d368f (BucketManager.make_buckets, select_bucket with upscaling): width x height of an image, and of
# its bucket at 512 (256 to 1024), 1024 (256 to 1024) and 1024 (256 to 2048).
TRAINED = [
    ((4032, 3024), (576, 448), (1024, 768), (1152, 896)),
    ((3024, 4032), (448, 576), (768, 1024), (896, 1152)),
    ((6000, 4000), (640, 384), (1024, 704), (1216, 832)),
    ((1920, 1080), (640, 384), (1024, 576), (1344, 768)),
    ((1350, 1080), (576, 448), (1024, 832), (1152, 896)),
    ((3000, 1500), (704, 320), (1024, 512), (1408, 704)),
    ((640, 480), (576, 448), (1024, 768), (1152, 896)),
]


@pytest.mark.parametrize(("image", "small", "large", "longer"), TRAINED)
def test_buckets_are_those_of_the_trainer(
    image: tuple[int, int], small: tuple[int, int], large: tuple[int, int], longer: tuple[int, int]
) -> None:
    assert bucket_size(image[::-1], (512, 512), 64) == small[::-1]
    assert bucket_size(image[::-1], (1024, 1024), 64) == large[::-1]
    assert bucket_size(image[::-1], (1024, 1024), 64, 2048) == longer[::-1]


def test_a_small_base_has_buckets_too() -> None:
    assert bucket_sizes((32, 32), 16) == ((32, 16), (16, 32), (32, 32))
    assert bucket_size((32, 64), (32, 32), 16) == (16, 32)
    assert bucket_size((64, 32), (32, 32), 16) == (32, 16)


def test_an_image_of_a_bucket_keeps_its_size_although_another_has_the_ratio() -> None:
    assert {(256, 1024), (320, 320 * 2)} & set(bucket_sizes((512, 512), 64)) == {(256, 1024)}
    for size in bucket_sizes((512, 512), 64):
        assert bucket_size(size, (512, 512), 64) == size


@given(
    base=st.tuples(st.integers(16, 2048), st.integers(16, 2048)),
    step=st.sampled_from([8, 16, 32, 64]),
    image=st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
)
def test_sides_are_multiples_and_the_area_is_at_most_that_of_the_base(
    base: tuple[int, int], step: int, image: tuple[int, int]
) -> None:
    assume(base[0] * base[1] >= step * step)
    height, width = bucket_size(image, base, step)
    assert height % step == 0 == width % step
    assert 0 < height * width <= base[0] * base[1]


def test_a_step_that_is_too_large_says_so() -> None:
    with pytest.raises(DataError, match="expected a bucket step of at most 32 pixels, got 64"):
        bucket_size((9, 9), (32, 32), 64)
