"""Counts of what is wrong in the stories of a database, as a reader would see it.

Each count is one row of the table in docs/evaluation.md#stories. The rules here are written apart from the rules that
choose the texts, so that a wrong choice is not counted as right because the same rule made it.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from aggregator.admin.evaluate import place_records
from aggregator.admin.labelled_data import read_dataset
from aggregator.config.tuning import Tuning
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.article import ArticleView
from aggregator.model.clock import utc_now
from aggregator.model.story import StoryText
from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.stories.article_views import views_of_stories
from aggregator.store.tables import read_rows
from aggregator.stories.counting.copy_groups import COUNTED_ROLES
from aggregator.stories.counting.originals import (
    originals_with_copies,
    with_originals,
    with_standing,
)
from aggregator.stories.lexicon import words_of
from aggregator.stories.rendering import story_text
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.stories.story_words import dice, heads
from aggregator.stories.titles.title_text import clean_title
from aggregator.text.sentences import sentences_of

# A sentence with at least this likeness (Dice) to the lead, or to one of its sentences, repeats it.
REPEATS = 0.5
# The best sentence of a report is searched for in its first sentences
SENTENCES_READ = 8
# A text with fewer words tells nothing beside its title: "Photo"
FEWEST_TOLD = 4
# A text with fewer words cannot give a lead
FEWEST_WORDS = 10
# Two sentences of a lead say the same if this share of the words of the shorter one is in the longer one
SAID_TWICE = 0.8
FEWEST_SAID = 5
# An opening that shares at most this many heads with the title is a side fact, a plan or a feature
FEW_SHARED = 1

_CUT_WORDS = re.compile(r"[^\W\d_]+")
# A quotation whose words, or whose speaker, refer to a sentence that is not shown
LEANS = re.compile(
    r"^\W*(?:This|That|These|Those)(?:['’]s)? (?:is|was|are|were|will|would|has|means|makes?|should|can)\b"
    r"|^\W*(?:They|He|She)(?:['’]\w+)?\b"
    r"|^\W*It(?:['’]s)? (?!(?:is |was )?(?:\w+ )?\w+ (?:that|to|for|when|if)\b)"
    r"|\b(?:about|of|for|with|by|on|from|like|to|in) (?:that|this|those|these)\b[,.”\"]"
    r"|\b(?:do|did|done|said|say|know|believe|happen\w*) (?:that|this|it)[,.”\"]"
    r"|\bthe (?:group|company|organi[sz]ation|agency|union|committee|panel|firm|party|team|campaign|pair)['’]s? "
    r"(?:\w+ ){0,2}(?:president|director|chief|chair\w*|leader|head|spokes\w+|founder|secretary|lawyer|members?)\b"
)
# Words of a link that run into a sentence, captions and credits
FURNITURE = re.compile(
    r"[a-z][A-Z][a-z]+(?:\s\S+){1,30}?\sMORE\b|\bMORE\s\([DRI]|\s\|\s.*\s\|\s|\bGetty Images\b|\bAP Photo\b"
    r"|\bFILE PHOTO\b|\bRead more\b|\b[Cc]lick here\b|\bhide caption\b|\(AFP/|\bPhoto(?:graph)?(?: by|:)"
    r"|\bSign up (?:for|to)\b|\bcontributed to this report\b|pic\.twitter\.com"
)
# A label of a section that stands alone
LABEL = re.compile(
    r"(?:opinion|analysis|perspective|review|interview|live|sports?|kommentar|meinung|exclusive|video|update|watch"
    r"|guest essay|editorial|letters?|politics|world|business|news)s?",
    re.IGNORECASE,
)


class ShownStory(NamedTuple):
    """A story of several outlets with what its page shows."""

    title: str
    articles: list[ArticleView]
    text: StoryText

    @property
    def other_reports(self) -> list[ArticleView]:
        """The reports that may be quoted below the lead: no copies or opinions, of another text than the lead."""
        standing = {article.id for article in with_standing(self.articles)}
        leading = {passage.article_id for passage in self.text.lead}
        reports = []
        for article, copies in originals_with_copies(self.articles):
            group = {article.id, *(copy.id for copy in copies)}
            is_listed = article.role in COUNTED_ROLES and article.kind != "opinion"
            if is_listed and article.id in standing and group.isdisjoint(leading):
                reports.append(article)
        return reports

    @property
    def speakers(self) -> list[str]:
        """The names of the quoted speakers, each once."""
        return list(dict.fromkeys(each.speaker for each in self.text.quotations))

    @property
    def texts(self) -> list[str]:
        """All texts of the story's page that the program chose."""
        quotations = [each.text for each in self.text.quotations]
        passages = (*self.text.lead, *self.text.openings)
        return [self.title, *(passage.text for passage in passages), *quotations]


