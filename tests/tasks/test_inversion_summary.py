from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from privaudit.data import Sample, SampleSet, Skipped
from privaudit.inversion import OUTCOMES, SOLVERS, Inversion
from privaudit.model.target import TargetInfo
from privaudit.tasks.inversion_summary import ADVICE, print_inversion
from privaudit.tasks.inverting import InvertedSet

NAN = math.nan
HISTORIES = {
    "converged": [0.5, 0.1, 0.009, NAN, NAN, NAN],
    "budget spent": [0.5, 0.4, 0.3, 0.2, 0.1, 0.05],
    "stalled": [0.5, 0.4, 0.31, 0.31, 0.31, 0.31],
    "at rounding floor": [0.5, 0.4, 0.3, 0.2, 0.1, 0.0625],
    "diverged": [0.5, 6.0, NAN, NAN, NAN, NAN],
}


def a_set(
    names=tuple(OUTCOMES),
    target="model",
    name="image-{}.png",
    skipped=0,
    duplicates=0,
    solver="anderson:evaluations=6",
    **extra,
) -> InvertedSet:
    history = torch.tensor([HISTORIES[name] for name in names], dtype=torch.float32)
    count = len(names)
    inversion = Inversion(
        latents=torch.zeros(count, 4, 8, 8),
        encoded=torch.zeros(count, 4, 8, 8),
        residuals=history,
        pixel_residuals=2 * history,
        best=history.nan_to_num(nan=math.inf).argmin(dim=1),
        evaluations=(~history.isnan()).sum(dim=1),
        tolerance=0.01,
        diverged=torch.tensor([name == "diverged" for name in names]),
        floor=torch.tensor([0.07 if name == "at rounding floor" else NAN for name in names]),
    )
    inversion = replace(inversion, **extra)
    assert inversion.outcomes == tuple(names) or "residuals" in extra
    samples = tuple(Sample(f"{row:032x}", Path("images") / name.format(row)) for row in range(count))
    return InvertedSet(
        TargetInfo(target, "0" * 32, "1" * 32, "unconditional", "epsilon", (4, 8, 8), (3, 64, 64)),
        torch.float32,
        SOLVERS.build(solver),
        SampleSet(samples, tuple(Skipped(Path(f"{n}.png"), "broken") for n in range(skipped)), duplicates),
        inversion,
        1.25,
        Path("out"),
    )


def printed(found: InvertedSet, width: int = 120, files=("out/latents.safetensors", "out/inversion.csv")) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, color_system=None)
    print_inversion(found, [Path(name) for name in files], console)
    return stream.getvalue()


def quantiles(values) -> list[float]:
    """The least value, and those that half, 90 % and all of the values do not exceed; each is one of them."""
    ordered = sorted(float(value) for value in values)
    return [ordered[max(math.ceil(share * len(ordered)) - 1, 0)] for share in (0, 0.5, 0.9, 1)]


def row(text: str, label: str) -> list[float]:
    """The four numbers of a row of the table."""
    line = next(line for line in text.splitlines() if line.startswith(label))
    return [float(cell) for cell in line.split()[-4:]]


def test_every_outcome_is_counted_with_its_advice():
    names = ["converged"] * 4 + ["stalled"] * 3 + ["diverged"] * 2 + ["budget spent", "at rounding floor"]
    lines = printed(a_set(names), width=140).splitlines()
    for name, count in (("stalled", 3), ("diverged", 2), ("budget spent", 1), ("at rounding floor", 1)):
        assert f"{count:>6}  {name}: {ADVICE[name]}" in lines
    assert "     4  converged: relative residual of 0.01 reached" in lines
    assert any(line.strip() == "estimated effect of rounding on the residual: 0.07 (median)" for line in lines)
    assert lines[0].startswith("11 images inverted by anderson (evaluations 6, tolerance 0.01, memory 5")


def test_outcomes_that_did_not_happen_are_left_out():
    text = printed(a_set(["converged", "converged"]))
    assert "     2  converged" in text
    assert not any(name in text for name in OUTCOMES[1:])
    assert "Largest residuals" not in text
    assert set(ADVICE) == set(OUTCOMES[1:])


def test_quantiles_are_those_of_the_images():
    found = a_set()
    text = printed(found)
    wanted = quantiles(found.inversion.residual)
    assert wanted == pytest.approx([0.009, 0.0625, 0.5, 0.5])
    assert row(text, "relative residual, latent") == pytest.approx(wanted, rel=1e-3)
    assert row(text, "relative residual, pixel") == pytest.approx([2 * value for value in wanted], rel=1e-3)
    assert row(text, "  latent, encoder alone") == [0.5] * 4
    assert row(text, "  pixel, encoder alone") == [1.0] * 4
    assert row(text, "evaluations of E(D(z))") == pytest.approx([2, 6, 6, 6])


def test_only_what_is_known_has_a_row():
    text = printed(a_set())
    assert "NMSE" not in text
    assert "cocoercivity" not in text
    unknown = torch.full((5,), NAN)
    assert "NMSE" not in printed(a_set(nmse=unknown, cocoercivity=unknown))
    known = printed(
        a_set(
            nmse=torch.tensor([-10.0, -20.0, NAN, -30.0, -40.0]).double(),
            cocoercivity=torch.tensor([0.5, 0.25, -0.125, NAN, NAN]),
        )
    )
    assert row(known, "NMSE to the truth, dB") == [-40, -30, -10, -10]
    assert row(known, "cocoercivity") == [0.5, 0.25, -0.125, -0.125]  # here, large is good


