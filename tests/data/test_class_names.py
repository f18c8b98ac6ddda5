from pathlib import Path

from privaudit.data.class_names import with_class_labels
from privaudit.data.listed import ListedImage, Listing


def listing(*names: str | None, label: int | None = None) -> Listing:
    return Listing("folder", tuple(ListedImage(Path("x"), class_name=name, class_label=label) for name in names))


def labels(listings: tuple[Listing, ...]) -> list[list[int | None]]:
    return [[entry.class_label for entry in part.entries] for part in listings]


def test_names_of_all_sets_are_numbered_together():
    """A class that one set lacks keeps its number in the other."""
    numbered, names = with_class_labels([listing("dog", "cat"), listing("owl", "cat")])
    assert labels(numbered) == [[1, 0], [2, 0]]
    assert names == ("cat", "dog", "owl")


def test_names_that_are_numbers_are_the_numbers():
    numbered, names = with_class_labels([listing("207", "7"), listing("000")])
    assert labels(numbered) == [[207, 7], [0]]
    assert names == ("000", "207", "7")  # which a trainer that sorts folders numbers 0, 1, 2


def test_numbers_in_the_order_of_their_names_are_no_guess():
    numbered, names = with_class_labels([listing("1", "0"), listing("2")])
    assert (labels(numbered), names) == ([[1, 0], [2]], ())


def test_labels_and_images_without_a_class_stay():
    numbered, names = with_class_labels([listing("dog", label=5), listing(None)])
    assert (labels(numbered), names) == ([[5], [None]], ())
