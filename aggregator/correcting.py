"""Corrections: a person says what is one story and what is not. It is done at once and binds later runs.

What a correction says is kept as bonds between articles (`dedup.bonds`), so it holds wherever the same
articles are placed again. What it did to rows is kept beside it, so it can be undone, retired ids included.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from aggregator.bonds import Bonds
from aggregator.dedup.bonds import Bond, Relation
from aggregator.errors import UsageError
from aggregator.homes import Desk, Homes
from aggregator.model import Evidence, Noun
from aggregator.store import articles, corrections, stories
from aggregator.store.corrections import Correction, CorrectionKind, Detail, MovedArticle
from aggregator.store.database import Connection


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
        kept = ids[0]
        at_no = self._homes.last_touch(connection)
        for other in ids[1:]:
            kept = self._homes.join(desk, kept, other, at_no=at_no, bump=desk.now, reason="correction")
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
        new = self._taken_out(desk, leaving, None)
        words = f"took {len(leaving)} of {len(members)} articles of {origin} into a story of their own, {new}"
        moved = tuple(MovedArticle(article=one, before=origin, after=new) for one in leaving)
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
        after = self._taken_out(desk, leaving, target)
        moved = tuple(MovedArticle(article=one, before=home, after=after) for one in leaving)
        detail = Detail(moved=moved, words=f"moved {article} from {home} to {after}")
        bonds = [*_apart(leaving, staying), *_together([*leaving, *there])]
        return self._kept(desk, "move", detail, bonds, [home, after])

    def _undo(self, desk: Desk, wish: Wish) -> Corrected:
        connection = desk.connection
        correction = _to_undo(corrections.all_corrections(connection), wish.undo)
        detail = correction.detail
        corrections.undo(connection, correction.n, desk.now)
        self._bonds.forget()
        touched = set()
        by_story: dict[str, list[str]] = {}
        for one in detail.moved:
            by_story.setdefault(one.before, []).append(one.article)
        for story, moved in sorted(by_story.items()):
            touched |= self._put_back(desk, story, moved, detail)
        words = f"undid correction {correction.n} ({detail.words})"
        live = sorted({_live(connection, one) for one in touched})
        for story in live:
            desk.ledger.log(desk.now, story, "corrected", undone=correction.n, words=words)
        return Corrected(n=correction.n, stories=tuple(live), words=words)

    def _put_back(self, desk: Desk, story: str, moved: Sequence[str], detail: Detail) -> set[str]:
        """Articles of one former story go back into it, but for those that went elsewhere since."""
        connection = desk.connection
        after = {stories.target_of(connection, one.after) for one in detail.moved}
        homes = articles.homes(connection, moved)
        back = [one for one in moved if homes.get(one) in after]
        if not back:
            return set()
        now = homes[back[0]]
        back = [one for one in back if homes[one] == now]
        at_no = self._homes.last_touch(connection)
        if detail.founded is not None and stories.target_of(connection, detail.founded) == detail.founded:
            kept = self._homes.join(
                desk, story, detail.founded, at_no=at_no, bump=desk.now, keeps=story, reason="undone"
            )
            return {kept}
        is_retired = stories.target_of(connection, story) != story
        target = None if is_retired else story
        new = self._homes.move(
            desk, back, target, at_no=at_no, bump=desk.now, revived=story if is_retired else None
        )
        return {now, new}

    # --- parts --------------------------------------------------------------------------------------------

    def _taken_out(self, desk: Desk, leaving: Sequence[str], target: str | None) -> str:
        at_no = self._homes.last_touch(desk.connection)
        story = self._homes.move(desk, leaving, target, at_no=at_no, bump=desk.now)
        for article in leaving:
            articles.set_evidence(desk.connection, article, self._evidence)
        return story

    def _with_copies(self, connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
        """The articles with their copies: what is one text cannot be two stories."""
        found = {one for article in wanted for one in self._homes.followers(connection, article, story)}
        return sorted(found | set(wanted))

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
    in_force = [one for one in made if one.undone_at is None]
    if not in_force:
        raise UsageError("there is no correction that could be undone")
    if n is None:
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
