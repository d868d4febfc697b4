"""Names of outlets as texts show them: masthead lines, copyright lines, the tail of a title."""

import re

from aggregator.text.furniture import is_section
from aggregator.text.lines import count_words, ends_sentence, folded

_SIGN = re.compile(
    r"\b(?:news|times|post|herald|tribune|daily|gazette|guardian|observer|chronicle|telegraph|independent|mirror|"
    r"express|standard|journal|courier|examiner|dispatch|inquirer|sentinel|star|sun|mail|press|today|reporter|"
    r"magazine|monitor|weekly|review|bulletin|echo|argus|argos|broadcasting|radio|tv|television|fm|network|online|"
    r"zeitung|rundschau|anzeiger|tagblatt|tageblatt|kurier|nachrichten|allgemeine|presse|blatt|bote|spiegel|merkur|"
    r"figaro|monde|libération|parisien|dépêche|matin|soir|temps|tribune|nouvelles|actualités|diario|periódico|mundo|"
    r"país|nación|universal|noticias|gaceta|corriere|repubblica|stampa|giornale|gazzetta|messaggero|folha|jornal|"
    r"público|correio|diário|estado|krant|dagblad|telegraaf|nieuwsblad|volkskrant|euro|24|247|bbc|cnn|cbs|nbc|abc|"
    r"npr|pbs|dw|rt|rfi|rtl|rtve|rai|zdf|ard|nos|vrt|rtbf|orf|srf|yle|nhk|cgtn|cna|wire)\b",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"\b[A-Z][a-z]+[A-Z]{1,3}(?:[a-z]*)\b|\b[a-z]+[A-Z]\w+")
_DOMAIN = re.compile(r"(?:www\.)?[a-z0-9-]{2,40}(?:\.[a-z]{2,12}){1,2}", re.IGNORECASE)
_COPYRIGHT = re.compile(
    r"(?:©|\(c\)|copyright)\s*(?:©|\(c\)|copyright)?\s*(?:\d{4}(?:\s?[-–]\s?\d{4})?)?,?\s*(?:by\s+)?(?P<name>[^\d.,|;:©]{2,50}?)"
    r"(?:\s+\d{4})?\s*(?:[.,|;–-]\s*(?:all rights|alle rechte|tous droits|todos|tutti).*)?[.]?",
    re.IGNORECASE,
)
_SEPARATED = re.compile(r"\s+[|\-–—•»]\s+|\s+::\s+")


def looks_like_outlet(line: str) -> bool:
    """A few capitalised words with a newspaper's sign among them ("The Daily Example", "DayFR Euro")."""
    words = line.split()
    if not 1 <= len(words) <= 5 or len(line) > 45 or ends_sentence(line) or is_section(line):
        return False
    if len(words) == 1 and _DOMAIN.fullmatch(line):
        return True
    proper = all(w[0].isupper() or w[0].isdigit() or w.lower() in _SMALL or _CAMEL.match(w) for w in words)
    return proper and bool(_CAMEL.search(line) or _SIGN.search(line))


_SMALL = frozenset(
    {"de", "la", "le", "du", "of", "the", "and", "&", "der", "die", "das", "del", "di", "el", "i", "il"}
)


def is_masthead(line: str, outlet: str) -> bool:
    """Whether `line` shows the name `outlet` and nothing but it, an edition or a section.

    Letter case, marks, "&" and articles aside; a web address counts by its name.
    """
    name = _key(_HOST.sub(r"\g<name>", outlet.strip()) if _DOMAIN.fullmatch(outlet.strip()) else outlet)
    pieces = [piece for piece in _PIECES.split(line) if piece.strip()]
    if not name or name not in map(_key, pieces):
        return False
    return all(_key(piece) == name or len(piece.split()) <= _EDITION_WORDS for piece in pieces)


_HOST = re.compile(r"(?:www\.)?(?P<name>[^.]+)\..*")
_PIECES = re.compile(r"\s*[|>»›•·]\s*|\s+[-–—/]\s+|:\s+")
_EDITION_WORDS = 4  # "Saturday Sports Final"; a longer piece beside the name is a headline
_UNWEIGHED = _SMALL | {"und", "et", "y", "e", "en", "les", "los", "las", "den", "il", "lo", "het", "o", "a"}


def _key(name: str) -> str:
    words = folded(name).split()
    return "".join(word for word in words if word not in _UNWEIGHED) or "".join(words)


def outlet_of_copyright(line: str) -> str | None:
    """The name in "© 2024 The Example Times. All rights reserved."; None when the line is none."""
    found = _COPYRIGHT.fullmatch(line.strip())
    name = found["name"].strip() if found else ""
    return name if name and count_words(name) <= 6 and name[0].isupper() else None


def split_title(title: str, outlet: str | None = None) -> tuple[str, str | None]:
    """(headline, outlet) of a title that carries its outlet's name: "Rain expected | The Example Times".

    The tail goes when it is `outlet` or has the look of one, the head when it is `outlet`; else the title
    stays whole and the name is None.
    """
    breaks = list(_SEPARATED.finditer(title))
    if breaks and outlet and _key(title[: breaks[0].start()]) == _key(outlet):
        headline = title[breaks[0].end() :].strip()
        if count_words(headline) >= 3:
            return split_title(headline, outlet)[0], title[: breaks[0].start()].strip()
    for at in reversed(breaks):
        tail, head = title[at.end() :].strip(), title[: at.start()].strip()
        if count_words(head) < 3:
            continue
        if (outlet and _key(tail) == _key(outlet)) or looks_like_outlet(tail):
            return split_title(head, outlet)[0], tail
        if at.group().strip() in ("|", "::") and count_words(tail) <= 4:
            return split_title(head, outlet)[0], None
        break
    return title, None
