"""The merged text of a story as plain text, for terminals and for the SQL views.

Headings and labels are in the language of most of its articles. Behind each sentence are the outlets of the
articles that have it word for word; an article of unknown outlet is named by the beginning of its title.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec

from aggregator.model.core import (
    AgreedFigure,
    ArticleView,
    AttributedSentence,
    Fact,
    MergedStory,
    TimelineItem,
)
from aggregator.stories.counts import count, with_originals
from aggregator.stories.lexicon import Labels, clean_title, counted_in, labels
from aggregator.stories.text.newest_state import lead_and_facts

NO_OUTLET = "unknown outlet"
TITLE_WORDS = 5  # of a title shown in the place of an unknown outlet


def as_text(merged: MergedStory, articles: Sequence[ArticleView]) -> str:
    """Return headline, counts, facts with their number of outlets, quotations, timeline and articles.

    The text does not end with a newline.
    """
    by_id = {article.id: article for article in articles}
    keys = {article.id: article.outlet_key or article.id for article in articles}
    text = _PlainText(merged, articles, labels(main_language(articles)), by_id, keys)
    return "\n\n".join("\n".join(lines) for lines in text.sections() if lines)


def main_language(articles: Sequence[ArticleView]) -> str | None:
    """Return the language of most articles; of as many, that of the first."""
    languages = Counter(article.language for article in articles if article.language)
    return max(languages, key=lambda each: languages[each], default=None)


def names_behind(said: AttributedSentence, articles: Mapping[str, ArticleView], unknown: str) -> list[str]:
    """Return the outlets of the articles in which a sentence stands; names as in `outlet_names`."""
    if said.article not in articles:
        return [said.outlet or unknown]
    return outlet_names((said.article, *said.also), articles, unknown)


def outlet_names(ids: Sequence[str], articles: Mapping[str, ArticleView], unknown: str) -> list[str]:
    """Return the outlets of these articles, each once.

    One of unknown outlet is named by the first words of its title, else by `unknown`.
    """
    known = [articles[id_] for id_ in ids if id_ in articles]
    names = {one.outlet_key or one.id: one.outlet or _placeholder(one) or unknown for one in reversed(known)}
    return list(dict.fromkeys(names[one.outlet_key or one.id] for one in known))


def _placeholder(article: ArticleView) -> str:
    words = clean_title(article).split()
    if not words:
        return ""
    return f"“{' '.join(words[:TITLE_WORDS]).rstrip(' ,:;–—-')}{'…' if len(words) > TITLE_WORDS else ''}”"


def support(fact: Fact, keys: Mapping[str, str], words: Labels) -> str:
    """Return how many outlets state a fact; `keys`: of the outlets, by article."""
    said = [keys.get(one.article, one.article) for one in fact.said]
    if fact.outlets < 2:
        return words.same_words.format(name=counted_in(words.outlet, len(set(said))))
    parts = [words.share.format(n=fact.outlets, of=fact.of)]
    for one in fact.same_words:
        copied = counted_in(words.outlet, len({said[place] for place in one}))
        parts.append(words.same_words.format(name=copied))
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class _PlainText:
    """A story with the words of its language."""

    merged: MergedStory
    articles: Sequence[ArticleView]
    words: Labels
    by_id: Mapping[str, ArticleView]
    keys: Mapping[str, str]  # of the outlets, by article

    def sections(self) -> list[list[str]]:
        merged, words = self.merged, self.words
        lead, facts = lead_and_facts(merged)
        return [
            [merged.title, self._counts()],
            [] if lead is None else self._lead(lead),
            _titled(words.several, [line for fact in facts for line in self._fact(fact)]),
            _titled(words.quotations, self._quotations()),
            _titled(words.agreed, [line for same in merged.agreed for line in self._agreed(same)]),
            self._only(),
            _titled(words.timeline, [line for item in merged.timeline for line in self._timeline(item)]),
            _titled(words.articles, self._reports()),
        ]

    def _names(self, said: AttributedSentence) -> str:
        """Return the outlets behind a sentence, and its time."""
        return ", ".join([*names_behind(said, self.by_id, self.words.no_outlet), *self._when(said)])

    def _when(self, said: AttributedSentence) -> list[str]:
        """Return the time of a sentence (UTC), or its day if no more is known; nothing without a date."""
        if said.time is None:
            return []
        article = self.by_id.get(said.article)
        is_day = article and article.published_precision == "day" and said.time == article.published
        return [said.time.astimezone(dt.UTC).strftime("%Y-%m-%d" if is_day else "%Y-%m-%d %H:%M")]

    def _quoted(self, said: AttributedSentence) -> str:
        return f"{said.text}  — {self._names(said)}"

    def _outlet(self, outlet: str | None) -> str:
        return outlet or self.words.no_outlet

    def _counts(self) -> str:
        counts, words = count(self.articles), self.words
        known, unknown = counts.outlet_count, counts.unknown_outlet_count
        if unknown and not known:
            outlets = counted_in(words.unknown_outlet, unknown)
        else:
            outlets = counted_in(words.outlet, known)
            outlets += ", " + words.unknown.format(n=f"{unknown:,}") if unknown else ""
        articles = counted_in(words.article, counts.article_count)
        return ", ".join((articles, outlets, counted_in(words.report, counts.report_count)))

    def _lead(self, lead: Fact) -> list[str]:
        """Return the summary, each report's sentences on a line, and how many outlets state its first one."""
        lines: list[str] = []
        for _, said in groupby(self.merged.summary or lead.said[:1], key=self._names):
            sentences = list(said)
            text = " ".join(one.text for one in sentences)
            lines.append(self._quoted(msgspec.structs.replace(sentences[0], text=text)))
        note = f" ({support(lead, self.keys, self.words)})" if len(lead.said) > 1 else ""
        return [lines[0] + note, *self._in_other_words(lead), *lines[1:]]

    def _fact(self, fact: Fact) -> list[str]:
        note = support(fact, self.keys, self.words)
        return [f"- {note}: {self._quoted(fact.said[0])}", *self._in_other_words(fact)]

    def _in_other_words(self, fact: Fact) -> list[str]:
        others = {said.text: said for said in reversed(fact.said) if said.text != fact.said[0].text}
        return [f"    {self._names(said)}: {said.text}" for said in reversed(others.values())]

    def _quotations(self) -> list[str]:
        """Return the quotations under the names of their speakers."""
        lines: list[str] = []
        for speaker, said in groupby(self.merged.quotations, key=lambda fact: fact.speaker):
            lines.append(speaker)
            for fact in said:
                note = f" ({support(fact, self.keys, self.words)})" if len(fact.said) > 1 else ""
                lines += [f"- {self._quoted(fact.said[0])}{note}", *self._in_other_words(fact)]
        return lines

    def _agreed(self, same: AgreedFigure) -> list[str]:
        """Return a figure with its outlets, and its sentence if that is not shown elsewhere."""
        outlets = ", ".join(dict.fromkeys(self._outlet(said.outlet) for said in same.said))
        line = f"- {same.words}: {self.words.share.format(n=same.outlets, of=same.of)} ({outlets})"
        shown = {said for fact in (*self.merged.facts, *self.merged.quotations) for said in fact.said}
        shown.update(self.merged.summary)
        return [line] if shown.intersection(same.said) else [line, f"    {self._quoted(same.said[0])}"]

    def _only(self) -> list[str]:
        """Return statements of one outlet only, by outlet; without a heading if there is no other report."""
        said, resolved, keys = self.merged.only, with_originals(self.articles), self.keys
        if count(resolved).report_count < 2:
            return list(map(self._dated, said))
        by_outlet: dict[str, list[AttributedSentence]] = {}
        for each in said:
            by_outlet.setdefault(keys.get(each.article, each.article), []).append(each)
        lines = []
        for group in by_outlet.values():
            ids = {each.article for each in group}
            reprints = len({a.id for a in resolved if a.copy_of in ids and a.role != "excerpt"})
            name = counted_in(self.words.reprint, reprints)
            credit = f" {self.words.plus.format(name=name)}" if reprints else ""
            first = names_behind(group[0], self.by_id, self.words.no_outlet)[0]
            lines += [first + credit, *map(self._dated, group)]
        return _titled(self.words.only, lines)

    def _dated(self, said: AttributedSentence) -> str:
        return "  — ".join([f"- {said.text}", *self._when(said)])

    def _timeline(self, item: TimelineItem) -> list[str]:
        """Return the line of a moment, and those of the reprints of a publication."""
        words = self.words
        said = AttributedSentence(text=item.text, article=item.article, outlet=item.outlet)
        # The name of an unknown outlet would repeat the title.
        name = self._outlet(item.outlet) if item.kind == "published" else self._names(said)
        others = outlet_names(item.also, self.by_id, words.no_outlet)
        note = f" ({words.also.format(name=', '.join(others))})" if others else ""
        lines = [f"- {self._moment(item)}  {name}: {item.text}{note}"]
        for copy in item.copies:
            form = words.printed if copy.is_whole else words.excerpted
            outlet = form.format(name=self._outlet(copy.outlet))
            lines.append(f"    {outlet}{self._later(copy.minutes_later)}")
        left = item.copy_count - len(item.copies)
        return lines + ([f"    {words.more.format(n=left)}"] if left else [])

    def _later(self, minutes: int | None) -> str:
        """Return the delay after the original; "" where it is not known to the minute."""
        if minutes is None:
            return ""
        hours, rest = divmod(abs(minutes), 60)
        parts = [counted_in(self.words.hour, hours)] if hours else []
        parts += [counted_in(self.words.minute, rest)] if rest or not hours else []
        return ", " + (self.words.before if minutes < 0 else self.words.later).format(name=" ".join(parts))

    def _moment(self, item: TimelineItem) -> str:
        clock = item.clock_minutes
        words = self.words
        day = words.day_unknown if item.day is None else item.day.isoformat()
        day += "" if clock is None else f" {clock // 60:02d}:{clock % 60:02d}"
        kind = words.published if item.kind == "published" else words.stated
        return f"{day}{f' ({words.day_inferred})' if item.day_inferred else ''} [{kind}]"

    def _reports(self) -> list[str]:
        resolved = sorted(with_originals(self.articles), key=lambda a: (a.effective_at, a.id))
        outlets = {article.id: self._outlet(article.outlet) for article in resolved}
        return [self._report(article, outlets) for article in resolved]

    def _report(self, article: ArticleView, outlets: dict[str, str]) -> str:
        words = self.words
        line = f"- {self._outlet(article.outlet)}: {article.title or article.id}"
        if article.copy_of is not None:
            relation = words.excerpt_of if article.role == "excerpt" else words.copy_of
            line += f" ({relation.format(name=outlets.get(article.copy_of, words.elsewhere))})"
        if article.wire is not None:
            line += f" ({words.agency.format(name=article.wire)})"
        if article.role == "container":
            line += f" ({words.container})"
        return line + (f"\n    {article.url}" if article.url else "")


def _titled(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []
