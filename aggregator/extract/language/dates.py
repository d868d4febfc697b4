"""Reads the date of publication in the first lines of an article.

Only a complete day, month and year is a date; a bare year, a weekday or a clock time is not. Implausible dates
(before 1990, or more than a day after the entry was accepted) are ignored.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache

from aggregator.extract.language.date_clocks import (
    CLOCK,
    clock_beside,
    end_of_date_before,
)
from aggregator.extract.language.date_forms import (
    DIGIT,
    Match,
    date_matches,
    day_of,
    plain_digits,
)
from aggregator.extract.language.declared_dates import published_at
from aggregator.extract.phrases import phrases, single_words, words
from aggregator.model.entry import Published
from aggregator.text import calendar
from aggregator.text.lines import is_prose

_BESIDE_DATES = """
    on at am um le el il op de a as uhr reading time min mins minute minutes read lesezeit minuten
    temps lecture tiempo lectura tempo lettura leestijd last first date stand ist om kl klo o saat
    год года г р о в ob alle ore às hora horas the les der den dem la las los et und and wib gmt utc
    ngày tháng năm की को בשעה الساعة ساعت في hrs hr uhr pm am p m est edt cet cest
"""

_LINE_CHARS = 200


def published_from_text(
    lines: Sequence[str],
    zone: str | None,
    seen: datetime | None = None,
) -> Published | None:
    """Return the date of the date line among `lines` (an article's first ones), or None.

    A date line has a complete date and few other words. A date inside a sentence belongs to an event, and is
    ignored. `zone` is the IANA name for clock times without a zone (None: UTC, with `timezone_assumed` set). A
    date labelled "published" is preferred to others, and a date labelled "updated" is used last. Dates such as
    3/4/2024, whose order is not known, are ignored.
    """
    stated: dict[int, Published] = {}  # the first date of each meaning
    for line in lines:
        for text, match, rank in _dates_apart(line):
            day = day_of(match)
            if day is not None and rank != _OTHER:
                clock, offset = clock_beside(text, match, day)
                published = published_at(
                    day, clock, offset, zone=zone, seen=seen, origin="text"
                )
                if published is not None:
                    stated.setdefault(rank, published)
    return stated[min(stated)] if stated else None


def is_date_line(line: str) -> bool:
    """Return whether a date stands apart in the line: of publication, or of something else that its label names."""
    return next(_dates_apart(line), None) is not None


def is_labelled_date(line: str) -> bool:
    """Return whether the line has a date that a label declares to be the date of publication or change."""
    return any(rank in (_PUBLISHED, _UPDATED) for _, _, rank in _dates_apart(line))


def _dates_apart(line: str) -> Iterator[tuple[str, Match, int]]:
    """Yield the line in plain digits, the match, and the meaning of each date that stands apart in the line."""
    if len(line) <= _LINE_CHARS and DIGIT.search(line):
        text = plain_digits(line)
        for match in date_matches(text):
            before = text[end_of_date_before(text, match) : match.start()]
            label_words = words(CLOCK.sub(" ", before))
            nearest = (0, _UNSAID)
            for kind, meaning in _KINDS:
                for place in range(len(label_words)):
                    if phrases(kind).at(label_words, place):
                        nearest = max(nearest, (place, meaning))
            rank = nearest[1]
            if _stands_apart(text, match, rank):
                yield text, match, rank


# The meaning of a date by its label, in order of preference. A date without a label is _UNSAID.
_PUBLISHED, _UNSAID, _UPDATED, _OTHER = range(4)

_KINDS = (
    ("published", _PUBLISHED),
    ("as_of", _UNSAID),
    ("updated", _UPDATED),
    ("other_dates", _OTHER),
)


def _stands_apart(line: str, match: Match, rank: int) -> bool:
    """Return whether the line has few words besides dates, clock times and labels.

    A date among many other words stands in a sentence. Without a label and a clock time, fewer words are allowed.
    """
    remaining = line[: match.start()] + " " + line[match.end() :]
    for other in date_matches(line):
        remaining = remaining.replace(other.group(), " ")
    other_words = sum(
        not word.isnumeric() and word not in _label_words()
        for word in words(CLOCK.sub(" ", remaining))
    )
    if is_prose(line):
        return other_words <= 4
    has_clock = (
        CLOCK.search(f"{line[: match.start()]} | {line[match.end() :]}") is not None
    )
    if rank != _UNSAID or has_clock:
        return other_words <= 8
    return other_words <= 2 and not match.groupdict().get("yy")


@cache
def _label_words() -> frozenset[str]:
    labels = map(single_words, ("published", "updated", "as_of"))
    return (
        frozenset()
        .union(*labels)
        .union(*map(words, calendar.weekday_words()))
        .union(*map(words, _BESIDE_DATES.split("\n")))
    )
