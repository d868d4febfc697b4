"""The forms of pages: signing in, corrections, sources, marks and mutes."""

from aggregator.web.forms import corrections, marks, mutes, sign_in, source_forms

__all__ = ["corrections", "marks", "mutes", "sign_in", "source_forms"]
