"""Finds the news agency behind a text: its wire.

Four marks tell it:

* the dateline, which begins the first paragraph: "PARIS (AFP) - "
* the byline, a whole line above the text: "By Jane Doe, Reuters"
* the credit line, a whole line below the text: "Source: dpa"
* the metadata of the page or feed

If a mark names several agencies ("dpa/AFP") or none ("(With agency inputs)"), no agency alone wrote the text.
Three things are not marks: a quotation ("told the AFP news agency"), the credit of a photo ("Photo: AFP"), and the
code of a station in its own dateline ("(CNN)").

Each pattern extracts a few words from a line (`named`), and `agencies_named` decides whether these words are only
names of agencies. The names in all scripts are in agencies.yaml.
"""

import re
from collections.abc import Iterator, Sequence

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.urls import registrable_domain
from aggregator.extract.wire.agencies import (
    PICTURE,
    NamedAgencies,
    agencies_named,
    agency_of,
    normalize_marks,
)
from aggregator.extract.wire.datelines import by_dateline, by_unlisted_dateline
from aggregator.model.prepared import Wire
from aggregator.text.lines import count_words, first_prose, is_prose, same_line

_MAX_LINE = 300  # characters of a credit line
_MAX_BYLINE = 120  # characters of a byline
_CLOSED_WORDS = 6  # the least words of a paragraph that may end with a credit

# The confidence in an agency, 0 to 1. Datelines of listed agencies, authors and metadata have 1. If the confidence is
# less than `placing.wire_confidence` (.55), the agency is not the origin of the text.
BY_LINE = 0.9  # a byline or a credit line
BY_PHRASE = 0.8  # a line that only one agency writes
SHARED = 0.5  # an agency that only contributed, or a credit with none or several

# The word before the name in a byline
_BY = re.compile(
    r"(?:by|von|par|por|di|da|de|door|av|af|od|от|text|texte|texto|testo)\s*:?\s+(?:the\s+)?",
    re.IGNORECASE,
)

# Parts of patterns: a person, several persons, "with", and the names of a desk, of an outlet or of its own staff
_PERSON = r"[A-ZÀ-ÞА-ЯЁ][\w.’'-]*(?:\s(?:[a-z]{1,3}\s)?[A-ZÀ-ÞА-ЯЁ][\w.’'-]*){1,3}"
_PEOPLE = rf"{_PERSON}(?:(?:,| and| und| et| y| e| &)\s{_PERSON}){{0,3}}"
_WITH = r"(?i:with|mit|avec|con|com|met)\s+(?:(?i:l['’]|der\s|the\s|la\s)\s?)?"
_DESK_WORD = r"(?i:redazione|redacci[óo]n|redaktion|redação|rédaction|redactie|desk|bureau|agencia|agência)"
_OUTLET = r"(?:Le|La|El|Il|O|A|De|Der|Die|Das) [A-ZÀ-Þ]\w+|[a-z]{3,12}"
_OWN = rf"(?:{_PERSON}|(?:La |Die |De )?{_DESK_WORD}|{_OUTLET})"

# Bylines with an agency beside a place, a desk, a person or the staff: "AFP in Paris"
_SIGNED = (
    re.compile(r"(?P<named>.{2,40}?)\s(?:in|à|en|a|aus|da|em)\s[A-ZÀ-Þ][\w.' -]{2,30}"),
    re.compile(rf"{_DESK_WORD}\s?[/,|-]?\s?(?P<named>.{{2,30}})"),
    # "EFE | Madrid"
    re.compile(r"(?P<named>[^,|/]{2,30}?)\s?[|/]\s?[A-ZÀ-Þ][a-zà-ÿ]+"),
    re.compile(
        rf"{_PEOPLE}(?:,\s|\s[|(–-]\s?|\s?\(|\sof\s)(?:[Tt]he\s)?(?P<named>[^()|]{{2,40}}?)\)?"
    ),
    re.compile(rf"(?:{_OWN} )?{_WITH}(?P<named>.{{2,40}})"),
)

# A line with a label: "Source: dpa"
_LABEL = re.compile(
    r"[(*]?(?:sources?|quellen?|verwendete quellen|fuentes?|fonte|fonti|bron|źródło|zdroj|forrás|kaynak|"
    r"kilde|källa|lähde|agency|agencia|agência|distributed by|inputs? from|источники?|джерело|المصدر|المصادر|"
    r"来源|來源|提供|配信|出典)\s*(?:[:—–-]|\s(?=\S))\s*(?P<named>.{2,80})",
    re.IGNORECASE,
)

