"""What the tests of the attacks share: `cases` can be imported by its name."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("cases", Path(__file__).parent / "cases.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["cases"] = _module
_spec.loader.exec_module(_module)
