"""Explains, for `aggregator explain`, why an article is in its story or why two articles are not together.

Two sources are used: the evidence stored with the decision, and a new comparison of the two articles.
"""

from collections.abc import Iterable

import numpy as np
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import CopyTuning, verdict
from aggregator.grouping.copies.shingles import shared_passages
from aggregator.grouping.corrections.explained import (
    Explanation,
    PairExplanation,
    SharedTerms,
    VersionExplanation,
)
from aggregator.grouping.pairs.hours import HoursTuning
from aggregator.grouping.pairs.pair_article import LEAD, NAMED, PairArticle
from aggregator.grouping.pairs.pair_model import (
    PairModel,
    PairTuning,
    compare_pairs,
    reasons_of,
)
from aggregator.grouping.pairs.snapshot import StreamSnapshot
from aggregator.grouping.pairs.term_codec import FIELDS, HASH_BITS, ids_of, read
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.grouping.scores.report_comparison import is_foreign_text
from aggregator.grouping.storylines import NEAR
from aggregator.model.article import ArticleView, ComparedText
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.read.article_detail import ExplainedArticle
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.corrections import ConstraintTable, Relation
from aggregator.store.stories.storyline_rows import UNCOMPARED
from aggregator.stories.compared_sentences import version_of
from aggregator.stories.versions import changed_sentences

# The most names, numbers or words that are shown, of each kind
_SHOWN_TERMS = 12
_SHOWN_PASSAGES = 3
# How many words of names that only one of two articles has are shown for each article at most
_SHOWN_DIFFERING = 2
# Events of the log that are left out, because the evidence already tells them
_FIRST_EVENTS = ("created", "joined")
# The kinds of the terms in each field (FIELDS in term_codec.py). Fields that are not listed here have plain words.
_KIND_OF_FIELD = {"names": "names", "num": "numbers", "numu": "numbers"}
_FOREIGN_TEXT = "it has the headline of a report, but shares too few words beside it with that report"


def explain_article(
    reading: StoryReader, article: str, other: str | None, all_tuning: Tuning
) -> Explanation:
    """Return why `article` (an id or address) is in its story; with `other`, also how the two articles compare.

    Raises UsageError if one of them does not exist.
    """
    explained = _find_article(reading, article)
    packer = TermPacker(shipped_model(all_tuning))
    view = explained.article
    evidence = explained.evidence
    nosnippet = view.nosnippet
    passages: tuple[str, ...] = ()
    if evidence.copy is not None:
        original = reading.explained_article(evidence.copy.other)
        if original is not None:
            passages = shared_passages(
                view.text, original.article.text, _SHOWN_PASSAGES
            )
            nosnippet = nosnippet or original.article.nosnippet
    pair = None
    if other is not None:
        pair = _compare_articles(
            reading, explained, _find_article(reading, other), packer, all_tuning
        )
    runner_up = evidence.runner_up
    return Explanation(
        article=view.id,
        title=view.title,
        outlet=view.outlet,
        kind=view.kind,
        kind_evidence=view.kind_evidence,
        story=explained.story,
        story_title=explained.story_title,
        evidence=evidence,
        shared=_shared_terms(packer, view, evidence.shared),
        passages=passages,
        is_of_day=view.published_precision == "day",
        nosnippet=nosnippet,
        version=_compare_versions(reading, view),
        runner_up_title=reading.title_of(runner_up.story) if runner_up else None,
        log=tuple(line for line in explained.log if line.kind not in _FIRST_EVENTS),
        pair=pair,
    )


def _find_article(reading: StoryReader, article: str) -> ExplainedArticle:
    explained = reading.explained_article(article)
    if explained is None:
        raise UsageError(
            f"there is no article {article}; `aggregator story ID` lists their ids"
        )
    return explained


def _compare_versions(
    reading: StoryReader, view: ArticleView
) -> VersionExplanation | None:
    """Return how an article differs from another version of its text; None if there is none.

    The other version is an earlier text that the article repeats with changes, or the text that replaced it.
    """
    detail = reading.article(view.id)
    is_replaced = detail is not None and detail.article.version is not None
    other_id = view.version_of
    if detail is not None and is_replaced:
        other_id = detail.article.copy_of
    other = reading.explained_article(other_id) if other_id else None
    if other is None:
        return None
    return VersionExplanation(
        article=other.article.id,
        outlet=other.article.outlet,
        time=other.article.effective_at,
        is_earlier=other.article.effective_at <= view.effective_at,
        is_replaced=is_replaced,
        changes=tuple(changed_sentences(version_of(view), version_of(other.article))),
    )


def _shared_terms(
    packer: TermPacker, article: ArticleView, ids: Iterable[int]
) -> SharedTerms:
    """Return the names, numbers and words of an article that have these ids; a name is not also a word."""
    words_by_id = packer.readable_terms(article.title, article.text, article.language)
    shared: dict[str, list[str]] = {"names": [], "numbers": [], "words": []}
    for id_ in ids:
        word = words_by_id.get(id_)
        if word is not None:
            kind = _KIND_OF_FIELD.get(FIELDS[id_ >> HASH_BITS], "words")
            shared[kind].append(word if kind == "names" else word.casefold())
    names = {name.casefold() for name in shared["names"]}
    shared["words"] = [word for word in shared["words"] if word not in names]
    return SharedTerms(
        **{
            kind: tuple(dict.fromkeys(terms))[:_SHOWN_TERMS]
            for kind, terms in shared.items()
        }
    )


