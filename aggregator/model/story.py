"""A story, as output shows it."""

from datetime import datetime

from aggregator.model.article import ArticleView
from aggregator.model.entry import Enclosure
from aggregator.model.structs import FrozenStruct


class LinkedStory(FrozenStruct, omit_defaults=False):
    """A story of a storyline."""

    id: str
    title: str
    first_published: datetime
    report_count: int


class StorylineFacts(FrozenStruct, omit_defaults=False):
    """A storyline without its stories.

    Its title is that of its head, the story with the most reports of its last day; `day_outlet_count` and
    `day_report_count` are those of all its stories of that day, an outlet once.
    """

    id: str
    title: str
    story_count: int
    day_outlet_count: int
    day_report_count: int


class StorylineView(StorylineFacts, omit_defaults=False):
    """A storyline with its stories, the newest first."""

    head: str  # the id of its head
    updated: datetime  # the last bump of any of its stories
    stories: tuple[LinkedStory, ...]


class StoryName(FrozenStruct, omit_defaults=False):
    """A name of a person, place or body in a story, and how many outlets use it."""

    name: str
    outlets: int


class StoryFacts(FrozenStruct, omit_defaults=False):
    """A story without its articles; what shows more of it extends this."""

    id: str
    title: str
    summary: str
    language: str | None
    first_published: datetime
    last_published: datetime
    updated: datetime  # the last bump; unique among stories
    article_count: int
    outlet_count: int
    unknown_outlet_count: int
    report_count: int


class StoryView(StoryFacts, omit_defaults=False):
    """A story and its articles, oldest first by effective time."""

    names: tuple[StoryName, ...] = ()  # the most important first
    topics: tuple[str, ...] = ()  # likewise
    articles: tuple[ArticleView, ...] = ()
    title_article: str | None = None  # the id of the article whose title it has
    storyline: StorylineView | None = None  # None: it stands alone
    texts_gone: bool = False  # only for one story: retention deleted texts of it

    @property
    def earlier(self) -> tuple[LinkedStory, ...]:
        """The stories of its storyline before it, the nearest first."""
        return self._beside()[0]

    @property
    def later(self) -> tuple[LinkedStory, ...]:
        """The stories of its storyline after it, the nearest first."""
        return self._beside()[1]

    def _beside(self) -> tuple[tuple[LinkedStory, ...], tuple[LinkedStory, ...]]:
        stories = self.storyline.stories if self.storyline else ()
        for place, story in enumerate(stories):
            if story.id == self.id:
                return stories[place + 1 :], stories[:place][::-1]
        return (), ()  # it stands alone, or has come meanwhile

    @property
    def counted_as(self) -> str:
        """What its `report_count` counts: opinions, where it has nothing else."""
        is_opinion = {article.kind for article in self.articles} == {"opinion"}
        return "opinion" if is_opinion else "independent report"

    @property
    def undated_seen(self) -> datetime | None:
        """When the first article of a story without any date was seen; else None."""
        if any(article.is_dated for article in self.articles):
            return None
        return min((article.seen for article in self.articles), default=None)

    @property
    def picture(self) -> Enclosure | None:
        """The picture of the report whose title it has; without one, of its first article."""
        for article in self.articles:
            if article.id == self.title_article:
                return article.picture
        return self.articles[0].picture if self.articles else None


class Passage(FrozenStruct, omit_defaults=False):
    """Words that stand in an article exactly so: a paragraph, or a sentence."""

    text: str
    article_id: str


class Quotation(FrozenStruct, omit_defaults=False):
    """A sentence that is mostly the words of a named speaker, and the articles that contain it."""

    speaker: str
    text: str
    article_ids: tuple[str, ...]


class StoryText(FrozenStruct, omit_defaults=False, cache_hash=True):
    """The text of a story: every passage occurs, word for word, in the article that it is attributed to."""

    title: str
    lead: tuple[Passage, ...] = ()  # paragraphs of one report
    # The first sentence of each other report that has one to show
    openings: tuple[Passage, ...] = ()
    quotations: tuple[Quotation, ...] = ()
    # Sentences that the current text tells differently, of other versions
    versions: tuple[Passage, ...] = ()
    # Version of the code that rendered the text (stories/rendering.py)
    version: int = 0

    def opening_of(self, article_id: str) -> str:
        """Return the first sentence to show of an article; "" where it has none."""
        for opening in self.openings:
            if opening.article_id == article_id:
                return opening.text
        return ""
