"""The texts of feed items: the HTML of a story, its summary and its numbers.

The HTML body of an item (templates/item.html) has the lead of the story, its reports with the opening of each, and
their copies. The template escapes every text, and checks every foreign address by `feed_url`. Only the HTML of a whole
article is written as it is stored, because it was sanitised when it came in.
"""

from functools import cache
from typing import Any

from aggregator.config.messages import story_numbers
from aggregator.model.story import StoryText, StoryView
from aggregator.stories.counting.originals import originals_with_copies
from aggregator.stories.plain_text import NO_OUTLET, shown_order
from aggregator.web.feeds.feed_texts import feed_title
from aggregator.web.feeds.formats import template

# The newest reports that an item lists; the story page has all of them.
LISTED_REPORTS = 8
# The copies named after one report
NAMED_COPIES = 3


def story_body(
    story: StoryView,
    text: StoryText | None,
    story_url: str,
    *,
    is_whole: bool,
    with_pictures: bool,
) -> str:
    """Return a story as a fragment of HTML; callers limit it by `for_item`, unless `is_whole`.

    With `is_whole`, the fragment has the whole text if only one original has a text, otherwise also the quotations.
    """
    originals = originals_with_copies(story.articles)
    texts = [article for article, _ in originals if article.text or article.html]
    single = texts[0] if is_whole and len(texts) == 1 else None
    body = fragments().story_body(
        story,
        text,
        single,
        shown_order(originals, text) if text else originals[::-1],
        story_url,
        numbers(story) if story.article_count > 1 else "",
        is_whole,
        with_pictures,
    )
    return str(body)


@cache
def fragments() -> Any:
    """Return the macros of item.html."""
    return template("item.html").make_module(
        {
            "no_outlet": NO_OUTLET,
            "listed_reports": LISTED_REPORTS,
            "named_copies": NAMED_COPIES,
        }
    )


def story_summary(story: StoryView, text: StoryText | None) -> str:
    """Return the first paragraph of the lead as plain text on one line.

    Without a lead, return the counts, or the outlet of a single article, because there is nothing to count.
    """
    lead = text.lead[0].text if text and text.lead else story.summary
    if story.article_count == 1:
        return feed_title(lead or story.articles[0].outlet or NO_OUTLET)
    return feed_title(lead) or numbers(story)


def numbers(story: StoryView) -> str:
    """Return the numbers of articles, outlets and reports."""
    return " · ".join(reversed(story_numbers(story)))
