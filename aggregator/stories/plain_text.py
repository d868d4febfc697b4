"""The plain text of a story, for SQL, JSON, mail, terminals and MCP."""

from collections.abc import Sequence
from datetime import UTC

from aggregator.model.article import ArticleView
from aggregator.model.prepared import OPINION_KINDS
from aggregator.model.story import StoryText
from aggregator.stories.counting.originals import (
    OriginalWithCopies,
    originals_with_copies,
)

NO_OUTLET = "unknown outlet"
VERSION_NAMES = {"earlier": "Earlier version", "other": "Another version"}


def as_text(shown: StoryText, articles: Sequence[ArticleView]) -> str:
    """Return the lead, the title and a sentence of each other report, and the titles of opinions and live blogs.

    Empty lines separate the paragraphs. An article is named by its outlet, time (UTC) and title. The text does not end
    with a newline.
    """
    paragraphs = [passage.text for passage in shown.lead]
    lead_of = shown.lead[0].article_id if shown.lead else None
    reports: list[str] = []
    others: list[str] = []
    for article, copies in shown_order(originals_with_copies(articles), shown):
        group = [article, *copies]
        first = next((member for member in group if member.id == lead_of), article)
        outlets = []
        versions = ""
        for member in group:
            if member.version is not None:
                versions += f"\n{VERSION_NAMES[member.version]}: {source_of(member)}"
                sentences = [
                    f'"{passage.text}"'
                    for passage in shown.versions
                    if passage.article_id == member.id
                ]
                if sentences:
                    versions += f": {' '.join(sentences)}"
            elif member is not first:
                part = " in part" if member.role == "excerpt" else ""
                outlets.append((member.outlet or NO_OUTLET) + part)
        too = versions
        if outlets:
            too = f" (printed by {', '.join(outlets)}, too)" + versions
        if first.id == lead_of:
            label = label_of(first)
            mark = f" [{label}]" if label else ""
            paragraphs[-1] += f" ({source_of(first)}){mark}{too}"
            continue
        line = f"{source_of(article)}: {article.title or article.id}{too}"
        label = label_of(article)
        if label:
            line += f" [{label}]"
        if opening := shown.opening_of(article.id):
            line += f"\n{opening}"
        (others if label else reports).append(line)
    return "\n\n".join([*paragraphs, *reports, *others])


def shown_order(
    originals: Sequence[OriginalWithCopies], shown: StoryText
) -> list[OriginalWithCopies]:
    """Return originals with their copies in the order of a story: the newest first.

    The report of the second opening, which differs most from the texts above it, follows the report of the first.
    """
    newest = list(reversed(originals))
    ahead = {opening.article_id for opening in shown.openings[:2]}
    first = next((at for at, pair in enumerate(newest) if pair[0].id in ahead), 0)
    return newest[:first] + sorted(
        newest[first:], key=lambda pair: pair[0].id not in ahead
    )


def label_of(article: ArticleView) -> str:
    """Return the mark of an article that is not a plain report: "opinion", "withdrawal", "live"; else ""."""
    if article.role == "container":
        return "live"
    is_marked = article.kind in OPINION_KINDS or article.kind == "withdrawal"
    return article.kind if is_marked else ""


def day_of(article: ArticleView | None) -> str:
    """Return the declared day of an article, "2024-12-07"; "" without one."""
    if article is None or article.published is None or not article.is_dated:
        return ""
    return article.published.astimezone(UTC).strftime("%Y-%m-%d")


def source_of(article: ArticleView) -> str:
    """Return outlet and time of an article, "Reuters, 2024-12-07 10:30", or only the day if no time is declared.

    An article without a date gets only its outlet.
    """
    outlet = article.outlet or NO_OUTLET
    if article.published is None or not article.is_dated:
        return outlet
    form = "%Y-%m-%d" if article.published_precision == "day" else "%Y-%m-%d %H:%M"
    return f"{outlet}, {article.published.astimezone(UTC).strftime(form)}"
