"""`privaudit report` as a user types it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from results import make_exemplars, make_failure, make_result
from typer.testing import CliRunner

from privaudit.cli.main import app
from privaudit.errors import ConfigError, ResultError
from privaudit.report.formats import FORMATS
from privaudit.results.audit_result import SCHEMA_VERSION
from privaudit.results.exemplars import save_exemplars
from privaudit.results.report_schema import shipped_schema

RESULT = make_result(gates=("tpr@1%fpr>0.05",))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.json").write_text(RESULT.to_json())
    save_exemplars(folder, make_exemplars("alice.png"))
    return folder


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    folder = tmp_path / "failed"
    folder.mkdir()
    (folder / "report.json").write_text(make_failure("expected images, found none").to_json())
    return folder


def typed(*words: str | Path) -> bytes:
    done = CliRunner().invoke(app, ["report", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, "a gate that failed is not an error of showing it"
    return done.stdout_bytes


def test_the_summary_is_that_of_the_scan(run: Path) -> None:
    for shown in (typed(run), typed(run / "report.json")):
        assert b"LEAK FOUND: MEDIUM" in shown
        assert b"gate tpr@1%fpr>0.05: FAIL." in shown


def test_every_format_comes_out_as_it_was_rendered_from_the_result(run: Path, tmp_path: Path) -> None:
    shown = typed(run, "--format", ",".join(FORMATS), "--out", tmp_path / "out")
    files = [tmp_path / "out" / form.file for form in FORMATS.values()]
    assert shown.decode().split() == list(map(str, files))
    for form, file in zip(FORMATS.values(), files, strict=True):
        assert file.read_bytes() == form.encoded(RESULT)


def test_without_a_folder_the_files_lie_beside_the_report(run: Path) -> None:
    typed(run, "--format", "md", "--format", "junit")
    assert {"report.md", "junit.xml"} <= {path.name for path in run.iterdir()}
    (run / "junit.xml").unlink()
    typed(run / "report.json", "--format", "junit")
    assert (run / "junit.xml").is_file()


def test_one_format_goes_to_standard_output_byte_for_byte(run: Path) -> None:
    assert typed(run, "--format", "md", "--out", "-") == FORMATS["md"].encoded(RESULT)
    assert len(pd.read_parquet(io.BytesIO(typed(run, "--format", "parquet", "--out", "-")))) == 9
    assert typed(run, "--json").decode() == RESULT.to_json()
    assert sorted(path.name for path in run.iterdir()) == ["exposed.json", "report.json"]


def test_images_are_shown_only_when_asked_for(run: Path) -> None:
    assert b"alice" not in typed(run, "--format", "html", "--out", "-")
    assert b"alice" in typed(run, "--format", "html", "--out", "-", "--include-images")


def test_a_failed_run_shows_its_failure_in_every_format(failed: Path) -> None:
    assert b"expected images, found none" in typed(failed)
    for form in FORMATS.values():
        assert typed(failed, "--format", form.name, "--out", "-") == form.encoded(
            make_failure("expected images, found none")
        )
    typed(failed, "--format", "html", "--include-images")


def test_the_schema_needs_no_run() -> None:
    assert typed("--schema").decode() == shipped_schema()


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        ([], ["expected RUN"]),
        (["RUN", "--format", "pdf,md,jsn"], ["got 'pdf'", "did you mean json?"]),
        (["RUN", "--format", "md,json", "--out", "-"], ["expected one format for standard output, got md, json"]),
        (["RUN", "--out", "x"], ["expected --format with --out x"]),
        (["RUN", "--include-images"], ["expected --include-images with a format that shows images, html"]),
        (["RUN", "--json", "--format", "md"], ["expected --json alone"]),
        (["--format", "pdf", "--include-images"], ["expected RUN", "got 'pdf'", "expected --include-images"]),
    ],
)
def test_all_that_is_wrong_is_named_at_once(run: Path, words: list[str], problems: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        typed(*(run if word == "RUN" else word for word in words))
    assert len(raised.value.problems) == len(problems)
    for problem, part in zip(raised.value.problems, problems, strict=True):
        assert part in problem


def test_a_copy_needs_a_folder_for_its_reports(run: Path, tmp_path: Path) -> None:
    copy = run / "old.json"
    copy.write_text(RESULT.to_json())
    with pytest.raises(ConfigError, match="expected --out with"):
        typed(copy, "--format", "md")
    typed(copy, "--format", "md", "--out", tmp_path / "old")
    assert b"LEAK FOUND" in typed(copy)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "found none; run privaudit scan first"),
        (b"\xff\xfe", "in JSON"),
        (b"{", "in JSON"),
        (b"{}", "schema_version"),
    ],
)
def test_what_is_no_report(tmp_path: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(ResultError, match=problem):
        typed(tmp_path, "--format", "md")


def test_images_of_a_run_without_any(run: Path) -> None:
    (run / "exposed.json").unlink()
    with pytest.raises(ResultError, match=r"expected exposed\.json"):
        typed(run, "--format", "html", "--include-images")


@pytest.mark.parametrize("formats", ["md,junit,sarif,json,card", "html", "csv,parquet"])
def test_rendering_never_loads_the_model_libraries(run: Path, formats: str) -> None:
    """Nor what a format does not need: the summary of a CI job is there in a second."""
    heavy = {"torch", "diffusers", "transformers", "sklearn"}
    heavy |= {"pandas", "matplotlib", "scipy"} if "md" in formats else set()
    code = (
        "import sys; from privaudit.cli.main import app\n"
        f"sys.argv = ['privaudit', 'report', {str(run)!r}, '--format', {formats!r}]\n"
        "try: app()\nexcept SystemExit: pass\n"
        f"sys.exit(' '.join({heavy!r} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(formats.split(","))


def test_a_reader_that_closes_the_pipe_is_no_error(run: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m privaudit report {run} --format json --out - | head -c 5",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (json.dumps({"schema_version": SCHEMA_VERSION}, indent=2)[:5], "")
