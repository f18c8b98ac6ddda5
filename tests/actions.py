"""Runs the steps of a composite GitHub action on this machine, as a runner does; steps of other actions are noted."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def read_yaml(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


@dataclass
class Job:
    """What a runner keeps between the steps of a job.

    Attributes:
        inputs: Of the action, defaults included.
        folder: Working directory.
        environment: Of every step, beside the step's own.
        outputs: By step and name.
        ran: Names of the steps that ran.
        uses: Other actions that were used, with their inputs.
        log: What the scripts printed.
        failed: Exit code of the first script that failed; 0 if none did.
    """

    inputs: Mapping[str, str]
    folder: Path
    environment: Mapping[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    uses: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    log: str = ""
    failed: int = 0

    def lookup(self, name: str) -> str:
        match name.split("."):
            case ["inputs", key]:
                return self.inputs[key]
            case ["steps", step, "outputs", key]:
                return self.outputs.get(step, {}).get(key, "")
            case ["github", "action_path"]:
                return str(ROOT)
        raise KeyError(name)

    def fill_in(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: self.lookup(found[1]), text)

    def wanted(self, condition: str | None) -> bool:
        """The few forms of condition that the action uses: always(), == and !=, joined by &&."""
        terms = re.sub(r"^\$\{\{|\}\}$", "", condition or "success()").split("&&")
        return all(self.holds(term.strip()) for term in terms) and (not self.failed or "always()" in (condition or ""))

    def holds(self, term: str) -> bool:
        if term in ("always()", "success()"):
            return True
        name, sign, text = re.fullmatch(r"(\S+) (==|!=) '(.*)'", term).groups()
        return (self.lookup(name) == text) == (sign == "==")

    def file(self, name: str) -> Path:
        return self.folder.parent / f"{self.folder.name}-{name}"

    def step(self, step: Mapping[str, Any]) -> None:
        if not self.wanted(step.get("if")):
            return
        self.ran.append(step["name"])
        if "uses" in step:
            self.uses.append((step["uses"].split("@")[0], {k: self.fill_in(v) for k, v in step["with"].items()}))
            return
        output = self.file("output")
        output.write_text("")
        own = {name: self.fill_in(value) for name, value in step.get("env", {}).items()}
        runner = {f"GITHUB_{n.upper()}": str(self.file(n)) for n in ("output", "path", "step_summary")}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**self.environment, "RUNNER_TEMP": str(self.folder.parent), **runner, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += done.stdout
        self.failed = self.failed or done.returncode
        lines = (line.partition("=") for line in output.read_text().splitlines())
        self.outputs[step.get("id", step["name"])] = {name: value for name, _, value in lines}

    def used(self, action: str) -> list[dict[str, str]]:
        return [inputs for name, inputs in self.uses if name == action]

    @property
    def uploaded(self) -> dict[str, set[str]]:
        """Paths by name of the artefact."""
        return {inputs["name"]: set(inputs["path"].split()) for inputs in self.used("actions/upload-artifact")}

    @property
    def summary(self) -> str:
        return self.file("step_summary").read_text()


def run_action(folder: Path, path: str = os.environ["PATH"], **inputs: str) -> Job:
    """Run every step of action.yml in a folder; inputs with underscores for hyphens."""
    action = read_yaml(ROOT / "action.yml")
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    defaults = {name: declared.get("default", "") for name, declared in action["inputs"].items()}
    assert given.keys() <= defaults.keys(), "an input that the action does not have"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PRIVAUDIT_"))}
    job = Job(defaults | given, folder, {**kept, "PATH": path})
    folder.mkdir(parents=True, exist_ok=True)
    for step in action["runs"]["steps"]:
        job.step(step)
    job.outputs["action"] = {name: job.fill_in(output["value"]) for name, output in action["outputs"].items()}
    return job
