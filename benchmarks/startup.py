"""How long `import privaudit` and `privaudit --help` take, beside an empty interpreter.

python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

CASES = {
    "python -c pass": ["-c", "pass"],
    "import privaudit": ["-c", "import privaudit"],
    "privaudit --help": ["-m", "privaudit", "--help"],
    "import torch": ["-c", "import torch"],
}


def main() -> None:
    """Print the median of nine runs of each."""
    for name, arguments in CASES.items():
        seconds = []
        for _ in range(9):
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - started)
        print(f"{name:<18} {statistics.median(seconds):.3f} s")


if __name__ == "__main__":
    main()
