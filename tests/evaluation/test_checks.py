from dataclasses import replace

import numpy as np
import pytest

from privaudit.data import ImageFileInfo
from privaudit.evaluation import Check, Evaluation, Fact, assign_folds, blind_check, evaluate, fact, sample_size_check
from privaudit.evaluation.checks import BLIND, consistency_check, duplicate_check, file_check
from privaudit.evaluation.metrics import inflated_alpha
from privaudit.report.sentences.fact_text import facts_text

N = 200
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)
A, B = ("a", "none"), ("b", "none")
PIXELS, FILES = (BLIND, "pixels"), (BLIND, "files")


def codes(check: Check) -> list[str]:
    """What a check noticed, in order."""
    return [noticed.code for noticed in check.facts]


def check(blind: float, attack: float) -> str:
    rng = np.random.default_rng(0)
    scores = {
        PIXELS: rng.normal(size=2 * N) + blind * MEMBER,
        A: rng.normal(size=2 * N) + attack * MEMBER,
        B: rng.normal(size=2 * N),
    }
    return blind_check(evaluate(scores, MEMBER, FOLDS, replicates=300, learned=[PIXELS]), [PIXELS], [A, B]).status


def test_blind_rule() -> None:
    assert check(blind=0, attack=2) == "ok"
    assert check(blind=-2, attack=2) == "ok"
    assert check(blind=1, attack=0) == "fail"
    assert check(blind=1, attack=1) == "fail"
    assert check(blind=1, attack=3) == "warn"


def test_blind_interval_allows_for_shared_training_images() -> None:
    # An AUROC 2.3 standard errors above .5: the interval of independent scores excludes .5, that of out-of-fold ones
    # does not.
    rng = np.random.default_rng(0)
    for _ in range(100):
        scores = {PIXELS: rng.normal(size=2 * N) + 0.2 * MEMBER}
        plain = evaluate(scores, MEMBER, FOLDS, replicates=100)
        if 0.5 < plain.metrics[PIXELS].auroc.lo < 0.51:
            careful = evaluate(scores, MEMBER, FOLDS, replicates=100, learned=[PIXELS])
            assert blind_check(careful, [PIXELS], []).status != "fail"
            assert careful.metrics[PIXELS].auroc.lo < 0.5
            assert careful.metrics[PIXELS].auroc.value == plain.metrics[PIXELS].auroc.value
            assert careful.p_above_chance[PIXELS] > 2 * plain.p_above_chance[PIXELS]
            return
    raise AssertionError("no borderline sample was drawn")


def test_widened_error_of_five_folds_is_that_of_a_spread_of_three_halves() -> None:
    assert inflated_alpha(0.05, 5) == pytest.approx(0.00680, abs=1e-5)  # Phi(1.5 * -1.645)
    assert inflated_alpha(0.05, 2) < inflated_alpha(0.05, 5) < inflated_alpha(0.05, 10) < 0.05


def test_blind_without_attacks_or_images() -> None:
    result = evaluate({PIXELS: 3.0 * MEMBER}, MEMBER, FOLDS, replicates=50, learned=[PIXELS])
    assert blind_check(result, [PIXELS], []).status == "fail"
    tiny = evaluate({PIXELS: [0.0, 1.0]}, [True, False], [0, 1], replicates=50, learned=[PIXELS])
    found = blind_check(tiny, [PIXELS], [])
    assert found.status == "warn"
    assert found.facts == (fact("blind_not_measured"), fact("too_few_independent", units=1))


def with_families(attack: float = 0.0, **shifts: float) -> Evaluation[tuple[str, str]]:
    rng = np.random.default_rng(0)
    blind = {(BLIND, family): rng.normal(size=2 * N) + shift * MEMBER for family, shift in shifts.items()}
    scores = {**blind, A: rng.normal(size=2 * N) + attack * MEMBER}
    return evaluate(scores, MEMBER, FOLDS, replicates=300, learned=list(blind))


