"""News agencies by their names and sites, and publishers' families of outlets (agencies.yaml).

Names are looked up without case, surrounding punctuation and a leading "www.".
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from aggregator.config.shipped import ShippedTable
from aggregator.model.prepared import Wire
from aggregator.model.structs import FrozenStruct

# These mark an image, and not the text.
PICTURE = re.compile(
    r".{0,60}(?:\b(?:photo\w*|foto\w*|fot\.|picture|image[ns]?|imagen|imagem|bild(?:er)?|grafik|graphic|video|"
    r"getty|credit|cr[ée]dit(?:o|os)?(?: photo)?|epa|archiv\w*|reuters/|(?:pa|ap|afp) wire)\b|"
    r"фото|صورة|تصوير|[图圖]|摄|攝|写真|사진)",
    re.IGNORECASE,
)


class Agency(FrozenStruct, forbid_unknown_fields=True):
    """One agency; agencies.yaml explains each list."""

    names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


class AgencyTable(FrozenStruct, forbid_unknown_fields=True):
    """The content of agencies.yaml."""

    agencies: dict[str, Agency]
    unnamed: frozenset[str]
    families: dict[str, tuple[str, ...]]


AGENCIES = ShippedTable("aggregator.extract.wire", "agencies.yaml", AgencyTable)


_WWW = re.compile(r"^(?:https?://)?(?:www\.)?")


@lru_cache(maxsize=1024)
def outlet_key(outlet: str) -> str:
    """Return a common form for spellings of one outlet: lower case, no "www.", agencies by name.

    All unconfirmed senders of mail are one outlet (`is_mail_address`).
    """
    if is_mail_address(outlet):
        return "@"
    plain = _plain(outlet)
    return _agency_by_outlet().get(plain, plain).casefold()


def is_mail_address(outlet: str | None) -> bool:
    """Return whether an outlet is only the sender that a mail states, and nobody has confirmed it.

    Channels are named like "medium.com/@anna".
    """
    return outlet is not None and "@" in outlet and "/" not in outlet


def agency_of(outlet: str | None) -> str | None:
    """Return the canonical name of the agency if this outlet *is* a news agency, by name or domain."""
    return _agency_by_outlet().get(_plain(outlet or ""))


@cache
def shipped_families() -> Mapping[str, str]:
    """Return publisher families by outlet key, for the families that ship with the program."""
    return family_table({})


def family_table(chosen: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return families by outlet key: the user's `chosen` ones (outlets by name) override the shipped ones.

    An outlet in a user's family leaves the shipped families. A family's own name is one of its outlets.
    """
    table: dict[str, str] = {}
    for families in (AGENCIES.content.families, chosen):
        for family, outlets in families.items():
            table |= dict.fromkeys(map(outlet_key, (family, *outlets)), family)
    return table


class NamedAgencies(NamedTuple):
    """The result of parsing a list of agencies."""

    agencies: frozenset[str]  # canonical names; empty for the word "agencies" alone
    unnamed: bool = False  # also "and agencies"

    @property
    def agency(self) -> str | None:
        """The only agency; None if there are several, because none of them alone wrote the text."""
        if len(self.agencies) == 1 and not self.unnamed:
            return next(iter(self.agencies))
        return None


