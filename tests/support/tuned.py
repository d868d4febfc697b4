"""Other constants than the shipped ones, for this process."""

from typing import Any

import pytest

from aggregator.config import tuning


def tune(patch: pytest.MonkeyPatch, constants: dict[str, dict[str, Any]]) -> None:
    """Let config.yaml stand on these constants of tuning.yaml, by section, until the patch is undone."""
    tuning.Tuning(constants)
    for name, values in constants.items():
        for key, value in values.items():
            patch.setitem(tuning._SHIPPED.content[name], key, value)