class TestFamilies:
    def test_one_family_that_tells_is_named(self) -> None:
        found = with_families(pixels=0, files=3)
        check = blind_check(found, [PIXELS, FILES], [A])
        assert check.status == "fail"
        assert codes(check) == ["blind_told_apart", "no_attack_exceeds_blind"]
        values = check.facts[0].values
        assert values["family"] == "files"
        assert values["auroc"] == found.metrics[FILES].auroc.value > 0.9
        assert 0.5 < values["lower"] < found.metrics[FILES].auroc.lo  # corrected for two families

    def test_a_family_without_a_limit_hides_no_other(self) -> None:
        rng = np.random.default_rng(0)
        scores = {PIXELS: rng.normal(size=2 * N) + 3.0 * MEMBER, FILES: np.zeros(2 * N)}
        found = evaluate(scores, MEMBER, FOLDS, replicates=100, learned=list(scores))
        check = blind_check(found, list(scores), [])
        assert check.status == "fail"
        assert codes(check) == ["blind_told_apart", "no_attack_exceeds_blind"]
        assert check.facts[0].values["family"] == "pixels"
        nothing = blind_check(found, [FILES], [])
        assert nothing.status == "warn"
        assert nothing.facts == (fact("blind_not_measured"), fact("all_scores_equal"))

    def test_few_images_are_judged_by_ranks_and_never_called_alike(self) -> None:
        few = np.r_[0:8, N : N + 8]
        for shift, status in ((9.0, "fail"), (-0.4, "warn")):
            values = np.random.default_rng(0).normal(size=16) + shift * MEMBER[few]
            found = evaluate({PIXELS: values}, MEMBER[few], FOLDS[few], replicates=100, learned=[PIXELS])
            check = blind_check(found, [PIXELS], [])
            assert check.status == status
            area, p = found.metrics[PIXELS].auroc.value, found.p_above_chance[PIXELS]
            if status == "fail":
                assert codes(check) == ["blind_told_apart_by_rank", "no_attack_exceeds_blind"]
                assert check.facts[0].values == {"family": "pixels", "auroc": area, "p": p}
                assert p <= 0.025
                assert "take suspects and non-members from one source" in facts_text(check.facts, "suspects")
            else:
                assert check.facts == (fact("blind_too_few", auroc=area),)

    def test_every_family_that_tells_is_named_the_strongest_first(self) -> None:
        check = blind_check(with_families(pixels=1, captions=3), [PIXELS, (BLIND, "captions")], [])
        assert codes(check) == ["blind_told_apart"] * 2 + ["no_attack_exceeds_blind"]
        strong, weak = (noticed.values for noticed in check.facts[:2])
        assert (strong["family"], weak["family"]) == ("captions", "pixels")
        assert strong["auroc"] > 0.9 > 0.8 > weak["auroc"] > 0.7

    def test_an_attack_has_to_beat_the_strongest(self) -> None:
        names = [PIXELS, (BLIND, "compression")]
        found = with_families(attack=2, pixels=0.8, compression=0)
        beaten = blind_check(found, names, [A])
        assert beaten.status == "warn"
        assert codes(beaten) == ["blind_told_apart", "attack_exceeds_blind"]
        values = beaten.facts[-1].values
        assert (values["attack"], values["mask"]) == A
        assert values["gain"] == pytest.approx(found.metrics[A].auroc.value - found.metrics[PIXELS].auroc.value)
        assert 0.0 < values["lo"] < values["gain"] < values["hi"]
        found = with_families(attack=2, pixels=0.8, compression=2.5)
        check = blind_check(found, names, [A])
        assert check.status == "fail"
        assert codes(check) == ["blind_told_apart", "blind_told_apart", "no_attack_exceeds_blind"]

    def test_limits_allow_for_the_number_of_families(self) -> None:
        # The first family alone would be called different, among eight it is not.
        rng = np.random.default_rng(0)
        others = {(BLIND, f"other {i}"): rng.normal(size=2 * N) for i in range(7)}
        for shift in np.linspace(0.3, 0.6, 31):
            scores = {PIXELS: np.random.default_rng(1).normal(size=2 * N) + shift * MEMBER, **others}
            found = evaluate(scores, MEMBER, FOLDS, replicates=100, learned=list(scores))
            if blind_check(found, [PIXELS], []).status == "fail":
                assert blind_check(found, list(scores), []).status != "fail"
                return
        raise AssertionError("no shift was large enough")

    def test_an_interval_that_says_nothing_is_not_called_alike(self) -> None:
        few = np.r_[0:40, N : N + 40]
        values = np.random.default_rng(3).normal(size=80)
        found = evaluate({FILES: values}, MEMBER[few], FOLDS[few], replicates=100, learned=[FILES])
        assert found.metrics[FILES].auroc.lo < 0.5 < 0.65 < found.metrics[FILES].auroc.hi
        check = blind_check(found, [FILES], [])
        assert check.status == "warn"
        area = found.metrics[FILES].auroc
        assert check.facts == (fact("blind_not_ruled_out", auroc=area.value, upper=area.hi),)

    def test_no_family_at_all(self) -> None:
        check = blind_check(with_families(), [], [A])
        assert check.status == "ok"
        assert check.facts == (fact("nothing_to_tell_apart"),)

    def test_families_that_do_not_tell_are_summed_up_by_their_largest_values(self) -> None:
        found = with_families(pixels=0, compression=0, files=0)
        check = blind_check(found, [PIXELS, FILES], [A])
        assert check.status == "ok"
        areas = [found.metrics[name].auroc for name in (PIXELS, FILES)]
        largest, upper = max(area.value for area in areas), max(area.hi for area in areas)
        assert check.facts == (fact("blind_not_told_apart", auroc=largest, upper=upper),)


