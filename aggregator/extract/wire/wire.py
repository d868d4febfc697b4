"""The news agency behind a text, by dateline, byline, credit line or metadata, never by a quotation.

"told the AFP news agency" makes AFP a source in the story and not its author. "Photo: AFP" is the credit of a
photo. "(With agency inputs)" states that agencies were used and names none; "dpa/AFP" means that the text is
by neither alone. An outlet's mark in its own dateline ("(CNN)") is not an agency.

Each pattern extracts a few words from a line, and `agencies_named` decides whether they are names of agencies
only. The names of all scripts are in agencies.yaml.
"""

import re
from collections.abc import Iterator, Sequence

from aggregator.extract.limits import ExtractTuning
from aggregator.extract.urls import registrable_domain
from aggregator.extract.wire.agencies import (
    NamedAgencies,
    agencies_named,
    agency_names,
    agency_of,
    normalize_marks,
)
from aggregator.model.core import Wire
from aggregator.text.lines import count_words, is_prose, same_line

_HEAD_CHARS = 200  # at the beginning of a paragraph in which a dateline ends
_MAX_LINE = 300  # characters of a credit line
_MAX_BYLINE = 120
_CLOSED_WORDS = 6  # least length of a paragraph that may end with a credit
# The confidence in an agency, 0 to 1 (placing.wire_confidence: .55); a dateline, an author, metadata have 1.
BY_LINE = 0.9  # a byline or a credit line
BY_PHRASE = 0.8  # a line that only one agency writes
UNLISTED = 0.6  # a dateline, where no list has the agency
SHARED = 0.5  # one of several: "AFP contributed to this report"


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
    name if agencies were used but the text is by none of them alone. `outlet`: its own mark in a dateline is
    not an agency. `title`: repetitions of it are not a byline.
    """
    lines = lines or paragraphs
    head = [
        line
        for line in lines[: tuning.end_lines]
        if not title or not same_line(line, title)
    ]
    marks = [
        *_by_dateline(paragraphs[: tuning.wire_paragraphs]),
        *_by_byline(author, _above_the_text(head)),
        *_by_source(sources),
        *_by_credit(_below_the_text(lines)[-tuning.end_lines :]),
        *_by_unlisted_dateline(paragraphs[: tuning.wire_paragraphs], outlet),
    ]
    shared = [
        mark for mark in marks if mark.agency is not None and mark.confidence <= SHARED
    ]
    named = [mark for mark in marks if mark.agency is not None and mark not in shared]
    return next(
        iter([*named, *(mark for mark in marks if mark not in shared), *shared]), None
    )


# --- datelines ---------------------------------------------------------------------------------------------

Dateline = tuple[NamedAgencies, str]  # agencies, and the words that name them
_MONTH_OR_LINK = re.compile(
    r"(?:de|da|do|del|di|du|des|la|le|les|los|las|el|al|am|an|der|den|dem|im|sur|sous|lès|upon|on|of|ob|nad|und|"
    r"jan|feb|mar|apr|abr|avr|mai|may|mag|jun|giu|lug|jul|ago|aug|set|sep|oct|okt|ott|out|nov|dec|dez|dic|déc)\b.*",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    r"(?P<place>[^()\[\]/|【】]{0,60}?(?:/[^()\[\]/|【】]{2,30})?)[(\[【](?P<named>[^()\[\]【】]{2,45})[)\]】](?P<after>.*)"
)
_AFTER = re.compile(
    r"(?P<dash>\s?(?:[-–—_:=|]|\.\s?[-–—]|।|\.(?=\s)|\w{1,20} 기자 =))|\s?[^\W\d_]|\s?[\"“„«'‘¿¡(\d]|$"
)
_SLASHED = re.compile(
    r"(?P<place>[^/]{0,60}?)/\s?(?:Корр\.?\s+)?(?P<named>[^/]{2,40})/(?:[\s.:–—-]|$)",
    re.IGNORECASE,
)
_MARK = re.compile(r"\s?[-–—,.]\s?|(?<=\d)\s")
_DASHED_CHARS = 80  # of the head in which place and date end, at most
_AGENCY_NEXT = re.compile(
    r"(?P<named>[^\W\d_][\w. ]{1,28}?)(?:\s?(?P<dash>[-–—:])|[.,](?=\s))"
)
# "Pittsburgh, PA —": two letters after a comma are a state
_TOO_SHORT = re.compile(r"[A-Z]{2}")
_CASELESS = re.compile(
    "[\u0590-\u08ff\u0900-\u0dff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)
_ARABIC = re.compile(
    rf"(?P<place>[\u0600-\u06ff\s\d.-]{{2,60}}?)\s?(?:[-–—]\s?|(?<=\d)\s|(?<=\d\sم)\s)"
    rf"(?P<named>{'|'.join(map(re.escape, agency_names('؀-ۿ')))})(?=[\s:-])"
)
_WIDE_NAMES = "|".join(
    map(re.escape, agency_names("\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"))
)
_CHINESE = re.compile(
    rf"\(?[据據]?(?P<named>{_WIDE_NAMES})(?:[^。,:()]{{0,12}}\d{{1,2}}日[^。,:()]{{0,12}}[电電讯訊]|记者[^。()]{{2,20}}电|"
    rf"[^。,:()]{{1,20}}\d{{1,2}}日\S{{0,6}}報導|[^。,:()]{{1,8}}\d{{1,2}}日\s?-)"
)
_PLACE_BEFORE_NAME = re.compile(
    rf"(?P<place>.{{0,14}}?)[\s=]?(?P<named>{_WIDE_NAMES}|A[FP]P?)(?:=\w{{1,10}})?"
)


def _by_dateline(paragraphs: Sequence[str]) -> Iterator[Wire]:
    for paragraph in paragraphs:
        head = normalize_marks(paragraph[:_HEAD_CHARS])
        dateline = (
            _bracketed(head) or _slashed(head) or _dashed(head) or _in_script(head)
        )
        if dateline is not None and not _PICTURE.match(dateline[1]):
            named, evidence = dateline
            yield Wire(agency=named.agency, evidence=evidence.strip(), kind="dateline")
            return


_REGION = re.compile(
    r"(?:\s\([A-Z][\w ]{2,30}\))?\s\[[A-Z][\w ]{2,30}\](?=,)"
)  # "New Delhi [India], March 6"


def _bracketed(head: str) -> Dateline | None:
    match = _BRACKETED.match(_REGION.sub("", head))
    if match is None:
        return None
    place, named, after = (
        match["place"].strip(),
        match["named"],
        _AFTER.match(match["after"]),
    )
    if after is None:
        return None
    inside = _PLACE_BEFORE_NAME.fullmatch(named) if _CASELESS.search(named) else None
    if (
        inside is not None
        and not place
        and ("【" in match.group() or "[" in match.group() or inside["place"])
    ):
        listed = agencies_named(inside["named"])
        return (listed, match.group()[: match.end("named") + 1]) if listed else None
    rest = match["after"].lstrip()
    opens_sentence = (
        rest[:1].isupper()
        or rest.startswith(tuple("\"“„«¿¡'‘"))
        or _CASELESS.match(rest)
    )
    opens = after["dash"] is not None or opens_sentence
    listed = agencies_named(named, doubtful=bool(place))
    if (
        listed is None
        or not listed.agencies
        or not opens
        or not _is_place(place, listed)
    ):
        return None
    return listed, match.group()[: match.end("named") + 1]


def _is_place(place: str, named: NamedAgencies) -> bool:
    """Return whether the text before the agency is at most a place and a date."""
    words = place.replace("/", " ").split()
    if not words:
        return True
    if (
        len(words) > 9
        or agencies_named(place.rstrip(" -–—"), doubtful=True) is not None
    ):
        return False
    if any(
        word.strip(".,") in named.agencies for word in place.replace("-", " ").split()
    ):
        return False
    if _CASELESS.search(place):
        return len(words) <= 6 and not _speaks(words)
    initials = "".join(
        word[0] for word in words if word[0].isalpha() and word[0].isupper()
    )
    if any(
        initials.endswith(name.upper()) and len(name) <= 5 for name in named.agencies
    ):
        return False
    near_date = [False, *(any(c.isdigit() for c in word) for word in words), False]
    return all(
        not word[0].islower()
        or near_date[n]
        or near_date[n + 2]
        or _MONTH_OR_LINK.fullmatch(word)
        for n, word in enumerate(words)
    )


def _is_arabic_place(words: Sequence[str]) -> bool:
    """Return whether the words are a town, or a town and a date in one or two calendars."""
    return not _speaks(words) and len(words) <= (
        11 if any(c.isdigit() for c in "".join(words)) else 4
    )


def _speaks(words: Sequence[str]) -> bool:
    """Return whether Arabic or Hindi words before the name ("agency", "said to") make it a quoted source."""
    return any(
        re.match(
            r"ل?وكالة|لوكالة|قال|ذكر|نقل|وفق|حسب|بحسب|تصريح|صورة|تصوير|المصدر", word
        )
        for word in words
    )


def _slashed(head: str) -> Dateline | None:
    match = _SLASHED.match(head)
    if match is None:
        return None
    words = match["named"].split()
    candidates = [match["named"], *(" ".join(words[:n]) for n in (2, 1))]
    listed = next(
        (
            n
            for c in candidates
            if (n := agencies_named(c, doubtful=bool(match["place"])))
        ),
        None,
    )
    if (
        listed is None
        or not listed.agencies
        or not _is_place(match["place"].strip(" .,"), listed)
    ):
        return None
    return listed, match.group()


def _dashed(head: str) -> Dateline | None:
    for mark in _MARK.finditer(head, 3, _DASHED_CHARS):
        place, match = head[: mark.start()], _AGENCY_NEXT.match(head, mark.end())
        if match is None or _TOO_SHORT.fullmatch(match["named"]):
            continue
        has_date = any(c.isdigit() for c in place)
        listed = agencies_named(
            match["named"], doubtful=has_date and match["dash"] is not None
        )
        is_closed = match["dash"] is not None or has_date
        if (
            listed
            and listed.agencies
            and is_closed
            and _is_place(place.strip(" ,.-–—"), listed)
        ):
            return listed, head[: match.end()]
    return None


def _in_script(head: str) -> Dateline | None:
    if not _CASELESS.search(head):
        return None
    arabic = _ARABIC.match(head)
    if arabic is not None and _is_arabic_place(arabic["place"].split()):
        listed = agencies_named(arabic["named"], doubtful=True)
        return (listed, arabic.group()) if listed else None
    chinese = _CHINESE.match(head)
    listed = agencies_named(chinese["named"]) if chinese else None
    return (listed, chinese.group()) if chinese and listed else None


# Place and code in capitals, a form that only agencies use: "HALVERNE (MNA) —".
_UNLISTED = re.compile(
    r"[A-ZÀ-ÞА-Я][A-ZÀ-ÞА-Я.’' -]{2,40}(?:,\s[\w. ]{2,30})?\s"
    r"\((?P<code>[A-ZÀ-ÞА-Я]{3,6})\)\s?(?:[-–—]+|\.-)\s"
)
# Stations that mark their own reports in this form (networks, and North American call signs), and
# organisations whose initials follow a town: parties, leagues, clubs.
_STATION = re.compile(
    r"CNN|BBC|CBS|NBC|ABC|CBC|CTV|FOX|MSNBC|CNBC|NPR|PBS|RT|DW|VOA|RFE|RFI|TRT|NHK|RTE|RTL|HT|TNN|"
    r"[KW][A-Z]{2,3}|NYSE|NASDAQ|RTVE|ARD|ZDF|ORF|SRF|RAI|CDU|CSU|SPD|FDP|AFD|ÖVP|SPÖ|FPÖ|SVP|LFI|PSOE|VOX|"
    r"GOP|DEM|NATO|ONU|OMS|FIFA|UEFA|IOC|NBA|NFL|NHL|MLB|UFC|PSG|FCB|BVB|HSV|USA|GER|FRA|GBR"
)


def _by_unlisted_dateline(
    paragraphs: Sequence[str], outlet: str | None
) -> Iterator[Wire]:
    first = next((paragraph for paragraph in paragraphs if is_prose(paragraph)), "")
    match = _UNLISTED.match(first[:160])
    if (
        match is None
        or _STATION.fullmatch(match["code"])
        or match["code"] == _initials(outlet or "")
    ):
        return
    yield Wire(
        agency=match["code"],
        evidence=match.group().strip(),
        kind="dateline",
        confidence=UNLISTED,
    )


def _initials(outlet: str) -> str:
    words = outlet.split()
    return (
        "".join(word[0] for word in words).upper() if len(words) > 1 else outlet.upper()
    )


# --- bylines and metadata ----------------------------------------------------------------------------------

# Marks of an image and not of the text.
_PICTURE = re.compile(
    r".{0,60}(?:\b(?:photo\w*|foto\w*|fot\.|picture|image[ns]?|imagen|imagem|bild(?:er)?|grafik|graphic|video|"
    r"getty|credit|cr[ée]dit(?:o|os)?(?: photo)?|epa|archiv\w*|reuters/|(?:pa|ap|afp) wire)\b|"
    r"фото|صورة|تصوير|[图圖]|摄|攝|写真|사진)",
    re.IGNORECASE,
)
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


def _above_the_text(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines before the first paragraph, where a byline is."""
    return lines[
        : next((n for n, line in enumerate(lines) if is_prose(line)), len(lines))
    ]