def normalize_marks(text: str) -> str:
    """Return `text` with full-width letters and punctuation as plain ones and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def agencies_named(names: str, *, doubtful: bool = False) -> NamedAgencies | None:
    """Parse `names` (see `normalize_marks`) as a list of agencies; None if it is anything else.

    A list may also have a desk's initials ("ade/dpa", "AFP/lk"). With `doubtful` ambiguous short forms count
    alone; next to an agency they always do.
    """
    names = names.strip(_MARKS)
    if not names or len(names) > _LIST_CHARS:
        return None
    sure = set[str]()
    weak = set[str]()
    unnamed = False
    for piece in [names] if _find_agency(names) else _SEPARATED.split(names):
        bare = piece.strip(_MARKS)
        agency = _find_agency(bare)
        if agency is not None:
            (weak if agency.doubtful else sure).add(agency.agency)
        elif bare.casefold() in AGENCIES.content.unnamed:
            unnamed = True
        elif not _INITIALS.fullmatch(bare):
            return None
    if not sure and not unnamed and not (doubtful and weak):
        return None
    return NamedAgencies(frozenset(sure | weak), unnamed)


def agency_names(scripts: str) -> list[str]:
    """Return all names and codes with a letter of the character class `scripts`, longest first."""
    has = re.compile(f"[{scripts}]")
    return sorted(filter(has.search, _exact()), key=lambda name: (-len(name), name))


_LIST_CHARS = 90
_MARKS = " ()[]{}【】\"'«»„“”.,:;*|/©_–—-=।"
_SEPARATED = re.compile(
    r"\s*[/,|+;&、·•=]\s*(?:(?:and|und|et|y|e)\s+)?|\s+[–—-]\s+|\s+(?:und|and|et|y|e|en|og|och|ja|и|та|ve|oraz|a|i)\s+|(?<=\w)\s+و(?=\w{3})"
)
_INITIALS = re.compile(r"[a-zà-öø-ÿ]{2,5}|Fim|[\w-]{2,20}\.(?:at|ch|com|de)")
_AROUND = re.compile(
    r"^(?:the|der|die|l['’]|la|da|de l['’]|dell['’]|all['’]|do|de|het|"
    r"(?:news )?agency|(?:nachrichten)?agentur(?:en)?|agence(?: de presse)?|agencia(?: de noticias)?|"
    r"agência(?: de notícias)?|agenzia|persbureau|агентств\w*|информагентств\w*|وكالة|وكالتي)"
    r"\s*(?<![^\W\d_](?=\w))|\s+(?:news agency|newswires?|staff|reporters?|نيوز)$",
    re.IGNORECASE,
)


class _KnownAgency(NamedTuple):
    agency: str
    doubtful: bool


@cache
def _exact() -> Mapping[str, _KnownAgency]:
    """Return agencies by spelling, as written in the table."""
    doubtful = {}
    sure = {}
    for canonical, agency in AGENCIES.content.agencies.items():
        for name in agency.doubtful:
            doubtful[normalize_marks(name)] = _KnownAgency(canonical, doubtful=True)
        for name in (*agency.names, *agency.codes):
            sure[normalize_marks(name)] = _KnownAgency(canonical, doubtful=False)
    return doubtful | sure


@cache
def _agencies_by_full_name() -> Mapping[str, _KnownAgency]:
    """Return agencies by full name in lower case, without short forms."""
    table = {}
    for canonical, agency in AGENCIES.content.agencies.items():
        for name in agency.names:
            plain = normalize_marks(name).casefold()
            table[plain] = _KnownAgency(canonical, doubtful=False)
    return table


def _find_agency(name: str) -> _KnownAgency | None:
    for form in (name, _AROUND.sub("", name)):
        agency = _exact().get(form) or _agencies_by_full_name().get(form.casefold())
        if agency is not None:
            return agency
    return None


def _plain(outlet: str) -> str:
    return _WWW.sub("", " ".join(outlet.split()).casefold()).rstrip("/")


@cache
def _agency_by_outlet() -> dict[str, str]:
    """Return agencies by outlet key, without ambiguous codes: a newspaper named "AA" is not the agency."""
    table = {}
    for canonical, agency in AGENCIES.content.agencies.items():
        doubtful = set(map(_plain, agency.doubtful))
        for name in (canonical, *agency.names, *agency.codes, *agency.sites):
            if _plain(name) not in doubtful:
                table[_plain(name)] = canonical
    return table


def copied_wire(original: str, outlet: str | None, wire: str | None) -> Wire | None:
    """Return the agency behind a copy of the article `original`: its outlet, or `wire`.

    The outlet counts if it is an agency. `wire` is the sufficiently certain agency of the original. Use this
    for copies only, not for excerpts.
    """
    named = agency_of(outlet)
    agency = named or wire
    if agency is None:
        return None
    whose = f"{agency}'s own text" if named else f"a text of {agency}"
    return Wire(agency=agency, evidence=f"copy of {original}, {whose}", kind="copy")
