"""The counts of a story: articles, outlets and independent reports.

A *copy group* is a connected component of the links "is a copy of". Its *original* is the text that an agency
published itself, if the group has one, else the text with the earliest effective time, of equal times the
one that came first. The *origin* of a text
is the agency behind its group, if known, else the outlet of the original, or the publisher of that outlet. A
text of unknown outlet is an origin of its own: articles of a source always have an outlet.

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

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from aggregator.extract.wire.agencies import agency_of, outlet_key, shipped_families
from aggregator.model.core import (
    OPINION_KINDS,
    ArticleView,
    CountedArticle,
    VersionState,
)
from aggregator.stories.lexicon import is_correction

COUNTED_ROLES = ("report", "copy")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_AFTER_ALL = 1 << 60  # microseconds: 36,000 years
# Of a hash: the probability of a collision among 100,000 outlets is 3e-10
_KEY_BYTES = 8


class Counts(msgspec.Struct, frozen=True):
    """The counts of a story; `article_count` and `report_count` are at least 1 where there is an article."""

    article_count: int
    outlet_count: int  # different outlets
    # Different origins of the reports; of all articles, if none of them is a report
    report_count: int
    unknown_outlet_count: int = 0  # articles of unknown outlet


AnyCountable = TypeVar("AnyCountable", bound=CountedArticle)


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


# --- counting ----------------------------------------------------------------------------------------------


def count(
    articles: Sequence[CountedArticle], families: Mapping[str, str] | None = None
) -> Counts:
    """Return the counts of a story with these articles; `families` as in `counts`."""
    return counts(count_state_of(articles), families)


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
    outlets, repeating = (
        set(_keys(count_state.outlets)),
        set(_keys(count_state.repeating)),
    )
    known = {_origin(group, table) for group in groups if group.has_standing}
    strangers = [group for group in groups if not group.has_standing]
    if known:
        strangers = [group for group in strangers if not group.is_unconfirmed]
        repeating.update(_keys(count_state.unconfirmed))
    else:
        outlets.update(_keys(count_state.unconfirmed))
    # A little-known outlet is one report, whatever agencies it names.
    new = {_origin(group, table) for group in strangers} - known
    printers = {_outlet_of(group, table) for group in strangers}
    return Counts(
        article_count=count_state.articles,
        outlet_count=len(outlets) + (not outlets >= repeating),
        report_count=len(known) + min(len(new), len(printers)),
        unknown_outlet_count=count_state.unknown_outlets,
    )


def count_state_of(
    articles: Sequence[CountedArticle], linkable: Collection[str] = ()
) -> CountState:
    """Return the count state of these articles, in any order.

    Of copies, only those ids are stored that another of these articles copies or that are `linkable`. This
    bounds the size in a flood.
    """
    links = {article.id: origin_link(article) for article in articles}
    targets = {link for link in links.values() if link is not None}.union(linkable)
    targets.update(id_ for id_, link in links.items() if link is None)
    groups: list[CopyGroup] = []
    for members in copy_groups(articles, origin_link):
        ids = {
            id_
            for member in members
            for id_ in (member.id, links[member.id])
            if id_ in targets
        }
        groups.append(_merge_groups([_single_group(member) for member in members], ids))
    return CountState(
        articles=len(articles),
        unknown_outlets=sum(article.outlet_key is None for article in articles),
        outlets=_outlets(
            one for one in articles if not (_only_repeats(one) or is_unconfirmed(one))
        ),
        repeating=_outlets(filter(_only_repeats, articles)),
        unconfirmed=_outlets(
            one for one in articles if is_unconfirmed(one) and not _only_repeats(one)
        ),
        groups=_sort_groups(groups),
    )


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
    linked = [one for one in count_state.groups if not ids.isdisjoint(one.ids)]
    others = [one for one in count_state.groups if one not in linked]
    merged = _merge_groups([*linked, group], ids.union(*(one.ids for one in linked)))
    return CountState(
        articles=count_state.articles + 1,
        unknown_outlets=count_state.unknown_outlets + new.unknown_outlets,
        outlets=_joined(_keys(count_state.outlets), _keys(new.outlets)),
        repeating=_joined(_keys(count_state.repeating), _keys(new.repeating)),
        unconfirmed=_joined(_keys(count_state.unconfirmed), _keys(new.unconfirmed)),
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
    return (
        msgspec.msgpack.decode(count_state, type=CountState)
        if layout == _LAYOUT
        else None
    )


_LAYOUT = 5


# --- copy groups -------------------------------------------------------------------------------------------


def printer_of(article: CountedArticle) -> str:
    """Return the common form of the outlet of an article; of an unknown one the id of the article."""
    return article.id if article.outlet_key is None else outlet_key(article.outlet_key)


def copy_link(article: CountedArticle) -> str | None:
    """Return `copy_of`, None for an excerpt, which is no copy."""
    return None if article.role == "excerpt" else article.copy_of


def origin_link(article: CountedArticle) -> str | None:
    """Return the text that an article copies, or of which it reuses many words; None for an excerpt."""
    return None if article.role == "excerpt" else article.copy_of or article.reuses


def copy_groups(
    articles: Sequence[AnyCountable],
    link_of: Callable[[CountedArticle], str | None] = copy_link,
) -> list[list[AnyCountable]]:
    """Return the copy groups; groups and members keep the order of `articles`.

    Two articles that are copies of one text outside the story are one group, too.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for article in articles:
        link = link_of(article)
        if link is not None:
            parent[root(article.id)] = root(link)
    groups: dict[str, list[AnyCountable]] = {}
    for article in articles:
        groups.setdefault(root(article.id), []).append(article)
    return list(groups.values())


