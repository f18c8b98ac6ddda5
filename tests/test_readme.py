"""What the README says works, works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from results import make_result
from typer.main import get_command

from privaudit.cli import app
from privaudit.report.sentences.lines import gate_lines, opening_lines
from privaudit.report.sentences.overall import headline

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120
    assert len(README.split()) <= 900


def test_the_box_is_what_the_demo_prints() -> None:
    """Every sentence of the box is one that the report composes; its numbers are those of one run."""
    (box,) = re.findall(r"^╭.*?╯", README, flags=re.DOTALL | re.MULTILINE)
    said = " ".join(re.sub(r"[│╭╮╯╰─]", " ", box).split())
    results = [make_result(strength=2.0, images=images) for images in (400, 600)]  # the first by a learned score
    lines = [line for result in results for line in (headline(result), *opening_lines(result), *gate_lines(result))]
    named = r"combined|mirror|sima|(?:no|weighted|influence) mask|at least|tells|recognises|pairs apart"
    numbers = re.compile(rf"\d[\d.]*|{named}|[().,;]")
    words = {word for line in lines for word in numbers.sub(" ", line).split()}
    unknown = {word for word in numbers.sub(" ", said).split() if word not in words}
    assert unknown <= {"privaudit:", "target"}, unknown


def test_every_option_in_a_command_exists():
    commands = get_command(app).commands
    used = r"privaudit (scan|sweep|demo|attacks|invert|origin|solvers|geometry|estimators)((?: [^\n`|#]+)?)"
    for name, rest in re.findall(used, "\n".join(blocks("")) + README):
        known = {option for parameter in commands[name].params for option in parameter.opts} | {"--help"}
        for option in re.findall(r"(?<!\S)--[a-z-]+", rest):
            assert option in known, f"privaudit {name} has no {option}"


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def test_every_link_to_a_file_leads_somewhere():
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name} links {link}"


def test_installs_are_constrained():
    for name in ("README.md", "CONTRIBUTING.md", "Makefile"):
        for line in (ROOT / name).read_text().splitlines():
            installs = re.search(r"pip install\b|^INSTALL :=", line)
            assert not installs or "-c constraints.txt" in line, f"{name}: an install without constraints: {line}"
    assert "pip install" in README
    assert "INSTALL := " in (ROOT / "Makefile").read_text()
