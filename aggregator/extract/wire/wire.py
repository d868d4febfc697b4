"""The news agency behind a text, by dateline, byline, credit line or metadata, never by a quotation.

"told the AFP news agency" makes AFP a source in the story and not its author. "Photo: AFP" is the credit of a
photo. "(With agency inputs)" states that agencies were used and names none; "dpa/AFP" means that the text is
by neither alone. An outlet's mark in its own dateline ("(CNN)") is not an agency.

A byline stands above a text, a credit line below it; both are whole lines.
Each pattern extracts a few words from a line, and `agencies_named` decides whether they are names of agencies
only. The names of all scripts are in agencies.yaml.
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
                marks.append(
                    Wire(agency=agency, evidence=source.strip(), kind="metadata")
                )
                break
    marks += by_credit(below[-tuning.end_lines :])
    marks += by_unlisted_dateline(first_paragraphs, outlet)
    sure = [mark for mark in marks if mark.agency and mark.confidence > SHARED]
    unnamed = [mark for mark in marks if mark.agency is None]
    return next(iter((*sure, *unnamed, *marks)), None)


_MAX_LINE = 300  # characters of a credit line
_MAX_BYLINE = 120
_CLOSED_WORDS = 6  # least length of a paragraph that may end with a credit

# The confidence in an agency, 0 to 1 (placing.wire_confidence: .55); a dateline, an author, metadata have 1.
BY_LINE = 0.9  # a byline or a credit line
BY_PHRASE = 0.8  # a line that only one agency writes
SHARED = 0.5  # an agency among several: "AFP contributed to this report"

_BY = re.compile(
    r"(?:by|von|par|por|di|da|de|door|av|af|od|от|text|texte|texto|testo)\s*:?\s+(?:the\s+)?",
    re.IGNORECASE,
)

_PERSON = r"[A-ZÀ-ÞА-ЯЁ][\w.’'-]*(?:\s(?:[a-z]{1,3}\s)?[A-ZÀ-ÞА-ЯЁ][\w.’'-]*){1,3}"
_PEOPLE = rf"{_PERSON}(?:(?:,| and| und| et| y| e| &)\s{_PERSON}){{0,3}}"
_WITH = r"(?i:with|mit|avec|con|com|met)\s+(?:(?i:l['’]|der\s|the\s|la\s)\s?)?"
_DESK_WORD = r"(?i:redazione|redacci[óo]n|redaktion|redação|rédaction|redactie|desk|bureau|agencia|agência)"
_OUTLET = r"(?:Le|La|El|Il|O|A|De|Der|Die|Das) [A-ZÀ-Þ]\w+|[a-z]{3,12}"
_OWN = rf"(?:{_PERSON}|(?:La |Die |De )?{_DESK_WORD}|{_OUTLET})"

# Whole bylines with an agency; the named group must be names of agencies only.
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


def by_byline(author: str | None, lines: Sequence[str]) -> Iterator[Wire]:
    if author and len(author) <= _MAX_BYLINE and not PICTURE.match(author):
        words = normalize_marks(author)
        named = _read_byline(words)
        if named is not None:
            yield Wire(agency=named.agency, evidence=author.strip(), kind="byline")
    for line in lines:
        if len(line) > _MAX_BYLINE or line.startswith("©") or PICTURE.match(line):
            continue
        words = normalize_marks(line)
        # After "Source:" ambiguous short forms count, too.
        named = _read_byline(words) or _named_by(_LABEL, words, doubtful=True)
        if named is not None:
            yield Wire(
                agency=named.agency, evidence=line, kind="byline", confidence=BY_LINE
            )


def _read_byline(words: str) -> NamedAgencies | None:
    """Return the agencies in a byline: alone, or after a person, a desk or the outlet's own staff."""
    by = _BY.match(words)
    words = words[by.end() :] if by else words
    signed = (_named_by(form, words) for form in _SIGNED)
    return agencies_named(words) or next(filter(None, signed), None)


def _named_by(
    form: re.Pattern[str], words: str, *, doubtful: bool = False
) -> NamedAgencies | None:
    """Return the agencies named in `words` if the whole text matches `form`."""
    match = form.fullmatch(words)
    if match is None:
        return None
    return agencies_named(next(filter(None, match.groups()), ""), doubtful=doubtful)


_LABEL = re.compile(
    r"[(*]?(?:sources?|quellen?|verwendete quellen|fuentes?|fonte|fonti|bron|źródło|zdroj|forrás|kaynak|"
    r"kilde|källa|lähde|agency|agencia|agência|distributed by|inputs? from|источники?|джерело|المصدر|المصادر|"
    r"来源|來源|提供|配信|出典)\s*(?:[:—–-]|\s(?=\S))\s*(?P<named>.{2,80})",
    re.IGNORECASE,
)

_MATERIAL = (
    r"(?i:inputs?\s+from|reporting\s+(?:by|from)|material\s+from|"
    r"(?:material|informationen|inhalten)\s+(?:von|der|des)|"
    r"informaci[óo]n\s+del?|datos\s+de|informa[çc][õo]es\s+d[aeo]|dados\s+d[aeo]|l['’]|les)"
)

_PREFIX = rf"(?:(?:{_OWN}|(?:The|This) (?:story|article|report)),?\s)?"

# Whole lines after a text; the named group must be names of agencies only.
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

_REUTERS = re.compile(
    r"\(?(?:(?:Reporting|Additional reporting|Writing) by .{3,200};\s*"
    r"(?:Editing|Writing|Additional) .{3,200}|"
    r"(?:Reporte|Reportaje|Información) de .{3,150};\s*(?:editado|edición|editada) .{3,150}|"
    r"Our Standards: The Thomson Reuters Trust Principles.{0,20})\)?",
    re.IGNORECASE,
)

_TAIL_CHARS = 60

_TAIL = re.compile(
    r"[.!?。！？؟।…][”\"»’]?\s?"
    r"(?P<named>\([^()]{2,30}\)|/\w{3,20}/|[-–—]{1,2}\s?[^\s.][^.]{1,24}|[A-Z]{3,5})[.]?$"
)


def by_credit(lines: Sequence[str]) -> Iterator[Wire]:
    """Yield credits from the last line upwards: lines after the text, and the end of its last paragraph."""
    below = True
    for line in reversed(lines):
        if below and count_words(line) >= _CLOSED_WORDS:
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
            below = named is None and not is_prose(line)
        if len(line) > _MAX_LINE:
            continue
        words = normalize_marks(line)
        contributed = (
            _named_by(form, words) for form in _CONTRIBUTED if "contributed" in words
        )
        # Agencies that reported together with the outlet's own reporters
        together = next(filter(None, contributed), None)
        credited = (_named_by(form, words) for form in _CREDITS)
        named = (
            together
            or agencies_named(words)
            or _named_by(_LABEL, words, doubtful=True)
            or next(filter(None, credited), None)
        )
        if _REUTERS.fullmatch(words):
            yield Wire(
                agency="Reuters", evidence=line, kind="credit", confidence=BY_PHRASE
            )
        elif named is not None and not PICTURE.match(words):
            sure = BY_LINE if named.agency and not together else SHARED
            yield Wire(
                agency=named.agency, evidence=line, kind="credit", confidence=sure
            )
