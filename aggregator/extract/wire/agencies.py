"""Who is an agency, by which names and addresses, and which outlets are one publisher (agencies.yaml).

Spellings are looked up without regard to letter case, marks around them and a leading "www.".
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
import yaml

from aggregator.model.core import Wire


class Agency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One agency; see agencies.yaml for what each list is for."""

    names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


class AgencyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """agencies.yaml as it stands there."""

    agencies: dict[str, Agency]
    families: dict[str, tuple[str, ...]]


@cache
def agency_table() -> AgencyTable:
    """The shipped table; a wrong one is our mistake, not a user's."""
    raw: dict[str, Any] = yaml.safe_load(
        files("aggregator.extract.wire").joinpath("agencies.yaml").read_text(encoding="utf-8")
    )
    return msgspec.convert(raw, AgencyTable)


_WWW = re.compile(r"^(?:https?://)?(?:www\.)?")


@lru_cache(maxsize=1024)
def outlet_key(outlet: str) -> str:
    """What two spellings of one outlet share: no letter case, no "www."; an agency's sites go by its name."""
    plain = _plain(outlet)
    return _agency_by_outlet().get(plain, plain).casefold()


def agency_of(outlet: str | None) -> str | None:
    """The canonical agency name when this outlet *is* a news agency, by name or domain."""
    return None if outlet is None else _agency_by_outlet().get(_plain(outlet))


@cache
def shipped_families() -> Mapping[str, str]:
    """Outlet key → publisher family, for the families that ship with the program."""
    return family_table({})


def family_table(chosen: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Outlet key → publisher family: the shipped ones, the user's `chosen` ones (name → outlets) over them.

    An outlet that the user names is of the user's family alone. A family's own name is one of its outlets.
    """
    table: dict[str, str] = {}
    for families in (agency_table().families, chosen):
        for family, outlets in families.items():
            table.update({outlet_key(outlet): family for outlet in (family, *outlets)})
    return table


# --- agencies by name --------------------------------------------------------------------------------------


class NamedAgencies(NamedTuple):
    """What a list of agencies names."""

    agencies: frozenset[str]  # canonical names; empty where only "agencies" are spoken of
    unnamed: bool = False  # "and agencies", too

    @property
    def agency(self) -> str | None:
        """The one agency; None for several: the text is then of none of them alone."""
        return next(iter(self.agencies)) if len(self.agencies) == 1 and not self.unnamed else None


def normalize_marks(text: str) -> str:
    """`text` with full-width letters and marks as their plain ones, every run of spaces as one."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def agencies_named(words: str, *, doubtful: bool = False) -> NamedAgencies | None:
    """The agencies of which `words` (`normalize_marks`) are a list; None when they say anything else.

    Besides agencies a list may hold a desk's initials ("ade/dpa", "AFP/lk"). `doubtful`: whether short forms
    with other meanings count by themselves; beside an agency they always do.
    """
    words = words.strip(_MARKS)
    if not words or len(words) > _LIST_CHARS:
        return None
    sure, weak, unnamed = set[str](), set[str](), False
    for piece in [words] if _known(words) else _SEPARATED.split(words):
        bare = piece.strip(_MARKS)
        known = _known(bare)
        if known is not None:
            (weak if known.doubtful else sure).add(known.agency)
        elif bare.casefold() in _UNNAMED:
            unnamed = True
        elif not _INITIALS.fullmatch(bare):
            return None
    if not sure and not unnamed and not (doubtful and weak):
        return None
    return NamedAgencies(frozenset(sure | weak), unnamed)


def may_name(words: str) -> bool:
    """False where `words` hold no word of any agency's name: the quick answer for most lines."""
    return _WIDE.search(words) is not None or not _first_words().isdisjoint(_WORD.findall(words.casefold()))


def agency_names(scripts: str) -> list[str]:
    """All names and codes in which a letter of the character class `scripts` stands, longest first."""
    has = re.compile(f"[{scripts}]")
    found = {name for name in _exact() if has.search(name)}
    return sorted(found, key=lambda name: (-len(name), name))


_LIST_CHARS = 90
_WORD = re.compile(r"\w+")
_ARTICLE = re.compile(r"^(?:the |les |la |l['’])")
_WIDE = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)  # scripts whose words have no spaces between them
_MARKS = " ()[]{}【】\"'«»„“”.,:;*|/©_–—-=।"
_SEPARATED = re.compile(
    r"\s*[/,|+;&、·•=]\s*(?:(?:and|und|et|y|e)\s+)?|\s+[–—-]\s+|\s+(?:und|and|et|y|e|en|og|och|ja|и|та|ve|oraz|a|i)\s+|(?<=\w)\s+و(?=\w{3})"
)
_INITIALS = re.compile(r"[a-zà-öø-ÿ]{2,5}|Fim|[\w-]{2,20}\.(?:at|ch|com|de)")
_UNNAMED = frozenset(
    {
        *("agencies", "news agencies", "wire reports", "wire services", "wires", "agency", "agency inputs"),
        *("agency input", "agency reports", "staff and agencies", "agenturen", "nachrichtenagenturen"),
        *(
            "agenturmaterial",
            "agences",
            "les agences",
            "agencias",
            "agencias de noticias",
            "agenzie",
            "agências",
        ),
        *("agentschappen", "persbureaus", "agencje", "agentury", "agenturerna", "byråer", "ajanslar"),
        *(
            "агентства",
            "агентств",
            "информагентства",
            "информагентств",
            "وكالات",
            "الوكالات",
            "وكالات الأنباء",
        ),
        *("综合", "外电"),
    }
)
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
    """Spelling → agency, as the spelling stands in the table."""
    found: dict[str, _KnownAgency] = {}
    for canonical, agency in agency_table().agencies.items():
        for name in agency.doubtful:
            found[normalize_marks(name)] = _KnownAgency(canonical, doubtful=True)
    for canonical, agency in agency_table().agencies.items():
        for name in (*agency.names, *agency.codes):
            found[normalize_marks(name)] = _KnownAgency(canonical, doubtful=False)
    return found


