"""The filters of stories, as people type them and as the store reads them.

A filter is declared once, as a field of `Filters`, and has the same name everywhere: as a parameter of pages, feeds
and the API, an option of commands, an argument of the Python API and of the MCP server, and a key of a saved query.
The order of the fields is the order of the parameters in addresses.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlencode

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
)

from aggregator.config.messages import is_relative, parse_end, parse_moment
from aggregator.config.values import ANY_TIME, accepted_by, error_words
from aggregator.model.errors import UsageError
from aggregator.model.prepared import Kind
from aggregator.model.read_model import Mute

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# The time of a full-text search grows with the number of words
MAX_TEXT_CHARS = 200
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS, pattern=r"^[^\x00]*$")]
Count = Annotated[int, Field(ge=1, le=1000)]
# A time as it is typed, because 24h is relative to each request
Moment = Annotated[
    str,
    accepted_by(lambda typed: typed and parse_moment(typed, ANY_TIME)),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": r"^\s*([0-9]{1,5}\s*[mhdw])?\s*$",
                    "examples": ["24h", "7d"],
                },
                {"type": "string", "format": "date"},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]


class QueryModel(BaseModel):
    """Values that a person typed, for example in an address."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Self:
        """Return a query of the values that are not empty. Raises UsageError, which names the first invalid one."""
        try:
            return cls.model_validate(
                {name: value for name, value in given.items() if str(value).strip()}
            )
        except ValidationError as error:
            raise UsageError(invalid_words(error.errors()[0], cls)) from None

    @property
    def query_string(self) -> str:
        """The query string of an address, with the values that are not empty, in a fixed order."""
        given = [name for name in type(self).model_fields if self.has(name)]
        return urlencode([(name, getattr(self, name)) for name in given])

    def has(self, name: str) -> bool:
        """Return whether a value was given that is not empty."""
        return name in self.model_fields_set and getattr(self, name) != ""


def invalid_words(detail: "ErrorDetails", model: type[BaseModel]) -> str:
    """Return what is wrong with a parameter: its name, what is allowed, and its value."""
    name = str(detail["loc"][-1])[:40]
    if detail["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return f"unknown parameter {name!r}; the parameters are {known}"
    if detail["type"] == "missing":
        return f"{name}: the parameter is missing"
    if detail["type"] == "string_unicode":
        return f"{name}: this is not UTF-8 text"
    return f"{name} {error_words(detail)}: {str(detail['input'])[:40]!r}"


_SINCE = "published at or after this time: 24h or 7d ago, a date or an RFC 3339 time"
_UNTIL = "published at or before this time; a date means the end of that day"


class Filters(QueryModel):
    """The filters of stories. An empty filter fits all stories.

    `outlet`, `folder`, `language` and `kind` fit a story if they fit one of its articles.
    """

    query: Text = Field(
        "",
        description="with these words in the title or an article; "
        '"two words" is a phrase, rebel* a prefix, -word excludes a word',
    )
    since: str | datetime | None = None
    until: str | datetime | None = None
    # A factory hides the default 1 from the OpenAPI description, because clients send documented defaults, which would
    # override the values of a saved query.
    min_outlets: Count = Field(
        default_factory=lambda: 1, description="with at least this many outlets"
    )
    min_reports: Count = Field(
        default_factory=lambda: 1,
        description="with at least this many independent reports",
    )
    outlet: Text = Field("", description="with an article of this outlet")
    folder: Text = Field("", description="with an article of a source in this folder")
    language: Text = Field(
        "", description="with an article in this language, such as en"
    )
    name: Text = Field(
        "", description="about this person, place or body: one of `names`"
    )
    topic: Text = Field("", description="on this topic: one of `topics`")
    kind: Literal["", Kind] = Field(
        "", description="with an article of this kind, such as opinion"
    )
    storyline: Text = Field(
        "", description="in the storyline of the story with this id"
    )
    fold: Literal["", "storylines"] = Field(
        "",
        description="of different storylines (`storylines`): of each the last bumped, with the reports and "
        "outlets of the last day of the storyline",
    )


class StoryFilter(Filters):
    """A filter as the store reads it, with absolute times, which are inclusive and bound `last_published`.

    Stories are ordered by their last bump, the newest first. `after` is the cursor of the store for the next page,
    and `mutes` are the owner's (store/read/muted.py).
    """

    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    after: str | None = None
    mutes: tuple[Mute, ...] = ()


class StoryQuery(Filters):
    """The filters as they are typed."""

    since: Moment = Field("", description=_SINCE)
    until: Moment = Field("", description=_UNTIL)

    def story_filter(
        self, now: datetime, limit: int, after: str | None = None
    ) -> StoryFilter:
        """Return the filter at the time `now`."""
        filters = {name: getattr(self, name) for name in Filters.model_fields}
        filters["since"] = parse_moment(self.since, now) if self.since else None
        filters["until"] = parse_end(self.until, now) if self.until else None
        return StoryFilter.model_construct(limit=limit, after=after, **filters)

    def over(self, saved: "SavedQuery") -> Self:
        """Return this query, with the values of `saved` for all filters that are not given here."""
        names = [name for name in Filters.model_fields if not self.has(name)]
        return self.model_copy(update={name: getattr(saved, name) for name in names})

    @property
    def changes_with_stories(self) -> bool:
        """Whether the stories of the query change only when a story changes or is indexed.

        They change at other times if the query has a relative time such as "24h", a folder, because sources can be
        moved to another, or a topic or name, because these are found when a text is rendered.
        """
        moves = is_relative(self.since) or is_relative(self.until)
        return not (moves or self.folder or self.topic or self.name)


class ArticleFilters(QueryModel):
    """The filters of a search for articles."""

    since: Moment = Field("", description=_SINCE)
    until: Moment = Field("", description=_UNTIL)
    outlet: Text = Field("", description="of this outlet")
    language: Text = Field("", description="in this language, such as en")

    def story_filter(self, now: datetime, limit: int) -> StoryFilter:
        """Return the filter of the stories of these articles at the time `now`."""
        return StoryQuery.model_construct(**dict(self)).story_filter(now, limit)


class SearchQuery(ArticleFilters):
    """A search for articles."""

    query: Text = Field(
        description='words; "two words" is a phrase, rebel* a prefix, -word excludes a word'
    )


class SavedQuery(StoryQuery):
    """A query of config.yaml, with three settings of its feeds.

    If a setting is None, that of `publish` or `feeds` applies.
    """

    model_config = ConfigDict(strict=True)

    _key: str = PrivateAttr("")

    query: str = ""  # the owner may search for more words than an address has
    title: str | None = None
    items: int | None = Field(default=None, ge=1, le=1000)
    link: Literal["story", "article"] | None = None

    @property
    def key(self) -> str:
        """The key of the query in `queries`; addresses name the query by it."""
        return self._key

    @property
    def label(self) -> str:
        """The name of the query in lists: its title, or else its key."""
        return self.title or self.key

    def named(self, key: str) -> "SavedQuery":
        """Return the same query with this key."""
        query = self.model_copy()
        query._key = key
        return query
