"""The site and the examples for CI: commands exist, links hold, pictures are those that the script draws."""

from __future__ import annotations

import importlib.util
import inspect
import os
import pydoc
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from actions import ROOT, read_yaml
from typer.main import get_command

import privaudit
from privaudit.cli import app
from privaudit.report.sentences import overall

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
EXAMPLES = sorted((ROOT / "examples" / "ci").iterdir())


@pytest.fixture(scope="module")
def site():
    """The scripts that build the site, which import each other by name."""
    sys.path.insert(0, str(DOCS / "site"))
    yield importlib.import_module
    sys.path.remove(str(DOCS / "site"))
    for path in (DOCS / "site").glob("*.py"):
        sys.modules.pop(path.stem, None)


def find(words: list[str]):
    """The command that words name, or None."""
    command = get_command(app)
    for word in words:
        if not hasattr(command, "commands"):
            break
        command = command.commands.get(word)
        if command is None:
            return None
    return command


def written_commands(text: str) -> list[str]:
    """Every `privaudit ...` in code, joined where it goes on over lines."""
    joined = re.sub(r"\\?\n +(?=--)", " ", text)
    fence = re.compile(r"^ *```(\w*)\n(.*?)^ *```", flags=re.DOTALL | re.MULTILINE)
    code = [block for language, block in fence.findall(joined) if language != "python"]
    lines = [line for block in code for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", fence.sub("", joined))
    return [found[0] for line in lines if (found := re.search(r"(?<![\w./-])privaudit [a-z][^#|]*", line))]


def assert_command_exists(line: str, where: str) -> None:
    words = line.split()[1:]
    if words[0] == "config" and len(words) > 1 and find(words[1:2]):
        words = words[1:]  # it shows the options of another command
    command = find([word for word in words if re.fullmatch(r"[a-z]+", word)])
    assert command is not None, f"{where}: there is no {line}"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", line):
        assert option in known, f"{where}: {line} has no {option}"


WITH_COMMANDS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(path):
    for line in written_commands(path.read_text()):
        assert_command_exists(line, path.name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_key_of_a_configuration_exists(path):
    known = {option for parameter in find(["scan"]).params for option in parameter.opts} | {"target"}
    for block in re.findall(r"^```toml\n(.*?)^```", path.read_text(), flags=re.DOTALL | re.MULTILINE):
        for key in tomllib.loads(block):
            assert key in known or f"--{key}" in known, f"{path.name}: there is no option {key}"


def test_the_search_for_commands_sees_them():
    text = (
        "`privaudit scan x --nope` and\n```\nprivaudit scan model \\\n    --members a --wrong b   # --not-this\n```\n"
    )
    assert written_commands(text) == ["privaudit scan model  --members a --wrong b   ", "privaudit scan x --nope"]
    with pytest.raises(AssertionError, match="--wrong"):
        assert_command_exists(written_commands(text)[0], "here")
    with pytest.raises(AssertionError, match="there is no"):
        assert_command_exists("privaudit scam x", "here")


class TestPages:
    def test_all_are_in_the_navigation_and_nothing_else(self):
        text = (ROOT / "mkdocs.yml").read_text()
        named = re.findall(r": ([\w/-]+\.md)$", text, flags=re.MULTILINE)
        assert sorted(named) == sorted(str(path.relative_to(DOCS)) for path in PAGES)

    @pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
    def test_pictures_are_described(self, path):
        for alternative, target in re.findall(r"!\[(.*?)\]\((.*?)\)", path.read_text(), flags=re.DOTALL):
            assert len(alternative) > 20, f"{target} has no description"

    def test_pictures_are_those_that_the_script_draws(self, site, tmp_path):
        pictures = site("pictures")
        for name, draw in pictures.PICTURES.items():
            pictures.save(draw(), tmp_path / f"{name}.svg")
            kept = pictures.FOLDER / f"{name}.svg"
            assert kept.read_text() == (tmp_path / kept.name).read_text(), f"run python docs/site/pictures.py: {name}"

    def test_pictures_follow_the_scheme_and_load_nothing(self, site):
        ink = site("ink")
        for path in (DOCS / "pictures").glob("*.svg"):
            text = path.read_text()
            assert "prefers-color-scheme:dark" in text
            assert not re.search(r'(href|src)="(?!#)|url\((?!#)|@import', text)
            assert not [colour for colour in vars(ink.STAND_IN).values() if colour in text]

    def test_the_reference_has_every_public_name(self):
        text = (DOCS / "api.md").read_text()
        shown = re.findall(r"^::: (\S+)(?:\n    options:\n      members: \[(.*)\])?$", text, flags=re.MULTILINE)
        documented = []
        for place, members in shown:
            found = pydoc.locate(place)
            assert found is not None, f"there is no {place}"
            documented += [getattr(found, name.strip()) for name in members.split(",")] if members else [found]
        for name in set(privaudit.__all__) - {"PrivauditError", "__version__"}:
            assert getattr(privaudit, name) in documented, f"{name} is not in docs/api.md"

    def test_the_quick_start_quotes_the_demo_as_the_readme_does(self):
        def plain(text):
            return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())

        (box,) = re.findall(
            r"^```\n(╭.*?╯)\n```", (DOCS / "quick-start.md").read_text(), flags=re.DOTALL | re.MULTILINE
        )
        assert plain(box) in plain((ROOT / "README.md").read_text())

    def test_examples_are_the_files(self):
        guide = (DOCS / "guides" / "ci-gate.md").read_text()
        for path in EXAMPLES:
            assert f"\n{path.read_text()}```\n" in guide, f"{path.name} and the guide differ"

    def test_the_attack_of_the_guide_is_the_one_that_python_runs(self):
        block = re.compile(
            r"^```python\n(from dataclasses import dataclass\n.*?draw=1\))", flags=re.DOTALL | re.MULTILINE
        )
        (guide,) = block.findall((DOCS / "guides" / "write-an-attack.md").read_text())
        assert guide in (DOCS / "python.md").read_text()

    def test_how_to_cite_names_this_version_and_nobody_who_was_made_up(self):
        cited = read_yaml(ROOT / "CITATION.cff")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert (cited["cff-version"], cited["type"]) == ("1.2.0", "software")
        assert cited["version"] == privaudit.__version__
        assert cited["license"] == project["license"]
        assert cited["authors"] == [{"name": "privaudit contributors"}]
        assert project["description"].lower() in cited["title"].lower()

    def test_headlines_are_those_of_the_reports(self):
        guide = (DOCS / "guides" / "reading-a-report.md").read_text()
        source = inspect.getsource(overall.headline)
        shown = re.findall(r'"([A-Z][A-Z ]{5,})"', source)
        assert len(shown) > 5
        for found in shown:
            assert found in guide.replace("\n", " "), f"{found} is not explained"


class TestStaging:
    def test_a_linked_file_comes_along_and_its_links_hold(self, site, tmp_path):
        site("stage").stage(tmp_path / "pages")
        page = (tmp_path / "pages" / "attacks.md").read_text()
        assert "](files/benchmarks/results/attacks.md)" in page
        assert (tmp_path / "pages" / "files" / "benchmarks" / "results" / "attacks.md").is_file()
        assert "](../files/action.yml)" in (tmp_path / "pages" / "guides" / "ci-gate.md").read_text()

    def test_a_broken_link_is_named(self, site, tmp_path, monkeypatch):
        stage = site("stage")
        monkeypatch.setattr(stage, "ROOT", tmp_path)
        monkeypatch.setattr(stage, "DOCS", tmp_path / "docs")
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "page.md").write_text("[gone](gone.md#here)")
        with pytest.raises(FileNotFoundError, match=r"docs/page.md links gone.md"):
            stage.stage(tmp_path / "pages")


