"""`aggregator explain`: the stored evidence of a decision, and a comparison of two articles."""

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

# The most names, numbers or words of one kind that are shown
_SHOWN = 12
_PASSAGES = 3
# The most words of names that only one of two articles has
_DIFFERING = 2
# Events of the log that the evidence tells already
_BEGINNINGS = ("created", "joined")
# `explain` calls the terms of these fields so, and the terms of all other fields words
_KINDS = {"names": "names", "num": "numbers", "numu": "numbers"}
_FOREIGN = "it has the headline of a report, but shares too few words beside it with that report"


class NearStory(FrozenStruct, omit_defaults=False):
    """Another story of a storyline, and how near its articles are to those of the explained story."""

    id: str
    title: str
    # Logits; stories that were never near each other have the least affinity
    affinity: float
    # How many comparisons of an article with the other story are averaged
    comparisons: int


class StorylineExplanation(FrozenStruct, omit_defaults=False):
    """The other stories of the storyline of a story, the nearest first."""

    story: str
    title: str
    storyline: str
    # The average affinity that a single story needs to join a storyline
    need: float
    near: tuple[NearStory, ...]


def storyline_explanation(
    reading: StoryReader, story: str
) -> StorylineExplanation | None:
    """Return the other stories of the storyline of a story; None if the story does not exist."""
    line = reading.storyline(story)
    if line is None:
        return None
    titles = {one.id: one.title for one in line.stories}
    if story not in titles:
        story = line.stories[-1].id  # merged, or the id of the storyline: the oldest
    near = []
    affinities = reading.affinities(titles)
    for id_ in titles.keys() - {story}:
        found = affinities.get(frozenset((story, id_)))
        near.append(
            NearStory(
                id=id_,
                title=titles[id_],
                affinity=(found.mean if found else UNCOMPARED) / 1000,
                comparisons=found.articles if found else 0,
            )
        )
    return StorylineExplanation(
        story=story,
        title=titles[story],
        storyline=line.id,
        need=NEAR / 1000,
        near=tuple(sorted(near, key=lambda other: (-other.affinity, other.id))),
    )


def explanation(
    reading: StoryReader, article: str, other: str | None, all_tuning: Tuning
) -> Explanation:
    """Return why `article` (id or address) is in its story, and its similarity to `other`.

    Raises UsageError if the article does not exist.
    """
    explained = _explained_article(reading, article)
    packer = TermPacker(shipped_model(all_tuning))
    view = explained.article
    evidence = explained.evidence
    nosnippet = view.nosnippet
    passages: tuple[str, ...] = ()
    if evidence.copy is not None:
        original = reading.explained_article(evidence.copy.other)
        if original is not None:
            passages = shared_passages(view.text, original.article.text, _PASSAGES)
            nosnippet = nosnippet or original.article.nosnippet
    pair = None
    if other is not None:
        pair = _pair(
            reading, explained, _explained_article(reading, other), packer, all_tuning
        )
    rival = evidence.runner_up
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
        version=_version(reading, view),
        runner_up_title=None if rival is None else reading.title_of(rival.story),
        log=tuple(line for line in explained.log if line.kind not in _BEGINNINGS),
        pair=pair,
    )


def _explained_article(reading: StoryReader, article: str) -> ExplainedArticle:
    explained = reading.explained_article(article)
    if explained is None:
        raise UsageError(
            f"there is no article {article}; `aggregator story ID` lists their ids"
        )
    return explained


def _version(reading: StoryReader, view: ArticleView) -> VersionExplanation | None:
    """Return the sentences that another version of an article's text tells differently."""
    detail = reading.article(view.id)
    other_id = view.version_of
    is_replaced = False
    if detail is not None and detail.article.version is not None:
        other_id = detail.article.copy_of
        is_replaced = True
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
    """Return the terms of `ids` as names, numbers and words, each once."""
    terms = packer.readable_terms(article.title, article.text, article.language)
    shared: dict[str, list[str]] = {"names": [], "numbers": [], "words": []}
    for id_ in ids:
        if id_ in terms:
            kind = _KINDS.get(FIELDS[id_ >> HASH_BITS], "words")
            shared[kind].append(
                terms[id_] if kind == "names" else terms[id_].casefold()
            )
    names = set(map(str.casefold, shared["names"]))
    shared["words"] = [word for word in shared["words"] if word not in names]
    return SharedTerms(
        **{kind: tuple(dict.fromkeys(shared[kind]))[:_SHOWN] for kind in shared}
    )


def _pair(
    reading: StoryReader,
    explained: ExplainedArticle,
    other: ExplainedArticle,
    packer: TermPacker,
    all_tuning: Tuning,
) -> PairExplanation:
    """Compare two articles by the pair model, in the present stream, and by the check of copies."""
    first = explained.article
    second = other.article
    model = PairModel()
    tuning = all_tuning.section("pairs", PairTuning)
    stream = StreamSnapshot(*reading.stream_history(tuning.stream_days))
    row = reading.member(first.id)
    left = PairArticle(row)
    right = PairArticle(reading.member(second.id))
    reasons = reasons_of(model, compare_pairs(model, left, [right], stream))
    own = _names_beside(packer, first, left, right)
    others = _names_beside(packer, second, right, left)
    if own and others:
        reasons = tuple(
            replace(reason, differing=(*own, *others))
            if reason.name == "contrast"
            else reason
            for reason in reasons
        )
    linked = ConstraintTable(explained.constraints).linked_articles(first.id)
    constraint: Relation | None = None
    if second.id in linked.together:
        constraint = "together"
    elif second.id in linked.apart:
        constraint = "apart"
    stub_words = shipped_model(all_tuning).stub_words
    is_foreign = any(
        is_foreign_text(one, [another], stream, tuning, stub_words)
        for one, another in ((left, right), (right, left))
    )
    terms = ids_of(read(row.terms))  # the highest weight first
    return PairExplanation(
        article=second.id,
        title=second.title,
        story=other.story,
        same_story=explained.story == other.story,
        score=model.bias + sum(reason.share for reason in reasons),
        bias=model.bias,
        reasons=reasons,
        copy=verdict(
            _compared_text(first),
            _compared_text(second),
            all_tuning.section("copies", CopyTuning),
        ),
        passages=shared_passages(first.text, second.text, _PASSAGES),
        shared=_shared_terms(packer, first, terms[np.isin(terms, right.ids)].tolist()),
        constraint=constraint,
        obstacle=_FOREIGN if is_foreign else None,
        is_of_day="day" in (first.published_precision, second.published_precision),
        nosnippet=first.nosnippet or second.nosnippet,
    )


def _names_beside(
    packer: TermPacker, article: ArticleView, own: PairArticle, other: PairArticle
) -> list[str]:
    """Return the words of names that only the first article has, those of its headline first."""
    words = packer.readable_terms(article.title, article.text, article.language)
    missing = np.setdiff1d(own.parts[NAMED], np.concatenate(other.parts[: LEAD + 1]))
    in_title = np.isin(missing, own.named_in_title)
    hashes = [*missing[in_title].tolist(), *missing[~in_title].tolist()]
    named = (words.get(NAMED << HASH_BITS | hashed) for hashed in hashes[:_DIFFERING])
    return list(filter(None, named))


def _compared_text(article: ArticleView) -> ComparedText:
    return ComparedText(
        id=article.id, text=article.text, title=article.title, outlet=article.outlet_key
    )
