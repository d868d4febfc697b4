"""URLs as keys: which URLs lead to one article, and which belong to one site.

A key is never fetched. It folds the differences between URLs of one page (scheme, `www`, mobile and AMP
variants, tracking parameters, order of parameters, fragments) and nothing that could distinguish two
articles: every unknown parameter stays. courlan is not used, because it keeps userinfo, fragments and `..`.
"""

import re
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import quote_from_bytes, unquote, unquote_to_bytes, urljoin, urlsplit

from aggregator.config.hosts import ip_address_of
from aggregator.extract.language.unicode import clean
from aggregator.text.lines import word_set

# Longer URLs are not keys: browsers and servers accept 2-8 KiB
MAX_URL_CHARS = 4096

_TRACKING = re.compile(
    r"""(?:utm|mtm|pk|piwik|hsa|wt|guce|fb_action|fb|ga|oly|vero|ns|at|tb|icn|spm|scm|zanpid|__hs|__cf)[_-].+
    |_?(?:hsenc|hsmi|hsctatracking|openstat|ga|gl|ke|branch_match_id|branch_referrer)
    |[a-z]{1,2}?clid|wbraid|gbraid|gclsrc|dclid|msclkid|twclid|ttclid|li_fat_id|mc_[ce]id|igshi?d?|yclid|ysclid
    |mkt_tok|s_cid|s_kwcid|sr_share|smid|smtyp|smvar|cmpid|cmp|icid|ito|itm_.+|ncid|ocid|cvid|ref_?(?:src|url)?
    |referr?er|referring_source|xtor|xtref|trk|trk\w+|guccounter|__twitter_impression|soc_src|soc_trk|taid
    |mod|partner|rss|rssfeed|cid_source|wtmc|wtrid|wt_mc|dicbo|ob_click_id|obOrigUrl|tblci|share_?id
    |sharetype|share_token|nhp|ftag|ftcamp|intcmp|intcid|int_(?:source|medium|campaign)
    |phpsessid|jsessionid|sessionid|session_id|aspsessionid\w*|amp_js_v|amp_gsa|_?amp|usqp|amp_kit|_tf|aoh
    |mibextid|srnd|li_(?:source|medium)|traffic_source|feed(?:name|type)
    |emailid|nl_id|newsletter_?id|sfmc_\w+|ss_source|campaign_id|ad_id|adid|cmp_id""",
    re.IGNORECASE | re.VERBOSE,
)
# Parameters that identify articles at some outlets. They are tracking only with a value of `_TRACKING_VALUE`.
_AMBIGUOUS = word_set(
    "source src from via feature cid s share origin channel output outputtype view"
)
_TRACKING_VALUE = re.compile(
    r"(?:rss\w*|feeds?|atom|twitter|facebook|fb|whatsapp|telegram|linkedin|reddit|email|mail|newsletter|push|app|"
    r"social|share|sharing|tw|web|amp|mobile|homepage|home|google\w*|flipboard|applenews|copy(?:-?link)?)",
    re.IGNORECASE,
)
_ALTERNATE_HOST_LABELS = word_set("www www1 www2 www3 m mobile amp wap touch")
_HOST_FIRST = re.compile(r"www\.[\w-]+\.\w", re.IGNORECASE)
_DEFAULT_PORTS = frozenset({None, 80, 443})
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
_WRAPPED = re.compile(r"^/amp/(?:s/)?(?=[\w-]+(?:\.[\w-]+)+(?:/|$))")
_AMP_CACHE = re.compile(r"^/[cvi]/(?:s/)?(?=[\w-]+(?:\.[\w-]+)+(?:/|$))")
_GOOGLE = re.compile(r"(?:www\.)?google\.[a-z.]{2,6}")
# Redirecting URLs: host, path, and the parameters with the target.
_LEADING_ON = (
    (_GOOGLE, "/url", ("q", "url")),
    (re.compile(r"(?:www\.)?bing\.com"), "/news/apiclick.aspx", ("url",)),
    (re.compile(r"(?:lm?|www)\.facebook\.com"), "/l.php", ("u",)),
)
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*", re.IGNORECASE)
_SAFE_IN_PATH = "!$&'()*+,;=:@~"
_SAFE_IN_QUERY = "!$'()*,;:@~/?"


def canonical_url(url: str) -> str | None:
    """Return the key of an http(s) URL, which is an https URL; None for anything else. Idempotent, never raises.

    `www`, mobile and AMP variants become the plain form.
    """
    parts = _split(url)
    if parts is None:
        return None
    host, port, path, query = parts
    inner = _unwrap(host, path, query)
    if inner is not None:
        return canonical_url(inner)
    return f"https://{_plain_host(host)}{port}{_plain_path(path)}{_plain_query(query)}"


def absolute_url(raw: str, base: str | None) -> str | None:
    """Return `raw` as an absolute http(s) URL, relative to `base`; None for anything else.

    "www.example.org/a" without a scheme is an address, not a path.
    """
    raw = re.sub(r"[\t\r\n]", "", clean(raw)).strip()
    if not raw or len(raw) > MAX_URL_CHARS:
        return None
    if base and _HOST_FIRST.match(raw):
        raw = f"//{raw}"
    try:
        full = urljoin(base, raw) if base else raw
        parts = urlsplit(full)
        is_http = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return None
    return full.replace(" ", "%20") if is_http and len(full) <= MAX_URL_CHARS else None


