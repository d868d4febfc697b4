"""The news agency behind a text: told by dateline, byline or credit line, never by a quotation.

"told the AFP news agency" makes AFP a voice in the story, not its author. "(With agency inputs)" says that
agencies were used and names none. An outlet that marks its own dateline ("(CNN)") is no agency.
"""

import re
from collections.abc import Iterable, Sequence

from aggregator.model import Wire
from aggregator.text.limits import TextRules
from aggregator.text.lines import is_prose

# Canonical name: the spellings by which datelines, bylines and credits call it.
_AGENCIES: dict[str, tuple[str, ...]] = {
    "AP": ("AP", "Associated Press", "The Associated Press", "AP News"),
    "AFP": ("AFP", "Agence France-Presse", "Agence France Presse"),
    "Reuters": ("Reuters", "Thomson Reuters", "REUTERS"),
    "dpa": ("dpa", "DPA", "Deutsche Presse-Agentur", "dpa-AFX", "German Press Agency"),
    "EFE": ("EFE", "Agencia EFE", "Efe"),
    "ANSA": ("ANSA", "Ansa"),
    "Xinhua": ("Xinhua", "Xinhua News Agency", "新华社"),
    "TASS": ("TASS", "ITAR-TASS", "ТАСС"),
    "Interfax": ("Interfax", "Интерфакс"),
    "RIA Novosti": ("RIA Novosti", "РИА Новости"),
    "PA": ("PA", "PA Media", "Press Association"),
    "Kyodo": ("Kyodo", "Kyodo News", "共同"),
    "Jiji": ("Jiji", "Jiji Press", "時事"),
    "Yonhap": ("Yonhap", "Yonhap News Agency", "연합뉴스"),
    "UPI": ("UPI", "United Press International"),
    "PTI": ("PTI", "Press Trust of India"),
    "ANI": ("ANI",),
    "IANS": ("IANS",),
    "Anadolu": ("Anadolu", "Anadolu Agency", "AA"),
    "APA": ("APA", "Austria Presse Agentur"),
    "Keystone-SDA": ("Keystone-SDA", "SDA", "ATS", "sda"),
    "SID": ("SID", "sid"),
    "KNA": ("KNA",),
    "epd": ("epd",),
    "Belga": ("Belga", "BELGA"),
    "ANP": ("ANP",),
    "NTB": ("NTB",),
    "TT": ("TT",),
    "Ritzau": ("Ritzau", "Ritzau/"),
    "STT": ("STT",),
    "Lusa": ("Lusa", "LUSA"),
    "Europa Press": ("Europa Press", "EUROPA PRESS", "EP"),
    "AGI": ("AGI",),
    "Adnkronos": ("Adnkronos", "ADNKRONOS"),
    "LaPresse": ("LaPresse",),
    "PAP": ("PAP",),
    "CTK": ("CTK", "ČTK"),
    "MTI": ("MTI",),
    "Ukrinform": ("Ukrinform",),
    "Bernama": ("Bernama", "BERNAMA"),
    "Antara": ("Antara", "ANTARA"),
    "Canadian Press": ("Canadian Press", "The Canadian Press", "CP"),
    "AAP": ("AAP", "Australian Associated Press"),
    "Bloomberg": ("Bloomberg", "Bloomberg News"),
    "Agência Brasil": ("Agência Brasil", "Agencia Brasil"),
    "Notimex": ("Notimex",),
    "Télam": ("Télam", "Telam"),
    "MENA": ("MENA",),
    "SANA": ("SANA",),
    "IRNA": ("IRNA",),
    "WAFA": ("WAFA",),
    "KCNA": ("KCNA",),
}
_BY_NAME = {name.casefold(): canonical for canonical, names in _AGENCIES.items() for name in names}
_BY_EXACT = {name: canonical for canonical, names in _AGENCIES.items() for name in names}
# Short names that are also words or initials need their capitals, and more than a bare line.
_NAMES = "|".join(re.escape(n) for n in sorted(_BY_EXACT, key=lambda n: (-len(n), n)))
_PLACE = r"[A-ZÀ-ÞА-Я][\w.’'()/ ,-]{1,60}?"
_DATELINES = (
    re.compile(rf"(?:{_PLACE}\s*[,:–—-]?\s*)?\((?P<a>{_NAMES})(?:\s*[/,&+]\s*(?P<b>{_NAMES}))*\)\s*(?:[-–—:.]|(?=[A-Z]))"),
    re.compile(rf"{_PLACE}\s*[-–—,/]\s*(?P<a>{_NAMES})(?:/(?P<b>{_NAMES}))?\s*[-–—.:]\s"),
    re.compile(rf"[A-ZÀ-Þ][A-ZÀ-Þ.’' ,-]{{2,50}}(?:\s\d{{1,2}}\.?)?\s?(?:/|,)\s?"
               rf"(?P<a>{_NAMES})\s?/?\s?[-–—]\s"),
    re.compile(r"[^/]{2,40}/(?P<a>TASS|ТАСС)/\s?[.:–-]?"),
    re.compile(r"(?P<a>新华社)[^。]{1,20}电"),
    re.compile(r"(?P<a>【?(?:共同|時事)】?)[】=＝]"),
)  # fmt: skip
_UNLISTED = re.compile(
    r"[A-ZÀ-ÞА-Я][A-ZÀ-ÞА-Я.’' -]{2,40}(?:,\s[\w. ]{2,30})?\s"
    r"\((?P<a>[A-ZÀ-ÞА-Я]{2,6})\)\s?(?:[-–—]+|\.-)\s"
)
# Stations that mark their own reports like that: networks, and the call signs of North American ones.
_STATION = re.compile(
    r"CNN|BBC|CBS|NBC|ABC|CBC|CTV|FOX|MSNBC|CNBC|NPR|PBS|RT|DW|VOA|RFE|RFI|TRT|NHK|RTE|RTL|HT|TNN|"
    r"[KW][A-Z]{2,3}|NYSE|NASDAQ"
)
_NAME_LIST = rf"(?:{_NAMES})(?:\s*(?:,|/|&|und|and|et|y|e|en|\||\+)\s*(?:{_NAMES}))*"
_BYLINES = (
    re.compile(rf"(?:by|von|par|por|di|da|door)\s+(?:the\s+)?(?P<a>{_NAME_LIST})(?:\s+"
               rf"(?:staff|news agency|reporters?))?\.?", re.IGNORECASE),
    re.compile(rf"(?:by\s+)?[\w.’' -]{{3,50}}(?:,|\s[|/–-])\s*(?:the\s+)?(?P<a>{_NAMES})", re.IGNORECASE),
)  # fmt: skip
_BARE = re.compile(rf"(?P<a>{_NAME_LIST})")
_CREDITS = (
    re.compile(rf"[(\[]?(?:with|mit|avec|con|com|met)\s+(?:inputs?\s+from\s+|"
               rf"material\s+(?:von|der)\s+|agence[s]?\s+|informa\w+\s+d[eai]l?\s+)?"
               rf"(?P<a>{_NAME_LIST})(?:\s+inputs?)?[)\].]*", re.IGNORECASE),
    re.compile(rf"(?:©|\(c\)|copyright|quelle|source|fuente|fonte|bron|agency|agencia|inputs? from)\s*:?\s*"
               rf"(?:©\s*)?(?:\d{{4}}\s+)?(?:by\s+)?(?:the\s+)?"
               rf"(?P<a>{_NAME_LIST})\b.{{0,60}}", re.IGNORECASE),
    re.compile(rf"(?:the\s+)?(?P<a>{_NAME_LIST})\s+contributed to this "
               rf"(?:report|article|story)\.?", re.IGNORECASE),
    re.compile(rf".{{2,80}}\b(?:of|from)\s+(?:the\s+)?"
               rf"(?P<a>{_NAME_LIST})\s+contributed.{{0,60}}", re.IGNORECASE),
    re.compile(rf"\(?(?P<a>{_NAME_LIST})\)?", 0),
    re.compile(rf".{{0,200}}(?:story|article|report) (?:was|has been|is) (?:originally |first )?"
               rf"(?:published|produced|syndicated|provided) (?:by|from) "
               rf"(?:the\s+)?(?P<a>{_NAME_LIST})\b.{{0,60}}", re.IGNORECASE),
    re.compile(rf"(?:diese(?:r|s)? (?:meldung|beitrag|artikel|text)|ce(?:t)? (?:article|texte)|"
               rf"questo articolo|este artículo)\b.{{0,80}}?"
               rf"\b(?P<a>{_NAMES})\b.{{0,60}}", re.IGNORECASE),
    re.compile(rf"[A-Za-z0-9:,;./\s-]{{0,40}}\((?P<a>{_NAMES})(?:/\w{{2,10}})*\)"),
)  # fmt: skip
_REUTERS_CREDIT = re.compile(
    r"\(?(?:Reporting|Additional reporting|Writing) by .{3,200};\s*(?:Editing|Writing|Additional) .{3,200}\)?"
)
_MIXED = re.compile(
    r"[(\[]?(?:with|mit|avec|con|com|met)\s+(?:\w+\s+){0,2}(?:agency|agencies|agenturen|agenturmaterial|"
    r"agences?|agencias?|agenzie|"
    r"agências|wire)\b(?:\s+\w+){0,3}[)\].]*|[(\[]?(?:from )?(?:wire reports|wire services|news agencies|"
    r"agencies|agenturen)[)\]]?",
    re.IGNORECASE,
)
_MAX_LINE = 300


