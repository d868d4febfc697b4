"""The merged story: what the reports of one event say together, in their own words.

Extractive: every sentence shown stands word for word in the report it is attributed to. Two levels of
agreement: from `count_from` on sentences are counted as one fact ("2 of 4 outlets"), between `near_from` and
that they are only set side by side. A wrong "3 of 4" would be a lie, a wrong neighbour is only untidy.

    reports → sentences → features → likeness of pairs → facts, what differs, denials, what only one has
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aggregator.model import ArticleView, Attributed, Disagreement, Fact, MergedStory
from aggregator.stories.denials import Denied, denials
from aggregator.stories.facts import FactGroup, Likenesses, best_matches, compare_all, fact_groups
from aggregator.stories.figures import FigurePair, figures_in, figures_that_differ
from aggregator.stories.headline import headline, key_terms
from aggregator.stories.likeness import Features, read_features
from aggregator.stories.reports import Report, read_reports
from aggregator.stories.standing import DATELINE, standalone
from aggregator.stories.timeline import timeline
from aggregator.stories.tolls import Toll, tolls_that_differ
from aggregator.stories.tuning import StoryRules, shipped_rules

LEAD_SENTENCES = 3
LEAD_WORDS = range(12, 46)


@dataclass(slots=True)
class _Telling:
    """What is known of a story while it is told, and which sentences have been shown."""

    reports: Sequence[Report]
    likenesses: Likenesses
    salience: Sequence[float]  # of each sentence: its share of the story's key terms
    rules: StoryRules
    shown: dict[int, None] = field(default_factory=dict)  # in order; a dict so that no hash decides

    @property
    def features(self) -> Sequence[Features]:
        return self.likenesses.features

    def said(self, index: int) -> Attributed:
        sentence = self.features[index].sentence
        return self.reports[sentence.report].said(sentence)

    def voice(self, index: int) -> str:
        return self.reports[self.features[index].sentence.report].voice

    def closeness(self, index: int) -> float:
        """Likeness to what has been shown."""
        return max((self.likenesses.of(index, other) for other in self.shown), default=0.0)


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
    telling = _Telling(
        reports, compare_all(features, rules), [_share(each, keys) for each in features], rules
    )
    groups = fact_groups(telling.likenesses, reports, rules)
    voices = [telling.voice(i) for i in range(len(features))]
    lead = _lead(telling)
    tolls = tolls_that_differ(telling.likenesses, voices, list(telling.shown), rules)
    figure_pairs = figures_that_differ(telling.likenesses, voices, rules)
    figure_pairs = [pair for pair in figure_pairs if pair.kind not in {toll.kind for toll in tolls}]
    figure_pairs = figure_pairs[: rules.differ_cap]
    differing = [{index for index, _ in toll.sides} for toll in tolls]
    differing += [{pair.first, pair.second} for pair in figure_pairs]
    groups = [group for group in groups if not any(len(d & set(group.members)) > 1 for d in differing)]
    facts = _facts(telling, groups, lead)
    beside = _beside(telling, set().union(*differing))
    disagreements = _tolls(telling, tolls) + _figures(telling, figure_pairs) + _denials(telling, groups)
    return MergedStory(
        title=headline(articles, shown_title, rules),
        lead=None if lead is None else telling.said(lead),
        facts=facts,
        only=_only(telling),
        disagreements=disagreements,
        timeline=timeline(reports, rules),
        beside=beside,
    )


def _share(features: Features, keys: dict[str, float]) -> float:
    total = sum(keys.values())
    return sum(weight for head, weight in keys.items() if head in features.weights) / total if total else 0.0


def _lead(telling: _Telling) -> int | None:
    """One sentence from the top of a report that says most of what the story is about."""
    candidates = [
        index
        for index, features in enumerate(telling.features)
        if features.sentence.position < LEAD_SENTENCES
        and len(features.sentence.text.split()) in LEAD_WORDS
        and standalone(features.sentence.text) >= telling.rules.lead_from
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


def _lead_first(telling: _Telling, group: FactGroup, lead: int | None) -> FactGroup:
    """The group with the lead as its shown sentence, where all others say the same as the lead.

    The page then tells with the lead who else says it, and does not say it a second time.
    """
    others = [index for index in group.members if index != lead]
    if lead not in group.members or lead == group.members[0]:
        return group
    if any(telling.likenesses.of(lead, index) < telling.rules.count_from for index in others):
        return group
    return FactGroup((lead, *others), group.voices)


def _facts(telling: _Telling, groups: Sequence[FactGroup], lead: int | None) -> tuple[Fact, ...]:
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
        Fact(said=tuple(telling.said(i) for i in group.members), outlets=group.voices, of=voices)
        for group in chosen
    )


def _beside(telling: _Telling, taken: set[int]) -> tuple[tuple[Attributed, ...], ...]:
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
            and features[a].names & features[b].names
            and not (features[a].denies or features[b].denies)
        ):
            blocks.append((a, b))
            telling.shown.update({a: None, b: None})
    return tuple(tuple(telling.said(index) for index in block) for block in blocks)


def _tolls(telling: _Telling, tolls: Sequence[Toll]) -> tuple[Disagreement, ...]:
    for toll in tolls:
        telling.shown.update({index: None for index, _ in toll.sides})
    return tuple(
        Disagreement(
            kind="figures",
            sides=tuple(telling.said(index) for index, _ in toll.sides),
            values=tuple(f"{words} {toll.kind}" for _, words in toll.sides),
        )
        for toll in tolls
    )


def _figures(telling: _Telling, pairs: Sequence[FigurePair]) -> tuple[Disagreement, ...]:
    found = []
    for pair in pairs:
        telling.shown.update({pair.first: None, pair.second: None})
        sides = (telling.said(pair.first), telling.said(pair.second))
        found.append(Disagreement(kind="figures", sides=sides, values=pair.words))
    return tuple(found)


def _denials(telling: _Telling, groups: Sequence[FactGroup]) -> tuple[Disagreement, ...]:
    languages = [telling.reports[f.sentence.report].article.language for f in telling.features]
    voices = [telling.voice(i) for i in range(len(languages))]
    found = denials(telling.features, groups, languages, voices, telling.rules)[: telling.rules.differ_cap]
    return tuple(_denied(telling, each) for each in found)


def _denied(telling: _Telling, denied: Denied) -> Disagreement:
    """`values` names the part of each side: "claimed", "denied"."""
    parts = (("claimed", denied.claim), ("denied", denied.denial))
    present = [(word, index) for word, index in parts if index is not None]
    telling.shown.update({index: None for _, index in present})
    return Disagreement(
        kind="denial",
        sides=tuple(telling.said(index) for _, index in present),
        values=tuple(word for word, _ in present),
    )


def _only(telling: _Telling) -> tuple[Attributed, ...]:
    """What one outlet alone has: up to `only_cap` sentences of each, in the order of its reports."""
    rules = telling.rules
    by_voice: dict[str, list[tuple[float, int]]] = {}
    elsewhere = _told_elsewhere(telling)
    for index, features in enumerate(telling.features):
        text = features.sentence.text
        alone = standalone(text)
        if index in telling.shown or alone < rules.show_from:
            continue
        closeness = telling.closeness(index)
        if closeness > rules.only_closeness or index in elsewhere:
            continue
        late = features.sentence.position / max(1, len(telling.reports[features.sentence.report].sentences))
        score = (
            telling.salience[index]
            + alone
            + (0.2 if figures_in(text) else 0.0)
            - 0.3 * late
            - 0.8 * closeness
            - (1.0 if DATELINE.match(text) else 0.0)  # another sentence where there is one
        )
        by_voice.setdefault(telling.voice(index), []).append((-score, index))
    chosen = [index for scored in by_voice.values() for index in _unlike(telling, sorted(scored))]
    return tuple(telling.said(index) for index in sorted(chosen))


def _unlike(telling: _Telling, scored: Sequence[tuple[float, int]]) -> list[int]:
    """The first `only_cap` that do not say again what one before them says."""
    chosen: list[int] = []
    for _, index in scored:
        if len(chosen) < telling.rules.only_cap and all(
            telling.likenesses.of(index, other) <= telling.rules.only_closeness for other in chosen
        ):
            chosen.append(index)
    return chosen


def _told_elsewhere(telling: _Telling) -> set[int]:
    """Sentences so near to another outlet's that neither may be called one outlet's own."""
    near = (pair for pair, s in telling.likenesses.pairs.items() if s >= telling.rules.only_elsewhere)
    return {index for a, b in near if telling.voice(a) != telling.voice(b) for index in (a, b)}