def test_without_residuals_of_the_encoder_there_is_no_row_for_them():
    gradient = torch.full((2, 6), NAN)
    gradient[:, 5] = 0.1
    found = a_set(["stalled", "stalled"], residuals=gradient, best=torch.tensor([5, 5]))
    lines = printed(found).splitlines()
    (position,) = [number for number, line in enumerate(lines) if line.startswith("relative residual, latent")]
    assert lines[position + 1].startswith("relative residual, pixel")
    assert lines[position + 2].startswith("  pixel, encoder alone")


def test_one_known_residual_of_the_start_is_not_that_of_all_images():
    gradient = torch.full((3, 6), NAN)
    gradient[0, 0], gradient[1:, 5] = 0.3, 0.1
    text = printed(a_set(["stalled"] * 3, residuals=gradient, best=torch.tensor([0, 5, 5]), solver="gradient"))
    assert "relative residual, latent" in text
    assert "latent, encoder alone" not in text


def test_an_infinite_residual_leaves_the_other_quantiles():
    history = torch.tensor([[0.5, 0.2], [0.5, 0.1], [0.5, 0.3], [math.inf, NAN]])
    found = a_set(
        ["converged"] * 4,
        residuals=history,
        pixel_residuals=history,
        best=torch.tensor([1, 1, 1, 0]),
        diverged=torch.tensor([False, False, False, True]),
    )
    assert row(printed(found), "relative residual, latent") == pytest.approx([0.1, 0.2, math.inf, math.inf])


def test_an_exact_inverse_has_a_row():
    text = printed(a_set(nmse=torch.full((5,), -math.inf).double()))
    assert row(text, "NMSE to the truth, dB") == [-math.inf] * 4


def test_the_worst_images_are_named_worst_first():
    names = ["converged", "budget spent", "stalled", "diverged", "stalled", "stalled", "budget spent", "budget spent"]
    text = printed(a_set(names))
    listed = text.split("Largest residuals (ids, paths and all other images in inversion.csv)\n")[1]
    listed = listed.split("\n\n")[0].splitlines()
    assert len(listed) == 5
    assert [float(line.split()[0]) for line in listed] == pytest.approx([0.5, 0.31, 0.31, 0.31, 0.05])
    assert "diverged" in listed[0]
    assert listed[0].split()[-1] == "image-3.png"
    assert sorted(line.split()[-1] for line in listed[1:4]) == ["image-2.png", "image-4.png", "image-5.png"]
    assert all(line.index("image-") == listed[0].index("image-") for line in listed)
    assert not any("converged" in line for line in listed)


@pytest.mark.parametrize(
    ("solver", "advice"),
    [
        ("anderson:evaluations=6:tolerance=0", "all evaluations used, because the tolerance is 0"),
        ("encoder", "evaluated once, not iterated"),
    ],
)
def test_where_nothing_could_end_earlier_no_advice_and_no_worst_are_given(solver, advice):
    text = printed(a_set(["budget spent"] * 2, solver=solver, tolerance=SOLVERS.build(solver).tolerance))
    assert f"     2  budget spent: {advice}" in text.splitlines()
    assert ADVICE["budget spent"] not in text
    assert "Largest residuals" not in text
    assert "Largest residuals" in printed(a_set(["budget spent"] * 2))


def test_paths_are_printed_as_they_are():
    text = printed(a_set(name="[red]image-{}.png"), files=["[blue]out[/]/[/bold]x.csv"])
    assert " [red]image-2.png\n" in text
    assert "[blue]out[/]/[/bold]x.csv" in text


def test_the_targets_name_is_printed_as_it_is():
    text = printed(a_set(target="models/[red]x"))
    assert "target  models/[red]x\n" in text


def test_counts_of_images_and_files():
    text = printed(a_set(skipped=2, duplicates=3))
    assert text.endswith(
        "target  model\n"
        "latents 4x8x8, autoencoder in float32\n"
        "images  5 distinct, 3 copies dropped, 2 unreadable\n"
        "time    1.2 s\n"
        "files   out/latents.safetensors\n"
        "        out/inversion.csv\n"
    )
    assert "images  5 distinct, 0 copies dropped, 0 unreadable\n" in printed(a_set())


def test_80_columns_cut_nothing():
    found = a_set(nmse=torch.full((5,), -23.4567).double(), cocoercivity=torch.full((5,), -1.2345e-05))
    text = printed(found, width=80)
    outcomes, rest = text.split("\n\n", maxsplit=1)
    assert all(len(line) <= 80 for line in rest.splitlines())
    assert "…" not in text
    for name in OUTCOMES[1:]:  # not broken, so that the terminal breaks them
        assert f"     1  {name}: {ADVICE[name]}" in outcomes.splitlines()
    assert row(text, "NMSE to the truth, dB") == [-23.46] * 4
    assert row(text, "cocoercivity") == [-1.234e-05] * 4
    usual = printed(a_set(), width=80)
    assert row(usual, "relative residual, latent")[0] == 0.009
    assert "latent: ‖E(D(z))-E(x)‖/‖E(x)‖, pixel: ‖D(z)-x‖/‖x‖\n" in usual


def test_long_paths_stay_in_one_piece():
    path = "a/" + "rather-long-folder/" * 6 + "x.csv"
    text = printed(a_set(target="models/" + "x" * 100), width=80, files=[path, path])
    assert f"files   {path}\n        {path}\n" in text
    assert f"target  models/{'x' * 100}\n" in text


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_fits_80_columns(name):
    text = printed(a_set([name]), width=80).split("\n\n")[0]
    assert max(len(line) for line in text.splitlines()) <= 80