def address_key(address: str) -> str:
    """Return a common form of one address, whatever its case of the host, default port, fragment or missing `/`.

    Addresses with another scheme, query or trailing slash are different. Text that is not a URL is returned as it is.
    """
    parts = _split(address)
    if parts is None:
        return address
    host, port, path, query = parts
    scheme = address.strip().partition(":")[0].lower()
    return f"{scheme}://{host}{port}{path or '/'}{f'?{query}' if query else ''}"


def registrable_domain(url: str) -> str | None:
    """Return the registrable domain ("bbc.co.uk") by the public suffix list, including private suffixes.

    An IP address and a name without a dot are returned with their port, unless it is the default. If the suffix is
    unknown, the domain is the last two labels of the host. Return None if `url` is not an http(s) URL.
    """
    parts = _split(url)
    return None if parts is None else _registrable(parts[0]) or parts[0] + parts[1]


def same_site(a: str, b: str) -> bool:
    """Return whether two URLs have the same registrable domain; False if either is not a URL."""
    first = registrable_domain(a)
    return first is not None and first == registrable_domain(b)


# The URLs of an article and of its site are read several times
@lru_cache(maxsize=2048)
def _split(url: str) -> tuple[str, str, str, str] | None:
    """Return the host in ASCII, ":port" ("" for a default port), the path and the query; None for other text."""
    if len(url) > MAX_URL_CHARS:
        return None
    text = re.sub(r"[\t\r\n]", "", url.strip())
    if text.startswith("//"):
        text = f"https:{text}"
    if not re.match(r"https?:[/\\]{2}", text, re.IGNORECASE):
        return None
    head, _, query = text.partition("#")[0].partition("?")
    try:
        parts = urlsplit(head.replace("\\", "/"))
        port = parts.port
        host = _ascii_host(parts.hostname or "")
    except ValueError:  # including UnicodeError of the IDNA codec
        return None
    if host is None:
        return None
    return (
        host,
        "" if port in _DEFAULT_PORTS else f":{port}",
        parts.path.encode("utf-8", "replace").decode(),
        query,
    )


def _ascii_host(name: str) -> str | None:
    if ":" in name:
        return f"[{IPv6Address(name.partition('%')[0]).compressed}]"
    name = unquote(name, errors="strict")
    if name.isascii():
        name = name.rstrip(".")
    else:
        name = name.rstrip(".。．｡").encode("idna").decode("ascii")
    name = name.lower()
    return name if _HOST.fullmatch(name) and ".." not in name else None


@lru_cache(maxsize=8192)
def _registrable(host: str) -> str | None:
    from tld import get_fld

    if host.startswith("[") or ip_address_of(host) is not None or "." not in host:
        return None
    domain = get_fld(f"https://{host}/", fail_silently=True, search_private=True)
    # The list's default rule takes the last label for an unknown suffix.
    return domain or ".".join(host.split(".")[-2:])


def _unwrap(host: str, path: str, query: str) -> str | None:
    """Return the article's own URL inside the URL of an AMP cache or a redirector; None for any other URL."""
    before = None
    if host.endswith(".cdn.ampproject.org"):
        before = _AMP_CACHE.match(path)
    elif _GOOGLE.fullmatch(host):
        before = _WRAPPED.match(path)
    if before is not None:
        return f"https://{path[before.end() :]}{f'?{query}' if query else ''}"
    for hosts, at, names in _LEADING_ON:
        if path == at and hosts.fullmatch(host):
            for pair in query.split("&"):
                name, _, value = pair.partition("=")
                if name in names:
                    target = unquote_to_bytes(value).decode("utf-8", "replace")
                    return target if _split(target) else None
    return None


def _plain_host(host: str) -> str:
    base = _registrable(host)
    if base is None or not host.endswith("." + base):
        return host
    below = host.removesuffix(f".{base}").split(".")
    labels = [label for label in below if label not in _ALTERNATE_HOST_LABELS]
    return ".".join((*labels, base))


def _plain_path(path: str) -> str:
    segments: list[str] = []
    for raw in _SESSION.sub("", path).split("/"):
        segment = quote_from_bytes(unquote_to_bytes(raw), safe=_SAFE_IN_PATH)
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    # Remove AMP's spellings (a segment `amp`, and `x.amp`, `x_amp`, `x.amp.html`) and the index page of a folder.
    plain = [s for s in segments if s.lower() != "amp"]
    while plain:
        last = re.sub(
            r"(?<![._]amp)(?:[._]amp)++(\.html?)?$|(?<=.)\.amp(?=\.html?$)",
            r"\1",
            plain[-1],
            flags=re.IGNORECASE,
        )
        if re.fullmatch(r"(?:index|amp)\.(?:html?|php)", last, re.IGNORECASE):
            last = ""
        if last == plain[-1]:
            break
        plain = [s for s in (*plain[:-1], last) if s and s.lower() != "amp"]
    return "/" + "/".join(plain)


def _plain_query(query: str) -> str:
    parameters = []
    for pair in query.split("&"):
        raw_name, _, raw_value = pair.partition("=")
        name = _requote(raw_name)
        value = _requote(raw_value)
        # blogspot's mobile variant is m=1
        tracking = _TRACKING.fullmatch(name)
        if name.lower() in _AMBIGUOUS:
            tracking = _TRACKING_VALUE.fullmatch(value)
        if name and not tracking and (name, value) != ("m", "1"):
            parameters.append(f"{name}={value}" if value else name)
    return "?" + "&".join(sorted(parameters)) if parameters else ""


def _requote(text: str) -> str:
    return quote_from_bytes(
        unquote_to_bytes(text.replace("+", " ")), safe=_SAFE_IN_QUERY
    )