def _compare_articles(
    reading: StoryReader,
    explained: ExplainedArticle,
    other: ExplainedArticle,
    packer: TermPacker,
    all_tuning: Tuning,
) -> PairExplanation:
    """Return how placing would compare two articles now: by the pair model, corrections, and the check for copies."""
    first = explained.article
    second = other.article
    first_row = reading.member(first.id)
    left = PairArticle(first_row)
    right = PairArticle(reading.member(second.id))

    # The score: the log odds that both report one event, as the sum of the shares of its reasons.
    model = PairModel()
    tuning = all_tuning.section("pairs", PairTuning)
    stream = StreamSnapshot(*reading.stream_history(tuning.stream_days))
    hours = all_tuning.section("hours", HoursTuning)
    reasons = reasons_of(model, compare_pairs(model, left, [right], stream, hours))
    left_names = _names_missing_in(packer, first, left, right)
    right_names = _names_missing_in(packer, second, right, left)
    if left_names and right_names:
        reasons = tuple(
            replace(reason, differing=(*left_names, *right_names))
            if reason.name == "contrast"
            else reason
            for reason in reasons
        )

    # Corrections, and a foreign text below a headline, decide regardless of the score.
    constraint: Relation | None = None
    linked = ConstraintTable(explained.constraints).linked_articles(first.id)
    if second.id in linked.together:
        constraint = "together"
    elif second.id in linked.apart:
        constraint = "apart"
    stub_words = shipped_model(all_tuning).stub_words
    is_foreign = is_foreign_text(
        left, [right], stream, tuning, stub_words
    ) or is_foreign_text(right, [left], stream, tuning, stub_words)
    copy = verdict(
        _compared_text(first),
        _compared_text(second),
        all_tuning.section("copies", CopyTuning),
    )

    term_ids = ids_of(read(first_row.terms))  # the highest weight first
    shared_ids = term_ids[np.isin(term_ids, right.ids)].tolist()
    return PairExplanation(
        article=second.id,
        title=second.title,
        story=other.story,
        same_story=explained.story == other.story,
        score=model.bias + sum(reason.share for reason in reasons),
        bias=model.bias,
        reasons=reasons,
        copy=copy,
        passages=shared_passages(first.text, second.text, _SHOWN_PASSAGES),
        shared=_shared_terms(packer, first, shared_ids),
        constraint=constraint,
        obstacle=_FOREIGN_TEXT if is_foreign else None,
        is_of_day="day" in (first.published_precision, second.published_precision),
        nosnippet=first.nosnippet or second.nosnippet,
    )


def _names_missing_in(
    packer: TermPacker, view: ArticleView, article: PairArticle, other: PairArticle
) -> list[str]:
    """Return words of names in `article` that `other` lacks in text, title and lead; words of the title come first."""
    words_by_id = packer.readable_terms(view.title, view.text, view.language)
    # `parts` begins with the text, the title and the lead.
    words_of_other = np.concatenate(other.parts[: LEAD + 1])
    missing = np.setdiff1d(article.parts[NAMED], words_of_other)
    in_title = np.isin(missing, article.named_in_title)
    hashes = [*missing[in_title].tolist(), *missing[~in_title].tolist()]
    names = [words_by_id.get(NAMED << HASH_BITS | n) for n in hashes[:_SHOWN_DIFFERING]]
    return list(filter(None, names))


def _compared_text(article: ArticleView) -> ComparedText:
    return ComparedText(
        id=article.id, text=article.text, title=article.title, outlet=article.outlet_key
    )


class NearStory(FrozenStruct, omit_defaults=False):
    """Another story of a storyline, and how near its articles are to the explained story, and the reverse."""

    id: str
    title: str
    # The mean over the comparisons, in log odds; stories that were never compared have the lowest value
    affinity: float
    # How many comparisons there were of an article of one story with the other story
    comparisons: int


class StorylineExplanation(FrozenStruct, omit_defaults=False):
    """The other stories of the storyline of a story, the nearest first."""

    story: str
    title: str
    storyline: str
    # The mean affinity that a single story needs to join a storyline
    need: float
    near: tuple[NearStory, ...]


def explain_storyline(reading: StoryReader, story: str) -> StorylineExplanation | None:
    """Return the other stories of the storyline of a story; None if the story does not exist."""
    storyline = reading.storyline(story)
    if storyline is None:
        return None
    titles = {member.id: member.title for member in storyline.stories}
    if story not in titles:
        # If this is the id of a merged story, or of the storyline, explain the oldest story of the storyline.
        story = storyline.stories[-1].id
    near = []
    affinities = reading.affinities(titles)
    for id_ in titles.keys() - {story}:
        affinity = affinities.get(frozenset((story, id_)))
        near.append(
            NearStory(
                id=id_,
                title=titles[id_],
                # Stored in thousandths
                affinity=(affinity.mean if affinity else UNCOMPARED) / 1000,
                comparisons=affinity.articles if affinity else 0,
            )
        )
    return StorylineExplanation(
        story=story,
        title=titles[story],
        storyline=storyline.id,
        need=NEAR / 1000,
        near=tuple(sorted(near, key=lambda other: (-other.affinity, other.id))),
    )
