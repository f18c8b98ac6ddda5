"""Folders of tiny pipelines, and no network; helpers such as ``pipelines*`` can be imported by their names."""

import importlib.util
import json
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


def _import_by_path(name: str) -> ModuleType:
    """Make NAME.py of this folder importable as a module, whatever directory pytest runs in."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


pipelines = _import_by_path("pipelines")
for _pattern in ("pipelines_*.py", "family_cases_base.py", "family_cases_*.py", "adapter_files.py", "single_files.py"):
    for _path in sorted(HERE.glob(_pattern)):
        if _path.stem not in sys.modules:
            _import_by_path(_path.stem)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a test would leave the machine."""

    def refuse(*arguments: object) -> None:
        pytest.fail("a test tried to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def make_ldm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save an unconditional pipeline in a fresh folder."""
    return lambda **choices: pipelines.save_ldm(tmp_path_factory.mktemp("ldm") / "pipeline", **choices)


@pytest.fixture(scope="session")
def make_sd(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a text-to-image pipeline in a fresh folder."""

    def make(**choices: Any) -> Path:
        base = tmp_path_factory.mktemp("sd")
        return pipelines.save_sd(base / "pipeline", base / "vocabulary", **choices)

    return make


@pytest.fixture(scope="session")
def make_sd3(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a flow pipeline in a fresh folder."""

    def make(**choices: Any) -> Path:
        base = tmp_path_factory.mktemp("sd3")
        return pipelines.save_sd3(base / "pipeline", base / "vocabulary", **choices)

    return make


@pytest.fixture(scope="session")
def ldm_master(make_ldm: Callable[..., Path]) -> Path:
    return make_ldm()


@pytest.fixture(scope="session")
def sd_master(make_sd: Callable[..., Path]) -> Path:
    return make_sd()


@pytest.fixture(scope="session")
def sd3_master(make_sd3: Callable[..., Path]) -> Path:
    return make_sd3()


@pytest.fixture
def ldm(ldm_master: Path, tmp_path: Path) -> Path:
    """A private copy of an unconditional pipeline."""
    return Path(shutil.copytree(ldm_master, tmp_path / "ldm"))


@pytest.fixture
def sd(sd_master: Path, tmp_path: Path) -> Path:
    """A private copy of a text-to-image pipeline."""
    return Path(shutil.copytree(sd_master, tmp_path / "sd"))


@pytest.fixture
def sd3(sd3_master: Path, tmp_path: Path) -> Path:
    """A private copy of a flow pipeline without T5."""
    return Path(shutil.copytree(sd3_master, tmp_path / "sd3"))


@pytest.fixture
def edit_json() -> Callable[..., None]:
    """Change keys of a JSON file; None removes a key."""

    def edit(path: Path, **changes: Any) -> None:
        values = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))

    return edit
