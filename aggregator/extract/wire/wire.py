"""The news agency behind a text, by dateline, byline, credit line or metadata, never by a quotation.

"told the AFP news agency" makes AFP a source in the story and not its author. "Photo: AFP" is the credit of a
photo. "(With agency inputs)" states that agencies were used and names none; "dpa/AFP" means that the text is
by neither alone. An outlet's mark in its own dateline ("(CNN)") is not an agency.

Each pattern extracts a few words from a line, and `agencies_named` decides whether they are names of agencies
only. The names of all scripts are in agencies.yaml.
"""

from collections.abc import Sequence

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.urls import registrable_domain
from aggregator.extract.wire.agencies import (
    agencies_named,
    agency_of,
    normalize_marks,
)
from aggregator.extract.wire.credit_lines import SHARED, by_byline, by_credit
from aggregator.extract.wire.datelines import by_dateline, by_unlisted_dateline
from aggregator.model.prepared import Wire
from aggregator.text.lines import first_prose, same_line


def is_agency_name(line: str) -> bool:
    """Return whether the whole line is the name of one or several agencies."""
    if len(line) > 60:
        return False
    named = agencies_named(normalize_marks(line))
    return named is not None and bool(named.agencies)


def find_wire(
    paragraphs: Sequence[str],
    tuning: ExtractTuning,
    lines: Sequence[str] = (),
    author: str | None = None,
    *,
    outlet: str | None = None,
    title: str | None = None,
    sources: Sequence[str] = (),
) -> Wire | None:
    """Return the agency behind a text of `paragraphs`; `lines` are all lines including boilerplate.

    Marks are used in the order of their reliability: dateline, byline, metadata (`sources`: the declared
    source of the text), credit line, dateline of an unlisted agency. A mark that names one agency is
    preferred to a more certain one that names several. Return None without any mark, and a Wire without a
    name if agencies were used but the text is by none of them alone. The mark of `outlet` in its own
    dateline is not an agency. Repetitions of `title` are not a byline.
    """
    lines = lines or paragraphs
    head = lines[: tuning.end_lines]
    if title:
        head = [line for line in head if not same_line(line, title)]
    first_paragraphs = paragraphs[: tuning.wire_paragraphs]
    # Before the first paragraph "© AFP" is the credit of an image, and a byline only there is one.
    below = lines[first_prose(lines, 0) :]
    marks = [
        *by_dateline(first_paragraphs),
        *by_byline(author, head[: first_prose(head, len(head))]),
    ]
    for source in sources:
        for piece in source.split("|"):
            agency = agency_of(registrable_domain(piece) if "://" in piece else piece)
            named = None if agency else agencies_named(normalize_marks(piece))
            if agency or named is not None:
                agency = named.agency if named else agency
                evidence = source.strip()
                marks.append(Wire(agency=agency, evidence=evidence, kind="metadata"))
                break
    marks += by_credit(below[-tuning.end_lines :])
    marks += by_unlisted_dateline(first_paragraphs, outlet)
    sure = [mark for mark in marks if mark.agency and mark.confidence > SHARED]
    unnamed = [mark for mark in marks if mark.agency is None]
    return next(iter((*sure, *unnamed, *marks)), None)
