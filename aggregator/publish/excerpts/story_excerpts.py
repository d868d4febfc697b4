"""The excerpt limit of stories with their texts, and of feed items: the words that are left of each article."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from aggregator.model.article import ArticleView
from aggregator.model.story import Passage, StorylineView, StoryText, StoryView
from aggregator.publish.excerpts.excerpt_words import Access, count_words, first_words


class Allowance:
    """The words left for each text; a passage that was shown once may be shown again.

    Shown words count for all articles that share a text: an original, its copies, excerpts and other versions. A
    headline that is not in a current title may be the former title of any article, so its words count for all.
    """

    def __init__(self, story: StoryView, words: int, *, whole_allowed: bool) -> None:
        is_current = any(story.title in article.title for article in story.articles)
        # The words allowed for the headline
        self.all_words = words
        # The words allowed for one article
        self.words = words if is_current else max(0, words - count_words(story.title))
        # The articles that may be read whole
        self.whole: set[str] = set()
        # The shown title of each other article, and the key of its text, which copies share with their original
        self._titles: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        # The passages shown of each text, and the words that may still be shown
        self._shown = defaultdict[str, list[str]](list)
        self._left: dict[str, int] = {}
        for a in story.articles:
            if whole_allowed and not (a.noarchive or a.nosnippet or a.tdm_reserved):
                self.whole.add(a.id)
                continue
            text, left = a.copy_of or a.id, max(0, self.words - count_words(a.title))
            if a.nosnippet:
                # A reprint with `nosnippet` does not restrict its original.
                text, left = f"only {a.id}", 0
            self._titles[a.id] = first_words(a.title, self.words)
            self._texts[a.id] = text
            self._left[text] = min(left, self._left.get(text, left))

    def shows(self, passage: Passage) -> bool:
        """Return whether the passage may be shown; if so, count its words."""
        return self.allows(passage.text, passage.article_id)

    def allows(self, text: str, *articles: str) -> bool:
        """Return whether `text` may be shown; if so, count its words for each of `articles`, which it may be from."""
        unseen = []
        for id_ in articles:
            name = self._texts.get(id_, id_)
            seen = (self._titles.get(id_, ""), *self._shown[name])
            if id_ not in self.whole and not any(text in passage for passage in seen):
                unseen.append(name)
        needed = count_words(text) if unseen else 0
        if any(needed > self._left.get(name, 0) for name in unseen):
            return False
        self._take(unseen, text, needed)
        return True

    def cut(self, text: str, *articles: str) -> str:
        """Return the beginning of `text` that may be shown, and count its words for each of `articles`."""
        if not text or not articles:
            return ""
        if self.allows(text, *articles):
            return text
        limited = [
            self._texts.get(id_, id_) for id_ in articles if id_ not in self.whole
        ]
        free = min(self._left.get(name, 0) for name in limited)
        part = first_words(text, free)
        self._take(limited, part, free)
        return part

    def _take(self, texts: Iterable[str], passage: str, words: int) -> None:
        for name in texts:
            self._shown[name].append(passage)
            self._left[name] = max(0, self._left.get(name, 0) - words)


def for_reader(
    story: StoryView, text: StoryText | None, access: Access, words: int
) -> tuple[StoryView, StoryText | None]:
    """Return a story, limited to what `access` permits: everything, or at most `words` words of each article.

    With `access` "all", articles that their publisher does not restrict stay whole.
    """
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
    bounded = replace(
        story,
        title=first_words(story.title, words),
        summary=summary,
        articles=tuple(articles),
        storyline=story.storyline and bounded_storyline(story.storyline, words),
    )
    return bounded, bounded_text


def for_item(
    story: StoryView, text: StoryText | None, words: int
) -> tuple[StoryView, StoryText | None]:
    """Return a story, limited to what one feed item shows, which is less than a page.

    Articles lose their leads and keep their titles. The summary stays only if the text has no lead.
    """
    story, text = for_reader(story, text, "excerpt", words)
    articles = tuple(replace(article, lead="") for article in story.articles)
    summary = "" if text and text.lead else story.summary
    return replace(story, summary=summary, articles=articles), text


def bounded_storyline(line: StorylineView, words: int) -> StorylineView:
    """Return a storyline with at most `words` words of its title and of each headline."""
    stories = [
        replace(one, title=first_words(one.title, words)) for one in line.stories
    ]
    return replace(line, title=first_words(line.title, words), stories=tuple(stories))


def without_text(article: ArticleView, title: str, lead: str = "") -> ArticleView:
    """Return an article without its text; an article with `nosnippet` loses its media, too."""
    media = () if article.nosnippet else article.media
    return replace(article, title=title, lead=lead, text="", html=None, media=media)


def _bounded_summary(story: StoryView, allowance: Allowance) -> str:
    for article in story.articles:
        if story.summary and story.summary in f"{article.lead}\n{article.text}":
            return allowance.cut(story.summary, article.id)
    # Imported here, because the patterns of this module take long to compile.
    from aggregator.text.sentences import join_sentences, split_sentences

    leads = {report.id: " ".join(report.lead.split()) for report in story.articles}
    # The sentences of a summary of several reports, each with the id of its report
    parts = []
    for sentence in split_sentences(story.summary, shortest=1):
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
    return join_sentences(shown)


def _bounded_text(text: StoryText, allowance: Allowance) -> StoryText:
    # The sentences of the lead that may be shown; if none may, the first words of the first one
    lead: list[Passage] = []
    for passage in text.lead:
        shown = passage.text
        if not allowance.shows(passage):
            # Imported here, because the patterns of this module take long to compile.
            from aggregator.text.sentences import join_sentences, split_sentences

            sentences = []
            for sentence in split_sentences(passage.text, 1, shortest=1):
                if not allowance.allows(sentence, passage.article_id):
                    break
                sentences.append(sentence)
            shown = join_sentences(sentences)
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
