"""Handles three parts of a page that trafilatura, the extraction library, gets wrong.

* Pages that scroll on without end show further articles below their own, in elements of the same kind.
* Page numbers and links to the next page ("Page 1 of 3") are taken for text.
* The lead, a paragraph that sums up the article below its headline, is lost if it stands outside the body.
"""

import re
from collections import Counter
from itertools import islice
from typing import Any

from aggregator.extract.html.boxes import element_line, hyphenated, names_in
from aggregator.extract.html.metadata import PageFacts
from aggregator.extract.html.split_body import line_key
from aggregator.extract.plain.boilerplate import PATTERNS
from aggregator.text.lines import count_words, fold_line, is_prose, word_list

# Constants for further articles. A shorter headline may be the name of a section (chosen).
_LEAST_TITLE_WORDS = 3
# An element with a headline and this many paragraphs of prose is an article (chosen).
_LEAST_PARAGRAPHS = 2

# Constants for page numbers. "Page" and "3" may stand in separate elements, so the whole pager is searched in this many
# elements, from the element of the word outwards. A pager has at most this many characters (chosen).
_PAGER_LEVELS = 4
_PAGER_CHARS = 90
# A page may mention pages any number of times; only this many mentions are checked, to bound the time.
_MOST_PAGE_WORDS = 50
_PAGE_WORD = re.compile("|".join(PATTERNS["page_words"]), re.IGNORECASE)
_PAGE_NUMBER = re.compile("|".join(PATTERNS["page_numbers"]), re.IGNORECASE)

# Constants for leads. A longer text is a body, and a line with a larger share of digits is a list of dates (chosen).
_MOST_LEAD_WORDS = 120
_MOST_LEAD_DIGITS = 0.15
# Names of the lead in the HTML of outlets, in many languages: class="article__standfirst", itemprop="description".
_LEAD_NAME = re.compile(
    r"(?:^|[-_ ])(?:lead|lede|stand-?first|teaser|intro(?:duction)?|dec?k|summary|excerpt|abstract|sub-?titles?|"
    r"sub-?head(?:line|ing)?|description|headnote|precede|"
    r"vorspann|anlauf|anriss|unterzeile|dachzeile|chap[oôeô]u?|accroche|entradilla|bajada|copete|sumario|"
    r"occhiello|sommario|catenaccio|linha-?fina|gravata|inleiding|ingress|manchet|perex|lid|zajawka|sapo)"
    r"(?:$|[-_ ]|text)"
)
# Attributes and elements that may have such a name
_LEAD_ATTRIBUTES = word_list("class id itemprop data-testid data-component role")
_LEAD_TAGS = word_list("p div section h2 h3 strong blockquote span")


def further_articles(root: Any, facts: PageFacts) -> list[Any]:
    """Return the elements with further articles, below the article whose title the page declares.

    The ancestors of the page's own headline and of a further headline are compared, outermost first. The first two
    that have the same tag and both hold paragraphs are the two articles.
    """
    # Visible headlines do not count as declared. The declared heading follows up to two of them in `headings`, so it is
    # left out here if the page shows fewer than two.
    declared = [fold_line(name) for name in (facts.title, *facts.headings[2:]) if name]
    headlines = [
        (heading, fold_line(element_line(heading))) for heading in root.iter("h1", "h2")
    ]
    own_headline = next(
        (
            (heading, title)
            for heading, title in headlines
            if count_words(title) >= _LEAST_TITLE_WORDS
            and any(title in name or name in title for name in declared)
        ),
        None,
    )
    if own_headline is None:
        return []
    own, own_title = own_headline
    with_paragraphs = _with_paragraphs(root)
    own_branch = [own, *own.iterancestors()]
    articles: dict[Any, None] = {}
    for heading, title in headlines:
        branch = [heading, *heading.iterancestors()]
        if title == own_title or not articles.keys().isdisjoint(branch):
            continue
        shared = {*own_branch}.intersection(branch)
        # Sections of one article have headings of a lower level, and seldom the class of the article.
        is_same_level = heading.tag == own.tag
        # The outermost parts of the branch, by what the part of the page's own article must have in common with them
        parts: dict[tuple[str, str], Any] = {}
        for part in branch:
            if part not in shared and part in with_paragraphs:
                parts[_sort_of(part, is_same_level=is_same_level)] = part
        for own_part in reversed(own_branch):
            if own_part in shared or own_part not in with_paragraphs:
                continue
            sort = _sort_of(own_part, is_same_level=is_same_level)
            if sort in parts and (is_same_level or sort[1]):
                articles[parts[sort]] = None
                break
    return list(articles)


