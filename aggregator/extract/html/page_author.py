"""Finds the author that a page declares or shows."""

import re
from collections.abc import Iterator, Sequence

from aggregator.extract.html.declared import PageHead, as_list, name_of, visible_text
from aggregator.text.lines import fold_line, word_list

_AUTHORS = 5


def find_author(head: PageHead, site: str | None) -> str | None:
    """Return the author. Persons are preferred to the outlet, which pages often name for unsigned texts."""
    publisher = head.name("publisher")
    outlet = {fold_line(name) for name in (site, publisher) if name}
    for not_authors in (outlet, set[str]()):
        for names in _stated_authors(head):
            stated = [
                name
                for name in names
                if name
                and not (name.startswith("http") or name.isdigit())
                and len(name) <= _AUTHOR_CHARS
                and fold_line(name) not in not_authors
            ]
            if stated:
                return _BY.sub("", ", ".join(dict.fromkeys(stated))) or None
    return None


_BY = re.compile(r"^(?:by|von|par|por|di|door)\s+", re.IGNORECASE)


def _stated_authors(head: PageHead) -> Iterator[Sequence[str | None]]:
    """Yield the declared authors, the most reliable first; lazy, because the last ones are expensive to find."""
    yield list(map(name_of, as_list(head.article.get("author"))[:_AUTHORS]))
    for name in _AUTHOR_NAMES:
        yield [head.meta.get(name)]
    yield [
        visible_text(link, 100) for link in head.root.xpath(_AUTHOR_LINKS)[:_AUTHORS]
    ]
    lines = (visible_text(part, 100) for part in head.root.xpath(_BYLINES)[:_AUTHORS])
    yield [line for line in lines if 0 < len(line) <= _BYLINE_CHARS][:1]


_AUTHOR_LINKS = "//*[@rel='author' or @itemprop='author']"
_BYLINES = "//*[@class='author' or @class='byline' or @class='author-name' or @class='byline-name']"

_AUTHOR_NAMES = word_list("""
    author article:author dc.creator byl parsely-author sailthru.author article:byline
    cxenseparse:author
""")

_AUTHOR_CHARS = 200
_BYLINE_CHARS = 60
