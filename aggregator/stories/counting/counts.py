"""The counts of a story: articles, outlets and independent reports.

The *origin* of a text is the agency behind its copy group (copy_groups.py), if known, else the outlet of the
original, or the publisher of that outlet. A text of unknown outlet is an origin of its own: articles of a
source always have an outlet.

An opinion or an explainer (`kind`) is no independent report, nor is a text that agrees too little with its
story (`counts_as_report`): like an excerpt, a live blog or a roundup it counts in `report_count` only in a
story that has nothing else, so that no count is 0.

Outlets of little-known sources that only repeat what others tell count as one, together: anyone can open
forty. Little-known is who has no standing (store/stories/standing.py). Those of which nobody but the sender
says who they are, as of a feed that links to other sites, of pushes, files and mails (`is_unconfirmed`), are
among them, and no reports, in a story that has a report of a source with standing.

A text that reuses many words of another outlet's text (`reuses`) is counted in the group of that text, and is
no copy of it elsewhere. Links of excerpts join no groups: an excerpt of two texts would make them one group.

A `CountState` is updated with each added article in constant time, also in a flood of copies. An article
cannot be removed from it, because it may be the original of its group: after a correction `count_state_of`
computes a new one.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from aggregator.extract.wire.agencies import outlet_key, shipped_families
from aggregator.model.article import CountedArticle
from aggregator.model.prepared import OPINION_KINDS
from aggregator.stories.counting.copy_groups import (
    COUNTED_ROLES,
    copy_groups,
    is_agency_text,
    is_unconfirmed,
    origin_link,
    precedence,
)

# Of a hash: the probability of a collision among 100,000 outlets is 3e-10
_KEY_BYTES = 8


class Counts(msgspec.Struct, frozen=True):
    """The counts of a story; `article_count` and `report_count` are at least 1 where there is an article."""

    article_count: int
    outlet_count: int  # different outlets
    # Different origins of the reports; of all articles, if none of them is a report
    report_count: int
    unknown_outlet_count: int = 0  # articles of unknown outlet


class CopyGroup(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A text and its copies; times are microseconds since 1970, UTC."""

    # sorted; without copies that no other article is compared with
    ids: tuple[str, ...]
    is_counted: bool  # whether one of them is a report or a copy that counts
    original: str
    effective: int  # of the original, and likewise
    inbox_no: int
    is_agency_text: bool  # whether the outlet of the original is an agency
    # Key of the outlet of the original; that of an agency is its name
    outlet: str | None
    wire: str | None  # key of the agency that the original names
    credit: (
        tuple[int, int, str] | None
    )  # effective time, inbox number and agency of the earliest text that names one
    has_standing: bool  # whether one of its texts is of a source with standing
    is_unconfirmed: bool  # whether all of its texts are

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The sort key of originals: the lowest is the original of merged groups."""
        return not self.is_agency_text, self.effective, self.inbox_no


class CountState(msgspec.Struct, frozen=True, array_like=True):
    """The state from which the counts of a story are computed; stored with the story by `to_bytes`."""

    articles: int = 0
    unknown_outlets: int = 0  # articles of unknown outlet
    outlets: bytes = b""  # hashes of the keys of known outlets, sorted, 8 bytes each
    repeating: bytes = b""  # the same of those that `_only_repeats`
    unconfirmed: bytes = b""  # and of the others that are `is_unconfirmed`
    groups: tuple[CopyGroup, ...] = ()  # in the order of the ids of originals


def counts(
    count_state: CountState, families: Mapping[str, str] | None = None
) -> Counts:
    """Return the counts of a story.

    `families` maps the key of an outlet to the name of its publisher, whose outlets count as one origin (see
    `extract.wire.agencies.family_table`). None means the shipped families.
    """
    table = shipped_families() if families is None else families
    groups = [
        group for group in count_state.groups if group.is_counted
    ] or count_state.groups
    outlets, repeating = _keys(count_state.outlets), _keys(count_state.repeating)
    if any(group.has_standing for group in groups):
        repeating.update(_keys(count_state.unconfirmed))
    else:
        outlets.update(_keys(count_state.unconfirmed))
    return Counts(
        article_count=count_state.articles,
        outlet_count=len(outlets) + (not outlets >= repeating),
        report_count=_report_count(groups, table),
        unknown_outlet_count=count_state.unknown_outlets,
    )


def _report_count(groups: Sequence[CopyGroup], families: Mapping[str, str]) -> int:
    known = {_origin(group, families) for group in groups if group.has_standing}
    new, printers = set(), set()
    for group in groups:
        if not group.has_standing and not (known and group.is_unconfirmed):
            new.add(_origin(group, families))
            printers.add(_outlet_of(group, families))
    # A little-known outlet is one report, whatever agencies it names.
    return len(known) + min(len(new - known), len(printers))


def count_state_of(
    articles: Sequence[CountedArticle], linkable: Collection[str] = ()
) -> CountState:
    """Return the count state of these articles, in any order.

    Of copies, only those ids are stored that another of these articles copies or that are `linkable`. This
    bounds the size in a flood.
    """
    repeating, unconfirmed, confirmed = [], [], []
    for article in articles:
        if _only_repeats(article):
            repeating.append(article)
        elif is_unconfirmed(article):
            unconfirmed.append(article)
        else:
            confirmed.append(article)
    return CountState(
        articles=len(articles),
        unknown_outlets=sum(article.outlet_key is None for article in articles),
        outlets=_outlets(confirmed),
        repeating=_outlets(repeating),
        unconfirmed=_outlets(unconfirmed),
        groups=_sort_groups(_groups(articles, linkable)),
    )


def _groups(
    articles: Sequence[CountedArticle], linkable: Collection[str]
) -> Iterator[CopyGroup]:
    links = {article.id: origin_link(article) for article in articles}
    # What copies, an original without copies, and what later articles may copy
    targets = {link or id_ for id_, link in links.items()}.union(linkable)
    for members in copy_groups(articles, origin_link):
        ids: set[str | None] = set()
        for member in members:
            ids.update((member.id, links[member.id]))
        yield _merge_groups(list(map(_single_group, members)), targets & ids)


def with_member(
    count_state: CountState, member: CountedArticle, *, linkable: bool
) -> CountState:
    """Return the count state with one more article, which must not be in it yet.

    `linkable` states whether later articles may become copies of this one, because it has a sketch. The link
    of `member` must be an id in the count state or outside the story; see `resolve_link`.
    """
    new = count_state_of([member], [member.id] if linkable else ())
    (group,) = new.groups
    ids = set(group.ids)
    merging, others = [], []
    for known in count_state.groups:
        if ids.isdisjoint(known.ids):
            others.append(known)
        else:
            merging.append(known)
    ids.update(*(known.ids for known in merging))
    merged = _merge_groups([*merging, group], ids)
    return CountState(
        articles=count_state.articles + 1,
        unknown_outlets=count_state.unknown_outlets + new.unknown_outlets,
        outlets=_united(count_state.outlets, new.outlets),
        repeating=_united(count_state.repeating, new.repeating),
        unconfirmed=_united(count_state.unconfirmed, new.unconfirmed),
        groups=_sort_groups([*others, merged]),
    )


def resolve_link(
    count_state: CountState, link: str, link_of: Callable[[str], str | None]
) -> str:
    """Return the id in `count_state` of the copy group of the text `link`, following links.

    `link_of` returns the link of a stored article, None for one without or not in this story. If
    the chain has no known id, `link` is outside the story and is returned.
    """
    group_ids = {id_ for group in count_state.groups for id_ in group.ids}
    visited: set[str] = set()
    current: str | None = link
    while current is not None and current not in visited:
        if current in group_ids:
            return current
        visited.add(current)
        current = link_of(current)
    return link


def to_bytes(count_state: CountState) -> bytes:
    """Encode for the row of the story; the inverse of `from_bytes`."""
    return msgspec.msgpack.encode((_LAYOUT, count_state))


def from_bytes(blob: bytes) -> CountState | None:
    """Decode what `to_bytes` wrote; None for another layout, where `count_state_of` must compute it again."""
    layout, count_state = msgspec.msgpack.decode(blob, type=tuple[int, msgspec.Raw])
    if layout != _LAYOUT:
        return None
    return msgspec.msgpack.decode(count_state, type=CountState)


_LAYOUT = 5


def _only_repeats(article: CountedArticle) -> bool:
    """Whether it is of a little-known source and no report: such outlets count as one, together."""
    return article.is_little_known and not (
        article.role == "report" and article.counts_as_report
    )


def _single_group(article: CountedArticle) -> CopyGroup:
    effective = precedence(article)
    wire = None if article.wire is None else article.wire.casefold()
    return CopyGroup(
        ids=(),
        is_counted=article.role in COUNTED_ROLES
        and article.kind not in OPINION_KINDS
        and article.counts_as_report
        # It makes no report of an excerpt
        and not (article.is_little_known and article.role == "copy"),
        original=article.id,
        effective=effective,
        inbox_no=article.inbox_no,
        is_agency_text=is_agency_text(article),
        outlet=None if article.outlet_key is None else outlet_key(article.outlet_key),
        wire=wire,
        # An agency that a little-known source names would make the reports it copies one.
        credit=None
        if wire is None or article.is_little_known
        else (effective, article.inbox_no, wire),
        has_standing=not article.is_little_known,
        is_unconfirmed=is_unconfirmed(article),
    )


def _merge_groups(groups: Sequence[CopyGroup], ids: Iterable[str]) -> CopyGroup:
    """Merge groups of one text into a group with these `ids`."""
    return replace(
        min(groups, key=lambda group: group.rank),
        ids=tuple(sorted(ids)),
        is_counted=any(group.is_counted for group in groups),
        has_standing=any(group.has_standing for group in groups),
        is_unconfirmed=all(group.is_unconfirmed for group in groups),
        credit=min(
            (group.credit for group in groups if group.credit is not None), default=None
        ),
    )


def _sort_groups(groups: Iterable[CopyGroup]) -> tuple[CopyGroup, ...]:
    return tuple(sorted(groups, key=lambda group: group.original))


def _origin(group: CopyGroup, families: Mapping[str, str]) -> tuple[str, str]:
    """Return the origin: the agency of the original, else one that a copy names, else the outlet."""
    agency = group.wire or (group.credit and group.credit[2])
    if group.is_agency_text:
        agency = group.outlet
    return _outlet_of(group, families) if agency is None else ("agency", agency)


def _outlet_of(group: CopyGroup, families: Mapping[str, str]) -> tuple[str, str]:
    """Return who printed the original: the publisher of its outlet, or the text where that is unknown."""
    if group.outlet is None:
        return "unknown", group.original
    return "outlet", families.get(group.outlet, group.outlet).casefold()


def _outlets(articles: Iterable[CountedArticle]) -> bytes:
    keys = set()
    for article in articles:
        if article.outlet_key is not None:
            key = outlet_key(article.outlet_key).encode()
            keys.add(hashlib.blake2b(key, digest_size=_KEY_BYTES).digest())
    return b"".join(sorted(keys))


def _united(hashes: bytes, others: bytes) -> bytes:
    return b"".join(sorted(_keys(hashes) | _keys(others)))


def _keys(hashes: bytes) -> set[bytes]:
    starts = range(0, len(hashes), _KEY_BYTES)
    return {hashes[start : start + _KEY_BYTES] for start in starts}