def _sort_of(element: Any, *, is_same_level: bool) -> tuple[str, str]:
    """Return the tag of an element; below headlines of another level, its class, too."""
    return element.tag, "" if is_same_level else element.get("class") or ""


def _with_paragraphs(root: Any) -> set[Any]:
    """Return the elements that hold enough paragraphs of prose for an article.

    An element with enough of them has ancestors with enough of them, so counting ends there: linear time.
    """
    counts: Counter[Any] = Counter()
    for paragraph in root.iter("p"):
        if not is_prose(element_line(paragraph)):
            continue
        for element in (paragraph, *paragraph.iterancestors()):
            if counts[element] == _LEAST_PARAGRAPHS:
                break
            counts[element] += 1
    return {element for element, count in counts.items() if count == _LEAST_PARAGRAPHS}


def page_numbers(root: Any) -> tuple[list[Any], bool]:
    """Return the elements that say "Page 1 of 3" or "Next page", and whether the article has several pages."""
    mentions = (
        element
        for parent in root.iter()
        for text, element in (
            (parent.text, parent),
            (parent.tail, parent.getparent()),
        )
        if text
        and len(text) <= _PAGER_CHARS
        and not text.isspace()  # a cheap check first, which most texts fail
        and _PAGE_WORD.search(text)
    )
    pagers: dict[Any, None] = {}
    has_more = False
    for mention in islice(mentions, _MOST_PAGE_WORDS):
        pager = None
        for element in islice((mention, *mention.iterancestors()), _PAGER_LEVELS):
            line = element_line(element)
            if len(line) > _PAGER_CHARS:
                break
            if number := _PAGE_NUMBER.fullmatch(line):
                pager = element
                # "Next page" has no digits, and "Page 1 of 1" is the only page.
                digits = re.findall(r"\d+", number[0])
                has_more |= not digits or any(int(n) > 1 for n in digits)
        if pager is not None and pager.tag not in ("h1", "h2", "title"):
            pagers[pager] = None
    return list(pagers), has_more


def with_lead(root: Any, text: str, facts: PageFacts) -> str:
    """Return `text` with the lead as its first line, if the lead stands between the headline and the body."""
    lines = [line for line in text.split("\n") if line]
    if not lines:
        return text
    headlines = {fold_line(name) for name in (facts.title, *facts.headings) if name}
    # The body begins here; a line above may be a byline.
    first_paragraph = line_key(next(filter(is_prose, lines), lines[0]))
    is_below_headline = False
    lead = ""
    for element in root.iter("h1", *_LEAD_TAGS):
        if element.tag == "h1":
            is_below_headline = fold_line(element_line(element)) in headlines
            if is_below_headline:
                lead = ""
            continue
        # After the lead, only the beginning of the body is searched for, which is a <p>.
        if not is_below_headline or (lead and element.tag != "p"):
            continue
        line = element_line(element)
        if line_key(line) == first_paragraph:
            break
        if not lead and _is_lead(element, line) and fold_line(line) not in headlines:
            lead = line
    else:
        return text  # the body does not stand below the headline
    if not lead or line_key(lead) in map(line_key, lines):
        return text
    return text if fold_line(lead) in fold_line(text) else f"{lead}\n{text}"


def _is_lead(element: Any, line: str) -> bool:
    """Return whether an element has the name of a lead, and its text `line` reads like a lead."""
    return (
        is_prose(line)
        and count_words(line) <= _MOST_LEAD_WORDS
        and sum(map(str.isdigit, line)) <= _MOST_LEAD_DIGITS * len(line)
        and _LEAD_NAME.search(hyphenated(names_in(element, _LEAD_ATTRIBUTES)))
        is not None
        and element.find(".//a//*") is None  # a link around elements is a card
        and not any(
            parent.tag in ("a", "aside", "nav", "footer")
            for parent in element.iterancestors()
        )
    )
