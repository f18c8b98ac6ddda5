"""The registry: what every format must do, and how reports are written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from results import make_exemplars, make_failure, make_result

from privaudit.cli.signature import FORMAT_NAMES
from privaudit.errors import ConfigError
from privaudit.report.formats import FORMATS, Format, format_of, parse_formats, write_reports

GATED = make_result(gates=("tpr@1%fpr>0.05", "auroc>0.99", "tpr@0.1%fpr>0.1"))


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_every_format_renders_results_and_failures(form: Format) -> None:
    for report in (make_result(), GATED, make_failure(), make_failure("one", "two", defect=True)):
        content = form.encoded(report)
        assert content
        assert form.encoded(report) == content, "the same report twice gives the same bytes"


def test_names_and_files_are_distinct() -> None:
    assert len({form.file for form in FORMATS.values()}) == len(FORMATS)
    assert all(form.name == name and form.what for name, form in FORMATS.items())


def test_lists_have_them_in_their_places() -> None:
    assert list(FORMATS) == ["json", "html", "md", "junit", "sarif", "card", "csv", "parquet"]


def test_a_file_of_the_folder_is_all_that_a_format_is() -> None:
    """Both functions of a format are of one module, which is found by lying in the folder."""
    modules = [{form.result.__module__, form.failure.__module__} for form in FORMATS.values()]
    assert all(len(each) == 1 for each in modules)
    assert {module.rpartition(".")[0] for module in set.union(*modules)} == {"privaudit.report.formats"}


def test_listing_them_waits_for_the_library_of_none() -> None:
    code = (
        "import sys; from privaudit.report.formats import FORMATS; assert len(FORMATS) > 7; found = set(sys.modules) "
        "& {'pandas', 'jinja2', 'matplotlib', 'huggingface_hub', 'torch'}; sys.exit(str(found) if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_format_of_ones_own_stands_behind_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(FORMATS, "_entries", dict(FORMATS))
    own = Format("txt", "status.txt", "one word", lambda result: result.verdict.status, lambda failure: "error")
    assert FORMATS.register(own) is own
    assert list(FORMATS)[-1] == "txt"
    assert parse_formats("txt") == (own,)
    assert format_of(tmp_path / "a.txt") is own
    for report, text in ((GATED, GATED.verdict.status), (make_failure(), "error")):
        (file,) = write_reports(report, tmp_path, [own])
        assert (file.name, file.read_text()) == ("status.txt", text)
    with pytest.raises(ConfigError, match="expected a name for a report format that is not taken, got 'txt'"):
        FORMATS.register(replace(own, file="other.txt"))


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        ("json,html", ["json", "html"]),
        (" MD , junit,", ["md", "junit"]),
        (["sarif", "json,sarif"], ["sarif", "json"]),
    ],
)
def test_parse(texts: str | list[str], names: list[str]) -> None:
    assert [form.name for form in parse_formats(texts)] == names


def test_every_unknown_format_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_formats("jsn,html,pdf,jsn")
    first, second = raised.value.problems
    assert "got 'jsn'; did you mean json?" in first
    assert "got 'pdf'" in second
    with pytest.raises(ConfigError, match="expected at least one format, got none; choose from json, html"):
        parse_formats(" , ")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("report.json", "json"),
        ("x.HTML", "html"),
        ("model-card.md", "card"),
        ("README.md", "md"),
        ("a/b.xml", "junit"),
        ("b.sarif", "sarif"),
        ("b.csv", "csv"),
        ("b.parquet", "parquet"),
    ],
)
def test_a_file_name_tells_the_format(file: str, name: str) -> None:
    assert format_of(Path(file)).name == name


@pytest.mark.parametrize("file", ["report", "report.pdf", ".json"])
def test_a_file_name_of_no_format(file: str) -> None:
    with pytest.raises(ConfigError, match=r"end with one of \.json, \.html, \.md, \.xml"):
        format_of(Path(file))


def test_write_reports_in_order_and_whole(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("of an earlier run")
    written = write_reports(GATED, tmp_path / "new" / "run", parse_formats("md,json,parquet"))
    assert [path.name for path in written] == ["report.md", "report.json", "metrics.parquet"]
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == sorted(path.name for path in written)
    assert written[1].read_text(encoding="utf-8") == GATED.to_json()
    (md,) = write_reports(make_failure("no model"), tmp_path, parse_formats("md"))
    assert "no model" in md.read_text()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="expected a folder that can be written"):
        write_reports(GATED, tmp_path / "file", parse_formats("json"))


def test_exemplars_go_to_formats_that_show_them_and_no_other() -> None:
    exemplars = make_exemplars("alice.png", "bob.png")
    for form in FORMATS.values():
        content = form.encoded(GATED, exemplars)
        assert (b"alice" in content) == form.exemplars


def test_what_leaves_the_machine_names_no_folder_and_no_image() -> None:
    from dataclasses import replace

    from privaudit.results.data_report import SkippedReport

    secret = "/home/alice/patients"
    result = replace(
        GATED,
        config={**GATED.config, "members": f"{secret}/members", "out": f"{secret}/run", "target": f"{secret}/model"},
        target=replace(GATED.target, id=f"{secret}/model"),
        data=replace(GATED.data, skipped=(SkippedReport(f"{secret}/members/bob.png", "cannot be read"),)),
    )
    failure = replace(make_failure(f"expected images at {secret}/members, found none"), target=f"{secret}/model")
    for form in FORMATS.values():
        for report in (result, failure):
            content = form.encoded(report)
            assert not form.aggregates or not any(word in content for word in (b"alice", b"bob.png")), form.name


def test_help_names_every_format():
    """The command line does not load the registry to print its help, so that the names stand there once more."""
    assert ", ".join(FORMATS) == FORMAT_NAMES