class TestCheck:
    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            ("<a href='b.html'>", None),
            ("<a href='b.html#there'>", None),
            ("<a href='https://example.org/'>", None),
            ("<a href='#top'>", "index.html links #top, which has no such place"),
            ("<a href='b.html#gone'>", "index.html links b.html#gone, which has no such place"),
            ("<a href='c.html'>", "index.html links c.html, which is not there"),
            ("<img src='gone.svg'>", "index.html links gone.svg, which is not there"),
            ("<script src='https://cdn.example.org/a.js'></script>", "index.html loads https://cdn.example.org/a.js"),
            ("<link rel='stylesheet' href='//fonts.example.org/x'>", "index.html loads //fonts.example.org/x"),
        ],
    )
    def test_sees_what_is_broken(self, site, tmp_path, body, problem):
        (tmp_path / "index.html").write_text(body)
        (tmp_path / "b.html").write_text("<h1 id='there'>")
        assert site("check").problems(tmp_path) == ([] if problem is None else [problem])


class TestFinish:
    def test_a_page_that_is_not_found_stands_alone_and_the_index_is_a_script(self, site, tmp_path):
        (tmp_path / "index.html").write_text("")
        (tmp_path / "search.json").write_text('{"items": []}')
        site("finish").finish(tmp_path)
        assert (tmp_path / "search.js").read_text() == 'var __index={"items": []}'
        assert not re.search(r"(href|src)=", (tmp_path / "404.html").read_text())
        assert site("check").problems(tmp_path) == []


