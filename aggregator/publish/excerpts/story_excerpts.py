"""The excerpt limit of stories with their texts, and of feed items: the words that are left of each article."""

from collections.abc import Iterable

from msgspec.structs import replace

from aggregator.model.article import ArticleView
from aggregator.model.story import Passage, StorylineView, StoryText, StoryView
from aggregator.publish.excerpts.access import Access
from aggregator.publish.excerpts.excerpt_words import count_words, first_words


class Allowance:
    """The words left for each article; a text that was shown once may be shown again.

    Shown words count for all articles with the same text: an original, its copies and its excerpts. A
    headline that is not in a current title may be a former title of any article, so it counts for all.
    """

    def __init__(self, story: StoryView, words: int, *, whole_allowed: bool) -> None:
        is_current = any(story.title in article.title for article in story.articles)
        # The words allowed for the headline
        self.all_words = words
        # The words allowed for one article
        self.words = words if is_current else max(0, words - count_words(story.title))
        self.whole = set()
        for a in story.articles:
            if whole_allowed and not (a.noarchive or a.nosnippet or a.tdm_reserved):
                self.whole.add(a.id)
        # The texts shown of each article, its title first, and the words left of it
        self._shown: dict[str, list[str]] = {}
        self._left: dict[str, int] = {}
        for article in story.articles:
            self._shown[article.id] = [first_words(article.title, self.words)]
            left = 0 if article.nosnippet else self.words - count_words(article.title)
            self._left[article.id] = max(0, left)
        self._related = _articles_of_one_text(story.articles)

    def shows(self, passage: Passage) -> bool:
        """Return whether the passage may be shown; if so, count its words."""
        return self.allows(passage.text, passage.article_id)

    def allows(self, text: str, *articles: str) -> bool:
        """Return whether `text`, which rests on all of `articles`, may be shown; if so, count its words."""
        # The articles that are limited, and of which `text` was not shown
        limited = [
            id_
            for id_ in articles
            if id_ not in self.whole
            and not any(text in shown for shown in self._shown.get(id_, ()))
        ]
        needed = count_words(text) if limited else 0
        if any(needed > self._free(id_) for id_ in limited):
            return False
        for id_ in limited:
            self._take(id_, text, needed)
        return True

    def cut(self, text: str, *articles: str) -> str:
        """Return the beginning of `text` that may be shown, and count its words for each of `articles`."""
        if not text or not articles:
            return ""
        if self.allows(text, *articles):
            return text
        limited = [id_ for id_ in articles if id_ not in self.whole]
        free = min(self._free(id_) for id_ in limited)
        part = first_words(text, free)
        for id_ in limited:
            self._take(id_, part, free)
        return part

    def _free(self, article: str) -> int:
        related = self._related.get(article, ())
        return min(
            self._left.get(id_, 0)
            for id_ in (article, *related)
            if id_ not in self.whole
        )

    def _take(self, article: str, text: str, words: int) -> None:
        for id_ in {article, *self._related.get(article, ())}:
            self._shown.setdefault(id_, []).append(text)
            self._left[id_] = max(0, self._left.get(id_, 0) - words)


def _articles_of_one_text(articles: tuple[ArticleView, ...]) -> dict[str, list[str]]:
    """Return, for each article, the articles of the same text: an original, its copies and excerpts.

    Articles with `nosnippet` are left out: a reprint with `nosnippet` does not restrict its original.
    """
    groups: dict[str, list[str]] = {}
    for article in articles:
        if not article.nosnippet:
            original = article.copy_of or article.id
            groups.setdefault(original, []).append(article.id)
    related: dict[str, list[str]] = {}
    for group in groups.values():
        related.update(dict.fromkeys(group, group))
    return related


