"""Builds the site: ``python docs/site/build.py`` writes it into build/site, and fails on any broken link."""

from __future__ import annotations

import subprocess
import sys

from check import problems
from commands import commands
from finish import finish
from keys import keys
from stage import ROOT, stage

STAGED = ROOT / "build" / "docs"
SITE = ROOT / "build" / "site"


def main() -> None:
    """Gather, generate, build, check."""
    stage(STAGED)
    for page, module, made in (("commands.md", "commands", commands), ("report-json.md", "keys", keys)):
        path = STAGED / page
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(f"<!-- here: docs/site/{module}.py -->", made()), encoding="utf-8")
    built = subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=ROOT, check=False)
    if built.returncode == 0:
        finish(SITE)
    found = problems(SITE) if built.returncode == 0 else ["zensical found problems, see above"]
    if found:
        sys.exit("\n".join(found))
    sys.stdout.write(f"the site is in {SITE.relative_to(ROOT)}/index.html\n")


if __name__ == "__main__":
    main()
