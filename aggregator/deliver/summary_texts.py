"""The facts that go out to a machine that summarises a story, and the sentences of its answer.

Everything in both directions is untrusted: the facts are the words of publishers, which may hold instructions
for a model, and an answer may hold anything. So an answer can only become plain sentences of limited length
that name articles of this story.
"""

import re
from collections.abc import Collection
from html import unescape
from typing import Any

import msgspec
from msgspec.structs import replace

from aggregator.model.read_model import MachineSentence
from aggregator.model.story import StoryText, StoryView
from aggregator.publish.excerpts.access import Access
from aggregator.publish.excerpts.stories import for_reader
from aggregator.publish.sanitise import encode_json, one_line

# Models with 16,000 tokens take so many bytes of facts; the last parts are left out.
INPUT_CAP_BYTES = 64 * 2**10
_MOST_SENTENCES = 20
_MOST_CHARS = 600  # of a sentence
_MOST_IDS = 20  # articles of one sentence
_TAG = re.compile(r"<[A-Za-z/!?][^<>]{0,1000}>?")
_LINK = re.compile(r"(?i)://|www\.|(?:javascript|data):")


def input_of(
    story: StoryView, text: StoryText, access: Access, words: int
) -> tuple[bytes, frozenset[str]] | None:
    """Return what a story shows as JSON, and the ids of the articles in it; None if it shows nothing.

    It is limited to what `access` permits. Articles that forbid snippets or text mining are left out; if
    the headline is of none of the others, the title of one of these takes its place. Of too much, quotations
    are left out first, then the openings of the oldest reports.
    """
    shown, bounded = for_reader(story, text, access, words)
    if bounded is None:
        return None
    outlets = {
        article.id: article.outlet
        for article in story.articles
        if not (article.nosnippet or article.tdm_reserved)
    }
    lead = [passage for passage in bounded.lead if passage.article_id in outlets]
    openings = [o for o in bounded.openings if o.article_id in outlets]
    quotations = []
    for quotation in bounded.quotations:
        known = tuple(id_ for id_ in quotation.article_ids if id_ in outlets)
        if known:
            quotations.append(replace(quotation, article_ids=known))
    titles: dict[str, str] = {}
    for article, limited in zip(story.articles, shown.articles, strict=True):
        if article.id in outlets:
            titles[article.title] = limited.title
    title = shown.title
    if story.title not in titles:
        title = next(iter(titles.values()), title)
    while lead or openings or quotations:
        sources = {passage.article_id for passage in (*lead, *openings)}
        for quotation in quotations:
            sources.update(quotation.article_ids)
        data = encode_json(
            {
                "version": 2,
                "story": story.id,
                "title": title,
                "language": story.language,
                "articles": [{"id": i, "outlet": outlets[i]} for i in sorted(sources)],
                "lead": lead,
                "openings": openings,
                "quotations": quotations,
            }
        )
        if len(data) <= INPUT_CAP_BYTES:
            return data, frozenset(sources)
        (quotations or openings or lead).pop()
    return None


def sentences_of(answer: bytes, ids: Collection[str]) -> tuple[MachineSentence, ...]:
    """Return the sentences of an answer that rest on articles of `ids`, as plain text.

    Raises ValueError for an answer that is not JSON of the form {"sentences": [{"text", "article_ids"}]}.
    """
    try:
        values: Any = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("the answer is not JSON") from error
    listed = values.get("sentences") if isinstance(values, dict) else None
    if not isinstance(listed, list):
        raise ValueError(  # noqa: TRY004 - bad input, as above
            'the answer has no list "sentences"'
        )
    sentences: dict[str, MachineSentence] = {}
    for value in listed[: 10 * _MOST_SENTENCES]:
        if not isinstance(value, dict):
            continue
        text = value.get("text")
        article_ids = value.get("article_ids")
        if not isinstance(text, str) or not isinstance(article_ids, list):
            continue
        known = [id_ for id_ in article_ids if isinstance(id_, str) and id_ in ids]
        plain = plain_sentence(text)
        if known and plain:
            of_sentence = tuple(dict.fromkeys(known))[:_MOST_IDS]
            sentences.setdefault(
                plain, MachineSentence(text=plain, article_ids=of_sentence)
            )
    return tuple(sentences.values())[:_MOST_SENTENCES]


def plain_sentence(text: str) -> str:
    """Return a sentence of a machine as plain text on one line; "" if it is too long or has an address."""
    if len(text) > 2 * _MOST_CHARS:
        return ""
    plain = unescape(text)
    while (stripped := _TAG.sub(" ", plain)) != plain:
        plain = stripped
    plain = one_line(
        "".join(char if char.isprintable() else " " for char in plain.replace("<", "‹"))
    )
    return "" if len(plain) > _MOST_CHARS or _LINK.search(plain) else plain


def in_prose(answer: str) -> bytes:
    """Return the JSON in the message of a model, which may stand between words or in a block of code."""
    start = answer.find("{")
    end = answer.rfind("}")
    if not 0 <= start < end:
        return b""
    return answer[start : end + 1].encode("utf-8", "replace")
