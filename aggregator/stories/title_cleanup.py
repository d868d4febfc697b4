"""A headline as its outlet wrote it, without the outlet's own name and the section behind it."""

import re
from functools import lru_cache

from aggregator.model.core import ArticleView
from aggregator.stories.lexicon import words_of

TITLE_CHARS = 300  # what is longer is no title, and bounds the work
CUT_TAIL = re.compile(r"\s*[|»«·]\s*(?P<tail>[^|»«·]{0,40})$")
DASH_TAIL = re.compile(r"\s+[-–—]\s*(?P<tail>[^-–—]{1,40})$")


def clean_title(article: ArticleView) -> str:
    """The title without the outlet's name and section behind a bar or dash."""
    return clean_title_text(article.title[:TITLE_CHARS], article.outlet)


@lru_cache(maxsize=2048)
def clean_title_text(title: str, outlet: str | None) -> str:
    """`clean_title` of a title of at most `TITLE_CHARS` characters."""
    title = " ".join(title.split())
    while cut := CUT_TAIL.search(title):
        if not title[: cut.start()].strip():
            break
        title = title[: cut.start()]
    tail = DASH_TAIL.search(title)
    if tail and title[: tail.start()].strip() and _is_outlet(tail["tail"].strip(), outlet):
        title = title[: tail.start()]
    return title.strip(" |»«·")


def _is_outlet(tail: str, outlet: str | None) -> bool:
    folded = re.sub(r"[^\w.]+", "", tail.casefold())
    own = re.sub(r"[^\w.]+", "", (outlet or "").casefold()).removeprefix("www.")
    if own and folded and (folded == own or folded == own.split(".")[0]):
        return True
    named = re.findall(r"[^\W\d_]+", tail)
    in_capitals = all(word[0].isupper() for word in named if len(word) > 3)
    return bool(named) and in_capitals and any(word.lower() in words_of("outlet_words") for word in named)
