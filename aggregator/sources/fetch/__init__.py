"""The HTTP client and its manners, and the guard that decides what it may reach."""

import sys

# httpx brings a command line, and that one loads rich and pygments: 3 MB that a daemon has no use for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
