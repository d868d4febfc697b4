"""The merged text of a story as plain text, for terminals and for the SQL views."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from aggregator.config.messages import counted, counted_outlets
from aggregator.model.core import (
    AgreedFigure,
    ArticleView,
    AttributedSentence,
    Fact,
    MergedStory,
    TimelineItem,
)
from aggregator.stories.counts import count, with_originals
from aggregator.stories.lexicon import clean_title
from aggregator.stories.text.merged_text import lead_and_facts

NO_OUTLET = "unknown outlet"
TITLE_WORDS = 5  # of a title shown in the place of an unknown outlet


def as_text(merged: MergedStory, articles: Sequence[ArticleView]) -> str:
    """Return headline, counts, facts with their number of outlets, timeline and articles.

    Every sentence is attributed to its outlet, or to the beginning of the article's title where that is
    unknown. The text does not end with a newline.
    """
    merged = _with_placeholder_names(merged, _placeholders(articles))
    lead, facts = lead_and_facts(merged)
    keys = {article.id: article.outlet_key or article.id for article in articles}
    sections = [
        [merged.title, _counts(articles)],
        [] if lead is None else _lead(lead, merged, keys),
        _titled("What several outlets say", [line for fact in facts for line in _fact(fact, keys)]),
        _titled("Figures that agree", [line for same in merged.agreed for line in _agreed(same, merged)]),
        _only(merged.only, with_originals(articles)),
        _titled("Timeline", [line for item in merged.timeline for line in _timeline_lines(item)]),
        _titled("Articles", _reports(articles)),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _placeholders(articles: Sequence[ArticleView]) -> dict[str, str]:
    """Return the placeholders of unknown outlets, by article."""
    titles = {article.id: clean_title(article).split() for article in articles if article.outlet is None}
    return {
        id_: f"“{' '.join(words[:TITLE_WORDS]).rstrip(' ,:;–—-')}{'…' if len(words) > TITLE_WORDS else ''}”"
        for id_, words in titles.items()
        if words
    }


def _with_placeholder_names(merged: MergedStory, names: Mapping[str, str]) -> MergedStory:
    """Replace unknown outlets by `names`, except next to a title, which would be repeated."""
    if not names:
        return merged

    def of(said: AttributedSentence) -> AttributedSentence:
        return msgspec.structs.replace(said, outlet=said.outlet or names.get(said.article))

    def all_of(said: Sequence[AttributedSentence]) -> tuple[AttributedSentence, ...]:
        return tuple(map(of, said))

    replace = msgspec.structs.replace
    return replace(
        merged,
        lead=None if merged.lead is None else of(merged.lead),
        summary=all_of(merged.summary),
        facts=tuple(replace(fact, said=all_of(fact.said)) for fact in merged.facts),
        only=all_of(merged.only),
        agreed=tuple(replace(same, said=all_of(same.said)) for same in merged.agreed),
        timeline=tuple(
            item if item.kind == "published" else replace(item, outlet=item.outlet or names.get(item.article))
            for item in merged.timeline
        ),
    )


def _lead(lead: Fact, merged: MergedStory, keys: Mapping[str, str]) -> list[str]:
    """Return the summary, each report's sentences on a line, and how many outlets lead with its news."""
    lines: list[str] = []
    for article, said in groupby(merged.summary or lead.said[:1], key=lambda one: one.article):
        sentences = list(said)
        text = " ".join(one.text for one in sentences)
        lines.append(_quoted(msgspec.structs.replace(sentences[0], text=text, article=article)))
    notes = [_support(lead, keys)] if len(lead.said) > 1 else []
    if merged.lead_outlets > max(1, lead.outlets):
        notes.append(f"{merged.lead_outlets} of {merged.lead_of} outlets lead with this")
    support = f" ({'; '.join(notes)})" if notes else ""
    return [lines[0] + support, *lines[1:], *_in_other_words(lead)]