def _below_the_text(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines from the first paragraph on; before it "© AFP" is the credit of an image."""
    return lines[next((n for n, line in enumerate(lines) if is_prose(line)), 0) :]


def _by_byline(author: str | None, lines: Sequence[str]) -> Iterator[Wire]:
    if author and len(author) <= _MAX_BYLINE and not _PICTURE.match(author):
        words = normalize_marks(author)
        named = _signed(words)
        if named is not None:
            yield Wire(agency=named.agency, evidence=author.strip(), kind="byline")
    for line in lines:
        if len(line) > _MAX_BYLINE or line.startswith("©") or _PICTURE.match(line):
            continue
        named = _signed(normalize_marks(line)) or _labelled(normalize_marks(line))
        if named is not None:
            yield Wire(
                agency=named.agency, evidence=line, kind="byline", confidence=BY_LINE
            )


def _signed(words: str) -> NamedAgencies | None:
    """Return the agencies in a byline: alone, or after a person, a desk or the outlet's own staff."""
    by = _BY.match(words)
    words = words[by.end() :] if by else words
    return agencies_named(words) or next(
        (named for form in _SIGNED if (named := _named_by(form, words))), None
    )


def _named_by(
    form: re.Pattern[str], words: str, *, doubtful: bool = False
) -> NamedAgencies | None:
    """Return the agencies named in `words` if the whole text matches `form`."""
    match = form.fullmatch(words)
    if match is None:
        return None
    return agencies_named(next(filter(None, match.groups()), ""), doubtful=doubtful)


def _by_source(sources: Sequence[str]) -> Iterator[Wire]:
    for source in sources:
        for piece in source.split("|"):
            agency = agency_of(registrable_domain(piece) if "://" in piece else piece)
            named = (
                NamedAgencies(frozenset({agency}))
                if agency
                else agencies_named(normalize_marks(piece))
            )
            if named is not None:
                yield Wire(
                    agency=named.agency, evidence=source.strip(), kind="metadata"
                )
                break


# --- credit lines ------------------------------------------------------------------------------------------

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


def _by_credit(lines: Sequence[str]) -> Iterator[Wire]:
    """Yield credits from the last line upwards: lines after the text, and the end of its last paragraph."""
    below = True
    for line in reversed(lines):
        if below and count_words(line) >= _CLOSED_WORDS:
            tail = _TAIL.search(normalize_marks(line[-_TAIL_CHARS:]))
            words = tail["named"] if tail else ""
            named = agencies_named(words, doubtful=words[0] in "(/") if tail else None
            if named is not None and not _PICTURE.match(words):
                yield Wire(
                    agency=named.agency,
                    evidence=words,
                    kind="credit",
                    confidence=BY_LINE,
                )
            below = named is None and not is_prose(line)
        if len(line) <= _MAX_LINE:
            yield from _credit_of(line, normalize_marks(line))


def _credit_of(line: str, words: str) -> Iterator[Wire]:
    if _REUTERS.fullmatch(words):
        yield Wire(agency="Reuters", evidence=line, kind="credit", confidence=BY_PHRASE)
        return
    contributed = (
        _named_by(form, words) for form in _CONTRIBUTED if "contributed" in words
    )
    together = next(filter(None, contributed), None)  # with the outlet's own reporters
    named = together or agencies_named(words) or _labelled(words)
    named = named or next(
        (found for form in _CREDITS if (found := _named_by(form, words))), None
    )
    if named is not None and not _PICTURE.match(words):
        sure = BY_LINE if named.agency and not together else SHARED
        yield Wire(agency=named.agency, evidence=line, kind="credit", confidence=sure)


def _labelled(words: str) -> NamedAgencies | None:
    """Return the agencies after "Source:"; after such a label ambiguous short forms count too."""
    return _named_by(_LABEL, words, doubtful=True)
