"""Folders that one run at a time writes to; what else files do is tested where they are used."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from privaudit.errors import ConfigError
from privaudit.storage.files import PREVIOUS, locked, replacing, set_aside

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked on Windows")
HOLD = """
import sys
from pathlib import Path
from privaudit.storage.files import PREVIOUS, locked, replacing, set_aside

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the folder for itself."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_process_is_told_to_go_elsewhere(holder, tmp_path):
    message = f"expected a folder that no other run writes to, but one writes to {tmp_path}; .*another --out"
    with pytest.raises(ConfigError, match=message), locked(tmp_path):
        pass


def test_a_process_that_dies_lets_go(holder, tmp_path):
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass


def test_nothing_is_left_in_the_folder(tmp_path):
    folder = tmp_path / "new" / "run"
    with locked(folder):
        assert list(folder.iterdir()) == []
    assert list(folder.iterdir()) == []


def test_what_has_the_folder_may_ask_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with locked(tmp_path / "run"):
        with locked(Path("run")):
            pass
        with locked(tmp_path / "other"):
            pass
    with locked(Path("run")):
        pass


def test_another_thread_may_not(tmp_path):
    refused = []

    def other() -> None:
        try:
            with locked(tmp_path):
                pass
        except ConfigError as error:
            refused.append(error)

    with locked(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_a_file_in_its_place_is_left_to_who_makes_the_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with locked(tmp_path / "run"):
        pass
    assert (tmp_path / "run").read_text() == "mine"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_results_of_an_earlier_run_are_kept_while_others_fail_and_gone_after_a_success(tmp_path):
    (tmp_path / "a").write_text("first")
    for _ in range(2):
        with pytest.raises(OSError, match="full") as caught, replacing(tmp_path, ["a", "deep/b"]):
            raise OSError("full")
        assert contents(tmp_path) == {f"{PREVIOUS}/a": "first"}
        assert caught.value.__notes__ == [f"the results of the earlier run are kept in {tmp_path / PREVIOUS}"]
    with replacing(tmp_path, ["a", "deep/b"]):
        (tmp_path / "a").write_text("second")
    assert contents(tmp_path) == {"a": "second"}
    assert not (tmp_path / PREVIOUS).exists()


def test_the_kept_results_are_of_one_run(tmp_path):
    for names in (("a", "deep/b"), ("a",)):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(f"{len(names)}")
        set_aside(tmp_path, ["a", "deep/b"])
    assert contents(tmp_path) == {f"{PREVIOUS}/a": "1"}


@pytest.mark.parametrize("name", ["a", f"{PREVIOUS}/a"])
def test_an_input_is_never_moved_or_replaced(tmp_path, name):
    (tmp_path / PREVIOUS).mkdir()
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="expected inputs that the run does not overwrite"):
        set_aside(tmp_path, ["a"], [tmp_path / name])
    assert contents(tmp_path) == {name: "mine"}
