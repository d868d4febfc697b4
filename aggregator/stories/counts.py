"""Three numbers for a story, never one: articles, outlets, independent reports (product.md, promise 2).

A *copy group* is a connected component of the "is a copy of" links that placing found. Its *original* is the
agency's own text where the group holds it, else the text with the earliest effective time. The *origin* of a
text is the agency behind its group where that is known, else the outlet of the group's original, or the
publisher family that outlet belongs to.

Links of excerpts join nothing: an excerpt of two texts would otherwise make one text of them.

`CountState` is what counting needs of a story, grown by one article at a time, so that each copy of a flood
costs the same. Nothing is taken out of one (the original of a group may be what goes): after a correction
`count_state_of` makes it anew from the rows.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from aggregator.extract.wire.agencies import agency_of, outlet_key, shipped_families
from aggregator.model.core import ArticleView, CopyTrail, Reprint, Role

COUNTED_ROLES: Final = ("report", "copy")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_KEY_BYTES: Final = 8  # of a hash: among 100,000 outlets two are taken for one with a chance of 3e-10


class Counts(msgspec.Struct, frozen=True):
    """How much stands behind a story; each at least 1 where there is an article."""

    article_count: int
    outlet_count: int  # each article of unknown outlet is an outlet of its own
    report_count: int  # different origins


class Countable(Protocol):
    """What counting asks of an article; an `ArticleView` has it."""

    @property
    def id(self) -> str: ...
    @property
    def outlet(self) -> str | None: ...
    @property
    def effective(self) -> dt.datetime: ...
    @property
    def wire(self) -> str | None: ...
    @property
    def copy_of(self) -> str | None: ...
    @property
    def role(self) -> Role: ...


AnyCountable = TypeVar("AnyCountable", bound=Countable)


class CountedArticle(msgspec.Struct, frozen=True):
    """A `Countable` and nothing more, for who has only a row's columns."""

    id: str
    outlet: str | None
    effective: dt.datetime
    wire: str | None
    copy_of: str | None
    role: Role


