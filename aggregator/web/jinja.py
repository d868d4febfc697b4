"""The Jinja2 environment of pages: autoescaping, filters, and texts without invisible characters.

Templates receive value types (StoryView, StoryText). An unknown name in a template is an error. `visible` is applied to
every text that is not markup.
"""

import datetime as dt
from collections.abc import Iterable

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aggregator.config.messages import counted_outlets, pluralise
from aggregator.model.article import ArticleView
from aggregator.model.clock import in_utc
from aggregator.model.read_model import SearchHit
from aggregator.publish.excerpts.excerpt_words import first_words
from aggregator.publish.sanitise import one_line, safe_url, visible
from aggregator.web.list_query import LANGUAGE_NAMES


def environment() -> Environment:
    """Return the Jinja2 environment of the templates."""
    jinja = Environment(
        loader=PackageLoader("aggregator.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters = (
        as_written, bump_time, pluralise, counted_outlets, day, iso, language_names,
        moment, outlets, pieces, short_day, short_moment, with_sign, upper_first,
        without_title,
    )  # fmt: skip
    jinja.filters.update({function.__name__: function for function in filters})
    jinja.filters.update(url=safe_url, line=one_line, time=time_of_day, cut=first_words)

    for template in ("problem.html", "base.html"):
        # Loaded now and kept, because the error page must work when the process can open no more files.
        jinja.get_template(template)
    return jinja


def _finalize(value: object) -> object:
    if isinstance(value, Markup):
        return value
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) else value


def moment(time: dt.datetime) -> str:
    """Format as `20 Nov 2026, 08:15` in UTC; the footer of pages states the time zone."""
    utc = in_utc(time)
    return f"{utc.day} {utc:%b} {utc.year}, {utc:%H:%M}"


def day(time: dt.date) -> str:
    """Format as `Friday, 20 November 2026`; a datetime as its day in UTC."""
    date = in_utc(time) if isinstance(time, dt.datetime) else time
    return f"{date:%A}, {date.day} {date:%B} {date.year}"


def short_day(time: dt.datetime, today: dt.date | None = None) -> str:
    """Format as `18 Nov 2026` in UTC, without the year if `today` is in the same year."""
    utc = in_utc(time)
    of_this_year = today is not None and today.year == utc.year
    return f"{utc.day} {utc:%b}" if of_this_year else f"{utc.day} {utc:%b} {utc.year}"


def short_moment(time: dt.datetime, beside: dt.datetime) -> str:
    """Format as `18 Nov, 08:15` in UTC, with the year if `beside` is in another year; midnight as `18 Nov 2026`."""
    utc = in_utc(time)
    if not bump_time(time):
        return short_day(time)
    if utc.year != in_utc(beside).year:
        return moment(time)
    return f"{utc.day} {utc:%b}, {utc:%H:%M}"


def time_of_day(time: dt.datetime) -> str:
    """Format as `08:15` in UTC."""
    return f"{in_utc(time):%H:%M}"


def bump_time(time: dt.datetime) -> str:
    """Format the time of a bump as `08:15`; "" at midnight to the second, which stands for a date without a time."""
    utc = in_utc(time).replace(microsecond=0)
    return "" if utc.time() == dt.time(0) else time_of_day(time)


def iso(time: dt.date) -> str:
    """Format for `<time datetime>`, to the second."""
    if isinstance(time, dt.datetime):
        return f"{in_utc(time):%Y-%m-%dT%H:%M:%SZ}"
    return time.isoformat()


def upper_first(text: str) -> str:
    """Return the text with an upper-case first letter."""
    return text[:1].upper() + text[1:]


def without_title(text: str, title: str) -> str:
    """Return a summary without its first sentence if that sentence is the title."""
    bare = title.rstrip(" .!?…")
    start = text[: len(bare)]
    rest = text[len(bare) :]
    if not bare or start.casefold() != bare.casefold() or rest[:1] not in ".!?…":
        return text
    return rest.lstrip(" .!?…")


def language_names(tags: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of language tag and name for a select field."""
    return [(tag, LANGUAGE_NAMES.get(tag, tag)) for tag in tags]


def with_sign(number: float) -> str:
    """Format a share of a score as `+2.31` or `−8.60`."""
    return f"{number:+.2f}".replace("-", "−")


def outlets(names: Iterable[str]) -> list[str]:
    """Return the names of outlets on one line each, without duplicates."""
    return list(dict.fromkeys(one_line(name) for name in names if name))


def pieces(hit: SearchHit) -> list[tuple[str, bool]]:
    """Return the parts of a snippet between its marks as pairs: the text, and whether it matches the query."""
    cut = []
    position = 0
    for start, end in hit.marks:
        if position <= start < end <= len(hit.snippet):
            cut += [
                (hit.snippet[position:start], False),
                (hit.snippet[start:end], True),
            ]
            position = end
    return [*cut, (hit.snippet[position:], False)]


def as_written(article: ArticleView, with_pictures: bool) -> Markup:
    """Return the HTML of an article, which was sanitised when it came in; "" if none is stored."""
    if article.html is None:
        return Markup()
    from aggregator.extract.html.article_html import shown_html

    return Markup(visible(shown_html(article.html, with_pictures=with_pictures)))  # noqa: S704