class TestGenerated:
    def test_every_command_has_a_section_with_its_options(self, site):
        text = site("commands").commands()
        for name in ("scan", "demo", "report", "compare", "config", "canaries make", "lab train"):
            assert f"\n## privaudit {name}\n" in f"\n{text}"
        scan = text[text.index("## privaudit scan") : text.index("## privaudit demo")]
        assert "privaudit scan TARGET [OPTIONS]" in scan
        for parameter in find(["scan"]).params:
            assert parameter.param_type_name == "argument" or re.search(f"\\| (`|<code>){parameter.opts[0]}", scan)
        assert "| <code>--mask-scope image&#124;set</code> |" in scan, "a bar in code would end the cell"
        assert "\\|" not in scan
        demo = text[text.index("## privaudit demo") :]
        assert demo.splitlines()[8].startswith(
            "Takes the options of [privaudit scan](#privaudit-scan), but for `--members`"
        )

    def test_every_key_of_the_report_is_there(self, site):
        text = site("keys").keys()
        for name in ("AuditResult", "AuditFailure", "Verdict", "AttackReport"):
            assert f"## {name}\n" in text
        assert "| `schema_version` |" in text
        links = set(re.findall(r"\]\(#(\w+)\)", text))
        assert links <= {name.lower() for name in re.findall(r"^## (\w+)", text, flags=re.MULTILINE)}

    @pytest.mark.parametrize(("page", "module"), [("commands", "commands"), ("report-json", "keys")])
    def test_pages_say_where_they_go(self, page, module):
        assert f"<!-- here: docs/site/{module}.py -->" in (DOCS / f"{page}.md").read_text()


@pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="needs the extra docs; make docs builds the site"
)
def test_a_broken_anchor_stops_the_build(tmp_path):
    """What zensical's strict mode sees, which `make docs` relies on."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# One\n\n[there](#one) [gone](#two)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: x\n")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "anchor does not exist" in done.stdout + done.stderr


class TestExamples:
    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
    def test_commands_exist(self, path):
        for line in written_commands(f"```\n{path.read_text()}```\n"):
            assert_command_exists(line, path.name)

    @pytest.mark.parametrize("code", [0, 1, 2, 3])
    def test_the_shell_script_keeps_the_exit_code(self, tmp_path, code):
        stand_in = tmp_path / "privaudit"
        stand_in.write_text(f"#!/bin/sh\nexit {code}\n")
        stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [ROOT / "examples" / "ci" / "gate.sh"], env={"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert len(done.stdout.splitlines()) == 1

    def test_hooks_name_commands_and_the_example_names_hooks(self):
        hooks = {hook["id"]: hook for hook in read_yaml(ROOT / ".pre-commit-hooks.yaml")}
        for hook in hooks.values():
            assert_command_exists(hook["entry"], hook["id"])
            assert hook["pass_filenames"] is False
        (repository,) = read_yaml(ROOT / "examples" / "ci" / "pre-commit-config.yaml")["repos"]
        for used in repository["hooks"]:
            hook = hooks[used["id"]]
            assert_command_exists(
                " ".join([hook["entry"], *(arg.split("=")[0] for arg in used.get("args", []))]), used["id"]
            )
        assert "pre-push" in hooks["privaudit-scan"]["stages"]
        assert "pre-commit" not in hooks["privaudit-scan"]["stages"]

    def test_nothing_of_single_images_is_kept_by_gitlab(self):
        (job,) = [job for job in read_yaml(ROOT / "examples/ci/gitlab-ci.yml").values() if "script" in job]
        kept = job["artifacts"]["paths"]
        assert {Path(path).name for path in kept} == {"report.html", "report.md"}
        assert job["artifacts"]["reports"]["junit"] == "privaudit-run/junit.xml"
        assert job["artifacts"]["when"] == "always"
        assert job["allow_failure"]["exit_codes"] == 3
