"""`aggregator explain`: the stored evidence of a decision, and a comparison of two articles."""

import json
from collections.abc import Iterable, Sequence

from aggregator.cluster.constraints import ConstraintTable, Relation
from aggregator.cluster.copies.copy_check import ComparedText, CopyTuning, verdict
from aggregator.cluster.copies.shingles import shared_passages
from aggregator.cluster.events.pair_article import PairArticle
from aggregator.cluster.events.pair_model import STREAM, PairModel, PairTuning, compare_pairs, reasons_of
from aggregator.cluster.events.stream import StreamSnapshot
from aggregator.cluster.events.term_codec import FIELDS, HASH_BITS, ids_of, read
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.model.core import ArticleView, CopyEvidence, Evidence, FrozenStruct, Kind, Reason
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.report_comparison import is_foreign_text
from aggregator.store.read.reader import ExplainedArticle, LogLine, StoryReader

_SHOWN = 12  # names, numbers or words of one kind
_PASSAGES = 3
_NAMES = {
    "texts": "words of the whole text",
    "titles": "words of the title",
    "leads": "words of the lead",
    "days": "time between the reports",
    "lengths": "lengths of title and text",
    "neighbours": "nearness of other articles",
    "unlike": "reports that are most unlike",
    "title frame": "difference of like titles",
}
_FOREIGN = "it has the headline of a report, but shares too few words beside it with that report"
# The shift by the stream is the reason why the same texts need more, or less, in another stream.
_FEW = "few of the last articles share a story with others"
_MANY = "many of the last articles share a story with others"


