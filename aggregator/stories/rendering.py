"""Choose the content of a story from its articles: lead, openings, quotations, names and topics.

The program makes no claim about a story that it cannot check: it chooses a title and a lead, quotes a sentence
of each outlet, and counts (docs/stories.md). Stories are rendered after their articles are placed.
"""

import re
from collections import Counter
from collections.abc import Sequence, Set
from functools import partial
from itertools import islice
from operator import itemgetter

from aggregator.extract.front_matter import without_dateline, without_front_matter
from aggregator.model.article import ArticleView
from aggregator.model.story import Passage, Quotation, StoryName, StoryText
from aggregator.model.structs import FrozenStruct
from aggregator.stories.compared_sentences import version_of
from aggregator.stories.counting.copy_groups import COUNTED_ROLES, speaker_of
from aggregator.stories.counting.originals import (
    of_standing,
    with_originals,
    with_standing,
)
from aggregator.stories.lead import CHARS_READ, LEAD_WORDS, lead_of, lead_paragraphs
from aggregator.stories.openings import is_confirmed
from aggregator.stories.plain_text import as_text
from aggregator.stories.quotations import quotations_of
from aggregator.stories.story_names import names_of, topics_of
from aggregator.stories.story_sentences import (
    BOILERPLATE,
    LONGEST,
    front_matter,
    has_odd_marks,
    is_cut,
    needs_sentence_before,
    refers_back,
    sentences_of_report,
)
from aggregator.stories.story_tuning import StoryTuning
from aggregator.stories.story_words import dice, heads
from aggregator.stories.titles.title import BY_TIME, is_news
from aggregator.stories.titles.title_text import clean_title
from aggregator.stories.versions import changed_sentences
from aggregator.text.lines import count_words, same_line
from aggregator.text.sentences import sentences_of

# Increment when a change of code (not of tuning) changes the content of stories.
VERSION = 33

# An opening is one of this many first sentences that can be shown, because news comes first.
SENTENCES_TRIED = 6
# The faults (`front_matter`) of sentences that are not shown below the title of their report
NOT_SHOWN = BOILERPLATE | {"dateline", "half a quotation", "a quotation alone"}
# No further versions are read once the sentences shown from versions of a story are this many.
VERSION_SENTENCES = 24
# The faults of sentences that are not shown at all: they are not the report's own words
NEVER_SHOWN = BOILERPLATE - {"no beginning", "no end"}
# A sentence with at least this likeness (Dice) to a sentence of the lead repeats it
REPEATS = 0.5
# What a weak sentence costs below the title of its report, as a share of the title's words (chosen)
WEAK_SHARE = 0.2
# Fewer words tell nothing: "Photo"
FEWEST_SHOWN = 4
# A weak sentence (see `title_sentence`) must have this many more words of its title than another (chosen).
WEAK_COST = 2
# A sentence with fewer new content words seldom adds a fact: of 207 sentences that were read, 46 had fewer, and 35 of
# these were useless.
ENOUGH_NEW = 9
# A number that is not a year, or a quotation, is worth this many words of the title: with enough new words, 10 of 79
# sentences with a number or quotation were useless, and 28 of 82 without.
FACT_WORTH = 2
FACT = re.compile(r'(?<![\w-])(?!(?:19|20)\d\d\b)\d|[“”„«"]')
# At least this share of the content words of an opening must be missing in title, lead and the openings above.
NEW_SHARE = 1 / 2


class Rendering(FrozenStruct):
    """The stored content of a story, computed after placing.

    Addresses are not stored, because the address of an article may change later; readers take it from the article.
    """

    shown: StoryText
    # `shown` for SQL; empty for a single article, because it would repeat the text of the article
    text: str
    # The article that each article copies or excerpts; None for originals and for versions that are not current
    originals: dict[str, str | None]
    names: tuple[StoryName, ...]
    topics: tuple[StoryName, ...]


def render(
    title: str, members: Sequence[ArticleView], tuning: StoryTuning
) -> Rendering:
    """Return the stored content of a story; its `members` must have texts and categories."""
    articles = with_originals(members)
    shown = story_text(articles, title, tuning)
    standing = of_standing(articles)
    return Rendering(
        shown=shown,
        text="" if len(articles) == 1 else as_text(shown, articles),
        originals={
            article.id: None if article.version else article.copy_of
            for article in articles
        },
        names=names_of(standing),
        topics=topics_of(standing),
    )