def placed_stories(path: Path) -> list[ShownStory]:
    """Place the articles of a labelled set as `eval` does, and return its stories of several outlets."""
    records = read_dataset(path)
    tuning = Tuning()
    with tempfile.TemporaryDirectory(prefix="aggregator-stories-") as folder:
        database = Database(f"sqlite:///{folder}/stories.db")
        work = InlineExecutor()
        try:
            upgrade(database)
            pipeline = Pipeline(database, work, tuning, utc_now, keep_all=True)
            place_records(records, database, pipeline, lambda _: None)
            return list(stories_of(database))
        finally:
            work.close()
            database.close()


def stories_of(database: Database, least: int = 2) -> Iterator[ShownStory]:
    """Yield the stories with articles of at least `least` outlets, in the order of their ids, rendered now."""
    with database.read() as connection:
        titles = dict(
            read_rows(
                connection,
                "SELECT id, title FROM story WHERE redirect_to IS NULL AND outlet_count >= :least ORDER BY id",
                least=least,
            )
        )
        for id_, title in titles.items():
            members = views_of_stories(connection, [id_], "text")[id_]
            articles = with_originals(members)
            yield ShownStory(
                title, articles, story_text(articles, title, shipped_tuning())
            )


def mute_reports(story: ShownStory) -> Iterator[ArticleView]:
    """Yield the reports without a sentence whose best sentence does not repeat the lead."""
    spoken = {passage.article_id for passage in story.text.openings}
    lead = [passage.text for passage in story.text.lead]
    said = [
        *lead,
        *(sentence for text in lead for row in sentences_of(text) for sentence in row),
    ]
    for report in story.other_reports:
        best = best_sentence(report)
        if report.id in spoken or len(best.split()) < FEWEST_TOLD or report.nosnippet:
            continue
        words = frozenset(heads(best, report.language))
        likeness = (
            dice(words, frozenset(heads(text, report.language))) for text in said
        )
        if max(likeness, default=0.0) < REPEATS:
            yield report


def best_sentence(report: ArticleView) -> str:
    """Return the sentence of a report's beginning with most words of its title, or its first words; "" without any."""
    text = report.text or report.lead
    titled = heads(clean_title(report), report.language).keys()
    sentences = [sentence for row in sentences_of(text) for sentence in row][
        :SENTENCES_READ
    ]
    if not sentences:
        return text.strip()
    return max(
        sentences,
        key=lambda sentence: len(titled & heads(sentence, report.language).keys()),
    )


def speakers_twice(story: ShownStory) -> list[tuple[str, str]]:
    """Return the pairs of names of one speaker: the same last word, and no two different first names."""
    return [pair for pair in combinations(story.speakers, 2) if _is_one_person(*pair)]


def _is_one_person(one: str, other: str) -> bool:
    first, second = one.split(), other.split()
    if first[-1].casefold() != second[-1].casefold():
        return False
    given = [_given_names(words) for words in (first, second)]
    return not all(given) or not given[0].isdisjoint(given[1])


def _given_names(words: Sequence[str]) -> set[str]:
    """Return the words before the last one that may be first names: no titles and no initials."""
    return {
        word.casefold()
        for word in words[:-1]
        if not _is_office(word)
        and len(_CUT_WORDS.sub("", word) or word) > 1
        and not word.endswith(".")
    }


