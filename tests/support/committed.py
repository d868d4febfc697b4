"""The project's files as they were committed: who edits config.yaml to use the program breaks no test."""

import subprocess

from tests.conftest import REPOSITORY


def committed(name: str) -> str:
    """The text of a file of the project in the last commit; as it lies there where git cannot tell."""
    command = ["git", "-c", f"safe.directory={REPOSITORY}", "show", f"HEAD:./{name}"]
    try:
        shown = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, check=False
        )
    except FileNotFoundError:  # no git here
        return (REPOSITORY / name).read_text(encoding="utf-8")
    if shown.returncode != 0:  # no checkout: an archive of the files
        return (REPOSITORY / name).read_text(encoding="utf-8")
    return shown.stdout.decode()
