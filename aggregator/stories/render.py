"""The merged story as plain text, for a terminal and for the text column of the SQL views."""

from collections.abc import Sequence

from aggregator.model import ArticleView, Attributed, Disagreement, Fact, MergedStory, TimelineItem
from aggregator.stories.counts import count, with_originals

NO_OUTLET = "unknown outlet"
DENIAL_LABELS = {"claimed": "claimed", "before": "before it", "denied": "denied"}


def as_text(merged: MergedStory, articles: Sequence[ArticleView]) -> str:
    """Headline, counts, facts with how many outlets say them, what differs, timeline, reports.

    Every sentence carries who says it. Ends without a newline.
    """
    sections = [
        [merged.title, _counts(articles)],
        [] if merged.lead is None else [_quoted(merged.lead)],
        _titled("What several outlets say", [line for fact in merged.facts for line in _fact(fact)]),
        _titled("On the same point", [line for block in merged.beside for line in _block(block)]),
        _titled("Where they differ", [line for each in merged.disagreements for line in _disagreement(each)]),
        _titled("Only one outlet has", _only(merged.only)),
        _titled(
            "Timeline",
            [f"- {_moment(item)}  {_outlet(item.outlet)}: {item.text}" for item in merged.timeline],
        ),
        _titled("Reports", _reports(articles)),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


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
    first, *others = fact.said
    if fact.outlets > 1:
        support = f"{fact.outlets} of {fact.of} outlets"
    else:
        support = "the same words in " + _plural(
            len({said.outlet or said.article for said in fact.said}), "outlet"
        )
    return [
        f"- {support}: {_quoted(first)}",
        *(f"    {_outlet(said.outlet)}: {said.text}" for said in others),
    ]


def _block(block: Sequence[Attributed]) -> list[str]:
    return [
        f"{'- ' if place == 0 else '    '}{_outlet(said.outlet)}: {said.text}"
        for place, said in enumerate(block)
    ]


def _disagreement(each: Disagreement) -> list[str]:
    heading = "- Figures side by side" if each.kind == "figures" else "- Denied"
    lines = [heading]
    for value, said in zip(each.values, each.sides, strict=True):
        lines.append(f"    {DENIAL_LABELS.get(value, value)}: {_quoted(said)}")
    return lines


def _only(said: Sequence[Attributed]) -> list[str]:
    lines: list[str] = []
    article: str | None = None
    for each in said:
        if each.article != article:
            lines.append(_outlet(each.outlet))
            article = each.article
        lines.append(f"- {each.text}")
    return lines


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
