"""Reports are rendered where no model library is installed: nothing of the package `privaudit.report` loads one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from results import make_failure, make_result

from privaudit.storage.files import write_text

VERSION_4 = Path(__file__).parent.parent / "results" / "report-version-4.json"
FORBID = """
import sys
class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "diffusers", "transformers"):
            raise AssertionError(f"{name} is loaded")
sys.meta_path.insert(0, Forbid())
"""
IMPORT_ALL = """
import importlib, pkgutil, privaudit.report
names = [module.name for module in pkgutil.walk_packages(privaudit.report.__path__, "privaudit.report.")]
assert len(names) > 40, names
for name in names:
    importlib.import_module(name)
"""
RENDER = """
from pathlib import Path
from privaudit.report.formats import FORMATS
from privaudit.report.terminal.summary import print_report
from privaudit.results.audit_result import AuditResult, load_report
for path in map(Path, sys.argv[1:]):
    report = load_report(path)
    for form in FORMATS.values():
        assert form.encoded(report)
    if isinstance(report, AuditResult):
        if "torch" in report.hardware:  # the stored one has lost most of what it ran on
            print_report(report, path.parent)
        assert len(report.frame()) and "<svg" in report.to_html() and report._repr_html_() and report.plot.roc()
"""


def run(code: str, *arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORBID + code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_module_loads_a_model_library() -> None:
    run(IMPORT_ALL)


def test_the_guard_notices_one() -> None:
    with pytest.raises(AssertionError, match="torch is loaded"):
        run("import privaudit.attacks")


def test_rendering_loads_none_either(tmp_path: Path) -> None:
    """Neither an old report, nor a current one of every part, nor an error."""
    paths = [VERSION_4]
    result = make_result(gates=("tpr@1%fpr>0.05",), groups=("clinic", "street"))
    for name, report in {"result": result, "failure": make_failure("no such model")}.items():
        folder = tmp_path / name
        folder.mkdir()
        write_text(folder / "report.json", report.to_json())
        paths.append(folder / "report.json")
    run(RENDER, *paths)
