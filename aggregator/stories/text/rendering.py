"""What is made of a story's articles after placing: its merged text, names and topics."""

from collections.abc import Sequence

import msgspec

from aggregator.model.core import ArticleView, FrozenStruct, MergedStory, StoryName
from aggregator.stories.counts import of_standing, with_originals
from aggregator.stories.names import names_of, topics_of
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.plain_text import as_text
from aggregator.stories.tuning import StoryTuning


class Rendering(FrozenStruct, frozen=True, kw_only=True):
    """The stored forms of a merged text, without addresses, and the names and topics of the story.

    An address may change while the story does not; readers take it from the article.
    """

    merged: MergedStory
    text: str  # for SQL; empty for one article, whose text it would repeat
    originals: dict[str, str | None]  # by article: what it is a copy or an excerpt of
    names: tuple[StoryName, ...]
    topics: tuple[StoryName, ...]


def render(title: str, members: Sequence[ArticleView], tuning: StoryTuning) -> Rendering:
    """Return what is stored of a story; its `members` have texts and categories."""
    articles = [msgspec.structs.replace(one, url=None) for one in with_originals(members)]
    merged = merge(articles, title, tuning)
    standing = of_standing(members)
    return Rendering(
        merged=merged,
        text="" if len(articles) == 1 else as_text(merged, articles),
        originals={one.id: one.copy_of for one in articles},
        names=names_of(standing),
        topics=topics_of(standing),
    )