# Parts of patterns of credit lines: "material from", "This article"
_MATERIAL = (
    r"(?i:inputs?\s+from|reporting\s+(?:by|from)|material\s+from|"
    r"(?:material|informationen|inhalten)\s+(?:von|der|des)|"
    r"informaci[óo]n\s+del?|datos\s+de|informa[çc][õo]es\s+d[aeo]|dados\s+d[aeo]|l['’]|les)"
)
_PREFIX = rf"(?:(?:{_OWN}|(?:The|This) (?:story|article|report)),?\s)?"

# Lines below a text: "With inputs from PTI", "© dpa", "This article was written by AFP"
_CREDITS = (
    re.compile(
        rf"[(*]?{_PREFIX}(?i:with|uses|mit|avec|con|com|met)\s+(?:{_MATERIAL}\s*)?(?P<named>.{{2,70}})"
    ),
    re.compile(
        r"(?i:compiled from|по материалам:?|по сообщениям|за матеріалами:?)\s*(?P<named>.{2,70})"
    ),
    re.compile(
        r"(?:[A-ZÀ-Þ ]{4,40}\s)?(?i:©|\(c\)|copyright)\s*(?i:©|\(c\)|copyright)?\s*(?:\d{4})?,?\s*(?:by\s+)?"
        r"(?P<named>[^\d.,(]{2,40}?(?:L\.P)?)(?:[.,-].{0,200}|\s\d{4}.{0,100}|\s?\(.{0,100})?"
    ),
    re.compile(
        r"(?i:this|dies\w{1,2}|cet?(?:te)?|questo|este|esta)\s.{0,80}?(?i:"
        r"(?:was|has been|is)\s(?:originally |first )?"
        r"(?:published|produced|syndicated|provided|written)\s(?:by|from)|"
        r"(?:stammt|kommt|wurde übernommen)\svon|à partir d['’]une dépêche d[eu]|(?<=this )report by)"
        r"\s?(?:the\s|der\s|l['’]\s?)?(?P<named>.{2,40}?)(?:\s(?:und|and|was|on|et)\b.{0,120}|[.)]*)",
    ),
    # "PTI ADA BOM": the desk's initials
    re.compile(r"(?P<named>\(?[A-Z]{3,5}\)?)(?:\s[A-Z]{2,4}){1,4}"),
)

# "AFP contributed to this report": agencies that reported together with the outlet's own reporters
_CONTRIBUTED = (
    re.compile(
        r"(?:the\s+)?(?P<named>.{2,60}?)(?:\s(?:writers?|reporters?|journalists?)\b.{0,120})?"
        r"\s(?:also )?contributed\b.{0,60}",
        re.IGNORECASE,
    ),
    re.compile(
        r".{2,200}(?:\b(?:of|from|and)|[.,])\s(?:and )?(?:the\s)?(?P<named>.{2,60}?)"
        r"\s(?:also )?contributed\b.{0,60}",
        re.IGNORECASE,
    ),
)

# Lines that only Reuters writes: "(Reporting by Ada Lorne; Editing by Bo Marsh)"
_REUTERS = re.compile(
    r"\(?(?:(?:Reporting|Additional reporting|Writing) by .{3,200};\s*"
    r"(?:Editing|Writing|Additional) .{3,200}|"
    r"(?:Reporte|Reportaje|Información) de .{3,150};\s*(?:editado|edición|editada) .{3,150}|"
    r"Our Standards: The Thomson Reuters Trust Principles.{0,20})\)?",
    re.IGNORECASE,
)

