"""The media of an article (images, audio, video, documents): references only, which are never fetched.

Only one image is selected, because feeds and pages list the same image in many sizes: the image of the feed, else the
image that the page declares, else the first large image in the article itself.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from aggregator.extract.html.article_html import (
    is_shown_picture,
)
from aggregator.extract.language.unicode import clean
from aggregator.extract.urls import absolute_url
from aggregator.model.entry import Enclosure
from aggregator.text.lines import one_line, word_table

# A longer link to a picture, audio or video is dropped (chosen: readers and servers accept this length).
_MEDIA_URL_CHARS = 2048
# A user or password, and characters that end an address in a feed
_UNUSABLE = re.compile(r"^[^/]*//[^/?#]*@|[\s<>\"]")
_TYPE = re.compile(r"(?:image|audio|video|application)/[a-z0-9][a-z0-9.+-]{0,60}")
_MEDIUM = frozenset({"image", "audio", "video"})
_TITLE_CHARS = 300

# Media types of the IANA registry that feeds use; the system's own table differs between machines.
_BY_ENDING = word_table("""
    image/jpeg jpg jpeg
    image/png png
    image/gif gif
    image/webp webp
    image/avif avif
    image/svg+xml svg
    audio/mpeg mp3
    audio/mp4 m4a
    audio/aac aac
    audio/ogg ogg oga opus
    audio/wav wav
    audio/flac flac
    video/mp4 mp4 m4v
    video/webm webm
    video/quicktime mov
    application/pdf pdf
    application/epub+zip epub
""")

_WRITTEN_OTHERWISE = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
}


def media_of(
    declared: Sequence[Enclosure],
    page: Sequence[Enclosure],
    base: str | None,
    *,
    no_images: bool,
) -> tuple[Enclosure, ...]:
    """Return the references, beginning with at most one image: the first one of the feed, else of the page.

    Relative URLs are resolved against `base`. References that are not an image, audio, video or document (the page
    of a player, for example), URLs that cannot be used in a feed, and pictures that no page shows are left out.
    """
    by_url: dict[str, Enclosure] = {}
    for reference in (*declared, *page):
        url = absolute_url(reference.url, base)
        if url is None or len(url) > _MEDIA_URL_CHARS or _UNUSABLE.search(url):
            continue
        kind = _kind(reference.type, url)
        if kind:
            title = one_line(clean(reference.title[:_TITLE_CHARS]))
            medium = Enclosure(
                url=url,
                type=kind,
                length_bytes=reference.length_bytes or None,
                title=title,
            )
            by_url.setdefault(url, medium)
    image: list[Enclosure] = []
    others = []
    for medium in by_url.values():
        if not medium.is_image:
            others.append(medium)
        elif not (no_images or image) and is_shown_picture(medium.url):
            image.append(medium)
    return (*image, *others)


def _kind(declared: str, url: str) -> str:
    """Return the declared media type, else the type of the URL's file extension; "" if the reference is unusable.

    A declared "image", "audio" or "video" is returned as it is if the extension does not give the subtype.
    """
    stated = clean(declared).split(";")[0].strip().lower()
    stated = _WRITTEN_OTHERWISE.get(stated, stated)
    if _TYPE.fullmatch(stated) and stated != "application/octet-stream":
        return stated
    by_ending = _BY_ENDING.get(
        PurePosixPath(urlsplit(url).path).suffix.lstrip(".").lower(), ""
    )
    if stated in _MEDIUM:
        return by_ending if by_ending.startswith(stated + "/") else stated
    return by_ending if stated in {"", "document", "application/octet-stream"} else ""
