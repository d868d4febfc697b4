"""Extraction by the library trafilatura: the text of a page, and the markup of that text.

The option `deduplicate` stays off, because it keeps state between documents and would empty the fourth copy of an
agency's text.
"""

import logging
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any

from aggregator.text.lines import letters_of, word_set

# Pages with more paragraphs are read without justext, which compares each paragraph with those after it: 13,000
# paragraphs take 30 s, and 3,000 take 1.5 s. The largest of 217 real pages has 1,366.
_MAX_COMPARED = 3_000

# Markup with a smaller share of the text's letters is not used. 94 of 98 real pages have more than .9. The others have
# less than .7, because their text was found by a fallback of the library.
_LEAST_MARKUP = 0.85

_WITH_INLINE_CODE = word_set("p item cell head hi ref quote del")

_log = logging.getLogger(__name__)


class _StopWords:
    """The stop words of all languages for justext, which iterates over them once to build a set.

    With a tuple of them, trafilatura would also need 15 MB, and 3 ms for its hash at each use.
    """

    def __iter__(self) -> Iterator[str]:
        from justext.utils import get_stoplist, get_stoplists  # type: ignore[import-untyped]

        return chain.from_iterable(map(get_stoplist, get_stoplists()))


@cache
def _trafilatura() -> Any:
    import trafilatura
    from trafilatura import external

    external.JT_STOPLIST = _StopWords()  # type: ignore[assignment]  # None until its first use
    return trafilatura


def extract_text(root: Any, url: str | None) -> str:
    """Return the article's paragraphs, one per line; "" if there are none or the library fails.

    MemoryError is left to the limits of the worker.
    """
    from justext.core import PARAGRAPH_TAGS  # type: ignore[import-untyped]

    is_long = sum(1 for _ in root.iter(*PARAGRAPH_TAGS)) > _MAX_COMPARED
    return getattr(_extract(root, url, fast=is_long), "text", None) or ""


def extract_markup(root: Any, text: str, url: str | None) -> str:
    """Return the HTML of a page's text, which is extracted again with its structure.

    Return "" if much of `text` is missing, because another method found the text or it stood in several elements.
    """
    document = _extract(
        root,
        url,
        fast=True,
        # With another format, the library would also make the text.
        output_format="xml",
        include_links=True,
        include_images=True,
        include_formatting=True,
    )
    body = getattr(document, "body", None)
    if body is None or len(letters_of("".join(body.itertext()))) < _LEAST_MARKUP * len(
        letters_of(text)
    ):
        return ""
    for code in body.iter("code"):
        is_in_line = (
            code.getparent() is not None and code.getparent().tag in _WITH_INLINE_CODE
        )
        if is_in_line and "\n" not in "".join(code.itertext()):
            code.tag = "hi"
            code.set("rend", "#t")  # the library's form of <tt>
    from trafilatura.htmlprocessing import build_html_output

    return build_html_output(document)


def _extract(root: Any, url: str | None, *, fast: bool, **options: Any) -> Any:
    """Return the document that trafilatura extracts from a page; None if it fails."""
    try:
        return _trafilatura().bare_extraction(
            root,
            url=url,
            fast=fast,
            include_comments=False,
            deduplicate=False,
            with_metadata=False,
            **options,
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a library may raise anything on untrusted markup
        _log.warning(
            "trafilatura failed on a page",
            exc_info=True,
            extra={"event": "page_reader_failed"},
        )
        return None