def is_agency_name(line: str) -> bool:
    """Whether the whole line is the name of one or several agencies."""
    return len(line) <= 60 and _BARE.fullmatch(line.strip()) is not None


def find_wire(
    paragraphs: Sequence[str],
    rules: TextRules,
    lines: Sequence[str] = (),
    author: str | None = None,
    *,
    outlet: str | None = None,
) -> Wire | None:
    """The agency behind a text of `paragraphs`; `lines` are all lines before furniture was taken off.

    Asked in the order of what they are worth: dateline of a known agency, byline, credit line, dateline of an
    agency that we do not list. None when no agency shows, a Wire without a name when agencies were used but
    none is named. `outlet`: its own mark in a dateline is no agency's.
    """
    return (
        _by_dateline(paragraphs[: rules.wire_paragraphs])
        or _by_byline(author, lines[: rules.closing_lines])
        or _by_credit((lines or paragraphs)[-rules.closing_lines :])
        or _by_unlisted_dateline(paragraphs[: rules.wire_paragraphs], outlet, rules.unlisted_agency)
    )


def _by_dateline(paragraphs: Sequence[str]) -> Wire | None:
    for paragraph in paragraphs:
        for form in _DATELINES:
            found = form.match(paragraph[:160])
            if found is not None:
                agency = _canonical(found["a"].strip("【】"))
                return Wire(agency=agency, evidence=found.group().strip(), kind="dateline")
    return None


