"""Finds the agency in a dateline at the beginning of a paragraph: "HALVERNE (MNA) —", "/TASS/.", "新华社...电"."""

import re
from collections.abc import Iterator, Sequence

from aggregator.extract.wire.agencies import (
    PICTURE,
    NamedAgencies,
    agencies_named,
    agency_names,
    normalize_marks,
)
from aggregator.model.prepared import Wire
from aggregator.text.lines import is_prose

# A dateline ends within this many characters of a paragraph
_HEAD_CHARS = 200
# The confidence in a dateline whose agency is in no list
UNLISTED = 0.6

Dateline = tuple[NamedAgencies, str]  # the agencies, and the text of the dateline

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
# Place and date end within this many characters, if a dash follows them
_DASHED_CHARS = 80

_AGENCY_NEXT = re.compile(
    r"(?P<named>[^\W\d_][\w. ]{1,28}?)(?:\s?(?P<dash>[-–—:])|[.,](?=\s))"
)

# Two capitals are a state and not an agency: "Pittsburgh, PA —"
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


def by_dateline(paragraphs: Sequence[str]) -> Iterator[Wire]:
    for paragraph in paragraphs:
        head = normalize_marks(paragraph[:_HEAD_CHARS])
        dateline = (
            _read_bracketed(head)
            or _read_slashed(head)
            or _read_dashed(head)
            or _in_script(head)
        )
        if dateline is not None and not PICTURE.match(dateline[1]):
            named, evidence = dateline
            yield Wire(agency=named.agency, evidence=evidence.strip(), kind="dateline")
            return


_REGION = re.compile(
    r"(?:\s\([A-Z][\w ]{2,30}\))?\s\[[A-Z][\w ]{2,30}\](?=,)"
)  # "New Delhi [India], March 6"


def _read_bracketed(head: str) -> Dateline | None:
    match = _BRACKETED.match(_REGION.sub("", head))
    after = _AFTER.match(match["after"]) if match else None
    if match is None or after is None:
        return None
    place = match["place"].strip()
    named = match["named"]
    evidence = match.group()[: match.end("named") + 1]
    inside = _PLACE_BEFORE_NAME.fullmatch(named) if _CASELESS.search(named) else None
    is_apart = "【" in match.group() or "[" in match.group()
    if inside is not None and not place and (is_apart or inside["place"]):
        listed = agencies_named(inside["named"])
        return (listed, evidence) if listed else None
    listed = agencies_named(named, doubtful=bool(place))
    text = match["after"].lstrip()
    has_opening = text[:1].isupper() or text.startswith(tuple("\"“„«¿¡'‘"))
    opens = after["dash"] is not None or (
        has_opening or _CASELESS.match(text) is not None
    )
    if listed and listed.agencies and opens and _is_place(place, listed):
        return listed, evidence
    return None


def _is_place(place: str, named: NamedAgencies) -> bool:
    """Return whether the text before the agency is only a place and a date, or nothing."""
    words = place.replace("/", " ").split()
    if not words:
        return True
    if len(words) > 9 or agencies_named(place.rstrip(" -–—"), doubtful=True):
        return False
    bare_words = (word.strip(".,") for word in place.replace("-", " ").split())
    if not named.agencies.isdisjoint(bare_words):
        return False
    if _CASELESS.search(place):
        return len(words) <= 6 and not _speaks(words)
    initials = "".join(
        word[0] for word in words if word[0].isalpha() and word[0].isupper()
    )
    for name in named.agencies:
        if len(name) <= 5 and initials.endswith(name.upper()):
            return False
    near_date = [False, *(any(map(str.isdigit, word)) for word in words), False]
    return all(
        not word[0].islower()
        or near_date[n]
        or near_date[n + 2]
        or _MONTH_OR_LINK.fullmatch(word)
        for n, word in enumerate(words)
    )


def _speaks(words: Sequence[str]) -> bool:
    """Return whether Arabic words ("agency", "said", "picture") show that the agency is only quoted or credited."""
    return any(
        re.match(
            r"ل?وكالة|لوكالة|قال|ذكر|نقل|وفق|حسب|بحسب|تصريح|صورة|تصوير|المصدر", word
        )
        for word in words
    )


def _read_slashed(head: str) -> Dateline | None:
    match = _SLASHED.match(head)
    if match is None:
        return None
    place = match["place"]
    words = match["named"].split()
    for named in (match["named"], " ".join(words[:2]), " ".join(words[:1])):
        listed = agencies_named(named, doubtful=bool(place))
        if listed is not None:
            is_whole = listed.agencies and _is_place(place.strip(" .,"), listed)
            return (listed, match.group()) if is_whole else None
    return None


def _read_dashed(head: str) -> Dateline | None:
    for mark in _MARK.finditer(head, 3, _DASHED_CHARS):
        place = head[: mark.start()]
        match = _AGENCY_NEXT.match(head, mark.end())
        if match is None or _TOO_SHORT.fullmatch(match["named"]):
            continue
        has_date = any(map(str.isdigit, place))
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
    match = _ARABIC.match(head)
    is_arabic = False
    if match is not None:
        # The place is a town, or a town and a date in one or two calendars.
        place = match["place"].split()
        most_words = 11 if any(map(str.isdigit, match["place"])) else 4
        is_arabic = len(place) <= most_words and not _speaks(place)
    if not is_arabic:
        match = _CHINESE.match(head)
    if match is None:
        return None
    listed = agencies_named(match["named"], doubtful=is_arabic)
    return (listed, match.group()) if listed else None


# A place and a code in capitals, a form that only agencies use: "HALVERNE (MNA) —"
_UNLISTED = re.compile(
    r"[A-ZÀ-ÞА-Я][A-ZÀ-ÞА-Я.’' -]{2,40}(?:,\s[\w. ]{2,30})?\s"
    r"\((?P<code>[A-ZÀ-ÞА-Я]{3,6})\)\s?(?:[-–—]+|\.-)\s"
)

# Codes that are not agencies: stations that mark their own reports in this form (networks, and North American call
# signs), and organisations whose initials follow a town (parties, leagues, clubs)
_STATION = re.compile(
    r"CNN|BBC|CBS|NBC|ABC|CBC|CTV|FOX|MSNBC|CNBC|NPR|PBS|RT|DW|VOA|RFE|RFI|TRT|NHK|RTE|RTL|HT|TNN|"
    r"[KW][A-Z]{2,3}|NYSE|NASDAQ|RTVE|ARD|ZDF|ORF|SRF|RAI|CDU|CSU|SPD|FDP|AFD|ÖVP|SPÖ|FPÖ|SVP|LFI|PSOE|VOX|"
    r"GOP|DEM|NATO|ONU|OMS|FIFA|UEFA|IOC|NBA|NFL|NHL|MLB|UFC|PSG|FCB|BVB|HSV|USA|GER|FRA|GBR"
)


def by_unlisted_dateline(
    paragraphs: Sequence[str], outlet: str | None
) -> Iterator[Wire]:
    first = next(filter(is_prose, paragraphs), "")
    match = _UNLISTED.match(first[:160])
    names = (outlet or "").split()
    initials = names if len(names) == 1 else [name[0] for name in names]
    own_code = "".join(initials).upper()
    if match and not _STATION.fullmatch(match["code"]) and match["code"] != own_code:
        yield Wire(
            agency=match["code"],
            evidence=match.group().strip(),
            kind="dateline",
            confidence=UNLISTED,
        )
