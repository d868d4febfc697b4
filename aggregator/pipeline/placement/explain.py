"""`aggregator explain`: the evidence of a decision, its present scores, and a comparison of two articles."""

import json
from collections.abc import Iterable, Sequence

import msgspec

from aggregator.cluster.constraints import ConstraintTable, Relation
from aggregator.cluster.copies.copy_check import ComparedText, CopyTuning, verdict
from aggregator.cluster.copies.shingles import shared_passages
from aggregator.cluster.events import centroid
from aggregator.cluster.events.pair_model import (
    STREAM,
    PairModel,
    PairTuning,
    compare_pairs,
    reasons_of,
    stream_shift,
)
from aggregator.cluster.events.scorer import Candidate, ScoringInput, is_within_window
from aggregator.cluster.events.stream import StreamSnapshot
from aggregator.cluster.events.term_codec import FIELDS, HASH_BITS, ids_of, read
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import EventModel, shipped_model
from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.model.core import (
    OPINION_KINDS,
    ArticleView,
    CopyEvidence,
    Evidence,
    FrozenStruct,
    Kind,
    Reason,
)
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.report_comparison import deciding, has_report, is_foreign_text, pair_of
from aggregator.store.read.reader import ExplainedArticle, LogLine, StoryReader
from aggregator.store.stories.articles import ComparedRow

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
# The shift by the stream is the reason why the same texts need more, or less, in another stream.
_FEW = "few of the last articles share a story with others"
_MANY = "many of the last articles share a story with others"


