"""Images, sounds and films of an article, by reference: which are kept, and of what kind they are.

Nothing here is ever fetched. One picture is kept: feeds and pages name the same one in many sizes.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

from aggregator.extract.language.unicode import clean
from aggregator.extract.limits import TextRules
from aggregator.model.core import Enclosure

_TYPE = re.compile(r"(?:image|audio|video|application)/[a-z0-9][a-z0-9.+-]{0,60}")
_MEDIUM = frozenset({"image", "audio", "video"})
_TITLE_CHARS = 300
# IANA's registry of media types, as far as feeds use it; not the machine's own table, which differs.
_BY_ENDING = {
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
    "avif": "image/avif", "svg": "image/svg+xml", "mp3": "audio/mpeg", "m4a": "audio/mp4", "aac": "audio/aac",
    "ogg": "audio/ogg", "oga": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav", "flac": "audio/flac",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
    "pdf": "application/pdf", "epub": "application/epub+zip",
}  # fmt: skip
_WRITTEN_OTHERWISE = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "audio/mp3": "audio/mpeg"}


def media_of(
    declared: Sequence[Enclosure],
    page: Sequence[Enclosure],
    base: str | None,
    rules: TextRules,
    *,
    no_images: bool,
) -> tuple[Enclosure, ...]:
    """At most `media_kept` references, the picture first: the feed's own, else the page's.

    Each has a type. `base`: what relative addresses are meant from. What is neither picture, sound, film nor
    document (a player's page) is left out, as is what no reader could open.
    """
    kept: dict[str, Enclosure] = {}
    for one in _known([*declared, *page], base, rules):
        kept.setdefault(one.url, one)
    pictures = [one for one in kept.values() if is_image(one) and not no_images][:1]
    others = [one for one in kept.values() if not is_image(one)]
    return tuple([*pictures, *others][: rules.media_kept])


def is_image(media: Enclosure) -> bool:
    """Whether it is a picture."""
    return media.type.split("/")[0] == "image"


def _known(given: Iterable[Enclosure], base: str | None, rules: TextRules) -> Iterable[Enclosure]:
    for one in given:
        url = _address(one.url, base, rules.media_url_chars)
        kind = _kind(one.type, url) if url else ""
        if url and kind:
            title = " ".join(clean(one.title[:_TITLE_CHARS]).split())
            yield Enclosure(url=url, type=kind, length_bytes=one.length_bytes or None, title=title)


def _address(raw: str, base: str | None, limit_chars: int) -> str | None:
    """An absolute address that can stand in a feed; None for any other."""
    try:
        full = urljoin(base or "", clean(raw).strip()).replace(" ", "%20")
        parts = urlsplit(full)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return full if fits and len(full) <= limit_chars and not re.search(r"[\s<>\"]", full) else None


def _kind(declared: str, url: str) -> str:
    """The media type: as declared, else by the ending of the address; "" where it is of no use."""
    stated = clean(declared).split(";")[0].strip().lower()
    stated = _WRITTEN_OTHERWISE.get(stated, stated)
    if _TYPE.fullmatch(stated) and stated != "application/octet-stream":
        return stated
    by_ending = _BY_ENDING.get(PurePosixPath(urlsplit(url).path).suffix.lstrip(".").lower(), "")
    if stated in _MEDIUM:
        return by_ending if by_ending.startswith(stated + "/") else stated
    return by_ending if stated in {"", "document", "application/octet-stream"} else ""
