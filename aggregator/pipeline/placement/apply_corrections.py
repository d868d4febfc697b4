"""Corrections: a person says what is one story and what is not. It is done at once and binds later runs.

What a correction says is kept as bonds between articles (`cluster.constraints`), so it holds wherever the
same
articles are placed again. What it did to rows is kept beside it, so it can be undone, retired ids included.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from aggregator.cluster.constraints import Bond, BondTable, Relation
from aggregator.model.core import Evidence, Noun
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.constraints import Bonds
from aggregator.pipeline.placement.story_writer import Desk, Homes
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, corrections, stories
from aggregator.store.stories.corrections import Correction, CorrectionKind, Detail, MovedArticle, Redirect


class Wish(Noun, frozen=True, kw_only=True):
    """What a person asks for. Stories and articles by their ids."""

    kind: CorrectionKind | None = None  # None: undo
    stories: tuple[str, ...] = ()  # merge: all of them; split: the one; move: where to
    articles: tuple[str, ...] = ()  # split: those that leave; move: the one
    undo: int | None = None  # number of the correction; None: the last one in force


class Corrected(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """What came of it: the correction's number, the stories that it touched and that live on, in words."""

    n: int
    stories: tuple[str, ...]
    words: str


class _Return(NamedTuple):
    """Articles that an undoing takes from one story to another."""

    articles: frozenset[str]
    source: str
    target: str  # a live story, or one that gave way and is one again
    is_whole: bool  # the source was opened by the correction: all of it goes


