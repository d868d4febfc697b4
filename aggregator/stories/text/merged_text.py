"""The merged story: what the reports of one event say together, in their own words.

Extractive: every sentence shown stands word for word in the report it is attributed to. Two levels of
agreement: from `count_from` on sentences are counted as one fact ("2 of 4 outlets"), between `near_from` and
that they are only set side by side. A wrong "3 of 4" would be a lie, a wrong neighbour is only untidy.

    reports → sentences → features → likeness of pairs → facts, what differs, denials, what only one has

The lead and the facts of a merged story, so that no sentence is told twice.
"""

from collections.abc import Sequence

from aggregator.model.core import AgreedFigure, ArticleView, Attributed, Fact, MergedStory
from aggregator.stories.counts import trails
from aggregator.stories.disagreements.disagreements import Telling, disagreements, what_differs
from aggregator.stories.disagreements.figure_pairs import figures_that_agree
from aggregator.stories.facts.facts import FactGroup, best_matches, compare_all, fact_groups
from aggregator.stories.facts.sentence_similarity import Features, read_features, shows_names
from aggregator.stories.facts.source_sentences import read_reports
from aggregator.stories.facts.standalone_sentences import DATELINE, standalone
from aggregator.stories.headline import headline, key_terms
from aggregator.stories.text.timeline import timeline
from aggregator.stories.tuning import StoryRules, shipped_rules
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


ALARM_VOICES = 3  # so many outlets without anything alike may not tell of one event ...
ALARM_SENTENCES = 30  # ... when they say so much: short reports of one event may have nothing in common
LEAD_SENTENCES = 3
LEAD_WORDS = range(12, 46)


def merge(
    articles: Sequence[ArticleView], shown_title: str | None = None, rules: StoryRules | None = None
) -> MergedStory:
    """Tells a story of its articles (with their texts); the order they are given in does not matter.

    `shown_title` is the headline people see now. Time grows with the square of the sentences, which
    `reports_cap` and `sentences_cap` bound.
    """
    rules = rules or shipped_rules()
    articles = sorted(articles, key=lambda a: (a.effective, a.id))
    reports = read_reports(articles, rules)
    features = read_features(reports)
    keys = key_terms([report.article for report in reports], rules.headline_key_terms)
    telling = Telling(reports, compare_all(features, rules), [_share(each, keys) for each in features], rules)
    groups = fact_groups(telling.likenesses, reports, rules)
    lead = _lead(telling)
    differing = what_differs(telling)
    sets = differing.sets
    groups = [group for group in groups if not any(len(one & set(group.members)) > 1 for one in sets)]
    facts = _facts(telling, groups, lead)
    beside = _beside(telling, set().union(*sets))
    told_apart = disagreements(telling, differing, groups)
    agreed = _agreed(telling)
    return MergedStory(
        title=shown_title or headline(articles, None, rules).title,
        lead=None if lead is None else telling.said(lead),
        facts=facts,
        only=_only(telling),
        disagreements=told_apart,
        timeline=timeline(reports, rules, trails(articles)),
        beside=beside,
        agreed=agreed,
        no_shared_fact=not facts and _strangers(telling),
    )


def _share(features: Features, keys: dict[str, float]) -> float:
    total = sum(keys.values())
    return sum(weight for head, weight in keys.items() if head in features.weights) / total if total else 0.0


def _lead(telling: Telling) -> int | None:
    """One sentence from the top of a report that says most of what the story is about."""
    candidates = [
        index
        for index, features in enumerate(telling.features)
        if features.sentence.position < LEAD_SENTENCES
        and word_count(features.sentence.text) in LEAD_WORDS
        and standalone(features.sentence.text, features.language) >= telling.rules.lead_from
    ]
    if not candidates:
        return None
    links = best_matches(telling.likenesses, 0.0)
    strongest: dict[int, list[float]] = {index: [] for index in candidates}
    for (index, _), (s, _) in links.items():
        if index in strongest:
            strongest[index].append(s)
    lead = max(
        candidates,
        key=lambda i: (telling.salience[i] + 0.5 * sum(sorted(strongest[i], reverse=True)[:4]) / 4, -i),
    )
    telling.shown[lead] = None
    return lead


def _lead_first(telling: Telling, group: FactGroup, lead: int | None) -> FactGroup:
    """The group with the lead as its shown sentence, where all others say the same as the lead.

    The page then tells with the lead who else says it, and does not say it a second time.
    """
    others = [index for index in group.members if index != lead]
    if lead not in group.members or lead == group.members[0]:
        return group
    if any(telling.likenesses.of(lead, index) < telling.rules.count_from for index in others):
        return group
    places = {index: place for place, index in enumerate((lead, *others))}
    same = tuple(tuple(sorted(places[group.members[p]] for p in places_)) for places_ in group.same_words)
    return FactGroup((lead, *others), group.voices, same)