def story_text(
    articles: Sequence[ArticleView], title: str, tuning: StoryTuning
) -> StoryText:
    """Return the content of a story under its title; the articles must have texts and may be in any order.

    The time that this takes grows with the number of reports, which `reports_cap` limits. Articles with `nosnippet` are
    never quoted. If the story has sources with standing, the lead, the openings and the quotations are from them, or
    from an original that they copy.
    """
    articles = sorted(with_originals(articles), key=BY_TIME)
    reports = reports_of(articles, tuning)
    lead: tuple[Passage, ...] = ()
    if chosen := lead_of(articles, tuning, title):
        report, (first,) = chosen
        is_supported = partial(is_confirmed, article=report, reports=reports)
        texts = (
            lead_paragraphs(report.text, first, is_supported)
            or lead_paragraphs(report.lead, first, is_supported)
            or [first] * (count_words(first) <= LEAD_WORDS)
        )
        lead = tuple(Passage(text=text, article_id=report.id) for text in texts)
    openings: tuple[Passage, ...] = ()
    quotations: tuple[Quotation, ...] = ()
    if len(reports) > 1:
        quotable = [report for report in reports if not report.nosnippet]
        openings = _openings(quotable, articles, title, lead)
        lead_texts = [passage.text for passage in lead]
        key_words = heads(". ".join((title, *lead_texts)), articles[0].language)
        shown = [*lead_texts, *(passage.text for passage in openings)]
        news = [report for report in quotable if is_news(report)]
        agreeing = [report for report in news if report.counts_as_report]
        quotations = quotations_of(
            agreeing or news or quotable, articles, shown, key_words
        )
    by_id = {article.id: article for article in articles}
    # The sentences of versions that are not current which the current text tells differently
    passages: dict[Passage, None] = {}
    for article in articles:
        current = by_id.get(article.copy_of or "")
        if article.version is None or current is None or article.nosnippet:
            continue
        for changed in changed_sentences(version_of(article), version_of(current)):
            text = without_dateline(changed.own)
            passages[Passage(text=text, article_id=article.id)] = None
        if len(passages) >= VERSION_SENTENCES:
            break
    return StoryText(
        title=title,
        lead=lead,
        openings=openings,
        quotations=quotations,
        versions=tuple(passages),
        version=VERSION,
    )


def reports_of(
    articles: Sequence[ArticleView], tuning: StoryTuning
) -> list[ArticleView]:
    """Return the reports and explainers for openings and quotations, the newest first, at most `reports_cap`.

    These are the articles of `with_standing` that are not copies.
    Reports that are not counted because they agree too little with the story are included. If there are too many, the
    newest report of each sender is taken first, then the second newest of each, and so on. If a story has only opinions
    or containers, these are returned. The articles must come from `with_originals`.
    """
    present = {article.id for article in articles}
    originals = [
        article for article in with_standing(articles) if article.copy_of not in present
    ]
    reports = [
        article
        for article in originals
        if article.role in COUNTED_ROLES and article.kind != "opinion"
    ] or originals
    reports.sort(key=BY_TIME, reverse=True)
    seen: Counter[str] = Counter()
    rounds = {}
    for report in reports:
        speaker = speaker_of(report)
        rounds[report.id] = seen[speaker]
        seen[speaker] += 1
    # The sort is stable, so each round stays ordered from the newest report to the oldest
    chosen = sorted(rounds, key=rounds.__getitem__)[: tuning.reports_cap]
    return [report for report in reports if report.id in chosen]


def _openings(
    reports: Sequence[ArticleView],
    articles: Sequence[ArticleView],
    title: str,
    lead: Sequence[Passage],
) -> tuple[Passage, ...]:
    """Return a sentence for each report except that of the lead, unless the lead says it.

    The sentence is from the newest report of the sender that has a new sentence. Of all openings but the first, the one
    that differs most from the texts above it comes second. At the end come sentences of reports that have nothing new
    (`own_sentence`).
    """
    leading = {passage.article_id for passage in lead}
    leading.update(
        str(article.copy_of) for article in articles if article.id in leading
    )
    above = [title, *(passage.text for passage in lead)]
    # The content words of all texts above, by the language of the report in which they are read
    known: dict[str | None, set[str]] = {}
    openings: list[tuple[float, Passage]] = []
    heard = {speaker_of(article) for article in articles if article.id in leading}
    for report in reports:
        if speaker_of(report) in heard:
            continue
        language = report.language
        if language not in known:
            known[language] = set().union(*(heads(text, language) for text in above))
        text = "" if report.id in leading else title_sentence(report, known[language])
        if text:
            content = heads(text, language).keys()
            share = len(content - known[language]) / max(1, len(content))
            openings.append((share, Passage(text=text, article_id=report.id)))
            heard.add(speaker_of(report))
            above.append(text)
            for other, words in known.items():
                words.update(heads(text, other))
    if len(openings) > 1:
        differing = max(openings[1:], key=lambda opening: opening[0])
        openings.remove(differing)
        openings.insert(1, differing)
    passages = [passage for _, passage in openings]
    # The other reports speak, too, unless the lead says what they say.
    speaking = {passage.article_id for passage in passages}
    lead_texts = [passage.text for passage in lead]
    for report in reports:
        if report.id not in speaking and report.id not in leading:
            text = own_sentence(report, lead_texts, [*lead_texts, *above])
            if text:
                passages.append(Passage(text=text, article_id=report.id))
                above.append(text)
    return tuple(passages)