class Correcting:
    """Carries corrections out, in a placing transaction."""

    def __init__(self, homes: Homes, bonds: Bonds, rules_version: str) -> None:
        self._homes = homes
        self._bonds = bonds
        self._evidence = Evidence(stage="correction", rules_version=rules_version)

    def carry_out(self, desk: Desk, wish: Wish) -> Corrected:
        """Do what is asked. Raises UsageError where it cannot be done: the transaction must not be kept."""
        done = {"merge": self._merge, "split": self._split, "move": self._move, None: self._undo}
        corrected = done[wish.kind](desk, wish)
        self._bonds.forget()
        return corrected

    # --- the three corrections ------------------------------------------------------------------------------

    def _merge(self, desk: Desk, wish: Wish) -> Corrected:
        connection = desk.connection
        ids = list(dict.fromkeys(_live(connection, one) for one in wish.stories))
        if len(ids) < 2:
            raise UsageError("two different stories are needed; those named are one story already")
        held = {one: [member.id for member in articles.members(connection, one)] for one in ids}
        led = {one: stories.leading_to(connection, one) for one in ids}
        at_no = self._homes.last_touch(connection)
        kept = self._homes.unite(desk, ids, at_no=at_no, bump=desk.now, reason="correction")
        moved = [
            MovedArticle(article=article, before=story, after=kept)
            for story, members in held.items()
            if story != kept
            for article in members
        ]
        return self._kept(
            desk,
            "merge",
            Detail(
                moved=tuple(moved),
                retired=tuple(one for one in ids if one != kept),
                redirects=tuple(
                    Redirect(story=gone, to=one) for one in ids if one != kept for gone in led[one]
                ),
                words=f"merged {', '.join(one for one in ids if one != kept)} into {kept}",
            ),
            [Bond(correction=0, article=one, relation="together") for one in chain(*held.values())],
            [kept],
        )

    def _split(self, desk: Desk, wish: Wish) -> Corrected:
        connection = desk.connection
        origin = _live(connection, wish.stories[0])
        members = [member.id for member in articles.members(connection, origin)]
        strangers = [one for one in wish.articles if one not in members]
        if strangers:
            raise UsageError(
                f"article {strangers[0]} is not in story {origin}; `aggregator story {origin}` lists it"
            )
        leaving = self._with_copies(connection, wish.articles, origin)
        staying = [one for one in members if one not in leaving]
        if not staying:
            raise UsageError(f"nothing would be left in story {origin}; name only the articles that leave")
        known = corrections.evidence_of(connection, leaving)
        new = self._taken_out(desk, leaving, None)
        words = f"took {len(leaving)} of {len(members)} articles of {origin} into a story of their own, {new}"
        moved = _moved(leaving, origin, new, known)
        bonds = [*_apart(leaving, staying), *_together(leaving)]
        return self._kept(desk, "split", Detail(moved=moved, founded=new, words=words), bonds, [origin, new])

    def _move(self, desk: Desk, wish: Wish) -> Corrected:
        connection = desk.connection
        article, target = wish.articles[0], _live(connection, wish.stories[0])
        home = articles.homes(connection, [article]).get(article)
        if home is None:
            raise UsageError(f"there is no article {article}; `aggregator story ID` lists their ids")
        if home == target:
            raise UsageError(f"article {article} is in story {target} already")
        leaving = self._with_copies(connection, [article], home)
        there = [member.id for member in articles.members(connection, target)]
        staying = [one.id for one in articles.members(connection, home) if one.id not in leaving]
        if not staying:
            return self._merge(desk, Wish(kind="merge", stories=(target, home)))
        known = corrections.evidence_of(connection, leaving)
        after = self._taken_out(desk, leaving, target)
        moved = _moved(leaving, home, after, known)
        detail = Detail(moved=moved, words=f"moved {article} from {home} to {after}")
        bonds = [*_apart(leaving, staying), *_together([*leaving, *there])]
        return self._kept(desk, "move", detail, bonds, [home, after])

    def _undo(self, desk: Desk, wish: Wish) -> Corrected:
        connection = desk.connection
        correction = _to_undo(corrections.all_corrections(connection), wish.undo)
        detail = correction.detail
        returns = self._returns(connection, detail)
        self._refuse_held(connection, correction.n, returns)
        corrections.undo(connection, correction.n, desk.now)
        self._bonds.forget()
        touched: set[str] = set()
        for one in returns:
            touched |= self._put_back(desk, one, detail)
        words = f"undid correction {correction.n} ({detail.words})"
        live = sorted({_live(connection, one) for one in touched})
        for story in live:
            desk.ledger.log(desk.now, story, "corrected", undone=correction.n, words=words)
        return Corrected(n=correction.n, stories=tuple(live), words=words)

    def _returns(self, connection: Connection, detail: Detail) -> list[_Return]:
        """Who goes back where; articles that went elsewhere since stay there."""
        homes = articles.homes(connection, [one.article for one in detail.moved])
        by_story: dict[tuple[str, str], set[str]] = {}
        for one in detail.moved:
            now = stories.target_of(connection, one.after)
            if now is not None and homes.get(one.article) == now:
                by_story.setdefault((one.before, now), set()).add(one.article)
        found = []
        for (before, now), moved in sorted(by_story.items()):
            # A story that gave way for another reason is where its other articles are today.
            # One that is empty, because its articles were forgotten, is one again with these.
            target = before if before in detail.retired else stories.target_of(connection, before) or before
            if target != now:
                found.append(_Return(frozenset(moved), now, target, is_whole=now == detail.founded))
        return found

    def _refuse_held(self, connection: Connection, n: int, returns: Sequence[_Return]) -> None:
        """The later word counts: what a later correction says of these articles has to be undone first."""
        later = BondTable(bond for bond in corrections.all_bonds(connection) if bond.correction > n)
        for one in returns:
            there = {member.id for member in articles.members(connection, one.target)}
            here = {member.id for member in articles.members(connection, one.source)}
            moving = here if one.is_whole else one.articles
            for article in sorted(moving):
                with_, never = later.partners(article)
                if with_ & (here - moving) or never & there:
                    held = later.named_with(article)
                    raise UsageError(
                        f"correction {held} came later and says otherwise of article {article}; "
                        f"type first: aggregator correct undo {held}"
                    )

    def _put_back(self, desk: Desk, one: _Return, detail: Detail) -> set[str]:
        connection = desk.connection
        at_no = self._homes.last_touch(connection)
        is_retired = stories.target_of(connection, one.target) != one.target
        if one.is_whole and not is_retired:
            back = self._homes.join(
                desk, one.target, one.source, at_no=at_no, bump=desk.now, keeps=one.target, reason="undone"
            )
        else:
            back = self._homes.move(
                desk,
                one.articles,
                None if is_retired else one.target,
                at_no=at_no,
                bump=desk.now,
                revived=one.target if is_retired else None,
            )
        stories.lead(connection, [gone.story for gone in detail.redirects if gone.to == one.target], back)
        for moved in detail.moved:
            if moved.evidence is not None and moved.article in one.articles:
                articles.set_evidence(connection, moved.article, moved.evidence)
        return {one.source, back}

    # --- parts --------------------------------------------------------------------------------------------

    def _taken_out(self, desk: Desk, leaving: Sequence[str], target: str | None) -> str:
        at_no = self._homes.last_touch(desk.connection)
        story = self._homes.move(desk, leaving, target, at_no=at_no, bump=desk.now)
        for article in leaving:
            articles.set_evidence(desk.connection, article, self._evidence)
        return story

    def _with_copies(self, connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
        """The articles with the copies that were made of them."""
        return self._homes.with_copies(connection, wanted, story)

    def _kept(
        self,
        desk: Desk,
        kind: CorrectionKind,
        detail: Detail,
        bonds: Sequence[Bond],
        touched: Sequence[str],
    ) -> Corrected:
        n = corrections.add(desk.connection, desk.now, kind, detail, bonds)
        for story in touched:
            desk.ledger.log(desk.now, story, "corrected", correction=n, words=detail.words)
        return Corrected(n=n, stories=tuple(touched), words=detail.words)


def _moved(
    leaving: Iterable[str], before: str, after: str, known: Mapping[str, Evidence]
) -> tuple[MovedArticle, ...]:
    return tuple(
        MovedArticle(article=one, before=before, after=after, evidence=known[one]) for one in leaving
    )


def _apart(one: Iterable[str], other: Iterable[str]) -> list[Bond]:
    sides = ((0, one), (1, other))
    return [_bond(article, "apart", side) for side, articles_ in sides for article in articles_]


def _together(articles_: Iterable[str]) -> list[Bond]:
    return [_bond(article, "together", 0) for article in articles_]


def _bond(article: str, relation: Relation, side: int) -> Bond:
    return Bond(correction=0, article=article, relation=relation, side=side)


def _live(connection: Connection, story: str) -> str:
    """The id that a story has today."""
    found = stories.target_of(connection, story)
    if found is None:
        raise UsageError(f"there is no story {story}; `aggregator stories` lists them")
    return found


def _to_undo(made: Sequence[Correction], n: int | None) -> Correction:
    if n is None:
        in_force = [one for one in made if one.undone_at is None]
        if not in_force:
            raise UsageError("there is no correction that could be undone")
        return in_force[-1]
    found = next((one for one in made if one.n == n), None)
    if found is None:
        raise UsageError(f"there is no correction {n}; `aggregator correct list` shows them")
    if found.undone_at is not None:
        raise UsageError(f"correction {n} was undone already")
    return found


def wish_of(payload: str) -> Wish:
    """A wish that was left for the writer."""
    return msgspec.json.decode(payload, type=Wish)
