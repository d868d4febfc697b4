"""Other programs, run to their end."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run_program(
    command: Sequence[str | Path], *, check: bool = False, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program and return its end with its output as text; `options`: further ones of subprocess.run."""
    return subprocess.run(
        command, check=check, capture_output=True, text=True, **options
    )
