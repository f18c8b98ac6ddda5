from dataclasses import replace

import numpy as np
import pytest

from privaudit.data import ImageFileInfo
from privaudit.evaluation import Evaluation, assign_folds, blind_check, evaluate, sample_size_check
from privaudit.evaluation.checks import consistency_check, duplicate_check, file_check
from privaudit.evaluation.metrics import inflated_alpha

N = 200
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)


def check(blind: float, attack: float) -> str:
    rng = np.random.default_rng(0)
    scores = {
        "blind": rng.normal(size=2 * N) + blind * MEMBER,
        "a": rng.normal(size=2 * N) + attack * MEMBER,
        "b": rng.normal(size=2 * N),
    }
    return blind_check(evaluate(scores, MEMBER, FOLDS, replicates=300, learned=["blind"]), "blind", ["a", "b"]).status


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
        scores = {"blind": rng.normal(size=2 * N) + 0.2 * MEMBER}
        plain = evaluate(scores, MEMBER, FOLDS, replicates=100)
        if 0.5 < plain.metrics["blind"].auroc.lo < 0.51:
            careful = evaluate(scores, MEMBER, FOLDS, replicates=100, learned=["blind"])
            assert blind_check(careful, "blind", []).status != "fail"
            assert careful.metrics["blind"].auroc.lo < 0.5
            assert careful.metrics["blind"].auroc.value == plain.metrics["blind"].auroc.value
            assert careful.p_above_chance["blind"] > 2 * plain.p_above_chance["blind"]
            return
    raise AssertionError("no borderline sample was drawn")


def test_widened_error_of_five_folds_is_that_of_a_spread_of_three_halves() -> None:
    assert inflated_alpha(0.05, 5) == pytest.approx(0.00680, abs=1e-5)  # Phi(1.5 * -1.645)
    assert inflated_alpha(0.05, 2) < inflated_alpha(0.05, 5) < inflated_alpha(0.05, 10) < 0.05


def test_blind_without_attacks_or_images() -> None:
    result = evaluate({"blind": 3.0 * MEMBER}, MEMBER, FOLDS, replicates=50, learned=["blind"])
    assert blind_check(result, "blind", []).status == "fail"
    tiny = evaluate({"blind": [0.0, 1.0]}, [True, False], [0, 1], replicates=50, learned=["blind"])
    found = blind_check(tiny, "blind", [])
    assert found.status == "warn"
    assert "expected at least 2 members" in found.detail


def with_families(attack: float = 0.0, **shifts: float) -> Evaluation:
    rng = np.random.default_rng(0)
    blind = {f"blind/{family}": rng.normal(size=2 * N) + shift * MEMBER for family, shift in shifts.items()}
    scores = {**blind, "a": rng.normal(size=2 * N) + attack * MEMBER}
    return evaluate(scores, MEMBER, FOLDS, replicates=300, learned=list(blind))


class TestFamilies:
    def test_one_family_that_tells_is_named(self) -> None:
        found = with_families(pixels=0, files=3)
        check = blind_check(found, ["blind/pixels", "blind/files"], ["a"])
        assert check.status == "fail"
        assert "without the model, file properties alone reach an AUROC of 0.9" in check.detail
        assert "pixel" not in check.detail

    def test_a_family_without_a_limit_hides_no_other(self) -> None:
        rng = np.random.default_rng(0)
        scores = {"blind/pixels": rng.normal(size=2 * N) + 3.0 * MEMBER, "blind/files": np.zeros(2 * N)}
        found = evaluate(scores, MEMBER, FOLDS, replicates=100, learned=list(scores))
        check = blind_check(found, list(scores), [])
        assert check.status == "fail"
        assert "pixel, colour and frequency statistics alone" in check.detail
        nothing = blind_check(found, ["blind/files"], [])
        assert nothing.status == "warn"
        assert "all scores are equal" in nothing.detail

    def test_few_images_are_judged_by_ranks_and_never_called_alike(self) -> None:
        few = np.r_[0:8, N : N + 8]
        for shift, status in ((9.0, "fail"), (-0.4, "warn")):
            values = np.random.default_rng(0).normal(size=16) + shift * MEMBER[few]
            found = evaluate(
                {"blind/pixels": values}, MEMBER[few], FOLDS[few], replicates=100, learned=["blind/pixels"]
            )
            check = blind_check(found, ["blind/pixels"], [], "suspects")
            assert check.status == status
            said = "take suspects and non-members from one source" if status == "fail" else "too few images to say"
            assert said in check.detail

    def test_every_family_that_tells_is_named_the_strongest_first(self) -> None:
        check = blind_check(with_families(pixels=1, captions=3), ["blind/pixels", "blind/captions"], [])
        assert check.detail.index("captions alone") < check.detail.index("pixel, colour and frequency statistics 0.7")

    def test_an_attack_has_to_beat_the_strongest(self) -> None:
        names = ["blind/pixels", "blind/compression"]
        assert blind_check(with_families(attack=2, pixels=0.8, compression=0), names, ["a"]).status == "warn"
        assert blind_check(with_families(attack=2, pixels=0.8, compression=2.5), names, ["a"]).status == "fail"

    def test_limits_allow_for_the_number_of_families(self) -> None:
        # The first family alone would be called different, among eight it is not.
        rng = np.random.default_rng(0)
        others = {f"blind/other{i}": rng.normal(size=2 * N) for i in range(7)}
        for shift in np.linspace(0.3, 0.6, 31):
            scores = {"blind/pixels": np.random.default_rng(1).normal(size=2 * N) + shift * MEMBER, **others}
            found = evaluate(scores, MEMBER, FOLDS, replicates=100, learned=list(scores))
            if blind_check(found, ["blind/pixels"], []).status == "fail":
                assert blind_check(found, list(scores), []).status != "fail"
                return
        raise AssertionError("no shift was large enough")

    def test_an_interval_that_says_nothing_is_not_called_alike(self) -> None:
        few = np.r_[0:40, N : N + 40]
        values = np.random.default_rng(3).normal(size=80)
        found = evaluate({"blind/files": values}, MEMBER[few], FOLDS[few], replicates=100, learned=["blind/files"])
        assert found.metrics["blind/files"].auroc.lo < 0.5 < 0.65 < found.metrics["blind/files"].auroc.hi
        check = blind_check(found, ["blind/files"], [])
        assert check.status == "warn"
        assert f"AUROC up to {found.metrics['blind/files'].auroc.hi:.3f} agrees with these images" in check.detail

    def test_no_family_at_all(self) -> None:
        check = blind_check(with_families(), [], ["a"])
        assert check.status == "ok"
        assert "the same for all images" in check.detail

    def test_families_that_do_not_tell_are_listed(self) -> None:
        check = blind_check(with_families(pixels=0, compression=0, files=0), ["blind/pixels", "blind/files"], ["a"])
        assert check.status == "ok"
        assert check.detail.startswith("pixel, colour and frequency statistics and file properties do not tell")