def original_of(group: Sequence[AnyCountable]) -> AnyCountable:
    """Return the original: a text that an agency published itself, else the first by `_precedence`.

    Of equal ones the one that came first. The group must not be empty.
    """
    return min(
        group, key=lambda a: (not _is_agency_text(a), _precedence(a), a.inbox_no)
    )


def is_unconfirmed(article: CountedArticle) -> bool:
    """Return whether only a little-known sender says who an article is of.

    It was handed in beside feeds, as by file, push or mail, or its feed links to another site.
    """
    return article.is_little_known and article.claimed_outlet is not None


def of_standing(articles: Sequence[ArticleView]) -> list[ArticleView]:
    """Return the articles that may tell what no other one tells.

    Those with standing, and whose text these print, else all; of these those that agree with the story, if
    any does. The articles have their originals (`with_originals`).
    """
    printed = {
        copy_link(article) for article in articles if not article.is_little_known
    }
    standing = [
        one for one in articles if one.id in printed or not one.is_little_known
    ] or list(articles)
    return [article for article in standing if article.counts_as_report] or standing


def originals_with_copies(
    articles: Iterable[ArticleView],
) -> list[tuple[ArticleView, list[ArticleView]]]:
    """Return the articles of `with_originals` that are no copies, each with its copies, the oldest first."""
    ordered = sorted(
        articles, key=lambda article: (article.effective_at, article.inbox_no)
    )
    copies: dict[str | None, list[ArticleView]] = {
        article.id: [] for article in ordered
    }
    originals = []
    for article in ordered:
        if article.copy_of in copies and article.copy_of != article.id:
            copies[article.copy_of].append(article)
        else:
            originals.append(article)
    return [(article, copies[article.id]) for article in originals]


def with_originals(articles: Sequence[ArticleView]) -> list[ArticleView]:
    """Return the articles with `copy_of` set to the original of their copy group, or of the current text.

    The original has none, unless a link of its group leads out of the story, which is kept. The `role` says
    the same: who is linked is a copy, and the original is a report, also if it was placed after its copies.
    An excerpt is linked to the original of the text that it was taken from. Other versions of a text are
    linked to that with the current one, and have a `version`; their roles are those among who has their text.
    """
    if all(
        article.copy_of is None and article.version_of is None for article in articles
    ):
        return list(articles)
    if any(article.version for article in articles):
        return list(articles)  # they have been linked
    present = {article.id for article in articles}
    replaced = _replaced(articles)
    original: dict[str | None, str] = {}
    links_out: dict[str, str] = {}
    for group in copy_groups(articles, _text_link):
        first = original_of(group).id
        original.update((article.id, first) for article in group)
        outside = {
            link for article in group if (link := _text_link(article)) is not None
        } - present
        if outside:
            links_out[first] = min(outside)
    linked = []
    for article in articles:
        version, role, first = None, article.role, original[article.id]
        link = links_out.get(first) if first == article.id else first
        if role in COUNTED_ROLES:
            role = "report" if link is None else "copy"
        if article.id in replaced:
            link, version = replaced[article.id]
        elif role == "excerpt":
            link = original.get(article.copy_of, article.copy_of)
            link = replaced[link][0] if link in replaced else link
        linked.append(replace(article, copy_of=link, version=version, role=role))
    return linked


# --- versions ----------------------------------------------------------------------------------------------


def _replaced(
    articles: Sequence[ArticleView],
) -> dict[str | None, tuple[str, VersionState]]:
    """Return the articles that have another version of a current text, with the original of that.

    Of the versions of a text the first one is current, until a later one takes over.
    """
    if all(article.version_of is None for article in articles):
        return {}
    replaced: dict[str | None, tuple[str, VersionState]] = {}
    for family in copy_groups(articles, _version_link):
        current, *others = texts = sorted(
            copy_groups(family, _text_link), key=_first_printed
        )
        printers = _Printers()
        printers.add(current)
        for text in others:
            if _takes_over(text, printers):
                current = text
                printers.add(text)
        original, since = original_of(current).id, _first_printed(current)
        for text in texts:
            state: VersionState = "earlier" if _first_printed(text) < since else "other"
            if text is not current:
                replaced.update({article.id: (original, state) for article in text})
    return replaced


