from dataclasses import replace

import pytest

from privaudit.auditing.assess.set_checks import CAPTIONS, CLASSES, KINDS, LEFT_OUT, set_checks
from privaudit.data.layouts import CaptionChoices
from privaudit.data.listed import LeftOutKind
from privaudit.evaluation.doubts import DOUBTS
from privaudit.evaluation.facts import Check
from privaudit.report.sentences.fact_text import facts_text
from privaudit.results.data_report import LeftOutReport, SetReport

NONE = SetReport("members", "folder", 20, 0, 20, 0, 0, "", "", ())
EMPTY = replace(NONE, uncaptioned=0, caption_source="--caption")
FULL = replace(NONE, captioned=20, uncaptioned=0, caption_source=".txt files")


def checks(*sets: SetReport, choices: CaptionChoices | None = None, takes_captions: bool = True) -> dict[str, Check]:
    made = set_checks(sets, choices or CaptionChoices(), takes_captions=takes_captions)
    return {check.name: check for check in made}


def codes(check: Check) -> list[str]:
    return [fact.code for fact in check.facts]


def test_captions_for_every_image_are_in_order():
    check = checks(FULL, replace(FULL, several_captions=1, cut_captions=1))[CAPTIONS]
    assert (check.status, codes(check)) == ("ok", ["captions_read", "captions_several", "captions_cut"])
    assert facts_text(check.facts) == (
        "40 of 40 images with a caption, from .txt files; 1 image with several captions, of which the first was used; "
        "1 of 40 captions longer than the text encoder reads; it reads the beginning"
    )


def test_no_caption_at_all_is_not_passed_over():
    check = checks(NONE, NONE)[CAPTIONS]
    assert (check.status, codes(check)) == ("warn", ["captions_absent"])


def test_the_user_may_say_that_there_were_no_captions():
    check = checks(EMPTY, EMPTY, choices=CaptionChoices(""))[CAPTIONS]
    assert (check.status, codes(check)) == ("ok", ["captions_left_empty"])


@pytest.mark.parametrize(("missing", "status"), [(0, "ok"), (1, "ok"), (4, "warn")])
def test_a_tenth_without_captions_is_too_much(missing: int, status: str):
    assert checks(FULL, replace(FULL, captioned=20 - missing, uncaptioned=missing))[CAPTIONS].status == status


def test_a_small_set_without_captions_is_noticed_next_to_a_large_one():
    check = checks(NONE, replace(FULL, images=1000, captioned=1000))[CAPTIONS]
    assert (check.status, codes(check)[0]) == ("warn", "captions_missing")


@pytest.mark.parametrize(
    ("source", "several", "column", "status"),
    [(".txt files", 2, None, "warn"), (".txt files", 1, None, "ok"), (".txt files", 9, ".txt", "ok"),
     ("column text", 9, None, "ok")],
)  # fmt: skip
def test_lines_of_files_may_be_one_caption_unless_the_user_says_otherwise(source, several, column, status):
    part = replace(FULL, several_captions=several, caption_source=source)
    check = checks(FULL, part, choices=CaptionChoices(column=column))[CAPTIONS]
    assert check.status == status
    assert ("caption_lines_may_be_one" in codes(check)) is (status == "warn")


@pytest.mark.parametrize(("cut", "column", "status"), [(2, None, "warn"), (1, None, "ok"), (20, ".txt", "ok")])
def test_a_trainer_may_have_read_more_of_long_captions(cut, column, status):
    check = checks(FULL, replace(FULL, cut_captions=cut), choices=CaptionChoices(column=column))[CAPTIONS]
    assert check.status == status
    assert ("captions_may_be_longer" in codes(check)) is (status == "warn")


def test_empty_captions_are_not_missing():
    assert checks(FULL, replace(FULL, captioned=5))[CAPTIONS].status == "ok"


def test_captions_that_are_not_used_warn_unless_chosen():
    unused = replace(NONE, unused_captions="column text")
    assert codes(checks(unused)[CAPTIONS]) == ["captions_not_used", "captions_absent"]
    both = replace(FULL, unused_captions="column text")
    assert (checks(both)[CAPTIONS].status, codes(checks(both)[CAPTIONS])[0]) == ("warn", "captions_not_used")
    for choices in (CaptionChoices(column="caption"), CaptionChoices("a dog")):
        assert checks(both, choices=choices)[CAPTIONS].status == "ok"


def test_a_model_without_captions_has_no_check_of_them():
    assert checks(NONE, takes_captions=False) == {}


def test_numbered_classes_warn():
    (check,) = set_checks([NONE], CaptionChoices(), ["cat", "dog", "owl"], takes_captions=False)
    assert (check.name, check.status) == (CLASSES, "warn")
    text = facts_text(check.facts)
    assert text.startswith("3 classes without a number were numbered from 0")
    assert "owl" not in text, "names of folders may be private"


def test_folders_named_by_numbers_warn():
    (check,) = set_checks([NONE], CaptionChoices(), ["1", "10", "2"], takes_captions=False)
    assert (check.status, codes(check)) == ("warn", ["class_names_are_numbers"])
    assert set(codes(check)) <= DOUBTS


@pytest.mark.parametrize(
    ("kind", "suffix", "status"),
    [
        ("mask", "", "ok"), ("cached latents", ".npz", "ok"), ("regularisation", "", "ok"),
        ("other format", ".txt", "ok"), ("other format", ".psd", "warn"), ("video", ".mp4", "warn"),
        ("container", ".tar", "warn"), ("not in metadata", ".png", "warn"), ("empty row", "", "warn"),
        ("unsafe name", "", "warn"),
    ],
)  # fmt: skip
def test_what_may_have_been_an_image_warns(kind: str, suffix: str, status: str):
    part = replace(NONE, left_out=(LeftOutReport(kind, suffix, 2),))
    check = checks(part, replace(part, name="nonmembers"), takes_captions=False)[LEFT_OUT]
    assert check.status == status
    assert facts_text(check.facts).startswith("4 ")


def test_every_kind_has_a_fact():
    assert set(KINDS) == set(LeftOutKind.__args__)