# A credit that ends the last paragraph: "The bridge is shut until Monday. (AP)"
_TAIL_CHARS = 60
_TAIL = re.compile(
    r"[.!?。！？؟।…][”\"»’]?\s?"
    r"(?P<named>\([^()]{2,30}\)|/\w{3,20}/|[-–—]{1,2}\s?[^\s.][^.]{1,24}|[A-Z]{3,5})[.]?$"
)


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
    """Return the agency behind a text of `paragraphs`; `lines` are all its lines, including boilerplate.

    Return None without any mark, and a Wire without a name if the text is by several agencies. `author` and
    `sources` are declared by the page or feed. The initials of `outlet` are not an unlisted agency, and a line that
    repeats the `title` is not a byline.

    The most reliable mark decides: dateline, byline, metadata, credit line, dateline of an unlisted agency. But a
    mark that names one agency is preferred to a more reliable mark that names several, and an agency that only
    contributed comes last.
    """
    lines = lines or paragraphs
    head = lines[: tuning.end_lines]
    if title:
        head = [line for line in head if not same_line(line, title)]
    first_paragraphs = paragraphs[: tuning.wire_paragraphs]
    # Bylines stand only above the first paragraph.
    above = head[: first_prose(head, len(head))]
    below = lines[first_prose(lines, 0) :]
    marks = [
        *by_dateline(first_paragraphs),
        *find_bylines(author, above),
    ]
    for source in sources:
        for piece in source.split("|"):
            agency = agency_of(registrable_domain(piece) if "://" in piece else piece)
            named = None if agency else agencies_named(normalize_marks(piece))
            if agency or named is not None:
                agency = named.agency if named else agency
                marks.append(
                    Wire(agency=agency, evidence=source.strip(), kind="metadata")
                )
                break
    marks += find_credits(below[-tuning.end_lines :])
    marks += by_unlisted_dateline(first_paragraphs, outlet)
    sure = [mark for mark in marks if mark.agency and mark.confidence > SHARED]
    unnamed = [mark for mark in marks if mark.agency is None]
    return next(iter((*sure, *unnamed, *marks)), None)


def find_bylines(author: str | None, lines: Sequence[str]) -> Iterator[Wire]:
    """Yield the marks in the declared author, and in the bylines among `lines`."""
    if author and len(author) <= _MAX_BYLINE and not PICTURE.match(author):
        words = normalize_marks(author)
        named = _read_byline(words)
        if named is not None:
            yield Wire(agency=named.agency, evidence=author.strip(), kind="byline")
    for line in lines:
        # "© AFP" above the text is the credit of an image.
        if len(line) > _MAX_BYLINE or line.startswith("©") or PICTURE.match(line):
            continue
        words = normalize_marks(line)
        # After a label such as "Source:", ambiguous short forms count, too.
        named = _read_byline(words) or _named_by(_LABEL, words, doubtful=True)
        if named is not None:
            yield Wire(
                agency=named.agency, evidence=line, kind="byline", confidence=BY_LINE
            )


def _read_byline(words: str) -> NamedAgencies | None:
    """Return the agencies in a byline: alone, or beside a place, a person, a desk or the outlet's own staff."""
    by = _BY.match(words)
    words = words[by.end() :] if by else words
    return agencies_named(words) or _first_named_by(_SIGNED, words)


def _first_named_by(
    patterns: Sequence[re.Pattern[str]], words: str
) -> NamedAgencies | None:
    """Return the agencies that the first of these patterns finds in `words`."""
    matches = (_named_by(pattern, words) for pattern in patterns)
    return next(filter(None, matches), None)


def _named_by(
    pattern: re.Pattern[str], words: str, *, doubtful: bool = False
) -> NamedAgencies | None:
    """Return the agencies named in `words`, if the pattern matches all of them."""
    match = pattern.fullmatch(words)
    if match is None:
        return None
    return agencies_named(next(filter(None, match.groups()), ""), doubtful=doubtful)


def find_credits(lines: Sequence[str]) -> Iterator[Wire]:
    """Yield the marks below the text and at the end of its last paragraph, the last line first."""
    is_below = True
    for line in reversed(lines):
        if is_below and count_words(line) >= _CLOSED_WORDS:
            tail = _TAIL.search(normalize_marks(line[-_TAIL_CHARS:]))
            named = None
            words = ""
            if tail is not None:
                words = tail["named"]
                named = agencies_named(words, doubtful=words[0] in "(/")
            if named is not None and not PICTURE.match(words):
                yield Wire(
                    agency=named.agency,
                    evidence=words,
                    kind="credit",
                    confidence=BY_LINE,
                )
            is_below = named is None and not is_prose(line)
        if len(line) > _MAX_LINE:
            continue
        words = normalize_marks(line)
        helped = None
        if "contributed" in words:
            helped = _first_named_by(_CONTRIBUTED, words)
        named = (
            helped
            or agencies_named(words)
            or _named_by(_LABEL, words, doubtful=True)
            or _first_named_by(_CREDITS, words)
        )
        if _REUTERS.fullmatch(words):
            yield Wire(
                agency="Reuters", evidence=line, kind="credit", confidence=BY_PHRASE
            )
        elif named is not None and not PICTURE.match(words):
            confidence = BY_LINE if named.agency and not helped else SHARED
            yield Wire(
                agency=named.agency,
                evidence=line,
                kind="credit",
                confidence=confidence,
            )