class SharedTerms(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Terms that two texts, or a text and a story, share; the highest weight first."""

    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class StoryFit(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The present score of an article for a story, and the threshold."""

    story: str
    story_title: str
    score: float
    need: float
    asked_then: float | None = None  # the threshold at placement, if this story was the runner-up
    obstacle: str | None = None  # why it cannot join, regardless of the score

    @property
    def joins(self) -> bool:
        """Whether it would join the story today."""
        return self.score >= self.need and self.obstacle is None


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
    fits: tuple[StoryFit, ...]  # each in the story of the other, if the stories differ
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
    today: StoryFit | None  # None: no other report, or the article is not part of the centroid
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
    explainer = _Explainer(reading, all_tuning)
    one = explainer.found(article)
    rival = one.evidence.runner_up
    original = one.evidence.copy
    return Explanation(
        article=one.article.id,
        title=one.article.title,
        outlet=one.article.outlet,
        kind=one.article.kind,
        kind_evidence=one.article.kind_evidence,
        story=one.story,
        story_title=one.story_title,
        evidence=one.evidence,
        shared=explainer.shared_ids(one.article, one.evidence.shared),
        passages=() if original is None else explainer.passages_with(one.article, original.other),
        nosnippet=one.article.nosnippet
        or (original is not None and explainer.asks_for_no_snippet(original.other)),
        runner_up_title=None if rival is None else reading.title_of(rival.story),
        today=explainer.fit_today(one),
        log=tuple(line for line in one.log if line.kind not in ("created", "joined")),
        pair=None if other is None else explainer.pair(one, explainer.found(other)),
    )


class _Explainer:
    """Computes an explanation."""

    def __init__(self, reading: StoryReader, all_tuning: Tuning) -> None:
        self._reading = reading
        self.model: EventModel = shipped_model(all_tuning)
        self._packer = TermPacker(self.model)
        self._copy_tuning = all_tuning.section("copies", CopyTuning)
        self._pair_tuning = all_tuning.section("pairs", PairTuning)
        self._pair_model = PairModel()
        self._stream: StreamSnapshot | None = None  # None: not read yet

    def found(self, article: str) -> ExplainedArticle:
        found = self._reading.explained_article(article)
        if found is None:
            raise UsageError(f"there is no article {article}; `aggregator story ID` lists their ids")
        return found

    def shared_ids(self, article: ArticleView, ids: Iterable[int]) -> SharedTerms:
        """Return the terms of `ids` as names, numbers and words."""
        words = self._packer.readable_terms(article.title, article.text, article.language)
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

    def passages_with(self, article: ArticleView, other: str) -> tuple[str, ...]:
        original = self._reading.explained_article(other)
        if original is None:
            return ()
        return tuple(p.text for p in shared_passages(article.text, original.article.text, _PASSAGES))

    def asks_for_no_snippet(self, article: str) -> bool:
        original = self._reading.explained_article(article)
        return original is not None and original.article.nosnippet

    def fit_today(self, one: ExplainedArticle) -> StoryFit | None:
        """Compare the article with the newest other reports of its story."""
        if not one.counts_in_centroid or one.article.role == "container":
            return None
        return self._fit(one, one)

    def _fit(self, one: ExplainedArticle, assigned_story: ExplainedArticle) -> StoryFit | None:
        """Compare an article with the newest reports of a story; None if it has no other one with terms."""
        newest = self._reading.newest_reports(assigned_story.story, self._pair_tuning.compared_reports)
        rows = [row for row in newest if row.id != one.article.id]
        reports = [pair_of(row) for row in deciding(rows) if row.terms]
        own = pair_of(self._reading.compared_report(one.article.id))
        if not reports or not len(own.ids):
            return None
        pairs, _ = compare_pairs(self._pair_model, own, reports, self._snapshot())
        last = self._reading.last_stories(self._pair_tuning.stream_articles)
        shift = stream_shift(
            sum(is_shared for _, is_shared in last),
            len(last),
            self._pair_tuning,
            self._snapshot().counts_of(own.source),
        )
        obstacle: str | None = None
        if not own.is_opinion and not has_report(rows):
            obstacle = "the story has only opinions and explainers"
        elif is_foreign_text(own, reports, self._snapshot(), self._pair_tuning, self.model.tuning):
            obstacle = "it has the headline of a report, but shares too few words beside it with the reports"
        return StoryFit(
            story=assigned_story.story,
            story_title=assigned_story.story_title,
            score=sum(pair.logit for pair in pairs) / len(pairs) + shift,
            need=self.model.tuning.threshold,
            obstacle=obstacle,
        )

    def _snapshot(self) -> StreamSnapshot:
        if self._stream is None:
            self._stream = StreamSnapshot(*self._reading.stream_history(self._pair_tuning.stream_days))
        return self._stream

    def pair(self, one: ExplainedArticle, two: ExplainedArticle) -> PairExplanation:
        left, right = (self._reading.compared_report(each.article.id) for each in (one, two))
        compared, _ = compare_pairs(self._pair_model, pair_of(left), [pair_of(right)], self._snapshot())
        reasons = reasons_of(self._pair_model, compared)
        together, apart = ConstraintTable(one.constraints).linked_articles(one.article.id)
        constraint: Relation | None = None
        if two.article.id in together | apart:
            constraint = "together" if two.article.id in together else "apart"
        same = one.story == two.story
        passages = shared_passages(one.article.text, two.article.text, _PASSAGES)
        return PairExplanation(
            article=two.article.id,
            title=two.article.title,
            story=two.story,
            same_story=same,
            score=self._pair_model.bias + sum(reason.share for reason in reasons),
            bias=self._pair_model.bias,
            reasons=reasons,
            copy=verdict(_compared_text(one.article), _compared_text(two.article), self._copy_tuning),
            passages=tuple(passage.text for passage in passages),
            shared=self._shared(one.article, left, right),
            constraint=constraint,
            fits=() if same else tuple(self._crosswise(one, two)),
            nosnippet=one.article.nosnippet or two.article.nosnippet,
        )

    def _crosswise(self, one: ExplainedArticle, two: ExplainedArticle) -> Iterable[StoryFit]:
        for article, assigned_story in ((one, two), (two, one)):
            fit = self._fit(article, assigned_story)
            if fit is not None:
                rival = article.evidence.runner_up
                yield msgspec.structs.replace(
                    fit,
                    asked_then=rival.need
                    if rival is not None and rival.story == assigned_story.story
                    else None,
                    obstacle=fit.obstacle or self._obstacle(article, assigned_story),
                )

    def _obstacle(self, one: ExplainedArticle, assigned_story: ExplainedArticle) -> str | None:
        """Return why the article cannot join the story regardless of its score; None if it can."""
        front = centroid.read_summary(assigned_story.story_sums)
        candidate = Candidate(
            assigned_story.story_n, assigned_story.story, assigned_story.story_last_inbox_no, front
        )
        article = msgspec.structs.replace(self._weighed(one.article), inbox=one.inbox_no)
        if not is_within_window(article, candidate, self.model.tuning):
            return f"outside the window of {self.model.tuning.window_days:.0f} days"
        if front.members >= self.model.tuning.story_cap:
            return "the story is full and accepts only copies"
        return None

    def _shared(self, article: ArticleView, left: ComparedRow, right: ComparedRow) -> SharedTerms:
        theirs = set(ids_of(read(right.terms)).tolist())
        return self.shared_ids(article, [id_ for id_ in ids_of(read(left.terms)).tolist() if id_ in theirs])

    def _weighed(self, article: ArticleView) -> ScoringInput:
        terms, words = self._packer.pack_counted(
            article.title, article.text, article.language, is_container=article.role == "container"
        )
        minutes, is_text_date = _minutes(article), article.published_origin == "text"
        return ScoringInput(
            terms=terms,
            minutes=None if is_text_date else minutes,
            text_minutes=minutes if is_text_date else None,
            body_words=words,
            is_opinion=article.kind in OPINION_KINDS,
        )


def _minutes(article: ArticleView) -> int | None:
    return None if article.published is None else int(article.published.timestamp() // 60)


def _compared_text(article: ArticleView) -> ComparedText:
    return ComparedText(id=article.id, text=article.text, title=article.title, outlet=article.outlet_key)


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
    if explained.today is not None:
        lines += [
            "",
            f"Its score against the rest of its story is now {explained.today.score:+.2f}; "
            f"the threshold is {explained.today.need:+.2f}."
            f"{'' if explained.today.joins else ' It would not join today.'}",
        ]
        if explained.today.obstacle is not None:
            lines.append(f"  {explained.today.obstacle}")
    if explained.log:
        since = (f"  {line.at:%Y-%m-%d %H:%M} {log_words(line)}" for line in explained.log)
        lines += ["", "Later events:", *since]
    if explained.pair is not None:
        lines += ["", *_pair_lines(explained.pair)]
    return lines


def _evidence(explained: Explanation) -> list[str]:
    evidence = explained.evidence
    lines = [_verdict(evidence)]
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
        f"({agreement.shared:.1f}, required {agreement.need:.1f})"
    )


def _verdict(evidence: Evidence) -> str:
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
    lines += _shares(pair.bias, pair.reasons, pair.score)
    if pair.copy is not None:
        lines.append(f"  {pair.copy.kind}: {_copy(pair.copy)}")
    lines += _shared_lines(pair.shared, "in both")
    lines += [f'  in both texts: "{_on_one_line(passage)}"' for passage in pair.passages]
    for who, fit in zip(("the first", "the second"), pair.fits, strict=False):
        words = f"  {who} in the other's story {fit.story}: score {fit.score:+.2f}, threshold {fit.need:+.2f}"
        if fit.asked_then is not None:
            words += f" ({fit.asked_then:+.2f} when it was placed)"
        lines.append(words if fit.obstacle is None else f"{words}; {fit.obstacle}")
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
    "container": "it had only a live blog or roundup",
    "correction": "correction",
    "undone": "undo of a correction",
    "recluster": "all decisions were repeated",
    "second look": "second look",
    "dates": "its date is too far from the others",
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