def has_role(name: str) -> bool:
    """Return whether the name of a speaker has a title, a body or a middle letter: "EU Ann Berg", "Paul R. Berg"."""
    *given, last = name.split()
    has_letter = len(given) > 1 and any(
        re.fullmatch(r"(?:[A-Z]\.?)+", word) for word in given
    )
    return has_letter or any(
        _is_office(word) or re.fullmatch(r"[A-Z]{2,}|[A-Z][a-z]+\.", word)
        for word in (*given, last)
    )


def _is_office(word: str) -> bool:
    folded = word.lower().rstrip(".")
    return folded in words_of("titles") or folded in words_of("institutions")


def leaning_quotations(story: ShownStory) -> list[str]:
    """Return the quotations that refer to something that is not shown."""
    return [each.text for each in story.text.quotations if LEANS.search(each.text)]


def damaged_texts(story: ShownStory) -> list[str]:
    """Return the shown texts with furniture: words of links, captions, credits."""
    return [text for text in story.texts if FURNITURE.search(text)]


def lacks_lead(story: ShownStory) -> bool:
    """Return whether a story has no lead although one of its articles has words that may be quoted."""
    return not story.text.lead and any(
        len((article.text or article.lead).split()) >= FEWEST_WORDS
        and not article.nosnippet
        for article in story.articles
    )


def says_twice(story: ShownStory) -> bool:
    """Return whether the first two sentences of the lead say the same: a standfirst, and then it again, grown."""
    language = story.articles[0].language
    text = "\n".join(passage.text for passage in story.text.lead)
    sentences = [one for row in sentences_of(text) for one in row][:2]
    words = [frozenset(heads(sentence, language)) for sentence in sentences]
    fewest = min(map(len, words), default=0)
    return (
        len(words) == 2
        and fewest > FEWEST_SAID
        and len(words[0] & words[1]) >= SAID_TWICE * fewest
    )


def leads_aside(story: ShownStory) -> bool:
    """Return whether the first sentence of the lead shares hardly a word with the title."""
    language = story.articles[0].language
    first = (
        next(iter(sentences_of(story.text.lead[0].text)), []) if story.text.lead else []
    )
    titled = heads(story.title, language).keys()
    return bool(first) and len(titled & heads(first[0], language).keys()) <= FEW_SHARED


def is_label(story: ShownStory) -> bool:
    """Return whether the title is only the label of a section: "Opinion"."""
    return LABEL.fullmatch(story.title.strip()) is not None


# The rows of the table, each with what it counts in a story
COUNTS: dict[str, Callable[[ShownStory], Sequence[object]]] = {
    "stories": lambda story: [story.title],
    "other reports": lambda story: story.other_reports,
    "mute reports": lambda story: list(mute_reports(story)),
    "openings": lambda story: story.text.openings,
    "stories with quotations": lambda story: story.text.quotations[:1],
    "stories with a speaker under two names": lambda story: speakers_twice(story)[:1],
    "names of speakers": lambda story: story.speakers,
    "names with a role, a body or an initial": lambda story: [
        name for name in story.speakers if has_role(name)
    ],
    "quotations": lambda story: story.text.quotations,
    "leaning quotations": leaning_quotations,
    "damaged texts": damaged_texts,
    "stories without a lead": lambda story: [story.title] * lacks_lead(story),
    "leads that begin twice": lambda story: [story.text.lead] * says_twice(story),
    "leads with at most one word of the title": lambda story: (
        [story.title] * leads_aside(story)
    ),
    "titles that are labels": lambda story: [story.title] * is_label(story),
}


def counts(stories: Sequence[ShownStory]) -> dict[str, int]:
    """Return each count over all stories by its name."""
    return {
        name: sum(len(found_in(story)) for story in stories)
        for name, found_in in COUNTS.items()
    }


def examples(stories: Sequence[ShownStory], most: int) -> Iterator[str]:
    """Yield lines with up to `most` examples of each count."""
    for name, found_in in COUNTS.items():
        found = [one for story in stories for one in found_in(story)]
        for one in found[:most]:
            yield f"{name}: {one}"
