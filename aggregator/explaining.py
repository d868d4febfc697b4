"""`aggregator explain`: the stored evidence of a decision, and two articles weighed against each other."""

from aggregator.dedup import sums
from aggregator.dedup.copies import CopyRules, Wording, verdict
from aggregator.dedup.events import Article, Candidate, Scorer
from aggregator.dedup.shingles import shared_passages
from aggregator.dedup.terms import TermPacker
from aggregator.dedup.weights import shipped_model
from aggregator.errors import UsageError
from aggregator.model import ArticleView, CopyEvidence, Evidence, Noun, Reason
from aggregator.rules import RuleBook
from aggregator.store.reading import Explained, Reading

_SHARED_SHOWN = 12
_NAMES = {
    "all": "words of the whole text",
    "title": "words of the title",
    "lead": "words of the lead",
    "names": "names",
    "num": "numbers",
    "numu": "numbers with their unit",
    "rare": "rare words of the lead",
    "days": "time (to the nearest report)",
    "undated": "a date is missing",
    "no_body": "only a title",
}


class Pair(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """Two articles weighed against each other as they are today."""

    article: str
    title: str
    story: str
    same_story: bool
    score: float
    bias: float
    reasons: tuple[Reason, ...]
    copy: CopyEvidence | None
    passages: tuple[str, ...]


class Explanation(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """Why an article is in its story; with `pair`, why two are (not) together."""

    article: str
    title: str
    outlet: str | None
    story: str
    story_title: str
    evidence: Evidence
    shared_words: tuple[str, ...]
    pair: Pair | None = None

    def as_text(self) -> str:
        """For people."""
        return "\n".join(_lines(self))


def explanation(reading: Reading, article: str, other: str | None, book: RuleBook) -> Explanation:
    """Explain the placing of `article` (id or address), and its likeness to `other`.

    Raises UsageError for an article that is not there.
    """
    one = _found(reading, article)
    packer = TermPacker(shipped_model(book))
    words = packer.readable_terms(one.article.title, one.article.text, one.article.language)
    shared = tuple(dict.fromkeys(words[id_].casefold() for id_ in one.evidence.shared if id_ in words))
    pair = None if other is None else _pair(one, _found(reading, other), packer, book)
    return Explanation(
        article=one.article.id,
        title=one.article.title,
        outlet=one.article.outlet,
        story=one.story,
        story_title=one.story_title,
        evidence=one.evidence,
        shared_words=shared,
        pair=pair,
    )


def _found(reading: Reading, article: str) -> Explained:
    found = reading.explained(article)
    if found is None:
        raise UsageError(f"there is no article {article}; `aggregator story ID` lists their ids")
    return found


def _pair(one: Explained, two: Explained, packer: TermPacker, book: RuleBook) -> Pair:
    model = shipped_model(book)
    left, right = _weighed(one.article, packer), _weighed(two.article, packer)
    alone = sums.add(sums.Sums(), right.member(model), model)
    candidate = Candidate(1, two.story, 0, sums.read_front(sums.to_bytes(alone, model)))
    scored = Scorer(model).score(left, [candidate])[0]
    rules = book.section("copies", CopyRules)
    passages = shared_passages(one.article.text, two.article.text, 3)
    return Pair(
        article=two.article.id,
        title=two.article.title,
        story=two.story,
        same_story=one.story == two.story,
        score=scored.score,
        bias=model.bias,
        reasons=scored.reasons,
        copy=verdict(_wording(one.article), _wording(two.article), rules),
        passages=tuple(passage.text for passage in passages),
    )


def _weighed(article: ArticleView, packer: TermPacker) -> Article:
    terms, words = packer.pack_counted(
        article.title, article.text, article.language, is_container=article.role == "container"
    )
    minutes = None if article.published is None else int(article.published.timestamp() // 60)
    return Article(terms=terms, minutes=minutes, body_words=words)


def _wording(article: ArticleView) -> Wording:
    return Wording(id=article.id, text=article.text, title=article.title, outlet=article.outlet)


def _lines(told: Explanation) -> list[str]:
    lines = [f"{told.title}", f"  article {told.article} by {told.outlet or 'an unknown outlet'}"]
    lines += [f"  in story {told.story}: {told.story_title}", "", *_evidence(told.evidence)]
    if told.shared_words:
        lines.append(f"  shared with the story: {', '.join(told.shared_words)}")
    if told.pair is not None:
        lines += ["", *_pair_lines(told.pair)]
    return lines


def _evidence(evidence: Evidence) -> list[str]:
    lines = []
    if evidence.stage == "copy" and evidence.copy is not None:
        lines.append(f"It is a copy: {_copy(evidence.copy)}.")
    elif evidence.score is not None:
        lines.append(f"It joined by its score {evidence.score:.2f}; the story asked for {evidence.need:.2f}.")
        lines += _shares(evidence.bias, evidence.reasons, evidence.score)
    elif evidence.stage == "founded":
        lines.append("It opened this story: no live story was near enough.")
    else:
        lines.append(f"It is here by {evidence.stage}.")
    if evidence.copy is not None and evidence.stage != "copy":
        lines.append(f"  {evidence.copy.kind} of another text: {_copy(evidence.copy)}")
    if evidence.runner_up is not None:
        rival = evidence.runner_up
        lines.append(f"  next best: story {rival.story}, score {rival.score:.2f}, asked for {rival.need:.2f}")
    return lines


def _pair_lines(pair: Pair) -> list[str]:
    together = "are in one story" if pair.same_story else "are in different stories"
    lines = [
        f"With {pair.title!r} ({pair.article}): they {together}.",
        f"  as a pair they score {pair.score:.2f}",
    ]
    lines += _shares(pair.bias, pair.reasons, pair.score)
    if pair.copy is not None:
        lines.append(f"  {pair.copy.kind}: {_copy(pair.copy)}")
    lines += [f'  both have: "{passage}"' for passage in pair.passages]
    return lines


def _copy(copy: CopyEvidence) -> str:
    return (
        f"{copy.resemblance:.0%} of all word triples are in both texts, {copy.containment:.0%} of the "
        f"smaller in the larger (of {copy.other})"
    )


def _shares(bias: float, reasons: tuple[Reason, ...], score: float) -> list[str]:
    rows = [
        f"  {_NAMES.get(one.name, one.name):28}{_value(one):>8}  gives {one.share:+7.2f}" for one in reasons
    ]
    start = f"  {'start':28}{'':8}  gives {bias:+7.2f}"
    return [start, *rows, f"  {'sum':28}{'':8}        {score:+7.2f}"]


def _value(reason: Reason) -> str:
    """Likenesses as they are, a time in the unit that people would say it in."""
    if reason.name != "days":
        return f"{reason.value:.2f}"
    hours = reason.value * 24
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{reason.value:.1f} d"