def _facts(telling: Telling, groups: Sequence[FactGroup], lead: int | None) -> tuple[Fact, ...]:
    voices = len({report.voice for report in telling.reports})

    def rank(group: FactGroup) -> tuple[float, int]:
        positions = [
            telling.features[i].sentence.position
            / max(1, len(telling.reports[telling.features[i].sentence.report].sentences))
            for i in group.members
        ]
        early = 1 - sum(positions) / len(positions)
        one_text = 1.0 if group.voices < 2 else 0.0
        score = group.voices / voices + 0.6 * telling.salience[group.members[0]] + 0.3 * early - one_text
        return -score, group.members[0]

    groups = [_lead_first(telling, group, lead) for group in groups]
    chosen = sorted(groups, key=rank)[: telling.rules.facts_cap]
    for group in chosen:
        telling.shown.update(dict.fromkeys(group.members))
    return tuple(
        Fact(
            said=tuple(telling.said(i) for i in group.members),
            outlets=group.voices,
            of=voices,
            same_words=group.same_words,
        )
        for group in chosen
    )


def _beside(telling: Telling, taken: set[int]) -> tuple[tuple[Attributed, ...], ...]:
    """Pairs near each other and nearest to each other: set side by side, never counted."""
    rules, features = telling.rules, telling.features
    best = best_matches(telling.likenesses, rules.near_from)
    near = sorted((-s, pair) for pair, s in telling.likenesses.pairs.items() if s >= rules.near_from)
    blocks: list[tuple[int, int]] = []
    for _, (a, b) in near:
        if len(blocks) >= rules.near_cap:
            break
        if telling.voice(a) == telling.voice(b) or {a, b} & taken or a in telling.shown or b in telling.shown:
            continue
        mutual = best[a, features[b].sentence.report][1] == b and best[b, features[a].sentence.report][1] == a
        if (
            mutual
            and (features[a].names & features[b].names or not shows_names(features[a]))
            and not (features[a].denies or features[b].denies)
        ):
            blocks.append((a, b))
            telling.shown.update({a: None, b: None})
    return tuple(tuple(telling.said(index) for index in block) for block in blocks)


def _strangers(telling: Telling) -> bool:
    """Whether several outlets say nothing that is nearly the same: too far apart even for side by side."""
    voices, rules = telling.voices, telling.rules
    if len(set(voices)) < ALARM_VOICES or len(voices) < ALARM_SENTENCES:
        return False
    return not any(
        s >= rules.count_from and voices[a] != voices[b] for (a, b), s in telling.likenesses.pairs.items()
    )


def _agreed(telling: Telling) -> tuple[AgreedFigure, ...]:
    """Figures that several outlets give. They mark nothing as shown: their sentences may stand elsewhere."""
    of = len({report.voice for report in telling.reports})
    return tuple(
        AgreedFigure(
            words=same.words,
            said=tuple(telling.said(index) for index in same.members),
            outlets=same.voices,
            of=of,
        )
        for same in figures_that_agree(telling.likenesses, telling.voices, telling.rules)
    )


def _only(telling: Telling) -> tuple[Attributed, ...]:
    """What one outlet alone has: up to `only_cap` sentences of each, in the order of its reports."""
    rules = telling.rules
    by_voice: dict[str, list[tuple[float, int]]] = {}
    elsewhere = _told_elsewhere(telling)
    for index, features in enumerate(telling.features):
        text = features.sentence.text
        alone = standalone(text, features.language)
        if index in telling.shown or alone < rules.show_from:
            continue
        closeness = telling.closeness(index)
        if closeness > rules.only_closeness or index in elsewhere:
            continue
        late = features.sentence.position / max(1, len(telling.reports[features.sentence.report].sentences))
        score = (
            telling.salience[index]
            + alone
            + (0.2 if features.figures else 0.0)
            - 0.3 * late
            - 0.8 * closeness
            - (1.0 if DATELINE.match(text) else 0.0)  # another sentence where there is one
        )
        by_voice.setdefault(telling.voice(index), []).append((-score, index))
    chosen = [index for scored in by_voice.values() for index in _unlike(telling, sorted(scored))]
    return tuple(telling.said(index) for index in sorted(chosen))


def _unlike(telling: Telling, scored: Sequence[tuple[float, int]]) -> list[int]:
    """The first `only_cap` that do not say again what one before them says."""
    chosen: list[int] = []
    for _, index in scored:
        if len(chosen) < telling.rules.only_cap and all(
            telling.likenesses.of(index, other) <= telling.rules.only_closeness for other in chosen
        ):
            chosen.append(index)
    return chosen


def _told_elsewhere(telling: Telling) -> set[int]:
    """Sentences so near to another outlet's that neither may be called one outlet's own."""
    near = (pair for pair, s in telling.likenesses.pairs.items() if s >= telling.rules.only_elsewhere)
    return {index for a, b in near if telling.voice(a) != telling.voice(b) for index in (a, b)}