class SharedTerms(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Terms that two texts, or a text and a story, share; the highest weight first."""

    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class PairExplanation(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The present comparison of two articles."""

    article: str
    title: str
    story: str
    same_story: bool
    score: float
    bias: float
    reasons: tuple[Reason, ...]
    copy: CopyEvidence | None
    passages: tuple[str, ...]
    shared: SharedTerms
    constraint: Relation | None  # from a correction
    obstacle: str | None  # why one does not join the other, regardless of the score
    nosnippet: bool = False  # one of the two publishers forbids snippets


class Explanation(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Why an article is in its story; with `pair`, why two are or are not together."""

    article: str
    title: str
    outlet: str | None
    kind: Kind
    kind_evidence: str | None  # None for a report
    story: str
    story_title: str
    evidence: Evidence
    shared: SharedTerms  # with its story
    passages: tuple[str, ...]  # shared with its original
    runner_up_title: str | None
    log: tuple[LogLine, ...]  # later events: moves, merges, corrections
    pair: PairExplanation | None = None
    nosnippet: bool = False  # its publisher, or that of its original, forbids snippets

    def as_text(self) -> str:
        """Format for people."""
        return "\n".join(_lines(self))


def explanation(reading: StoryReader, article: str, other: str | None, all_tuning: Tuning) -> Explanation:
    """Return why `article` (id or address) is in its story, and its similarity to `other`.

    Raises UsageError if there is no such article.
    """
    one = _found(reading, article)
    packer = TermPacker(shipped_model(all_tuning))
    rival, copy = one.evidence.runner_up, one.evidence.copy
    original = None if copy is None else reading.explained_article(copy.other)
    return Explanation(
        article=one.article.id,
        title=one.article.title,
        outlet=one.article.outlet,
        kind=one.article.kind,
        kind_evidence=one.article.kind_evidence,
        story=one.story,
        story_title=one.story_title,
        evidence=one.evidence,
        shared=_shared_terms(packer, one.article, one.evidence.shared),
        passages=() if original is None else _passages(one, original),
        nosnippet=one.article.nosnippet or (original is not None and original.article.nosnippet),
        runner_up_title=None if rival is None else reading.title_of(rival.story),
        log=tuple(line for line in one.log if line.kind not in ("created", "joined")),
        pair=None if other is None else _pair(reading, one, _found(reading, other), packer, all_tuning),
    )


def _found(reading: StoryReader, article: str) -> ExplainedArticle:
    found = reading.explained_article(article)
    if found is None:
        raise UsageError(f"there is no article {article}; `aggregator story ID` lists their ids")
    return found


def _shared_terms(packer: TermPacker, article: ArticleView, ids: Iterable[int]) -> SharedTerms:
    """Return the terms of `ids` as names, numbers and words."""
    words = packer.readable_terms(article.title, article.text, article.language)
    kinds: dict[str, dict[str, None]] = {"names": {}, "numbers": {}, "words": {}}
    for id_ in ids:
        if id_ in words:
            field = FIELDS[id_ >> HASH_BITS]
            kind = {"names": "names", "num": "numbers", "numu": "numbers"}.get(field, "words")
            kinds[kind].setdefault(words[id_] if kind == "names" else words[id_].casefold())
    only_words = [word for word in kinds["words"] if word not in map(str.casefold, kinds["names"])]
    return SharedTerms(
        names=tuple(kinds["names"])[:_SHOWN],
        numbers=tuple(kinds["numbers"])[:_SHOWN],
        words=tuple(only_words)[:_SHOWN],
    )


def _passages(one: ExplainedArticle, other: ExplainedArticle) -> tuple[str, ...]:
    return shared_passages(one.article.text, other.article.text, _PASSAGES)


def _pair(
    reading: StoryReader, one: ExplainedArticle, two: ExplainedArticle, packer: TermPacker, all_tuning: Tuning
) -> PairExplanation:
    model, tuning = PairModel(), all_tuning.section("pairs", PairTuning)
    rows = [reading.member(each.article.id) for each in (one, two)]
    left, right = map(PairArticle, rows)
    stream = StreamSnapshot(*reading.stream_history(tuning.stream_days))
    reasons = reasons_of(model, compare_pairs(model, left, [right], stream).pairs)
    stub_words = shipped_model(all_tuning).stub_words
    is_foreign = any(
        is_foreign_text(own, [other], stream, tuning, stub_words)
        for own, other in ((left, right), (right, left))
    )
    together, apart = ConstraintTable(one.constraints).linked_articles(one.article.id)
    constraint: Relation | None = None
    if two.article.id in together | apart:
        constraint = "together" if two.article.id in together else "apart"
    own, other = (
        ComparedText(id=each.id, text=each.text, title=each.title, outlet=each.outlet_key)
        for each in (one.article, two.article)
    )
    terms, theirs = (ids_of(read(row.terms)).tolist() for row in rows)
    return PairExplanation(
        article=two.article.id,
        title=two.article.title,
        story=two.story,
        same_story=one.story == two.story,
        score=model.bias + sum(reason.share for reason in reasons),
        bias=model.bias,
        reasons=reasons,
        copy=verdict(own, other, all_tuning.section("copies", CopyTuning)),
        passages=_passages(one, two),
        shared=_shared_terms(packer, one.article, filter(set(theirs).__contains__, terms)),
        constraint=constraint,
        obstacle=_FOREIGN if is_foreign else None,
        nosnippet=one.article.nosnippet or two.article.nosnippet,
    )


# --- for people --------------------------------------------------------------------------------------------


def _lines(explained: Explanation) -> list[str]:
    lines = [
        f"{explained.title}",
        f"  article {explained.article} by {explained.outlet or 'an unknown outlet'}",
    ]
    if explained.kind_evidence is not None:
        lines.append(f"  kind: {explained.kind.replace('_', ' ')} ({explained.kind_evidence})")
    lines += [f"  in story {explained.story}: {explained.story_title}", "", *_evidence(explained)]
    lines += _shared_lines(explained.shared, "shared with the story at that time")
    lines += [f'  in both texts: "{_on_one_line(passage)}"' for passage in explained.passages]
    if explained.log:
        since = (f"  {line.at:%Y-%m-%d %H:%M} {log_words(line)}" for line in explained.log)
        lines += ["", "Later events:", *since]
    if explained.pair is not None:
        lines += ["", *_pair_lines(explained.pair)]
    return lines


def _evidence(explained: Explanation) -> list[str]:
    evidence = explained.evidence
    lines = [decision_words(evidence)]
    if evidence.score is not None and evidence.reasons:
        lines += _shares(evidence.bias, evidence.reasons, evidence.score)
    if evidence.copy is not None and evidence.stage != "copy":
        lines.append(f"  {evidence.copy.kind} of another text: {_copy(evidence.copy)}")
    lines += [f"  it contains article {one.other} as an excerpt: {_copy(one)}" for one in evidence.excerpts]
    if (reuse := evidence.reuse) is not None:
        words = "of the runs of six words outside quotations, so both are one origin"
        lines.append(f"  it shares with article {reuse.other} {reuse.share:.0%} {words}")
    if (why := not_counted(evidence)) is not None:
        lines.append(f"  {why}")
    if evidence.runner_up is not None:
        rival = evidence.runner_up
        title = f" ({explained.runner_up_title})" if explained.runner_up_title else ""
        lines.append(
            f"  runner-up: story {rival.story}{title}, score {rival.score:+.2f}, threshold {rival.need:+.2f}"
        )
        if evidence.score is None and rival.reasons:
            lines += _shares(evidence.bias, rival.reasons, rival.score)
    return lines


def not_counted(evidence: Evidence) -> str | None:
    """Return why the article is not counted as a report for its text; None if it is."""
    agreement = evidence.agreement
    if agreement is None or evidence.counts_as_report:
        return None
    which = "the text that it copies" if evidence.stage == "copy" else "its text"
    return (
        f"not counted as a report: its source had {counted(agreement.source_articles, 'article')} before "
        f"that day, and {which} shares too little with the reports of the story beside the title "
        f"({agreement.shared:.1%}, required {agreement.need:.1%})"
    )


def decision_words(evidence: Evidence) -> str:
    """Return how the article got into its story, in one sentence."""
    if evidence.stage == "copy" and evidence.copy is not None:
        return f"It is a copy: {_copy(evidence.copy)}."
    if evidence.stage == "second look" and evidence.score is not None:
        return (
            f"It was moved here by the second look: score {evidence.score:+.2f}, "
            f"threshold {evidence.need or 0.0:+.2f}."
        )
    if evidence.score is not None:
        return f"It joined this story: score {evidence.score:+.2f}, threshold {evidence.need:+.2f}."
    if evidence.stage == "founded":
        return "It founded this story: no live story was similar enough."
    return f"It was placed here by {evidence.stage}."


def _pair_lines(pair: PairExplanation) -> list[str]:
    together = "are in one story" if pair.same_story else "are in different stories"
    lines = [
        f"With {pair.title!r} ({pair.article}): they {together}.",
        f"  score of the pair: {pair.score:+.2f}",
    ]
    if pair.constraint is not None:
        lines.append(f"  constraint of a correction: {pair.constraint}")
    if pair.obstacle is not None:
        lines.append(f"  {pair.obstacle}")
    lines += _shares(pair.bias, pair.reasons, pair.score)
    if pair.copy is not None:
        lines.append(f"  {pair.copy.kind}: {_copy(pair.copy)}")
    lines += _shared_lines(pair.shared, "in both")
    lines += [f'  in both texts: "{_on_one_line(passage)}"' for passage in pair.passages]
    return lines


def _on_one_line(passage: str) -> str:
    return " ".join(passage.split())


def _shared_lines(shared: SharedTerms, words: str) -> list[str]:
    kinds = (("names", shared.names), ("numbers", shared.numbers), ("words", shared.words))
    return [f"  {words}, {kind}: {', '.join(found)}" for kind, found in kinds if found]


def log_words(line: LogLine) -> str:
    """Return a log line as text, with ids and the reason. Without titles, so it may be public."""
    detail: dict[str, object] = json.loads(line.detail) if line.detail else {}
    why = _WHY.get(str(detail.get("reason")), "")
    score = detail.get("score")
    if why and isinstance(score, float):
        why += f", score {score:+.2f}"
    if line.kind == "merged":
        into = detail.get("into")
        words = f"merged into {into}" if into else f"story {detail.get('other')} was merged into it"
    elif line.kind == "moved":
        words = f"moved to {detail['to']}" if "to" in detail else f"came from {detail.get('from')}"
    elif line.kind == "regrouped":
        came = counted(_count(detail, "came"), "article")
        words = f"regrouped: {came} added, {_count(detail, 'went'):,} removed"
    else:
        words = str(detail.get("words") or _HAPPENED.get(line.kind, line.kind))
    return f"{words} ({why})" if why else words


def _count(detail: dict[str, object], name: str) -> int:
    value = detail.get(name)
    return value if isinstance(value, int) else 0


_WHY = {
    "correction": "correction",
    "undone": "undo of a correction",
    "recluster": "all decisions were repeated",
    "second look": "second look",
    "empty": "it had no articles left",
}
_HAPPENED = {
    "created": "the story was founded",
    "joined": "the article joined",
    "headline": "the headline changed",
    "revised": "the text of the article was revised",
    "corrected": "corrected by a person",
    "full": "the story is full; it accepts only copies",
    "forgotten": "an article was erased",
}


def _copy(copy: CopyEvidence) -> str:
    return (
        f"the texts share {copy.resemblance:.0%} of all word triples, and {copy.containment:.0%} of those of "
        f"the shorter one (compared with {copy.other})"
    )


def _shares(bias: float, reasons: Sequence[Reason], score: float) -> list[str]:
    rows = [f"  {reason_name(one):30}{reason_value(one):>8}  gives {one.share:+7.2f}" for one in reasons]
    start = f"  {'start':38}  gives {bias:+7.2f}"
    return [start, *rows, f"  {'sum':38}        {score:+7.2f}"]


def reason_name(reason: Reason) -> str:
    """Return the name of a reason of a score."""
    if reason.name == STREAM:
        return _FEW if reason.share < 0 else _MANY
    return _NAMES.get(reason.name, reason.name)


def reason_value(reason: Reason) -> str:
    """Format a similarity, or a time in a suitable unit."""
    if reason.name != "days":
        return f"{reason.value:.2f}"
    if reason.value < 0:  # of an undated one
        return "unknown"
    hours = reason.value * 24
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{reason.value:.1f} d"