class TestDuplicates:
    member = np.array([True, True, True, False, False])

    def test_none(self) -> None:
        check = duplicate_check(0, 3, [], self.member)
        assert check.status == "ok"
        assert check.facts == (
            fact("in_both_sets", images=0),
            fact("copies_dropped", images=3),
            fact("look_alike_across", positives=0, nonmembers=0),
        )

    def test_shared(self) -> None:
        check = duplicate_check(2, 0, [], self.member)
        assert check.status == "warn"
        assert check.facts[0] == fact("in_both_sets", images=2)

    def test_look_alikes_across_and_within(self) -> None:
        check = duplicate_check(0, 0, [[0, 1], [1, 3], [2, 3]], self.member)
        assert check.status == "warn"
        assert check.facts[2:] == (
            fact("look_alike_across", positives=2, nonmembers=1),
            fact("many_look_alikes_across", fraction=2 / 3),
            fact("look_alike_within", images=2),
            fact("look_alikes_share_folds"),
        )
        within = duplicate_check(0, 0, [[0, 1], [3, 4]], self.member)
        assert within.status == "ok"
        assert within.facts[2:] == (
            fact("look_alike_across", positives=0, nonmembers=0),
            fact("look_alike_within", images=4),
            fact("look_alikes_share_folds"),
        )

    @pytest.mark.parametrize(("alike", "many"), [(9, False), (10, True)])
    def test_a_tenth_of_a_set_is_many(self, alike: int, many: bool) -> None:
        member = np.arange(300) < 200
        check = duplicate_check(0, 0, [[i, 200 + i] for i in range(alike)], member)
        facts = [each for each in check.facts if each.code == "many_look_alikes_across"]
        assert facts == ([fact("many_look_alikes_across", fraction=0.1)] if many else [])


def kinds_differ(what: str, positives: str, nonmembers: str) -> Fact:
    """Half of the members are of another kind than all non-members."""
    return fact(
        "file_kinds_differ",
        property=what,
        positives=positives,
        positives_fraction=0.5,
        nonmembers=nonmembers,
        nonmembers_fraction=1.0,
    )


def numbers_differ(what: str, positives: float, nonmembers: float) -> Fact:
    """Half of the members are larger than all non-members."""
    return fact("file_numbers_differ", property=what, positives=positives, nonmembers=nonmembers, auroc=0.75)


