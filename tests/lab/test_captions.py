from pathlib import Path

import numpy as np
import pytest

from privaudit.data import Sample
from privaudit.lab.captions import caption_images, name_colour


def plain(*colours: tuple[float, float, float]) -> np.ndarray:
    """Images of one colour each, given in [0, 1]."""
    return np.stack([np.tile(np.array(colour, np.float32)[:, None, None] * 2 - 1, (1, 4, 4)) for colour in colours])


@pytest.mark.parametrize(
    ("path", "caption"),
    [
        ("photographs/chelsea/chelsea-03-12.png", "chelsea, row 3 column 12, red"),
        ("chelsea/anything.png", "chelsea, red"),
        ("night, sky/07.png", "night sky, red"),
        ("Old_Town/x-1.png", "old town, red"),
        ("/x-01-02.png", "row 1 column 2, red"),
        ("/x.png", "red"),
    ],
)
def test_a_caption_says_what_the_path_tells_and_the_colour(path: str, caption: str) -> None:
    assert caption_images([Sample("a", Path(path))], plain((1, 0, 0))) == (caption,)


def test_captions_stand_in_the_order_of_the_images_and_the_manifest_wins() -> None:
    samples = [Sample("a", Path("d/a.png")), Sample("b", Path("d/b.png"), "a cat"), Sample("c", Path("d/c.png"), "")]
    assert caption_images(samples, plain((0, 0, 1), (1, 0, 0), (1, 0, 0))) == ("d, blue", "a cat", "")


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((0, 0, 0), "dark grey"),
        ((1, 1, 1), "light grey"),
        ((0.5, 0.52, 0.5), "grey"),
        ((0.9, 0.1, 0.2), "red"),
        ((0.9, 0.1, 0.1), "red"),
        ((0.8, 0.4, 0), "orange"),
        ((0.9, 0.9, 0.1), "yellow"),
        ((0, 0.4, 0), "dark green"),
        ((0, 0.8, 0.7), "teal"),
        ((0.1, 0.2, 0.9), "blue"),
        ((0.8, 0.5, 0.95), "light purple"),
    ],
)
def test_colours(colour: tuple[float, float, float], name: str) -> None:
    assert name_colour(*colour) == name
