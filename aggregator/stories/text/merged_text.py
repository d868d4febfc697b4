"""The merged story: what the reports of one event say together, in their own words.

Extractive: every sentence shown stands word for word in the report it is attributed to. Two levels of
agreement: from `count_from` on sentences are counted as one fact ("2 of 4 outlets"), between `near_from` and
that they are only set side by side. A wrong "3 of 4" would be a lie, a wrong neighbour is only untidy.

    reports → sentences → features → likeness of pairs → facts, what differs, denials, what only one has

The lead and the facts of a merged story, so that no sentence is told twice.
"""

from collections.abc import Sequence

from aggregator.model.core import AgreedFigure, ArticleView, AttributedSentence, Fact, MergedStory
from aggregator.stories.counts import trails
from aggregator.stories.disagreements.disagreements import RenderContext, disagreements, find_differences
from aggregator.stories.disagreements.figure_pairs import find_agreeing_figures
from aggregator.stories.facts.facts import FactGroup, best_matches, compare_all, fact_groups
from aggregator.stories.facts.sentence_similarity import SentenceFeatures, read_features, shows_names
from aggregator.stories.facts.source_sentences import read_reports
from aggregator.stories.facts.standalone_sentences import DATELINE, standalone
from aggregator.stories.headline import headline, key_terms
from aggregator.stories.text.timeline import timeline
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import word_count


def lead_and_facts(merged: MergedStory) -> tuple[Fact | None, tuple[Fact, ...]]:
    """The lead with those who say the same, and the other facts.

    A lead that nobody else says is a fact of one; None without a lead.
    """
    if merged.lead is None:
        return None, merged.facts
    lead = next((fact for fact in merged.facts if fact.said[0] == merged.lead), None)
    if lead is None:
        return Fact(said=(merged.lead,), outlets=1, of=1), merged.facts
    return lead, tuple(fact for fact in merged.facts if fact is not lead)


ALARM_ORIGINS = 3  # so many outlets without anything alike may not tell of one event ...
ALARM_SENTENCES = 30  # ... when they say so much: short reports of one event may have nothing in common
LEAD_SENTENCES = 3
LEAD_WORDS = range(12, 46)


def merge(
    articles: Sequence[ArticleView], shown_title: str | None = None, tuning: StoryTuning | None = None
) -> MergedStory:
    """Tells a story of its articles (with their texts); the order they are given in does not matter.

    `shown_title` is the headline people see now. Time grows with the square of the sentences, which
    `reports_cap` and `sentences_cap` bound.
    """
    tuning = tuning or shipped_tuning()
    articles = sorted(articles, key=lambda a: (a.effective, a.id))
    reports = read_reports(articles, tuning)
    features = read_features(reports)
    keys = key_terms([report.article for report in reports], tuning.headline_key_terms)
    rendering = RenderContext(
        reports, compare_all(features, tuning), [_share(each, keys) for each in features], tuning
    )
    groups = fact_groups(rendering.similarities, reports, tuning)
    lead = _lead(rendering)
    differing = find_differences(rendering)
    sets = differing.sets
    groups = [group for group in groups if not any(len(one & set(group.members)) > 1 for one in sets)]
    facts = _facts(rendering, groups, lead)
    beside = _beside(rendering, set().union(*sets))
    rendered_apart = disagreements(rendering, differing, groups)
    agreed = _agreed(rendering)
    return MergedStory(
        title=shown_title or headline(articles, None, tuning).title,
        lead=None if lead is None else rendering.said(lead),
        facts=facts,
        only=_only(rendering),
        disagreements=rendered_apart,
        timeline=timeline(reports, tuning, trails(articles)),
        beside=beside,
        agreed=agreed,
        no_shared_fact=not facts and _has_no_shared_fact(rendering),
    )


def _share(features: SentenceFeatures, keys: dict[str, float]) -> float:
    total = sum(keys.values())
    return sum(weight for head, weight in keys.items() if head in features.weights) / total if total else 0.0


def _lead(rendering: RenderContext) -> int | None:
    """One sentence from the top of a report that says most of what the story is about."""
    candidates = [
        index
        for index, features in enumerate(rendering.features)
        if features.sentence.position < LEAD_SENTENCES
        and word_count(features.sentence.text) in LEAD_WORDS
        and standalone(features.sentence.text, features.language) >= rendering.tuning.lead_from
    ]
    if not candidates:
        return None
    links = best_matches(rendering.similarities, 0.0)
    strongest: dict[int, list[float]] = {index: [] for index in candidates}
    for (index, _), (s, _) in links.items():
        if index in strongest:
            strongest[index].append(s)
    lead = max(
        candidates,
        key=lambda i: (rendering.salience[i] + 0.5 * sum(sorted(strongest[i], reverse=True)[:4]) / 4, -i),
    )
    rendering.shown[lead] = None
    return lead


def _lead_first(rendering: RenderContext, group: FactGroup, lead: int | None) -> FactGroup:
    """The group with the lead as its shown sentence, where all others say the same as the lead.

    The page then tells with the lead who else says it, and does not say it a second time.
    """
    others = [index for index in group.members if index != lead]
    if lead not in group.members or lead == group.members[0]:
        return group
    if any(rendering.similarities.of(lead, index) < rendering.tuning.count_from for index in others):
        return group
    places = {index: place for place, index in enumerate((lead, *others))}
    same = tuple(tuple(sorted(places[group.members[p]] for p in places_)) for places_ in group.same_words)
    return FactGroup((lead, *others), group.origins, same)


