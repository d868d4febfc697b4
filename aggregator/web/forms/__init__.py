"""The forms of pages: signing in, corrections, sources, marks and mutes."""

from aggregator.web.forms import (
    correction_forms,
    mark_forms,
    mute_forms,
    sign_in,
    source_forms,
)

__all__ = ["correction_forms", "mark_forms", "mute_forms", "sign_in", "source_forms"]
