import pytest

from privaudit.auditing.image_options import ImageOptions
from privaudit.data.reading import ImageReading
from privaudit.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "step", "longest"), [(64, 64, None), ("64", 64, None), ("64:2048", 64, 2048), ((32, None), 32, None)]
)
def test_buckets_are_written_as_they_are_read(value, step, longest):
    options = ImageOptions.parse(target="model", buckets=value)
    assert options.reading == ImageReading(buckets=step, bucket_max=longest)
    assert ImageOptions.parse(target="model", buckets=options.texts()["buckets"]) == options


@pytest.mark.parametrize("value", ["0", "64:32", "x", "64:128:256", "-8", "1.5"])
def test_other_buckets_are_refused(value):
    with pytest.raises(ConfigError, match="expected --buckets as STEP or STEP:MAX in pixels, as in 64 or 64:2048, got"):
        ImageOptions.parse(target="model", buckets=value)


def test_an_unknown_word_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="expected orientation to be one of auto, upright, stored, got storred"):
        ImageOptions.parse(target="model", orientation="storred")