def for_reader(
    story: StoryView, text: StoryText | None, access: Access, words: int
) -> tuple[StoryView, StoryText | None]:
    """Limit a story to what `access` permits: all of it, or at most `words` words of each article."""
    if access == "owner":
        return story, text
    allowance = Allowance(story, words, whole_allowed=access == "all")
    # The lead goes first: the summary is its beginning.
    bounded_text = _bounded_text(text, allowance) if text else None
    summary = _bounded_summary(story, allowance)
    articles = []
    for whole in story.articles:
        article = whole
        if whole.id not in allowance.whole:
            title = first_words(whole.title, allowance.words)
            article = without_text(whole, title, allowance.cut(whole.lead, whole.id))
        articles.append(article)
    return _bounded_story(story, summary, articles, words), bounded_text


def for_item(
    story: StoryView, text: StoryText | None, words: int
) -> tuple[StoryView, StoryText | None]:
    """Limit a story to what one feed item shows, which is less than a page.

    Without a lead the summary remains. Articles keep their titles.
    """
    allowance = Allowance(story, words, whole_allowed=False)
    bounded_text = _bounded_text(text, allowance) if text else None
    has_lead = bounded_text is not None and bool(bounded_text.lead)
    articles = []
    for article in story.articles:
        title = first_words(article.title, allowance.words)
        articles.append(without_text(article, title))
    summary = "" if has_lead else _bounded_summary(story, allowance)
    return _bounded_story(story, summary, articles, words), bounded_text


def bounded_storyline(line: StorylineView, words: int) -> StorylineView:
    """Limit the headlines of the stories of a storyline."""
    stories = [
        replace(one, title=first_words(one.title, words)) for one in line.stories
    ]
    title = first_words(line.title, words)
    return replace(line, title=title, stories=tuple(stories))


def _bounded_story(
    story: StoryView, summary: str, articles: Iterable[ArticleView], words: int
) -> StoryView:
    return replace(
        story,
        title=first_words(story.title, words),
        summary=summary,
        articles=tuple(articles),
        storyline=story.storyline and bounded_storyline(story.storyline, words),
    )


def without_text(article: ArticleView, title: str, lead: str = "") -> ArticleView:
    """Return an article without its text; with `nosnippet` without media, too."""
    media = () if article.nosnippet else article.media
    return replace(article, title=title, lead=lead, text="", html=None, media=media)


def _bounded_summary(story: StoryView, allowance: Allowance) -> str:
    for article in story.articles:
        if story.summary and story.summary in f"{article.lead}\n{article.text}":
            return allowance.cut(story.summary, article.id)
    # Its patterns take long to compile.
    from aggregator.text.sentences import split_sentences

    leads = {report.id: " ".join(report.lead.split()) for report in story.articles}
    # The sentences of a summary of several reports, each with the report that it is from
    parts = []
    for sentence in split_sentences(story.summary):
        origins = (id_ for id_, lead in leads.items() if sentence in lead)
        parts.append((sentence, next(origins, None)))
    if not parts or any(origin is None for _, origin in parts):
        return allowance.cut(story.summary, *leads)
    shown = []
    for sentence, origin in parts:
        text = allowance.cut(sentence, origin or "")
        if not text:
            break
        shown.append(text)
    return " ".join(shown)


def _bounded_text(text: StoryText, allowance: Allowance) -> StoryText:
    # The sentences of the lead that may be shown; if not even one, the first words of the first.
    lead: list[Passage] = []
    for passage in text.lead:
        shown = passage.text
        if not allowance.shows(passage):
            # Its patterns take long to compile.
            from aggregator.text.sentences import split_sentences

            sentences = []
            for sentence in split_sentences(passage.text, 1):
                if not allowance.allows(sentence, passage.article_id):
                    break
                sentences.append(sentence)
            shown = " ".join(sentences)
        if not shown and not lead:
            shown = allowance.cut(passage.text, passage.article_id)
        if shown:
            lead.append(replace(passage, text=shown))
        if shown != passage.text:
            break
    return replace(
        text,
        title=first_words(text.title, allowance.all_words),
        lead=tuple(lead),
        openings=tuple(o for o in text.openings if allowance.shows(o)),
        versions=tuple(v for v in text.versions if allowance.shows(v)),
        quotations=tuple(
            q for q in text.quotations if allowance.allows(q.text, *q.article_ids)
        ),
    )
