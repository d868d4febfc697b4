"""The words that are left of each article of a story."""

from aggregator.model.article import ArticleView
from aggregator.model.story import Passage, StoryView
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