def _text_link(article: CountedArticle) -> str | None:
    """Return what an article copies, if it has the same text."""
    return copy_link(article) if article.version_of is None else None


def _version_link(article: CountedArticle) -> str | None:
    return article.version_of or copy_link(article)


def _first_printed(text: Sequence[ArticleView]) -> tuple[bool, int, bool, int]:
    """Return when a text was printed first; at one time, a version is later than what it is a version of.

    Little-known sources come after others, whatever dates they state: they replace nothing of these.
    """
    return min(
        (
            article.is_little_known,
            _precedence(article),
            article.version_of is not None,
            article.inbox_no,
        )
        for article in text
    )


class _Printers:
    """Who printed the versions that were current so far."""

    def __init__(self) -> None:
        self.publishers: set[str] = set()
        self.wires: set[str | None] = set()
        self.articles: set[str | None] = set()
        self.originals: set[str | None] = set()  # of which these are copies
        self.are_little_known = True

    def add(self, text: Iterable[ArticleView]) -> None:
        for article in text:
            self.publishers.add(_publisher(article))
            if article.wire is not None:
                self.wires.add(article.wire)
            self.articles.add(article.id)
            self.originals.add(article.copy_of)
            self.are_little_known = self.are_little_known and article.is_little_known


def _takes_over(text: Sequence[ArticleView], earlier: _Printers) -> bool:
    """Return whether a later version replaces the `earlier` ones: who prints it may say what is right now.

    That is their outlet, who names their agency, or two origins; or a report that is no copy of them, unless
    it corrects another outlet. Little-known sources say it only of texts that no known one printed.
    """
    known = [
        article
        for article in text
        if earlier.are_little_known or not article.is_little_known
    ]
    publishers = {_publisher(article) for article in known}
    if len(publishers) > 1 or not publishers.isdisjoint(earlier.publishers):
        return True
    if any(article.wire in earlier.wires for article in known):
        return True
    is_copy = any(
        article.copy_of in earlier.articles or article.id in earlier.originals
        for article in text
    )
    return not is_copy and any(not _is_correction(article) for article in known)


def _publisher(article: CountedArticle) -> str:
    key = printer_of(article)
    return shipped_families().get(key, key)


def _is_correction(article: ArticleView) -> bool:
    return is_correction(article.title, article.language) or is_correction(
        article.lead, article.language
    )


# --- parts -------------------------------------------------------------------------------------------------


def _only_repeats(article: CountedArticle) -> bool:
    """Whether it is of a little-known source and no report: such outlets count as one, together."""
    return article.is_little_known and not (
        article.role == "report" and article.counts_as_report
    )


def _is_agency_text(article: CountedArticle) -> bool:
    """Whether an agency published it: a little-known source may only link to one."""
    return agency_of(article.outlet_key) is not None and not article.is_little_known


def _precedence(article: CountedArticle) -> int:
    """Return the effective time in microseconds since 1970, UTC; copies by little-known sources are last.

    Their dates are not believed where a text had come from another one before. Who has standing goes before
    the text that he prints by his date only.
    """
    has_come = origin_link(article) or article.version_of
    place = article.is_little_known and has_come is not None
    return (article.effective_at - _EPOCH) // _MICROSECOND + place * _AFTER_ALL


def _single_group(article: CountedArticle) -> CopyGroup:
    effective = _precedence(article)
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
        is_agency_text=_is_agency_text(article),
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
    agency = (
        group.outlet
        if group.is_agency_text
        else group.wire or (group.credit and group.credit[2])
    )
    return ("agency", agency) if agency is not None else _outlet_of(group, families)


def _outlet_of(group: CopyGroup, families: Mapping[str, str]) -> tuple[str, str]:
    """Return who printed the original: the publisher of its outlet, or the text where that is unknown."""
    if group.outlet is None:
        return "unknown", group.original
    return "outlet", families.get(group.outlet, group.outlet).casefold()


def _outlets(articles: Iterable[CountedArticle]) -> bytes:
    keys = {
        outlet_key(one.outlet_key) for one in articles if one.outlet_key is not None
    }
    return _joined(
        hashlib.blake2b(key.encode(), digest_size=_KEY_BYTES).digest() for key in keys
    )


def _joined(*hashes: Iterable[bytes]) -> bytes:
    return b"".join(sorted(set().union(*hashes)))


def _keys(hashes: bytes) -> Iterable[bytes]:
    return (hashes[at : at + _KEY_BYTES] for at in range(0, len(hashes), _KEY_BYTES))
