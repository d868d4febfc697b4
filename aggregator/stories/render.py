"""The merged story as plain text, for a terminal and for the text column of the SQL views."""

from collections.abc import Sequence

from aggregator.model import ArticleView, Attributed, Disagreement, Fact, MergedStory, TimelineItem
from aggregator.stories.counts import count, with_originals
from aggregator.stories.lead import lead_and_facts

NO_OUTLET = "unknown outlet"
DENIAL_LABELS = {"claimed": "claim", "denied": "denial"}


def as_text(merged: MergedStory, articles: Sequence[ArticleView]) -> str:
    """Headline, counts, facts with how many outlets say them, what differs, timeline, reports.

    Every sentence carries who says it. Ends without a newline.
    """
    lead, facts = lead_and_facts(merged)
    sections = [
        [merged.title, _counts(articles)],
        [] if lead is None else _lead(lead),
        _titled("What several outlets say", [line for fact in facts for line in _fact(fact)]),
        _titled("On the same point", [line for block in merged.beside for line in _block(block)]),
        _titled(
            differ_title(merged), [line for each in merged.disagreements for line in _disagreement(each)]
        ),
        _only(merged.only, with_originals(articles)),
        _titled(
            "Timeline",
            [f"- {_moment(item)}  {_outlet(item.outlet)}: {item.text}" for item in merged.timeline],
        ),
        _titled("Articles", _reports(articles)),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _lead(lead: Fact) -> list[str]:
    support = f" ({_support(lead)})" if len(lead.said) > 1 else ""
    return [_quoted(lead.said[0]) + support, *_in_other_words(lead)]


def _titled(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _outlet(outlet: str | None) -> str:
    return outlet or NO_OUTLET


def _quoted(said: Attributed) -> str:
    return f"{said.text}  — {_outlet(said.outlet)}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _counts(articles: Sequence[ArticleView]) -> str:
    counts = count(articles)
    parts = [
        _plural(counts.article_count, "article"),
        _plural(counts.outlet_count, "outlet"),
        _plural(counts.report_count, "independent report"),
    ]
    return ", ".join(parts)


def _fact(fact: Fact) -> list[str]:
    return [f"- {_support(fact)}: {_quoted(fact.said[0])}", *_in_other_words(fact)]


def _support(fact: Fact) -> str:
    if fact.outlets > 1:
        return f"{fact.outlets} of {fact.of} outlets"
    return "the same words in " + _plural(len({said.outlet or said.article for said in fact.said}), "outlet")


def _in_other_words(fact: Fact) -> list[str]:
    return [f"    {_outlet(said.outlet)}: {said.text}" for said in fact.said[1:]]


def _block(block: Sequence[Attributed]) -> list[str]:
    return [
        f"{'- ' if place == 0 else '    '}{_outlet(said.outlet)}: {said.text}"
        for place, said in enumerate(block)
    ]


def differ_title(merged: MergedStory) -> str:
    """The heading of the disagreements: one side alone differs from nobody."""
    compared = any(len(each.sides) > 1 for each in merged.disagreements)
    return "Where they differ" if compared else "What is denied"


def _disagreement(each: Disagreement) -> list[str]:
    alone = "- Denied" if len(each.sides) == 1 else "- Claimed and denied"
    heading = "- Figures side by side" if each.kind == "figures" else alone
    lines = [heading]
    for value, said in zip(each.values, each.sides, strict=True):
        lines.append(f"    {DENIAL_LABELS.get(value, value)}: {_quoted(said)}")
    return lines


def _only(said: Sequence[Attributed], articles: Sequence[ArticleView]) -> list[str]:
    """What only one report has, by outlet; without heading where there is no other report."""
    by_outlet: dict[str, list[Attributed]] = {}
    for each in said:
        by_outlet.setdefault(each.outlet or each.article, []).append(each)
    if count(articles).report_count < 2:
        return [f"- {each.text}" for each in said]
    lines = []
    for group in by_outlet.values():
        reprints = len(
            {a.id for a in articles if a.copy_of in {each.article for each in group} and a.role != "excerpt"}
        )
        credit = f" and {_plural(reprints, 'reprint')}" if reprints else ""
        lines += [_outlet(group[0].outlet) + credit, *(f"- {each.text}" for each in group)]
    return _titled("Only one report says", lines)


def _moment(item: TimelineItem) -> str:
    clock = (
        "" if item.clock_minutes is None else f" {item.clock_minutes // 60:02d}:{item.clock_minutes % 60:02d}"
    )
    day = "day unknown" if item.day is None else item.day.isoformat()
    inferred = " (day inferred)" if item.day_inferred else ""
    return f"{day}{clock}{inferred} [{item.kind}]"


def _reports(articles: Sequence[ArticleView]) -> list[str]:
    settled = sorted(with_originals(articles), key=lambda a: (a.effective, a.id))
    outlets = {article.id: _outlet(article.outlet) for article in settled}
    return [_report(article, outlets) for article in settled]


def _report(article: ArticleView, outlets: dict[str, str]) -> str:
    line = f"- {_outlet(article.outlet)}: {article.title or article.id}"
    if article.copy_of is not None:
        relation = "excerpt of" if article.role == "excerpt" else "copy of"
        line += f" ({relation} {outlets.get(article.copy_of, 'an article elsewhere')})"
    if article.wire is not None:
        line += f" (agency: {article.wire})"
    if article.role == "container":
        line += " (live blog or round-up)"
    return line + (f"\n    {article.url}" if article.url else "")
