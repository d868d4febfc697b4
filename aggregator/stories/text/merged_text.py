"""The merged text of a story: the statements of its reports, by extractive summarization.

Every sentence is taken word for word from the report that it is attributed to. From similarity `count_from`
on sentences are counted as one fact ("2 of 4 outlets").

    reports → sentences → features → similarities → lead, facts, quotations, statements of one outlet

Facts and quotations are in order of time, the newest first.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from aggregator.model.core import (
    OPINION_KINDS,
    AgreedFigure,
    ArticleView,
    AttributedSentence,
    Fact,
    MergedStory,
)
from aggregator.stories.counts import of_standing, trails
from aggregator.stories.facts.facts import (
    FactGroup,
    SentenceSimilarities,
    compare_all,
    fact_groups,
    find_agreeing_figures,
)
from aggregator.stories.facts.quotations import QUOTED_MARK, full_names, speaker_of
from aggregator.stories.facts.sentence_similarity import SentenceFeatures, read_features, shows_names
from aggregator.stories.facts.source_sentences import (
    SourceReport,
    first_sentences,
    read_reports,
    reports_of,
)
from aggregator.stories.facts.standalone_sentences import refers, shows_alone
from aggregator.stories.headline import headline
from aggregator.stories.lexicon import clean_title
from aggregator.stories.text.summary import summary_sentences
from aggregator.stories.text.timeline import timeline
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import heads

# Incremented by hand when a change of code (not of tuning) changes merged texts.
MERGE_VERSION = 22


KEY_CHARS = 500  # of a lead, searched for key terms
DEFINITE = re.compile(r"(?:The|(?:Before|After|During|At|In|From|On) the) ((?:[a-z][\w-]*\s?){1,3})")
ALSO_CAP = 24  # other articles named behind a sentence


@dataclass(slots=True)
class RenderContext:
    """The state of rendering a story, with the sentences that have been shown."""

    reports: Sequence[SourceReport]
    similarities: SentenceSimilarities
    salience: Sequence[float]  # of each sentence: the share of key terms in it
    tuning: StoryTuning
    articles: Sequence[ArticleView]  # with copies and excerpts, by time
    opening: Mapping[str, None] = field(default_factory=dict)  # heads of title and summary
    shown: dict[int, None] = field(default_factory=dict)  # in order; a set would be ordered by hashes

    @property
    def features(self) -> Sequence[SentenceFeatures]:
        """The sentences of the story, by report."""
        return self.similarities.features

    @property
    def origin_count(self) -> int:
        """The number of outlets; each report of unknown outlet is one."""
        return len({report.origin for report in self.reports})

    def said(self, index: int) -> AttributedSentence:
        """Return the sentence with its outlet, its time, and the other articles that have it."""
        sentence = self.features[index].sentence
        return self.attributed(sentence.text, self.reports[sentence.report].article)

    def attributed(self, text: str, article: ArticleView) -> AttributedSentence:
        """Return a sentence of an article with its outlet, its time, and the other articles that have it."""
        others = (a.id for a in self.articles if a.id != article.id and text in a.text)
        return AttributedSentence(
            text=text,
            article=article.id,
            outlet=article.outlet,
            time=article.published if article.is_dated else None,
            also=tuple(islice(others, ALSO_CAP)),
        )

    def newest_first(self, index: int) -> float:
        """Return the sort key of a sentence among others; without a declared time, its arrival counts."""
        sentence = self.features[index].sentence
        article = self.reports[sentence.report].article
        declared = article.published if article.is_dated else None
        return -(declared or article.effective_at).timestamp()

    def lateness(self, index: int) -> float:
        """Return where a sentence is in its report: 0 for the first one."""
        sentence = self.features[index].sentence
        return sentence.position / max(1, len(self.reports[sentence.report].sentences))

    def worth(self, index: int) -> float:
        """Score what a sentence that only one outlet has tells: key terms, a number, early in its report."""
        gain = self.tuning.only_number_gain * bool(self.features[index].read.numbers)
        return self.salience[index] + gain - self.tuning.only_late_cost * self.lateness(index)

    def tells_alone(self, index: int) -> bool:
        """Whether it may be shown by itself: title, summary and the sentence tell what it is about."""
        return self.is_clear(self.features[index].sentence.text, self.features[index].read.language)

    def is_clear(self, text: str, language: str | None) -> bool:
        """Whether these words tell by themselves, below title and summary, what they are about."""
        if not shows_alone(text, language) or refers(text, language):
            return False
        noun = DEFINITE.match(text)  # "The minority leader said": the summary tells who it is
        return noun is None or bool(self.opening.keys() & heads(noun.group(1), language).keys())

    def origin(self, index: int) -> str:
        """Return the outlet of a sentence, or the id of a report of unknown outlet."""
        return self.reports[self.features[index].sentence.report].origin

    def closeness(self, index: int) -> float:
        """Return the highest similarity to a shown sentence."""
        return max((self.similarities.of(index, other) for other in self.shown), default=0.0)


def merge(
    articles: Sequence[ArticleView], shown_title: str | None = None, tuning: StoryTuning | None = None
) -> MergedStory:
    """Render the merged text of these articles, which must have their texts, in any order.

    `shown_title` is the present headline. Time grows with the square of the number of sentences, which
    `reports_cap` and `sentences_cap` bound.
    """
    tuning = tuning or shipped_tuning()
    articles = sorted(articles, key=lambda a: (a.effective_at, a.id))
    title = shown_title or headline(articles, None, tuning).title
    # Opinions and explainers are listed by title only, unless there is nothing else.
    news = [a for a in articles if a.kind not in OPINION_KINDS] or articles
    chosen = reports_of([a for a in news if a.counts_as_report] or news, tuning)
    if len(chosen) == 1:
        return _of_one(chosen[0], articles, title, tuning)
    reports = _vouched(read_reports(chosen, tuning), tuning)
    features = read_features(reports)
    keys = _key_terms([report.article for report in reports], tuning.key_terms)
    similarities = compare_all(features, tuning)
    salience = [_share(each, keys) for each in features]
    rendering = RenderContext(reports, similarities, salience, tuning, articles)
    summary = _summary(rendering, articles, title)
    lead = _index_of(rendering, summary[0]) if summary else None
    groups = fact_groups(similarities, reports, tuning)
    return MergedStory(  # in this order: nothing is shown twice
        title=title,
        lead=summary[0] if summary else None,
        summary=summary,
        facts=_facts(rendering, groups, lead),
        quotations=_quotations(rendering, groups),
        only=_only(rendering),
        timeline=timeline(reports, similarities, trails(articles), tuning),
        agreed=_agreed(rendering),
        merge_version=MERGE_VERSION,
    )


def _vouched(reports: Sequence[SourceReport], tuning: StoryTuning) -> Sequence[SourceReport]:
    """Return the reports, of articles that are not `of_standing` only the sentences that one of these has.

    Without a name or a number more: otherwise an advertisement within such a sentence would be shown.
    """
    known = {article.id for article in of_standing([report.article for report in reports])}
    if len(known) == len(reports):
        return reports
    compared = compare_all(read_features(reports), tuning)
    vouched = {
        compared.features[one].sentence
        for pair, similarity in compared.pairs.items()
        for one, other in (pair, pair[::-1])
        if similarity >= tuning.count_from
        and reports[compared.features[other].sentence.report].article.id in known
        and compared.features[one].mentioned <= compared.features[other].mentioned
        and compared.features[one].read.numbers <= compared.features[other].read.numbers
    }

    def shortened(report: SourceReport) -> SourceReport:
        sentences = tuple(replace(one, follows=None) for one in report.sentences if one in vouched)
        return replace(report, sentences=sentences)

    return [report if report.article.id in known else shortened(report) for report in reports]


def _of_one(
    article: ArticleView, articles: Sequence[ArticleView], title: str, tuning: StoryTuning
) -> MergedStory:
    """Return the text of a story of one report: its summary, then the next sentences that may stand alone."""
    report = SourceReport(article, "", ())
    rendering = RenderContext([report], SentenceSimilarities((), {}), (), tuning, articles)
    summary = _summary(rendering, articles, title)
    opening = {one.text for one in summary}
    following = (
        text
        for text, _ in first_sentences(article.text, clean_title(article), tuning)
        if text not in opening and rendering.is_clear(text, article.language)
    )
    return MergedStory(
        title=title,
        lead=summary[0] if summary else None,
        summary=summary,
        facts=(),
        only=tuple(rendering.attributed(text, article) for text in islice(following, tuning.only_cap_alone)),
        timeline=timeline([report], rendering.similarities, trails(articles), tuning),
        merge_version=MERGE_VERSION,
    )


def _key_terms(articles: Sequence[ArticleView], limit: int) -> dict[str, float]:
    """Return the `limit` heads shared by most titles and leads, with their weights.

    A weight is share of reports x (1 + half the share of titles). A head must be in two reports, unless
    there is only one. Equal weights are ordered by head.
    """
    titled = [heads(clean_title(article), article.language) for article in articles]
    leads = [heads(article.lead[:KEY_CHARS], article.language) for article in articles]
    in_titles = Counter(head for title in titled for head in title)
    in_reports = Counter(
        head for title, lead in zip(titled, leads, strict=True) for head in title | lead if len(head) > 1
    )
    total = len(articles)
    weights = {
        head: reports / total * (1 + 0.5 * in_titles[head] / total)
        for head, reports in in_reports.items()
        if reports >= min(2, total)
    }
    best = sorted(weights, key=lambda head: (-weights[head], head))[:limit]
    return {head: weights[head] for head in best}


def _share(features: SentenceFeatures, keys: dict[str, float]) -> float:
    total = sum(keys.values())
    return sum(weight for head, weight in keys.items() if head in features.weights) / total if total else 0.0


def _summary(
    rendering: RenderContext, articles: Sequence[ArticleView], title: str
) -> tuple[AttributedSentence, ...]:
    """Return the summary as in lists, as far as it stands in the texts, and note what it shows."""
    by_id = {article.id: article for article in articles}
    said = summary_sentences(articles, rendering.tuning.summary_words, rendering.tuning, title)
    standing = [one for one in said if one.text in by_id[one.article].text]
    found = (_index_of(rendering, one) for one in standing)
    rendering.shown.update((index, None) for index in found if index is not None)
    language = rendering.reports[0].article.language if rendering.reports else None
    rendering.opening = heads(". ".join((title, *(one.text for one in standing))), language)
    return tuple(rendering.attributed(one.text, by_id[one.article]) for one in standing)


def _index_of(rendering: RenderContext, said: AttributedSentence) -> int | None:
    """Return the sentence of its report that has these words; None if that is not shown or not read."""
    ids = [report.article.id for report in rendering.reports]
    read = ((index, each.sentence) for index, each in enumerate(rendering.features))
    return next(
        (index for index, one in read if ids[one.report] == said.article and said.text in one.text), None
    )


def _shown_first(rendering: RenderContext, group: FactGroup, lead: int | None) -> FactGroup | None:
    """Return the group with the lead as its shown sentence, else with one that tells what it is about.

    Pages then list the outlets of the fact with the lead and do not repeat it. All other members must state
    the same as the shown one does; None: there is no such one.
    """
    with_lead = [index for index in group.members if index == lead]
    for first in with_lead or filter(rendering.tells_alone, group.members):
        members = (first, *(index for index in group.members if index != first))
        if all(rendering.similarities.of(first, index) >= rendering.tuning.count_from for index in members):
            places = {index: place for place, index in enumerate(members)}
            same = tuple(tuple(sorted(places[group.members[p]] for p in one)) for one in group.same_words)
            return FactGroup(members, group.origins, same)
    return group if with_lead else None


def _facts(rendering: RenderContext, groups: Sequence[FactGroup], lead: int | None) -> tuple[Fact, ...]:
    origins = rendering.origin_count

    def rank(group: FactGroup) -> tuple[float, int]:
        early = 1 - sum(map(rendering.lateness, group.members)) / len(group.members)
        one_text = 1.0 if group.origins < 2 else 0.0
        score = group.origins / origins + 0.6 * rendering.salience[group.members[0]] + 0.3 * early - one_text
        return -score, group.members[0]

    groups = [group for each in groups if (group := _shown_first(rendering, each, lead))]
    candidates = [
        group
        for group in groups
        if lead in group.members
        or (
            len({rendering.origin(index) for index in group.members}) > 1
            and not speaker_of(rendering.features[group.members[0]])
        )
    ]
    chosen = sorted(candidates, key=rank)[: rendering.tuning.facts_cap]
    chosen.sort(key=lambda group: rendering.newest_first(group.members[0]))  # stable
    for group in chosen:
        rendering.shown.update(dict.fromkeys(group.members))
    return tuple(_fact(rendering, group) for group in chosen)


def _fact(rendering: RenderContext, group: FactGroup, speaker: str = "") -> Fact:
    return Fact(
        said=tuple(rendering.said(index) for index in group.members),
        outlets=group.origins,
        of=rendering.origin_count,
        same_words=group.same_words,
        speaker=speaker,
    )


def _quotations(rendering: RenderContext, groups: Sequence[FactGroup]) -> tuple[Fact, ...]:
    """Return quotations of named speakers, each once: up to `only_cap` of each, the newest first.

    Those of most outlets are chosen, then those with the story's key terms and early in their reports.
    """
    tuning = rendering.tuning
    ranked: list[tuple[float, FactGroup, str]] = []
    grouped = {index for group in groups for index in group.members}
    alone = (FactGroup((index,), 1) for index in range(len(rendering.features)) if index not in grouped)
    for group in (*groups, *alone):
        index = group.members[0]
        speaker = speaker_of(rendering.features[index])
        if speaker and index not in rendering.shown and rendering.tells_alone(index):
            quotes = all(QUOTED_MARK.search(rendering.features[each].sentence.text) for each in group.members)
            quoted = group if quotes else FactGroup((index,), 1)  # the others only report what was said
            ranked.append((-quoted.origins - rendering.worth(index), quoted, speaker))
    ranked.sort(key=lambda each: (each[0], each[1].members))
    full = full_names(dict.fromkeys(speaker for *_, speaker in ranked))
    chosen: list[tuple[FactGroup, str]] = []
    shown: Counter[str] = Counter()
    for _, group, speaker in ranked:
        name = full[speaker]
        is_full = len(chosen) == tuning.quotations_cap or shown[name] == tuning.only_cap
        if not is_full and rendering.closeness(group.members[0]) <= tuning.near_from:
            shown[name] += 1
            chosen.append((group, name))
            rendering.shown.update(dict.fromkeys(group.members))
    first: dict[str, float] = {}
    for group, name in chosen:
        first[name] = min(first.get(name, 0.0), rendering.newest_first(group.members[0]))
    chosen.sort(key=lambda each: (first[each[1]], each[1], rendering.newest_first(each[0].members[0])))
    return tuple(_fact(rendering, group, name) for group, name in chosen)


def _agreed(rendering: RenderContext) -> tuple[AgreedFigure, ...]:
    """Return figures that several outlets state. Their sentences are not marked as shown."""
    return tuple(
        AgreedFigure(
            words=words,
            said=tuple(rendering.said(index) for index in same.members),
            outlets=same.origins,
            of=rendering.origin_count,
        )
        for words, same in find_agreeing_figures(rendering.similarities, rendering.reports, rendering.tuning)
        if all(map(rendering.tells_alone, same.members))
    )


def _only(rendering: RenderContext) -> tuple[AttributedSentence, ...]:
    """Return statements of one outlet only: up to `only_cap` of each, in the order of its reports."""
    tuning = rendering.tuning
    by_origin: dict[str, list[tuple[float, int]]] = {}
    near = (pair for pair, s in rendering.similarities.pairs.items() if s >= tuning.near_from)
    elsewhere = {index for a, b in near if rendering.origin(a) != rendering.origin(b) for index in (a, b)}
    for index, features in enumerate(rendering.features):
        if index in elsewhere or (closeness := rendering.closeness(index)) > tuning.near_from:
            continue
        if shows_names(features) and not features.mentioned:
            continue  # "Shares closed down 6.3 percent": of what?
        score = 0.8 * closeness - rendering.worth(index)
        by_origin.setdefault(rendering.origin(index), []).append((score, index))
    chosen = [index for scored in by_origin.values() for index in _without_similar(rendering, sorted(scored))]
    return tuple(rendering.said(index) for index in sorted(chosen))


def _without_similar(rendering: RenderContext, scored: Sequence[tuple[float, int]]) -> list[int]:
    """Return the first `only_cap` that may be shown and do not repeat an earlier one."""
    chosen: list[int] = []
    tuning = rendering.tuning
    cap = tuning.only_cap_alone if rendering.origin_count == 1 else tuning.only_cap
    for _, index in scored:
        if len(chosen) == cap:
            break
        is_new = all(rendering.similarities.of(index, other) <= tuning.near_from for other in chosen)
        if is_new and rendering.tells_alone(index):
            chosen.append(index)
    return chosen
