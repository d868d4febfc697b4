"""The merged text of a story: the statements of its reports, by extractive summarization.

Every sentence is taken word for word from the report that it is attributed to. From similarity `count_from`
on sentences are counted as one fact ("2 of 4 outlets"); from `near_from` on they are only shown together,
because a wrong pair there is no false statement, as a wrong "3 of 4" would be.

    reports → sentences → features → similarities → facts, disagreements, statements of one outlet
"""

from collections.abc import Sequence

from aggregator.model.core import AgreedFigure, ArticleView, AttributedSentence, Fact, MergedStory
from aggregator.stories.copy_trails import between_outlets
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
    """Return the lead as a fact, and the other facts, so that no sentence is shown twice.

    A lead that no other outlet states is a fact of one outlet; None without a lead.
    """
    if merged.lead is None:
        return None, merged.facts
    lead = next((fact for fact in merged.facts if fact.said[0] == merged.lead), None)
    if lead is None:
        return Fact(said=(merged.lead,), outlets=1, of=1), merged.facts
    return lead, tuple(fact for fact in merged.facts if fact is not lead)


WARNING_ORIGINS = 3  # so many outlets without similar sentences may not report one event ...
WARNING_SENTENCES = 30  # ... if they have so many: short reports may have none in common
LEAD_SENTENCES = 3
LEAD_WORDS = range(12, 46)


def merge(
    articles: Sequence[ArticleView], shown_title: str | None = None, tuning: StoryTuning | None = None
) -> MergedStory:
    """Render the merged text of these articles, which must have their texts, in any order.

    `shown_title` is the present headline. Time grows with the square of the number of sentences, which
    `reports_cap` and `sentences_cap` bound.
    """
    tuning = tuning or shipped_tuning()
    articles = sorted(articles, key=lambda a: (a.effective_at, a.id))
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
    disagreeing = disagreements(rendering, differing, groups)
    agreed = _agreed(rendering)
    return MergedStory(
        title=shown_title or headline(articles, None, tuning).title,
        lead=None if lead is None else rendering.said(lead),
        facts=facts,
        only=_only(rendering),
        disagreements=disagreeing,
        timeline=timeline(reports, tuning, between_outlets(trails(articles), articles)),
        beside=beside,
        agreed=agreed,
        no_shared_fact=not facts and _has_no_shared_fact(rendering),
    )


def _share(features: SentenceFeatures, keys: dict[str, float]) -> float:
    total = sum(keys.values())
    return sum(weight for head, weight in keys.items() if head in features.weights) / total if total else 0.0


def _lead(rendering: RenderContext) -> int | None:
    """Choose a sentence from the beginning of a report with the highest share of key terms."""
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
    """Return the group with the lead as its shown sentence, if all other members state the same as the lead.

    Pages then list the outlets of the fact with the lead and do not repeat it.
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


def _beside(rendering: RenderContext, disagreeing: set[int]) -> tuple[tuple[AttributedSentence, ...], ...]:
    """Return pairs of sentences that are best matches of each other, shown together but not counted."""
    tuning, features = rendering.tuning, rendering.features
    best = best_matches(rendering.similarities, tuning.near_from)
    near = sorted((-s, pair) for pair, s in rendering.similarities.pairs.items() if s >= tuning.near_from)
    blocks: list[tuple[int, int]] = []
    for _, (a, b) in near:
        if len(blocks) >= tuning.near_cap:
            break
        if (
            rendering.origin(a) == rendering.origin(b)
            or {a, b} & disagreeing
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
    """Whether no sentences of several outlets are similar."""
    origins, tuning = rendering.origins, rendering.tuning
    if len(set(origins)) < WARNING_ORIGINS or len(origins) < WARNING_SENTENCES:
        return False
    return not any(
        s >= tuning.count_from and origins[a] != origins[b]
        for (a, b), s in rendering.similarities.pairs.items()
    )


def _agreed(rendering: RenderContext) -> tuple[AgreedFigure, ...]:
    """Return figures that several outlets state. Their sentences are not marked as shown."""
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
    """Return statements of one outlet only: up to `only_cap` of each, in the order of its reports."""
    tuning = rendering.tuning
    by_origin: dict[str, list[tuple[float, int]]] = {}
    elsewhere = _stated_elsewhere(rendering)
    for index, features in enumerate(rendering.features):
        text = features.sentence.text
        alone = standalone(text, features.language)
        if index in rendering.shown or alone < tuning.show_from:
            continue
        closeness = rendering.closeness(index)
        if closeness > tuning.only_max_similarity or index in elsewhere:
            continue
        late = features.sentence.position / max(1, len(rendering.reports[features.sentence.report].sentences))
        score = (
            rendering.salience[index]
            + alone
            + (0.2 if features.figures else 0.0)
            - 0.3 * late
            - 0.8 * closeness
            - (1.0 if DATELINE.match(text) else 0.0)  # another sentence if possible
        )
        by_origin.setdefault(rendering.origin(index), []).append((-score, index))
    chosen = [index for scored in by_origin.values() for index in _without_similar(rendering, sorted(scored))]
    return tuple(rendering.said(index) for index in sorted(chosen))


def _without_similar(rendering: RenderContext, scored: Sequence[tuple[float, int]]) -> list[int]:
    """Return the first `only_cap` that do not repeat an earlier one."""
    chosen: list[int] = []
    for _, index in scored:
        if len(chosen) < rendering.tuning.only_cap and all(
            rendering.similarities.of(index, other) <= rendering.tuning.only_max_similarity
            for other in chosen
        ):
            chosen.append(index)
    return chosen


def _stated_elsewhere(rendering: RenderContext) -> set[int]:
    """Return sentences that are similar to one of another outlet."""
    near = (
        pair for pair, s in rendering.similarities.pairs.items() if s >= rendering.tuning.only_max_elsewhere
    )
    return {index for a, b in near if rendering.origin(a) != rendering.origin(b) for index in (a, b)}
