"""Recognises news agencies by their names and sites, and groups outlets into families (agencies.yaml).

The names of an outlet are compared without case, extra spaces and a leading "www.". A family is a group of outlets
of one publisher, such as the local editions of a newspaper.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from aggregator.config.shipped import ShippedTable
from aggregator.model.prepared import Wire
from aggregator.model.structs import FrozenStruct

# A credit with one of these words belongs to an image: "Photo: AFP"
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

# The longest text that may be a list of agencies
_LIST_CHARS = 90
_MARKS = " ()[]{}【】\"'«»„“”.,:;*|/©_–—-=।"
# Between the agencies of a list: "dpa/AFP", "AP - Reuters", "dpa und AFP"
_SEPARATED = re.compile(
    r"(?:(?<!\s)\s++)?[/,|+;&、·•=]\s*(?:(?:and|und|et|y|e)\s+)?|(?<!\s)\s++[–—-]\s+|(?<!\s)\s++(?:und|and|et|y|e|en|og|och|ja|и|та|ve|oraz|a|i)\s+|(?<=\w)\s+و(?=\w{3})"
)
# The initials of a desk, "Fim", or the site of the outlet
_INITIALS = re.compile(r"[a-zà-öø-ÿ]{2,5}|Fim|[\w-]{2,20}\.(?:at|ch|com|de)")
# Words before or after the name of an agency: "the", "Nachrichtenagentur", "news agency"
_AROUND = re.compile(
    r"^(?:the|der|die|l['’]|la|da|de l['’]|dell['’]|all['’]|do|de|het|"
    r"(?:news )?agency|(?:nachrichten)?agentur(?:en)?|agence(?: de presse)?|agencia(?: de noticias)?|"
    r"agência(?: de notícias)?|agenzia|persbureau|агентств\w*|информагентств\w*|وكالة|وكالتي)"
    r"\s*(?<![^\W\d_](?=\w))|(?<!\s)\s++(?:news agency|newswires?|staff|reporters?|نيوز)$",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def outlet_key(outlet: str) -> str:
    """Return a common form of the spellings of one outlet: in lower case, without "www."; an agency by its name.

    All unconfirmed senders of mail are one outlet (`is_mail_address`).
    """
    if is_mail_address(outlet):
        return "@"
    plain = _plain_outlet(outlet)
    return _agency_by_outlet().get(plain, plain).casefold()


def is_mail_address(outlet: str | None) -> bool:
    """Return whether an outlet is only the sender that a mail states and that nobody has confirmed.

    A name with a slash is a channel, such as "medium.com/@anna".
    """
    return outlet is not None and "@" in outlet and "/" not in outlet


def agency_of(outlet: str | None) -> str | None:
    """Return the canonical name of the agency if this outlet *is* a news agency, by name or domain."""
    return _agency_by_outlet().get(_plain_outlet(outlet or ""))


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
    """The agencies that a list names."""

    # Canonical names; empty if the list has only a word such as "agencies"
    agencies: frozenset[str]
    # Whether the list has such a word: "AFP and agencies"
    unnamed: bool = False

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

    A list may also have a desk's initials ("ade/dpa", "AFP/lk"). An ambiguous short form counts next to an agency;
    with `doubtful`, also alone.
    """
    names = names.strip(_MARKS)
    if not names or len(names) > _LIST_CHARS:
        return None
    clear = set[str]()
    ambiguous = set[str]()
    unnamed = False
    # The name of one agency may contain a separator.
    for piece in [names] if _find_agency(names) else _SEPARATED.split(names):
        name = piece.strip(_MARKS)
        agency = _find_agency(name)
        if agency is not None:
            (ambiguous if agency.doubtful else clear).add(agency.agency)
        elif name.casefold() in AGENCIES.content.unnamed:
            unnamed = True
        elif not _INITIALS.fullmatch(name):
            return None
    if not clear and not unnamed and not (doubtful and ambiguous):
        return None
    return NamedAgencies(frozenset(clear | ambiguous), unnamed)


def agency_names(scripts: str) -> list[str]:
    """Return all names and short forms with a letter of the character class `scripts`, the longest first."""
    letter = re.compile(f"[{scripts}]")
    names = filter(letter.search, _agencies_by_spelling())
    return sorted(names, key=lambda name: (-len(name), name))


class _KnownAgency(NamedTuple):
    agency: str
    doubtful: bool


@cache
def _agencies_by_spelling() -> Mapping[str, _KnownAgency]:
    """Return agencies by their names and short forms, as written in agencies.yaml: "EFE" is a key, "efe" is not."""
    doubtful = {}
    clear = {}
    for canonical, agency in AGENCIES.content.agencies.items():
        for name in agency.doubtful:
            doubtful[normalize_marks(name)] = _KnownAgency(canonical, doubtful=True)
        for name in (*agency.names, *agency.codes):
            clear[normalize_marks(name)] = _KnownAgency(canonical, doubtful=False)
    return doubtful | clear


@cache
def _agencies_by_full_name() -> Mapping[str, _KnownAgency]:
    """Return agencies by full name in lower case, without short forms, whose case matters."""
    table = {}
    for canonical, agency in AGENCIES.content.agencies.items():
        for name in agency.names:
            plain = normalize_marks(name).casefold()
            table[plain] = _KnownAgency(canonical, doubtful=False)
    return table


def _find_agency(name: str) -> _KnownAgency | None:
    """Return the agency with this name, which may stand between words such as "the" and "news agency"."""
    for form in (name, _AROUND.sub("", name)):
        agency = _agencies_by_spelling().get(form) or _agencies_by_full_name().get(
            form.casefold()
        )
        if agency is not None:
            return agency
    return None


def _plain_outlet(outlet: str) -> str:
    return _WWW.sub("", " ".join(outlet.split()).casefold()).rstrip("/")


@cache
def _agency_by_outlet() -> dict[str, str]:
    """Return agencies by plain outlet (`_plain_outlet`).

    Ambiguous short forms are left out, because a newspaper named "AA" is not the agency.
    """
    table = {}
    for canonical, agency in AGENCIES.content.agencies.items():
        doubtful = set(map(_plain_outlet, agency.doubtful))
        for name in (canonical, *agency.names, *agency.codes, *agency.sites):
            if _plain_outlet(name) not in doubtful:
                table[_plain_outlet(name)] = canonical
    return table


def copied_wire(original: str, outlet: str | None, wire: str | None) -> Wire | None:
    """Return the agency behind a copy (not an excerpt) of the article `original`; None if there is none.

    `outlet` is the outlet of the original, which may itself be an agency. `wire` is the agency that wrote the
    original, if this is certain enough.
    """
    own_agency = agency_of(outlet)
    agency = own_agency or wire
    if agency is None:
        return None
    text = f"{agency}'s own text" if own_agency else f"a text of {agency}"
    return Wire(agency=agency, evidence=f"copy of {original}, {text}", kind="copy")
