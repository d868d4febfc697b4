"""The excerpt limit of stories with their texts, and of feed items."""

from msgspec.structs import replace

from aggregator.model.article import ArticleView
from aggregator.model.story import Passage, StorylineView, StoryText, StoryView
from aggregator.publish.excerpts.access import Access
from aggregator.publish.excerpts.allowance import Allowance
from aggregator.publish.excerpts.excerpt_words import first_words


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
    bounded = replace(
        story,
        summary=summary,
        title=first_words(story.title, words),
        articles=tuple(articles),
    )
    return _with_storyline(bounded, words), bounded_text


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
    bounded = replace(
        story,
        title=first_words(story.title, words),
        summary="" if has_lead else _bounded_summary(story, allowance),
        articles=tuple(articles),
    )
    return _with_storyline(bounded, words), bounded_text


def bounded_storyline(line: StorylineView, words: int) -> StorylineView:
    """Limit the headlines of the stories of a storyline."""
    stories = [
        replace(one, title=first_words(one.title, words)) for one in line.stories
    ]
    title = first_words(line.title, words)
    return replace(line, title=title, stories=tuple(stories))


def _with_storyline(story: StoryView, words: int) -> StoryView:
    if story.storyline is None:
        return story
    return replace(story, storyline=bounded_storyline(story.storyline, words))


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