class CopyGroup(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A text and its copies, as far as counting needs them; times are microseconds since 1970, UTC."""

    ids: tuple[str, ...]  # that links may lead to, sorted; a leaf of a flood is not among them
    is_counted: bool  # whether a report or a copy is in it
    original: str
    effective: int  # of the original
    is_agency_text: bool  # whether the original's outlet is an agency
    outlet: str | None  # key of the original's outlet; an agency's is its name
    wire: str | None  # the agency that the original names, as a key
    credit: tuple[int, str, str] | None  # effective, id and agency of the earliest text that names one

    @property
    def rank(self) -> tuple[bool, int, str]:
        """The text with the lowest rank is the original."""
        return not self.is_agency_text, self.effective, self.original


class CountState(msgspec.Struct, frozen=True, array_like=True):
    """All that the three numbers of a story need; a value, kept in the story's row by `to_bytes`."""

    articles: int = 0
    unknown_outlets: int = 0  # articles of unknown outlet
    outlets: bytes = b""  # hashes of the known outlets' keys, sorted, 8 bytes each
    groups: tuple[CopyGroup, ...] = ()  # in the order of their originals' ids


# --- counting ----------------------------------------------------------------------------------------------


def count(articles: Sequence[Countable], families: Mapping[str, str] | None = None) -> Counts:
    """The three numbers of a story; `families` as in `counts`. Zeros only for a story without articles."""
    return counts(count_state_of(articles), families)


def counts(count_state: CountState, families: Mapping[str, str] | None = None) -> Counts:
    """The three numbers of a story.

    `families` maps the key of an outlet to its publisher's name where several outlets are one publisher
    (`extract.wire.agencies.family_table` makes it); such a family is one origin. None: the shipped families.
    """
    table = shipped_families() if families is None else families
    groups = [group for group in count_state.groups if group.is_counted] or count_state.groups
    return Counts(
        article_count=count_state.articles,
        outlet_count=count_state.unknown_outlets + len(count_state.outlets) // _KEY_BYTES,
        report_count=len({_origin(group, table) for group in groups}),
    )


def count_state_of(articles: Sequence[Countable]) -> CountState:
    """The standing of a story with these articles, in any order."""
    links = {article.id: _link(article) for article in articles}
    known = {link for link in links.values() if link is not None}
    known.update(id_ for id_, link in links.items() if link is None)
    groups: list[CopyGroup] = []
    for members in copy_groups(articles):
        ids = {id_ for member in members for id_ in (member.id, links[member.id]) if id_ in known}
        groups.append(_merge_groups([_single_group(member) for member in members], ids))
    keys = {_hash(outlet_key(article.outlet)) for article in articles if article.outlet is not None}
    return CountState(
        articles=len(articles),
        unknown_outlets=sum(1 for article in articles if article.outlet is None),
        outlets=b"".join(sorted(keys)),
        groups=_sort_groups(groups),
    )


def with_member(count_state: CountState, member: Countable, *, linkable: bool) -> CountState:
    """The standing with one article more, which must not be in it yet.

    `linkable`: whether another article may be found to be a copy of this one (it has LSH rows); a copy that
    is not is counted and its id forgotten, which keeps a flood small. `member.copy_of` must be an id that the
    standing knows or that is not in the story: `resolve_link` finds it.
    """
    link = _link(member)
    ids = {member.id} if link is None else {member.id, link} if linkable else {link}
    met = ids | {member.id}
    joined: list[CopyGroup] = []
    others: list[CopyGroup] = []
    for group in count_state.groups:
        (others if met.isdisjoint(group.ids) else joined).append(group)
    own = _merge_groups([*joined, _single_group(member)], ids.union(*(group.ids for group in joined)))
    outlets = count_state.outlets
    if member.outlet is not None:
        outlets = _with_key(outlets, _hash(outlet_key(member.outlet)))
    return CountState(
        articles=count_state.articles + 1,
        unknown_outlets=count_state.unknown_outlets + (member.outlet is None),
        outlets=outlets,
        groups=count_state.groups if joined == [own] else _sort_groups([*others, own]),
    )


def merge_count_states(one: CountState, other: CountState) -> CountState:
    """The standing of two stories that become one; they must have no article in common."""
    groups = list(one.groups)
    for group in other.groups:
        met = [g for g in groups if not set(g.ids).isdisjoint(group.ids)]
        groups = [g for g in groups if g not in met]
        groups.append(_merge_groups([*met, group], {id_ for g in (*met, group) for id_ in g.ids}))
    return CountState(
        articles=one.articles + other.articles,
        unknown_outlets=one.unknown_outlets + other.unknown_outlets,
        outlets=b"".join(sorted({*_keys(one.outlets), *_keys(other.outlets)})),
        groups=_sort_groups(groups),
    )


def resolve_link(count_state: CountState, link: str, link_of: Callable[[str], str | None]) -> str:
    """The id by which `count_state` knows the group of the text `link`: itself, or what it is a copy of.

    `link_of` gives the `copy_of` of a stored article (None for one that is no copy, or not of this story).
    Where the chain of links ends unknown, `link` is outside the story and comes back as it is.
    """
    known = {id_ for group in count_state.groups for id_ in group.ids}
    asked: set[str] = set()
    at: str | None = link
    while at is not None and at not in asked:
        if at in known:
            return at
        asked.add(at)
        at = link_of(at)
    return link


def to_bytes(count_state: CountState) -> bytes:
    """For the story's row; `from_bytes` gives the same value back."""
    return msgspec.msgpack.encode((_LAYOUT, count_state))


def from_bytes(blob: bytes) -> CountState | None:
    """What `to_bytes` wrote; None for another layout: then `count_state_of` has to make it anew."""
    layout, count_state = msgspec.msgpack.decode(blob, type=tuple[int, msgspec.Raw])
    return msgspec.msgpack.decode(count_state, type=CountState) if layout == _LAYOUT else None


_LAYOUT: Final = 1


# --- copy groups -------------------------------------------------------------------------------------------


def copy_groups(articles: Sequence[AnyCountable]) -> list[list[AnyCountable]]:
    """Articles that are one text, group by group; groups and members in the order given.

    Two articles that point to one text outside the story are one group too.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for article in articles:
        link = _link(article)
        if link is not None:
            parent[root(article.id)] = root(link)
    groups: dict[str, list[AnyCountable]] = {}
    for article in articles:
        groups.setdefault(root(article.id), []).append(article)
    return list(groups.values())


def original_of(group: Sequence[AnyCountable]) -> AnyCountable:
    """The text the others of the group are copies of: an agency's own first, then the earliest effective.

    Ties go to the lower id. The group must not be empty.
    """
    return min(group, key=lambda a: (agency_of(a.outlet) is None, a.effective, a.id))


def with_originals(articles: Sequence[ArticleView]) -> list[ArticleView]:
    """The same articles, each `copy_of` naming the original of its group instead of the twin that was found.

    The original itself has none, unless its group's link leads out of the story: then that link stays. An
    excerpt points at the original of the text it was taken from.
    """
    original: dict[str, str] = {}
    links_out: dict[str, str] = {}
    present = {article.id for article in articles}
    for group in copy_groups(articles):
        first = original_of(group).id
        original.update((member.id, first) for member in group)
        outside = sorted(a.copy_of for a in group if a.copy_of is not None and a.copy_of not in present)
        if outside:
            links_out[first] = outside[0]

    def settled(article: ArticleView) -> str | None:
        if article.role == "excerpt":
            return original.get(article.copy_of, article.copy_of) if article.copy_of else None
        first = original[article.id]
        return links_out.get(first) if first == article.id else first

    return [msgspec.structs.replace(article, copy_of=settled(article)) for article in articles]


# --- who copied whom, when ---------------------------------------------------------------------------------


def trails(articles: Sequence[ArticleView]) -> tuple[CopyTrail, ...]:
    """Who copied whom, and how long after; originals with no copy are left out.

    In the order of the originals' times (effective, then id), reprints likewise. A copy before its original
    is one of an agency's text that came here later than the outlet that printed it.
    """
    by_id = {article.id: article for article in articles}
    taken: dict[str, list[ArticleView]] = {}
    for settled in with_originals(articles):
        if settled.copy_of in by_id and settled.copy_of != settled.id:
            taken.setdefault(settled.copy_of, []).append(by_id[settled.id])
    originals = sorted((by_id[id_] for id_ in taken), key=_by_time)
    return tuple(
        CopyTrail(
            article=original.id,
            outlet=original.outlet,
            url=original.url,
            time=_minute(original),
            reprints=tuple(_reprint(original, one) for one in sorted(taken[original.id], key=_by_time)),
        )
        for original in originals
    )


def _by_time(article: ArticleView) -> tuple[dt.datetime, str]:
    return article.effective, article.id


def _reprint(original: ArticleView, copy: ArticleView) -> Reprint:
    before, after = _minute(original), _minute(copy)
    later = None if before is None or after is None else (after - before) // dt.timedelta(minutes=1)
    return Reprint(
        article=copy.id,
        outlet=copy.outlet,
        url=copy.url,
        time=after,
        minutes_later=later,
        is_whole=copy.role != "excerpt",
    )


def _minute(article: ArticleView) -> dt.datetime | None:
    """When it was published, where that is declared to the minute."""
    return None if article.published_precision == "day" else article.published


# --- parts -------------------------------------------------------------------------------------------------


def _link(article: Countable) -> str | None:
    """The text that this one is a copy of; an excerpt is no copy."""
    return None if article.role == "excerpt" else article.copy_of


def _single_group(article: Countable) -> CopyGroup:
    effective = (article.effective - _EPOCH) // _MICROSECOND
    wire = None if article.wire is None else article.wire.casefold()
    return CopyGroup(
        ids=(),
        is_counted=article.role in COUNTED_ROLES,
        original=article.id,
        effective=effective,
        is_agency_text=agency_of(article.outlet) is not None,
        outlet=None if article.outlet is None else outlet_key(article.outlet),
        wire=wire,
        credit=None if wire is None else (effective, article.id, wire),
    )


def _merge_groups(groups: Sequence[CopyGroup], ids: Iterable[str]) -> CopyGroup:
    """Groups that turn out to be one text, known by `ids`."""
    return msgspec.structs.replace(
        min(groups, key=lambda group: group.rank),
        ids=tuple(sorted(ids)),
        is_counted=any(group.is_counted for group in groups),
        credit=min((group.credit for group in groups if group.credit is not None), default=None),
    )


def _sort_groups(groups: Iterable[CopyGroup]) -> tuple[CopyGroup, ...]:
    return tuple(sorted(groups, key=lambda group: group.original))


def _origin(group: CopyGroup, families: Mapping[str, str]) -> tuple[str, str]:
    """The agency that the original is of or names, or any copy names: the text is one, so is who wrote it."""
    agency = (
        (group.outlet if group.is_agency_text else None) or group.wire or (group.credit and group.credit[2])
    )
    if agency is not None:
        return "agency", agency
    if group.outlet is None:
        return "unknown", group.original
    return "outlet", families.get(group.outlet, group.outlet).casefold()


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=_KEY_BYTES).digest()


def _keys(hashes: bytes) -> Iterable[bytes]:
    return (hashes[at : at + _KEY_BYTES] for at in range(0, len(hashes), _KEY_BYTES))


def _with_key(hashes: bytes, key: bytes) -> bytes:
    """`hashes`, sorted, with one more where it is new."""
    low, high = 0, len(hashes) // _KEY_BYTES
    while low < high:
        middle = (low + high) // 2
        if hashes[middle * _KEY_BYTES : (middle + 1) * _KEY_BYTES] < key:
            low = middle + 1
        else:
            high = middle
    at = low * _KEY_BYTES
    return hashes if hashes[at : at + _KEY_BYTES] == key else hashes[:at] + key + hashes[at:]