def title_sentence(report: ArticleView, known: Set[str] = frozenset()) -> str:
    """Return the sentence of a report that tells most of its title and is new beside the words `known`; else "".

    The sentence is shown below the title of the report, so it may refer to the title, and the feed may have cut it. It
    is one of the first SENTENCES_TRIED sentences that can be shown. It has a word of the title if any of them has one.
    The sentence with most words of the title is preferred, where a number or a quotation is worth FACT_WORTH words.
    Questions are weak, and so are sentences that speak to the reader or need the sentence before them: they lose
    WEAK_COST words. Sentences that are not weak and have ENOUGH_NEW new words come before all others.
    """
    title = clean_title(report)
    language = report.language
    titled = heads(title, language).keys()
    lines = (report.text or report.lead)[:CHARS_READ].split("\n")
    sentences = sentences_of_report("\n".join(without_front_matter(lines)), title)
    fit = (
        sentence
        for sentence in sentences
        if front_matter(sentence, language) not in NOT_SHOWN
        or (is_cut(sentence) and sentence[:1].isupper())
    )
    most = 0
    new_ones = []
    for sentence in islice(fit, SENTENCES_TRIED):
        content = heads(sentence, language).keys()
        fault = None if is_cut(sentence) else front_matter(sentence, language)
        is_weak = (
            fault is not None
            or needs_sentence_before(sentence, language)
            or refers_back(sentence, title, language)
        )
        worth = len(titled & content) - WEAK_COST * is_weak
        most = max(most, worth)
        new = len(content - known)
        if new >= NEW_SHARE * len(content):
            tells_more = new >= ENOUGH_NEW and not is_weak
            tells_fact = worth > 0 and FACT.search(sentence) is not None
            rank = tells_more, worth + FACT_WORTH * tells_fact
            new_ones.append((rank, worth, sentence))
    of_title = [one for one in new_ones if one[1] >= min(1, most)]
    return max(of_title, key=itemgetter(0), default=("", 0, ""))[2]


def own_sentence(report: ArticleView, lead: Sequence[str], above: Sequence[str]) -> str:
    """Return the sentence of a report for its line, although it may refer back or tell nothing new; else "".

    A sentence that repeats the `lead` is not returned. Sentences that are unlike all texts `above` are preferred, then
    those with most words of the title. A feed whose text has no sentences is shown with its first line.
    """
    title = clean_title(report)
    language = report.language
    titled = frozenset(heads(title, language))
    lines = without_front_matter((report.text or report.lead)[:CHARS_READ].split("\n"))
    said = _heads_of_sentences(lead, language)
    shown = [*said, *_heads_of_sentences(above, language)]
    sentences = sentences_of_report("\n".join(lines), title)
    best: tuple[float, str] | None = None
    for sentence in islice(filter(None, (*sentences, *lines[:1])), SENTENCES_TRIED):
        words = frozenset(heads(sentence, language))
        fault = front_matter(sentence, language)
        is_title = same_line(sentence, report.title) or same_line(sentence, title)
        if fault in NEVER_SHOWN or is_title or len(sentence) > LONGEST:
            continue
        # Half a quotation is not shown, nor is a sentence that does not stand so in one paragraph.
        if has_odd_marks(sentence) or not any(sentence in line for line in lines):
            continue
        if count_words(sentence) < FEWEST_SHOWN or _likeness(words, said) >= REPEATS:
            continue
        is_weak = fault is not None or needs_sentence_before(sentence, language)
        worth = dice(words, titled) - _likeness(words, shown) - WEAK_SHARE * is_weak
        if best is None or worth > best[0]:
            best = (worth, sentence)
    return "" if best is None else best[1]


def _heads_of_sentences(
    texts: Sequence[str], language: str | None
) -> list[frozenset[str]]:
    """Return the heads of each text, and of each of its sentences."""
    sentences = [one for text in texts for row in sentences_of(text) for one in row]
    return [frozenset(heads(text, language)) for text in (*texts, *sentences)]


def _likeness(words: frozenset[str], others: Sequence[frozenset[str]]) -> float:
    """Return the greatest likeness of a sentence to other texts, each by the heads of its words."""
    return max((dice(words, other) for other in others), default=0.0)