class TestFiles:
    png = ImageFileInfo("PNG", 32, 32, 2000, "RGB")

    def mixed(self, share: float, other: ImageFileInfo, n: int = 200) -> list[ImageFileInfo]:
        return [other] * round(share * n) + [self.png] * (n - round(share * n))

    def test_alike(self) -> None:
        check = file_check(self.mixed(0, self.png), self.mixed(0, self.png))
        assert check.status == "ok"
        assert check.facts == (fact("files_alike", format="PNG", fraction=1.0),)

    def test_format_and_what_comes_with_it(self) -> None:
        jpeg = replace(self.png, format="JPEG", quantisation=300)
        check = file_check(self.mixed(0, jpeg), self.mixed(0.6, jpeg))
        assert check.status == "warn"
        kinds, table = check.facts
        assert kinds == fact(
            "file_kinds_differ",
            property="format",
            positives="PNG",
            positives_fraction=1.0,
            nonmembers="JPEG",
            nonmembers_fraction=0.6,
        )
        assert table == fact(
            "file_numbers_differ",
            property="sum of the JPEG quantisation table",
            positives=0.0,
            nonmembers=300.0,
            auroc=0.8,
        )

    @pytest.mark.parametrize(
        ("change", "noticed"),
        [
            ({"mode": "L"}, kinds_differ("mode", "L", "RGB")),
            ({"exif": True}, kinds_differ("EXIF tags", "with EXIF tags", "without EXIF tags")),
            ({"icc": True}, kinds_differ("colour profile", "with a colour profile", "without a colour profile")),
            ({"orientation": 6}, kinds_differ("orientation", "with orientation tag 6", "stored upright")),
            (
                {"transparent": True},
                kinds_differ("transparency", "with transparent pixels", "without transparent pixels"),
            ),
            ({"width": 64, "height": 64}, numbers_differ("pixels", 2560.0, 1024.0)),
            ({"bytes": 9000}, numbers_differ("bytes", 5500.0, 2000.0)),
        ],
    )
    def test_each_property(self, change: dict[str, object], noticed: Fact) -> None:
        check = file_check(self.mixed(0.5, replace(self.png, **change)), self.mixed(0, self.png))
        assert check == Check("file properties", "warn", (noticed,))

    def test_what_is_not_significant_or_does_not_matter_is_not_said(self) -> None:
        jpeg = replace(self.png, format="JPEG")
        assert file_check(self.mixed(0.2, jpeg, 20), self.mixed(0, jpeg, 20)).status == "ok"
        assert file_check(self.mixed(0.03, jpeg, 20_000), self.mixed(0, jpeg, 20_000)).status == "ok"

    def test_the_same_number_of_pixels_in_another_shape(self):
        wide, high = (replace(self.png, width=width, height=height) for width, height in ((64, 32), (32, 64)))
        check = file_check([wide] * 40, [high] * 40)
        assert [fact.values["property"] for fact in check.facts] == ["aspect ratio"]

    def test_chance_alone(self) -> None:
        rng = np.random.default_rng(0)

        def drawn() -> list[ImageFileInfo]:
            kinds = rng.choice(["PNG", "JPEG", "WEBP"], 100)
            return [
                ImageFileInfo(str(kind), int(rng.integers(30, 50)), 32, int(rng.integers(100, 900)), "RGB")
                for kind in kinds
            ]

        assert sum(file_check(drawn(), drawn()).status == "warn" for _ in range(200)) <= 7  # P(more than 7) = .1 %

    def test_nothing_known(self) -> None:
        unknown = Check("file properties", "warn", (fact("file_info_unknown"),))
        assert file_check([ImageFileInfo()] * 5, [self.png] * 5) == unknown
        assert file_check([], [self.png]) == unknown


def test_consistency() -> None:
    found = with_families(attack=1, pixels=0)
    assert consistency_check(found) == Check("consistency", "ok", (fact("rates_consistent", scores=2),))
    wrong = replace(found.metrics[A], auroc=replace(found.metrics[A].auroc, value=0.0))
    check = consistency_check(replace(found, metrics={**found.metrics, A: wrong}))
    assert check == Check("consistency", "fail", (fact("rate_contradicts_auroc", attack="a", mask="none"),))


def test_sample_size() -> None:
    tiny = sample_size_check(1, 100)
    assert tiny == Check("sample size", "fail", (fact("set_too_small", positives=1, nonmembers=100),))
    many = sample_size_check(100, 10_000)
    assert many == Check("sample size", "ok", (fact("set_sizes", positives=100, nonmembers=10_000),))
    few = sample_size_check(500, 500)
    assert few.status == "warn"
    assert few.facts == (
        fact("set_sizes", positives=500, nonmembers=500),
        fact("rate_rests_on_few", fpr=0.01, expected=5.0, needed=1000),
        fact("rate_not_reported", fpr=0.001, needed=10_000),
    )
    enough = sample_size_check(1000, 1000)
    assert enough.status == "ok"  # every rate down to 1 % is well supported; the one at 0.1 % is a notice
    assert enough.facts[1:] == (fact("rate_rests_on_few", fpr=0.001, expected=1.0, needed=10_000),)
    assert sample_size_check(999, 999).status == sample_size_check(999, 999, (0.001,)).status == "warn"
    none = sample_size_check(10, 10, (0.0,))
    assert none == Check("sample size", "warn", (fact("set_sizes", positives=10, nonmembers=10), fact("rate_at_zero")))