class TestDuplicates:
    member = np.array([True, True, True, False, False])

    def test_none(self) -> None:
        check = duplicate_check(0, 3, [], self.member)
        assert check.status == "ok"
        assert check.detail == (
            "no picture is in both sets; 3 copies within a set were dropped; none looks like one of the other set"
        )

    def test_shared(self) -> None:
        check = duplicate_check(2, 0, [], self.member)
        assert check.status == "warn"
        assert "2 pictures were in both sets" in check.detail

    def test_look_alikes_across_and_within(self) -> None:
        check = duplicate_check(0, 0, [[0, 1], [1, 3], [2, 3]], self.member)
        assert check.status == "warn"
        assert "2 members look like one of 1 non-members" in check.detail
        assert "2 look like another of their own set" in check.detail
        assert duplicate_check(0, 0, [[0, 1], [3, 4]], self.member).status == "ok"


class TestFiles:
    png = ImageFileInfo("PNG", 32, 32, 2000, "RGB")

    def mixed(self, share: float, other: ImageFileInfo, n: int = 200) -> list[ImageFileInfo]:
        return [other] * round(share * n) + [self.png] * (n - round(share * n))

    def test_alike(self) -> None:
        check = file_check(self.mixed(0, self.png), self.mixed(0, self.png))
        assert (check.status, check.detail) == ("ok", "format, mode, tags and size are alike: 100% PNG")

    def test_format_in_words(self) -> None:
        jpeg = replace(self.png, format="JPEG", quantisation=300)
        check = file_check(self.mixed(0, jpeg), self.mixed(0.6, jpeg))
        assert check.status == "warn"
        assert "members are 100% PNG, non-members are 60% JPEG" in check.detail
        assert "sum of the JPEG quantisation table" in check.detail

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"mode": "L"}, "members are 50% L, non-members are 100% RGB"),
            ({"exif": True}, "members are 50% with EXIF tags, non-members are 100% without EXIF tags"),
            ({"icc": True}, "100% without a colour profile"),
            ({"width": 64}, "pixels: members 1536, non-members 1024 in the middle (AUROC 0.75)"),
            ({"bytes": 9000}, "bytes: members 5500, non-members 2000"),
        ],
    )
    def test_each_property(self, change: dict[str, object], words: str) -> None:
        check = file_check(self.mixed(0.5, replace(self.png, **change)), self.mixed(0, self.png))
        assert check.status == "warn"
        assert words in check.detail

    def test_what_is_not_significant_or_does_not_matter_is_not_said(self) -> None:
        jpeg = replace(self.png, format="JPEG")
        assert file_check(self.mixed(0.2, jpeg, 20), self.mixed(0, jpeg, 20)).status == "ok"
        assert file_check(self.mixed(0.03, jpeg, 20_000), self.mixed(0, jpeg, 20_000)).status == "ok"

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
        assert file_check([ImageFileInfo()] * 5, [self.png] * 5).status == "warn"
        assert file_check([], [self.png]).status == "warn"


def test_consistency() -> None:
    found = with_families(attack=1, pixels=0)
    assert consistency_check(found).status == "ok"
    wrong = replace(found.metrics["a"], auroc=replace(found.metrics["a"].auroc, value=0.0))
    check = consistency_check(replace(found, metrics={**found.metrics, "a": wrong}))
    assert check.status == "fail"
    assert "a rate of a; please report" in check.detail


def test_sample_size() -> None:
    assert sample_size_check(1, 100).status == "fail"
    assert sample_size_check(100, 10_000).status == "ok"
    few = sample_size_check(500, 500)
    assert few.status == "warn"
    assert "1 % FPR rests on 5 expected false positives, 1000 non-members would give 10" in few.detail
    assert "0.1 % FPR is not reported, 10000 non-members" in few.detail
    assert "infinitely many" in sample_size_check(10, 10, (0.0,)).detail