def _titled(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _outlet(outlet: str | None) -> str:
    return outlet or NO_OUTLET


def _quoted(said: AttributedSentence) -> str:
    return f"{said.text}  — {_outlet(said.outlet)}"


def _counts(articles: Sequence[ArticleView]) -> str:
    counts = count(articles)
    parts = [
        counted(counts.article_count, "article"),
        counted_outlets(counts.outlet_count, counts.unknown_outlet_count),
        counted(counts.report_count, "independent report"),
    ]
    return ", ".join(parts)


def _fact(fact: Fact, keys: Mapping[str, str]) -> list[str]:
    return [f"- {_support(fact, keys)}: {_quoted(fact.said[0])}", *_in_other_words(fact)]


def _support(fact: Fact, keys: Mapping[str, str]) -> str:
    """Return how many outlets state the fact; `keys`: of the outlets, by article."""
    said = [keys.get(one.article, one.article) for one in fact.said]
    if fact.outlets > 1:
        copied = [len({said[place] for place in one}) for one in fact.same_words]
        same = "".join(f", the same words in {counted(n, 'outlet')}" for n in copied)
        return f"{fact.outlets} of {fact.of} outlets{same}"
    return "the same words in " + counted(len(set(said)), "outlet")


def _in_other_words(fact: Fact) -> list[str]:
    return [f"    {_outlet(said.outlet)}: {said.text}" for said in fact.said[1:]]


def _agreed(same: AgreedFigure, merged: MergedStory) -> list[str]:
    """Return a figure with its outlets, and its sentence if that is not shown elsewhere."""
    outlets = ", ".join(dict.fromkeys(_outlet(said.outlet) for said in same.said))
    line = f"- {same.words}: {same.outlets} of {same.of} outlets ({outlets})"
    rendered = {said for fact in merged.facts for said in fact.said}
    rendered.update(merged.summary)
    return [line] if rendered.intersection(same.said) else [line, f"    {_quoted(same.said[0])}"]


def _only(said: Sequence[AttributedSentence], articles: Sequence[ArticleView]) -> list[str]:
    """Return statements of one outlet only, by outlet; without a heading if there is no other report."""
    keys = {article.id: article.outlet_key for article in articles}
    by_outlet: dict[str, list[AttributedSentence]] = {}
    for each in said:
        by_outlet.setdefault(keys.get(each.article) or each.article, []).append(each)
    if count(articles).report_count < 2:
        return [f"- {each.text}" for each in said]
    lines = []
    for group in by_outlet.values():
        reprints = len(
            {a.id for a in articles if a.copy_of in {each.article for each in group} and a.role != "excerpt"}
        )
        credit = f" and {counted(reprints, 'reprint')}" if reprints else ""
        lines += [_outlet(group[0].outlet) + credit, *(f"- {each.text}" for each in group)]
    return _titled("Only one report says", lines)


def _timeline_lines(item: TimelineItem) -> list[str]:
    """Return the line of a moment, and those of the reprints of a publication."""
    lines = [f"- {_moment(item)}  {_outlet(item.outlet)}: {item.text}"]
    for copy in item.copies:
        verb = "printed" if copy.is_whole else "excerpted"
        lines.append(f"    {verb} by {_outlet(copy.outlet)}{_later(copy.minutes_later)}")
    left = item.copy_count - len(item.copies)
    return lines + ([f"    and {left} more"] if left else [])


def _later(minutes: int | None) -> str:
    """Return the delay after the original; "" where it is not known to the minute."""
    if minutes is None:
        return ""
    hours, rest = divmod(abs(minutes), 60)
    parts = [counted(hours, "hour")] if hours else []
    parts += [counted(rest, "minute")] if rest or not hours else []
    return f", {' '.join(parts)} {'before it came from there' if minutes < 0 else 'later'}"


def _moment(item: TimelineItem) -> str:
    clock = (
        "" if item.clock_minutes is None else f" {item.clock_minutes // 60:02d}:{item.clock_minutes % 60:02d}"
    )
    day = "day unknown" if item.day is None else item.day.isoformat()
    inferred = " (day inferred)" if item.day_inferred else ""
    return f"{day}{clock}{inferred} [{item.kind}]"


def _reports(articles: Sequence[ArticleView]) -> list[str]:
    resolved = sorted(with_originals(articles), key=lambda a: (a.effective_at, a.id))
    outlets = {article.id: _outlet(article.outlet) for article in resolved}
    return [_report(article, outlets) for article in resolved]


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
