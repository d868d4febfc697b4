"""The cookies of one chain of redirects. They are thrown away after the chain, so that fetches share no cookies.

Load balancers and checks against robots redirect to the same address until the client sends their cookie back.
"""

import httpx

# The longest cookie that browsers take (RFC 6265, 6.1)
_MOST_COOKIE_BYTES = 4096
# All cookies of a request together; many servers refuse longer headers
_MOST_HEADER_BYTES = 8192


class ChainCookies:
    """Keeps the cookies of each host and sends them to this host alone, by the rules of `http.cookiejar`."""

    def __init__(self) -> None:
        # Each host has a jar: whatever domain a cookie names, no other host gets it.
        self._jars: dict[str, httpx.Cookies] = {}

    def keep(self, response: httpx.Response) -> None:
        """Keep or delete cookies as the response asks."""
        self._jars.setdefault(
            response.request.url.host, httpx.Cookies()
        ).extract_cookies(response)

    def add_to(self, headers: httpx.Headers, url: httpx.URL) -> bool:
        """Add the host's cookies to the header `Cookie`, except those whose names the user has configured there.

        Return whether any cookie was added.
        """
        request = httpx.Request("GET", url)
        self._jars.get(url.host, httpx.Cookies()).set_cookie_header(request)
        configured: str = headers.get("Cookie", "")
        header = configured
        names = {_name_of(cookie) for cookie in configured.split(";")}
        for cookie in filter(None, request.headers.get("Cookie", "").split("; ")):
            if (
                len(cookie) <= _MOST_COOKIE_BYTES
                and len(header) + 2 + len(cookie) <= _MOST_HEADER_BYTES
                and cookie.isascii()
                and cookie.isprintable()
                and _name_of(cookie) not in names
            ):
                header = f"{header}; {cookie}" if header else cookie
        if header:
            headers["Cookie"] = header
        return header != configured


def _name_of(cookie: str) -> str:
    return cookie.partition("=")[0].strip()
