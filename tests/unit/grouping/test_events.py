"""Decisions about invented events: threshold, rival, window of dates, what a new story follows."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import EventModel, shipped_model
from aggregator.grouping.scores.scorer import (
    ScoredCandidate,
    decide,
    is_open,
    shared_terms,
)
from aggregator.model.article import Article
from aggregator.model.evidence import Reason
from aggregator.store.stories.live_stories import LiveStory
from aggregator.store.stories.stored_articles import StoredArticle
from tests.support.events import GRAIN, article_of
from tests.support.tables import rows

NOON = 29_000_000
MODEL = shipped_model(Tuning())
PACKER = TermPacker(MODEL)


def article(
    text: tuple[str, str],
    minutes: int | None = NOON,
    inbox: int = 1,
    container: bool = False,
    **more: Any,
) -> Article:
    terms, words = PACKER.pack(*text, "en", is_container=container)
    more.setdefault("role", "container" if container else "report")
    return article_of(terms, minutes, words, inbox_no=inbox, **more)


def live_story(number: int, *members: Article, copies: Sequence[int] = ()) -> LiveStory:
    """A story of these articles, and of copies of these dates."""
    story = LiveStory(number, f"s{number}")
    for member in members:
        story.take(member)
    for minutes in copies:
        story.take(article_of(minutes=minutes, role="copy", is_compared=False))
    return story


def model_with(**tuning: float) -> EventModel:
    return dataclasses.replace(MODEL, tuning=replace(MODEL.tuning, **tuning))


NEED = MODEL.tuning.threshold
REPORT = article(GRAIN[1], NOON, 9)
BLOG = article(GRAIN[1], NOON, 9, container=True)


def scored(
    number: int, score: float, *reasons: Reason, blog: bool = False, texts: float = 0.5
):
    told = article(GRAIN[0], NOON - 60, number, container=blog)
    return ScoredCandidate(live_story(number, told), score, reasons, texts)


def decided(one: Article, *found: ScoredCandidate) -> StoredArticle:
    """Decide about an article of which nothing else is known yet."""
    known = {name: getattr(one, name) for name in Article.__struct_fields__}
    unknown = dict.fromkeys(
        (
            "url",
            "author",
            "record_id",
            "outlet_name",
            "kind_evidence",
            "language",
        )
    )
    placing = StoredArticle(
        **known,
        **unknown,
        root_article=one.id,
        generation=0,
        lead="",
        text="",
        seen_at=one.effective_at,
        placed_at=one.effective_at,
        verdict="ok",
        signature=b"",
        text_hash=b"",
        details=b"",
    )
    return decide(placing, found, MODEL, 0.25)


@pytest.mark.parametrize(
    ("one", "score", "joins"),
    [
        (REPORT, NEED, True),
        (REPORT, NEED - 0.001, False),
        (BLOG, NEED, True),
        (BLOG, NEED - 0.001, False),
    ],
)
def test_the_threshold_is_inclusive(one, score, joins):
    decision = decided(one, scored(1, score))
    assert (decision.story == "s1") is joins
    assert decision.evidence.stage == ("event" if joins else "founded")
    assert decision.role == ("container" if one.is_container else "report")


@pytest.mark.parametrize(
    ("scores", "best", "rival"),
    [
        ((-3.0, NEED, -4.0), "s2", "s1"),
        *rows(
            "events",
            "the highest score wins ties go to the older and the next is the rival",
        ),
    ],
)
def test_the_highest_score_wins_ties_go_to_the_older_and_the_next_is_the_rival(
    scores, best, rival
):
    found = [scored(number, score) for number, score in enumerate(scores, start=1)]
    for order in (found, found[::-1]):
        decision = decided(REPORT, *order)
        runner_up = decision.evidence.runner_up
        assert (decision.story or None, runner_up and runner_up.story) == (best, rival)
        assert decision.evidence.bias == 0.25
        if runner_up:
            assert runner_up.need == NEED


def test_the_story_and_its_rival_keep_their_reasons():
    against, for_it = (
        Reason(name="days", value=1.0, share=-9.0),
        Reason(name="texts", value=1.0, share=2.0),
    )
    decision = decided(REPORT, scored(1, -7.0, for_it, against), scored(2, 2.0, for_it))
    assert (decision.story, decision.evidence.reasons) == ("s2", (for_it,))
    assert decision.evidence.runner_up.reasons == (for_it, against)


def test_a_report_joins_live_blogs_and_prefers_a_story_of_reports():
    alone = decided(REPORT, scored(1, 3.0, blog=True))
    assert (alone.story, alone.evidence.score, alone.is_compared) == ("s1", 3.0, True)
    assert decided(REPORT, scored(1, 3.0, blog=True), scored(2, 1.0)).story == "s2"
    assert decided(BLOG, scored(1, 3.0)).is_compared is False
    joined = decided(BLOG, scored(1, 3.0, blog=True))
    assert (joined.story, joined.is_compared) == ("s1", True)


def test_shared_terms_are_in_both_and_readable():
    shared = shared_terms(REPORT, live_story(1, article(GRAIN[0])), MODEL)
    words = PACKER.readable_terms(*GRAIN[1], "en")
    assert {words[id_].lower() for id_ in shared} & {
        "grain",
        "ellory",
        "basin",
        "harbour",
    }
    assert decided(REPORT, scored(1, 3.0)).evidence.shared == shared


@pytest.mark.parametrize(("cap", "admits"), [(2, False), (3, True)])
def test_a_full_story_takes_no_more_reports(cap, admits):
    full = live_story(1, article(GRAIN[0]), copies=[NOON])
    assert is_open(REPORT, full, model_with(story_cap=cap).tuning) is admits