def _facts(rendering: RenderContext, groups: Sequence[FactGroup], lead: int | None) -> tuple[Fact, ...]:
    origins = len({report.origin for report in rendering.reports})

    def rank(group: FactGroup) -> tuple[float, int]:
        positions = [
            rendering.features[i].sentence.position
            / max(1, len(rendering.reports[rendering.features[i].sentence.report].sentences))
            for i in group.members
        ]
        early = 1 - sum(positions) / len(positions)
        one_text = 1.0 if group.origins < 2 else 0.0
        score = group.origins / origins + 0.6 * rendering.salience[group.members[0]] + 0.3 * early - one_text
        return -score, group.members[0]

    groups = [_lead_first(rendering, group, lead) for group in groups]
    chosen = sorted(groups, key=rank)[: rendering.tuning.facts_cap]
    for group in chosen:
        rendering.shown.update(dict.fromkeys(group.members))
    return tuple(
        Fact(
            said=tuple(rendering.said(i) for i in group.members),
            outlets=group.origins,
            of=origins,
            same_words=group.same_words,
        )
        for group in chosen
    )


def _beside(rendering: RenderContext, taken: set[int]) -> tuple[tuple[AttributedSentence, ...], ...]:
    """Pairs near each other and nearest to each other: set side by side, never counted."""
    tuning, features = rendering.tuning, rendering.features
    best = best_matches(rendering.similarities, tuning.near_from)
    near = sorted((-s, pair) for pair, s in rendering.similarities.pairs.items() if s >= tuning.near_from)
    blocks: list[tuple[int, int]] = []
    for _, (a, b) in near:
        if len(blocks) >= tuning.near_cap:
            break
        if (
            rendering.origin(a) == rendering.origin(b)
            or {a, b} & taken
            or a in rendering.shown
            or b in rendering.shown
        ):
            continue
        mutual = best[a, features[b].sentence.report][1] == b and best[b, features[a].sentence.report][1] == a
        if (
            mutual
            and (features[a].names & features[b].names or not shows_names(features[a]))
            and not (features[a].denies or features[b].denies)
        ):
            blocks.append((a, b))
            rendering.shown.update({a: None, b: None})
    return tuple(tuple(rendering.said(index) for index in block) for block in blocks)


def _has_no_shared_fact(rendering: RenderContext) -> bool:
    """Whether several outlets say nothing that is nearly the same: too far apart even for side by side."""
    origins, tuning = rendering.origins, rendering.tuning
    if len(set(origins)) < ALARM_ORIGINS or len(origins) < ALARM_SENTENCES:
        return False
    return not any(
        s >= tuning.count_from and origins[a] != origins[b]
        for (a, b), s in rendering.similarities.pairs.items()
    )


def _agreed(rendering: RenderContext) -> tuple[AgreedFigure, ...]:
    """Figures that several outlets give. They mark nothing as shown: their sentences may stand elsewhere."""
    of = len({report.origin for report in rendering.reports})
    return tuple(
        AgreedFigure(
            words=same.words,
            said=tuple(rendering.said(index) for index in same.members),
            outlets=same.origins,
            of=of,
        )
        for same in find_agreeing_figures(rendering.similarities, rendering.origins, rendering.tuning)
    )


def _only(rendering: RenderContext) -> tuple[AttributedSentence, ...]:
    """What one outlet alone has: up to `only_cap` sentences of each, in the order of its reports."""
    tuning = rendering.tuning
    by_origin: dict[str, list[tuple[float, int]]] = {}
    elsewhere = _stated_elsewhere(rendering)
    for index, features in enumerate(rendering.features):
        text = features.sentence.text
        alone = standalone(text, features.language)
        if index in rendering.shown or alone < tuning.show_from:
            continue
        closeness = rendering.closeness(index)
        if closeness > tuning.only_closeness or index in elsewhere:
            continue
        late = features.sentence.position / max(1, len(rendering.reports[features.sentence.report].sentences))
        score = (
            rendering.salience[index]
            + alone
            + (0.2 if features.figures else 0.0)
            - 0.3 * late
            - 0.8 * closeness
            - (1.0 if DATELINE.match(text) else 0.0)  # another sentence where there is one
        )
        by_origin.setdefault(rendering.origin(index), []).append((-score, index))
    chosen = [index for scored in by_origin.values() for index in _without_similar(rendering, sorted(scored))]
    return tuple(rendering.said(index) for index in sorted(chosen))


def _without_similar(rendering: RenderContext, scored: Sequence[tuple[float, int]]) -> list[int]:
    """The first `only_cap` that do not say again what one before them says."""
    chosen: list[int] = []
    for _, index in scored:
        if len(chosen) < rendering.tuning.only_cap and all(
            rendering.similarities.of(index, other) <= rendering.tuning.only_closeness for other in chosen
        ):
            chosen.append(index)
    return chosen


def _stated_elsewhere(rendering: RenderContext) -> set[int]:
    """Sentences so near to another outlet's that neither may be called one outlet's own."""
    near = (pair for pair, s in rendering.similarities.pairs.items() if s >= rendering.tuning.only_elsewhere)
    return {index for a, b in near if rendering.origin(a) != rendering.origin(b) for index in (a, b)}
