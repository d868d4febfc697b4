"""Pages that stand between a program and a site: they answer for the site, but are not it."""

from collections.abc import Mapping

_REFUSALS = frozenset({401, 403, 405, 406, 429, 503})
# What the walls' own scripts and images are called; words that a reader sees could stand in an article too.
_MARKS = (
    (b"/cdn-cgi/challenge-platform/", "Cloudflare"),
    (b"cf-error-details", "Cloudflare"),
    (b"captcha-delivery.com", "DataDome"),
    (b"_Incapsula_Resource", "Imperva"),
    (b"px-captcha", "HUMAN"),
    (b"errors.edgesuite.net", "Akamai"),
    (b"awswaf.com", "AWS WAF"),
    (b"g-recaptcha", "a captcha"),
    (b"hcaptcha.com", "a captcha"),
)
_SMALL_PAGE_BYTES = 4096


def wall_in(status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """The words for `sources list` when an answer is a wall against programs, else None.

    A page with a status of success counts only when the wall says so in a header, or is nearly empty but for
    the wall's script: many sites carry these scripts in ordinary pages.
    """
    if headers.get("cf-mitigated", "").lower() == "challenge":
        return "Cloudflare asks for a browser"
    if headers.get("x-amzn-waf-action", "").lower() in ("challenge", "captcha"):
        return "AWS WAF asks for a browser"
    if status in _REFUSALS or (len(body) < _SMALL_PAGE_BYTES and b"_Incapsula_Resource" in body):
        for mark, name in _MARKS:
            if mark in body:
                return f"{name} asks for a browser"
    return None