@cache
def _folded() -> Mapping[str, str]:
    """Spelled-out names without their letter case → agency; short forms are not among them."""
    return {
        normalize_marks(name).casefold(): canonical
        for canonical, agency in agency_table().agencies.items()
        for name in agency.names
    }


@cache
def _first_words() -> frozenset[str]:
    names = (*_exact(), *_UNNAMED)
    words = (_WORD.findall(_ARTICLE.sub("", name.casefold())) for name in names)
    return frozenset(found[0] for found in words if found)


def _known(words: str) -> _KnownAgency | None:
    for form in (words, _AROUND.sub("", words)):
        found = _exact().get(form)
        if found is None and form.casefold() in _folded():
            found = _KnownAgency(_folded()[form.casefold()], doubtful=False)
        if found is not None:
            return found
    return None


# --- outlets -----------------------------------------------------------------------------------------------


def _plain(outlet: str) -> str:
    return _WWW.sub("", " ".join(outlet.split()).casefold()).rstrip("/")


@cache
def _agency_by_outlet() -> dict[str, str]:
    """Doubtful codes are no outlets' names: a paper called "AA" or "TT" is not the agency."""
    return {
        _plain(name): canonical
        for canonical, agency in agency_table().agencies.items()
        for name in (canonical, *agency.names, *agency.codes, *agency.sites)
        if _plain(name) not in map(_plain, agency.doubtful)
    }


def copied_wire(original: str, outlet: str | None, wire: str | None) -> Wire | None:
    """The agency behind a copy of the article `original`: the one whose outlet it is, else the one behind it.

    `wire`: the agency on the original's row, which was sure enough there. For copies, never for excerpts.
    """
    own = agency_of(outlet)
    agency = own or wire
    if agency is None:
        return None
    whose = f"{agency}'s own text" if own else f"a text of {agency}"
    return Wire(agency=agency, evidence=f"copy of {original}, {whose}", kind="copy")
