"""What the README says works, works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from models import save_small_pipeline, write_images
from typer.main import get_command

from privaudit.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (example,) = blocks("python")
    save_small_pipeline(tmp_path / "path" / "to" / "model")
    write_images(tmp_path / "trained-on", 20, seed=1)
    write_images(tmp_path / "never-seen", 20, seed=2)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert re.search(r"^sima, mask weighted: AUROC \d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]$", printed, flags=re.MULTILINE)
    assert (tmp_path / "runs" / "first" / "report.json").is_file()


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
