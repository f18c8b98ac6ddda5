from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from privaudit.data import ImageFileInfo, Sample
from privaudit.data.reading import ImageReading
from privaudit.evaluation.facts import Check, fact
from privaudit.evaluation.image_reading import image_reading_check

PLAIN = Sample("id", Path("a.png"), file=ImageFileInfo("PNG", 8, 8, 100, "RGB"))
TURNED = replace(PLAIN, file=replace(PLAIN.file, orientation=6))
TRANSPARENT = replace(PLAIN, file=replace(PLAIN.file, transparent=True))
CROPPED = replace(PLAIN, crop_loss=0.11)
ENLARGED = replace(PLAIN, enlarged=True)
AUTO = ImageReading()


def check(*images: tuple[int, Sample], reading: ImageReading = AUTO) -> Check:
    """The check of twenty images, some of which are special, and of forty plain ones."""
    special = [sample for count, sample in images for _ in range(count)]
    return image_reading_check([special + [PLAIN] * (20 - len(special)), [PLAIN] * 40, []], reading)


@pytest.mark.parametrize(
    ("sample", "doubted", "counted", "stated"),
    [
        (TURNED, "images_may_be_turned", "images_turned", {"orientation": "upright"}),
        (TRANSPARENT, "transparency_may_differ", "images_transparent", {"transparency": "drop"}),
        (CROPPED, "crop_may_differ", "images_cropped", {"crop": "center"}),
    ],
)
def test_a_tenth_of_a_set_warns_unless_the_option_is_stated(
    sample: Sample, doubted: str, counted: str, stated: dict[str, str]
) -> None:
    assert check((2, sample)) == Check("image reading", "warn", (fact(doubted, images=2, total=60),))
    assert check((1, sample)) == Check("image reading", "ok", (fact(counted, images=1, total=60),))
    confirmed = check((20, sample), reading=ImageReading(**stated))
    assert confirmed == Check("image reading", "ok", (fact(counted, images=20, total=60),))


def test_enlarged_images_are_counted_and_an_ordinary_crop_is_not() -> None:
    assert check((20, ENLARGED)) == Check("image reading", "ok", (fact("images_enlarged", images=20, total=60),))
    assert check((20, replace(PLAIN, crop_loss=0.1))) == Check("image reading", "ok", (fact("images_read_alike"),))


def test_each_kind_is_said_once() -> None:
    noticed = check((5, TURNED), (1, CROPPED), (3, ENLARGED))
    assert noticed.status == "warn"
    assert [item.code for item in noticed.facts] == ["images_may_be_turned", "images_cropped", "images_enlarged"]
