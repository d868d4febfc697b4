"""The agreement of a text with the reports of others in its story.

Anyone can copy a headline and the sentences below it. So an article is about the event only if other reports confirm
words that it did not copy.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec.structs import replace

from aggregator.extract.wire.agencies import is_mail_address
from aggregator.grouping.copies.shared_wording import (
    own_words,
    repeats_sentences,
    without_foreign_sentences,
)
from aggregator.grouping.pairs.pair_article import (
    TEXT,
    PairArticle,
    beside_title,
    shared_beside_title,
    shares_weighty_word,
)
from aggregator.grouping.pairs.term_codec import Hashes, hashes_of, ids_of, read
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.title_differences import are_alike
from aggregator.grouping.pairs.weights import EventModel
from aggregator.grouping.scores.report_comparison import ReportComparison
from aggregator.grouping.stream import NewsStream
from aggregator.model.article import Article, ComparedText
from aggregator.model.evidence import Agreement, Evidence, TextReuse
from aggregator.store.engine.database import Connection
from aggregator.store.stories import live_stories, stored_articles
from aggregator.store.stories.article_rows import article_writes, compared_articles
from aggregator.store.stories.live_stories import LiveStory
from aggregator.stories.counting.copy_groups import sender_of

# Copied sentences are searched in at most this many texts for each compared report
_TEXTS_READ = 3
# Sentences with their words in another order are searched in this many of the most similar texts
_LIKEST = 3


class AgreementCheck:
    """Checks whether articles agree with their stories. For one thread of the writer."""

    def __init__(
        self, model: EventModel, comparison: ReportComparison, stream: NewsStream
    ) -> None:
        self._model = model
        self._comparison = comparison
        self._tuning = comparison.tuning
        self._stream = stream

    @cached_property
    def _packer(self) -> TermPacker:
        return TermPacker(self._model)

    def _hashes(self, text: str, language: str | None) -> Hashes:
        """Return the hashes of the words of a text."""
        terms, _ = self._packer.pack("", text, language)
        return hashes_of(ids_of(read(terms)))

    def agreement(
        self,
        connection: Connection,
        compared: PairArticle,
        text: ComparedText,
        story: LiveStory,
        reuse: TextReuse | None,
    ) -> Agreement | None:
        """Return how much an article agrees with the counted reports of others in a story.

        Return None if the article counts without this: if no report of others has text, or if its source has standing
        and it shares one weighty word with title or lead of a report, tells its news in a line or two under a headline
        of its own, or is only a headline. Other articles must share much. Words that an article copied do not count:
        from the text of `reuse` or, if its source has no standing, from any other text of the story.
        """
        snapshot = self._stream.snapshot(connection)
        counted = _vouching(compared, story)[: self._tuning.compared_reports]
        reports = list(map(self._comparison.decoded, counted))
        if not any(map(len, map(beside_title, reports))):
            return None  # bare headlines can neither confirm nor deny a text
        own, copied = self._own_words(connection, compared, text, story, reuse)
        if not compared.is_little_known:
            has_no_own_words = copied is None and not len(own)
            if (
                has_no_own_words
                or self._is_short_news(compared, reports)
                or shares_weighty_word(
                    own, reports, snapshot, self._tuning.short_body_idf
                )
            ):
                return None
        return Agreement(
            shared=shared_beside_title(own, reports, snapshot),
            need=self._tuning.agreement,
            copied=copied,
        )

    def _own_words(
        self,
        connection: Connection,
        compared: PairArticle,
        text: ComparedText,
        story: LiveStory,
        reuse: TextReuse | None,
    ) -> tuple[Hashes, str | None]:
        """Return the words beside its title that an article did not copy, and the id of the text that it copied."""
        own = beside_title(compared)
        # Words may be copied from these texts of others in the story.
        others = [
            other
            for other in story.reports
            if sender_of(other) != compared.sender
            and (compared.is_little_known or (reuse and other.id == reuse.other))
        ][: _TEXTS_READ * self._tuning.compared_reports]
        if not others:
            return own, None
        texts = compared_articles.compared_texts(
            connection, [other.id for other in others]
        )
        # If several texts are copied equally, the first one is named, so the order must not depend on the database.
        in_order = [texts[other.id] for other in others if other.id in texts]
        words, copied = own_words(text, in_order)
        if copied is not None:
            # An article that is mostly copied has no words of its own.
            if 2 * len(words) <= len(text.text):
                return own[:0], copied
            return np.intersect1d(own, self._hashes(words, text.language)), copied
        if compared.is_little_known:
            copied = self._find_rearranged(compared, text, others, texts)
            if copied is not None:
                return own[:0], copied
        return own, None

    def _is_short_news(
        self, compared: PairArticle, reports: Sequence[PairArticle]
    ) -> bool:
        """Return whether an article has a short body, under a headline that is unlike the headlines of the reports."""
        return compared.body_words < self._tuning.short_body_words and not any(
            are_alike(
                compared.title_pieces, report.title_pieces, self._tuning.headline_share
            )
            for report in reports
        )

    def _find_rearranged(
        self,
        compared: PairArticle,
        text: ComparedText,
        others: Sequence[Article],
        texts: Mapping[str, ComparedText],
    ) -> str | None:
        """Return the most similar other text if the three most similar have most of an article's words or sentences.

        A scrambled copy shares no run of words with its source. Sentences about something else are left out, so that
        they do not make the copied words between them an account of the article's own.
        """
        text = without_foreign_sentences(text, texts.values())
        beside = np.intersect1d(
            beside_title(compared), self._hashes(text.text, text.language)
        )
        parts = {
            other.id: self._comparison.decoded(other).parts[TEXT]
            for other in others
            if other.id in texts
        }
        if not parts or not len(beside):
            return None
        likest = sorted(parts, key=lambda id_: len(np.setdiff1d(beside, parts[id_])))[
            :_LIKEST
        ]
        reported = np.unique(np.concatenate([parts[id_] for id_ in likest]))
        is_long = compared.body_words >= self._tuning.copied_from_words
        most = self._tuning.copied_words if is_long else self._tuning.copied_of_short
        lacking = len(np.setdiff1d(beside, reported))
        if lacking <= (1 - most) * len(beside) or repeats_sentences(
            text, [texts[id_] for id_ in likest]
        ):
            return likest[0]
        return None

    def store_evidence(
        self, connection: Connection, id: str, story: str, evidence: Evidence
    ) -> None:
        """Store the evidence of an article that moves to a story, with its agreement there."""
        compared = self._comparison.decoded(
            stored_articles.read_article(connection, id)
        )
        text = compared_articles.compared_texts(connection, [id])[id]
        (live,) = live_stories.find_live(connection, [story])
        agreement = self.agreement(connection, compared, text, live, evidence.reuse)
        article_writes.set_evidence(
            connection, id, replace(evidence, agreement=agreement)
        )


def agreement_of_copy(
    connection: Connection, article: Article, original: str
) -> Agreement | None:
    """Return the agreement of the original of a copy, if any; None if the source of the copy has standing."""
    if not article.is_little_known:
        return None
    return stored_articles.read_evidence(connection, original).agreement


def _vouching(compared: PairArticle, story: LiveStory) -> list[Article]:
    """Return the counted reports of a story that may confirm an article, in the order of the story's reports.

    They are from other outlets and senders, because nobody can confirm a report of their own, and are not unconfirmed
    mails. If any of them have standing, only these may confirm. An article with standing can only be confirmed by
    reports with standing, because a sender without standing may confirm or deny anything.
    """
    others = [
        report
        for report in story.reports
        if report.counts_as_report
        and sender_of(report) != compared.sender
        and not is_mail_address(report.outlet_key)
        and (report.outlet_key is None or report.outlet_key != compared.outlet)
    ]
    standing = [report for report in others if not report.is_little_known]
    return standing if standing or not compared.is_little_known else others
