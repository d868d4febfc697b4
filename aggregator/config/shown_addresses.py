"""Shows addresses to those who may not change sources: without anything in them that may be a key.

A key has no form of its own, so an address shows what is known to be none: its host, words of its path, and the values
of a few parameters. All else is replaced by `***`.
"""

import re
from urllib.parse import unquote

HIDDEN = "***"
# An address within a text. A text of this machine, such as sqlite:///folder, has no host and is left alone.
_ADDRESS = re.compile(
    r"(?i)\b(https?|feed|ftp|imaps?|smtps?|mailtos?|socks[45]h?|wss?)://([^\s\"'<>\\]+)"
)
# An address without scheme and host, such as /feed?page=2; the length is limited, so that searching takes linear time
_RELATIVE = re.compile(r"(?<![\w/:])/[^\s\"'<>\\?]{0,300}\?[^\s\"'<>\\]+")
# The end of a sentence or a bracket around the address, which is no part of it
_AFTER = ".,:;!?)]}"
# Parameters whose value names what the feed is about. Their value must consist of words.
_PUBLIC_PARAMETERS = re.compile(
    r"author|cat|category|ceid|channel|country|edition|feed|format|gl|hl|keyword|keywords|lang|language|"
    r"limit|locale|max|min|order|output|page|paged|q|query|region|rss|search|section|sort|tag|tags|topic|"
    r"topics|type"
)
# Parameters that number something; a value with other characters than digits is hidden.
_NUMBERS = re.compile(r"cat|id|n|p|page|post|start|year")
# The ids of a video channel and of a playlist, which look like keys, are public.
_PUBLIC_IDS = re.compile(r"channel_id|playlist_id")
# A part of a path that names the part behind it as a key
_KEY_NAMES = re.compile(
    r"access|api_key|apikey|auth|code|hash|k|key|keys|password|private|pw|pwd|secret|session|sid|t|token|"
    r"tokens"
)
_WORD = re.compile(r"[^\W_]+")
# Words as people write them into addresses: "news", "Rss2", "BBC", "TopStories", "2026", "24h"
_PLAIN_WORD = re.compile(
    r"[A-Z]?[a-z]{1,40}\d{0,4}|[A-Z]{1,5}\d{0,4}|(?:[A-Z][a-z]{2,20}){1,6}|\d{1,10}|\d{1,4}[a-z]{1,4}"
)
_PARAMETER = re.compile(r"[^&;]+")
_PUBLIC_ID = re.compile(r"[\w-]{1,64}")


def hide_keys(text: str) -> str:
    """Return a text with every address in it as it is shown to those who may not change sources."""
    text = _ADDRESS.sub(lambda found: f"{found[1]}://{_shown_address(found[2])}", text)
    return _RELATIVE.sub(lambda found: _shown_address(found[0]), text)


def _shown_address(address: str) -> str:
    """Return an address, without its scheme, as it is shown; it may be followed by the end of a sentence."""
    stripped = address.rstrip(_AFTER)
    return _shown_rest(stripped) + address[len(stripped) :]


def _shown_rest(rest: str) -> str:
    """Return an address from its host or its path on, without user, password and keys."""
    before_fragment, hash_sign, fragment = rest.partition("#")
    before_query, question_mark, query = before_fragment.partition("?")
    authority, slash, path = before_query.partition("/")
    user, at, host = authority.rpartition("@")
    if user:
        host = f"{HIDDEN}{at}{host}"
    shown = [host, slash, _shown_path(path), question_mark]
    shown.append(_PARAMETER.sub(lambda found: _shown_parameter(found[0]), query))
    shown += [hash_sign, _shown_part(fragment)]
    return "".join(shown)


def _shown_path(path: str) -> str:
    shown = []
    before = ""
    for part in path.split("/"):
        hides = part and _KEY_NAMES.fullmatch(unquote(before).casefold())
        shown.append(HIDDEN if hides else _shown_part(part))
        before = part
    return "/".join(shown)


def _shown_part(part: str) -> str:
    """Return a part of a path, such as `feed;jsessionid=***`, with what is not made of words replaced."""
    shown = []
    for piece in part.split(";"):
        name, equals, _ = piece.partition("=")
        if equals and _is_plain(name):
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(piece if _is_plain(piece) else HIDDEN)
    return ";".join(shown)


def _shown_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return _shown_part(parameter)
    key = unquote(name).casefold()
    is_shown = (
        (_PUBLIC_PARAMETERS.fullmatch(key) and _is_plain(value))
        or (_NUMBERS.fullmatch(key) and value.isdecimal() and len(value) <= 10)
        or (_PUBLIC_IDS.fullmatch(key) and _PUBLIC_ID.fullmatch(value))
    )
    return parameter if is_shown else f"{name if _is_plain(name) else HIDDEN}={HIDDEN}"


def _is_plain(part: str) -> bool:
    """Return whether a part of an address consists of words. Words of other scripts are not keys."""
    return all(
        _PLAIN_WORD.fullmatch(word) or not word.isascii()
        for word in _WORD.findall(unquote(part))
    )
