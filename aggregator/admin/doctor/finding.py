"""What the doctor says."""

from typing import Literal

from aggregator.config.redact import without_secrets
from aggregator.model.core import Noun


class Finding(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """One thing that was looked at; `advice` says what to type where it is not well."""

    level: Literal["ok", "warning", "problem"]
    what: str
    advice: str = ""


def ok(what: str, advice: str = "") -> Finding:
    """Well, or nobody's fault."""
    return Finding(level="ok", what=without_secrets(what), advice=advice)


def warning(what: str, advice: str) -> Finding:
    """To be looked at; the daemon does what it is for."""
    return Finding(level="warning", what=without_secrets(what), advice=without_secrets(advice))


def problem(what: str, advice: str) -> Finding:
    """The daemon cannot do what it is for, or will not be able to."""
    return Finding(level="problem", what=without_secrets(what), advice=without_secrets(advice))
