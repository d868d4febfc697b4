"""A story, as output shows it."""

from datetime import datetime

from aggregator.model.article import ArticleView
from aggregator.model.entry import Enclosure
from aggregator.model.structs import FrozenStruct


class LinkedStory(FrozenStruct, omit_defaults=False):
    """A story of a storyline; a guest never stands for it (store/stories/guests.py)."""

    id: str
    title: str
    first_published: datetime
    report_count: int
    is_guest: bool = False


class StorylineFacts(FrozenStruct, omit_defaults=False):
    """A storyline without its stories.

    Its title is the title of its head: the story of its last day with the most reports. `day_outlet_count` and
    `day_report_count` count the outlets, each once, and the reports of all its stories of that day, without
    guests.
    """

    id: str
    title: str
    story_count: int
    day_outlet_count: int
    day_report_count: int


class StorylineView(StorylineFacts, omit_defaults=False):
    """A storyline with its stories, the newest first."""

    head: str  # the id of its head
    updated: datetime  # the last bump of any of its stories, except guests
    stories: tuple[LinkedStory, ...]

    @property
    def guests(self) -> frozenset[str]:
        """The ids of its guests."""
        return frozenset(story.id for story in self.stories if story.is_guest)


class StoryName(FrozenStruct, omit_defaults=False):
    """A name of a person, place or body in a story, and how many outlets use it."""

    name: str
    outlets: int


class StoryFacts(FrozenStruct, omit_defaults=False):
    """A story without its articles; the base of the values that show more of a story."""

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
        """The earlier stories of its storyline, the nearest first."""
        return self._beside()[0]

    @property
    def later(self) -> tuple[LinkedStory, ...]:
        """The later stories of its storyline, the nearest first."""
        return self._beside()[1]

    def _beside(self) -> tuple[tuple[LinkedStory, ...], tuple[LinkedStory, ...]]:
        stories = self.storyline.stories if self.storyline else ()
        for place, story in enumerate(stories):
            if story.id == self.id:
                return stories[place + 1 :], stories[:place][::-1]
        # The story stands alone, or joined the storyline after the storyline was read.
        return (), ()

    @property
    def counted_as(self) -> str:
        """The noun for what `report_count` counts: opinions if the story has nothing else."""
        is_opinion = {article.kind for article in self.articles} == {"opinion"}
        return "opinion" if is_opinion else "independent report"

    @property
    def undated_seen(self) -> datetime | None:
        """When the first article was seen, if none has a date; else None."""
        if any(article.is_dated for article in self.articles):
            return None
        return min((article.seen for article in self.articles), default=None)

    @property
    def picture(self) -> Enclosure | None:
        """The picture of the article that gives the title, or of the first article if the title comes from none."""
        for article in self.articles:
            if article.id == self.title_article:
                return article.picture
        return self.articles[0].picture if self.articles else None


class Passage(FrozenStruct, omit_defaults=False):
    """A paragraph or a sentence that occurs word for word in an article."""

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
    # A sentence of the newest report of each other sender, if it adds something
    openings: tuple[Passage, ...] = ()
    quotations: tuple[Quotation, ...] = ()
    # Sentences of other versions of a text that the current version tells differently
    versions: tuple[Passage, ...] = ()
    # The version of the code that rendered the text (stories/rendering.py)
    version: int = 0

    def opening_of(self, article_id: str) -> str:
        """Return the opening of an article; "" if it has none."""
        for opening in self.openings:
            if opening.article_id == article_id:
                return opening.text
        return ""
