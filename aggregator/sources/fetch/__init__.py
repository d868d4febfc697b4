"""The HTTP client with its rate limiter and SSRF guard."""

import sys

# httpx imports its command line, which loads rich and pygments: 3 MB that the daemon does not need.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