def _by_unlisted_dateline(paragraphs: Sequence[str], outlet: str | None, confidence: float) -> Wire | None:
    """ "HALVERNE (MNA) —": place and code in capitals, as agencies alone write them, broadcasters aside."""
    first = next((paragraph for paragraph in paragraphs if is_prose(paragraph)), "")
    found = _UNLISTED.match(first[:160])
    if found is None or _STATION.fullmatch(found["a"]) or found["a"] == _initials(outlet or ""):
        return None
    return Wire(agency=found["a"], evidence=found.group().strip(), kind="dateline", confidence=confidence)


def _initials(outlet: str) -> str:
    words = outlet.split()
    return "".join(word[0] for word in words).upper() if len(words) > 1 else outlet.upper()


def _by_byline(author: str | None, lines: Sequence[str]) -> Wire | None:
    if author and len(author) <= 80:
        found = _BARE.fullmatch(author.strip()) or _first_match(_BYLINES, author.strip())
        if found is not None:
            return Wire(agency=_canonical(found["a"]), evidence=author.strip(), kind="byline")
    for line in lines:
        found = _BARE.fullmatch(line) or (_first_match(_BYLINES, line) if len(line) <= 80 else None)
        if found is not None:
            return Wire(agency=_canonical(found["a"]), evidence=line, kind="byline", confidence=0.9)
    return None


def _by_credit(lines: Sequence[str]) -> Wire | None:
    for line in reversed(lines):
        if len(line) > _MAX_LINE:
            continue
        found = _first_match(_CREDITS, line)
        if found is not None:
            sure = 0.5 if "contributed" in line else 0.9  # beside the outlet's own reporters
            return Wire(agency=_canonical(found["a"]), evidence=line, kind="credit", confidence=sure)
        if _REUTERS_CREDIT.fullmatch(line):
            return Wire(agency="Reuters", evidence=line, kind="credit", confidence=0.8)
        if _MIXED.fullmatch(line):
            return Wire(agency=None, evidence=line, kind="credit", confidence=0.5)
    return None


def _first_match(forms: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next((match for form in forms if (match := form.fullmatch(text))), None)


def _canonical(names: str) -> str | None:
    """The first agency of a list; None when two or more are named: the text is then of none of them alone."""
    parts = [p.strip() for p in re.split(r"\s*(?:,|/|&|\||\+|\bund\b|\band\b|\bet\b)\s*", names) if p.strip()]
    found = [_BY_EXACT.get(part) or _BY_NAME.get(part.casefold()) for part in parts]
    known = sorted({name for name in found if name})
    return known[0] if len(known) == 1 else None
