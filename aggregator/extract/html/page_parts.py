"""Parts of a page that extraction takes wrongly: the next article, page numbers, the lead above the body.

Pages that scroll on without end have the next article below their own, in an element like that of their own. A
lead often stands outside the element of the body, which is all that extraction finds.
"""

import re
from itertools import islice, product
from typing import Any

from aggregator.extract.html.boxes import element_line, hyphenated, names_in
from aggregator.extract.html.metadata import PageFacts
from aggregator.extract.html.split_body import line_key
from aggregator.extract.plain.boilerplate import PATTERNS
from aggregator.text.lines import count_words, fold_line, is_prose, word_list

_LEAST_TITLE_WORDS = 3  # a shorter headline may be the name of a section (chosen)
_LEAST_PROSE = (
    2  # paragraphs that make an article of an element with a headline (chosen)
)
# So far up from the words of a page number stands the whole line, which has at most so many characters (chosen).
_PAGER_LEVELS, _PAGER_CHARS = 4, 90
_MOST_PAGE_WORDS = 50  # (limit) texts of a page that name a page
_PAGE_WORD = re.compile("|".join(PATTERNS["page_words"]), re.IGNORECASE)
_PAGE_NUMBER = re.compile("|".join(PATTERNS["page_numbers"]), re.IGNORECASE)
_MOST_LEAD_WORDS = 120  # (chosen) more is a body
_MOST_DIGITS = 0.15  # share of the characters of a lead (chosen)
_LEAD_NAME = re.compile(
    r"(?:^|[-_ ])(?:lead|lede|stand-?first|teaser|intro(?:duction)?|dec?k|summary|excerpt|abstract|sub-?titles?|"
    r"sub-?head(?:line|ing)?|description|headnote|precede|"
    r"vorspann|anlauf|anriss|unterzeile|dachzeile|chap[oôeô]u?|accroche|entradilla|bajada|copete|sumario|"
    r"occhiello|sommario|catenaccio|linha-?fina|gravata|inleiding|ingress|manchet|perex|lid|zajawka|sapo)"
    r"(?:$|[-_ ]|text)"
)
_LEAD_ATTRIBUTES = word_list("class id itemprop data-testid data-component role")
_LEAD_TAGS = word_list("p div section h2 h3 strong blockquote span")


def further_articles(root: Any, facts: PageFacts) -> list[Any]:
    """Return the elements of further articles below that whose headline the page declares as its title."""
    declared = [fold_line(name) for name in (facts.title, *facts.headings[2:]) if name]
    headlines = [
        (heading, fold_line(element_line(heading))) for heading in root.iter("h1", "h2")
    ]
    own = next(
        (
            heading
            for heading, words in headlines
            if count_words(words) >= _LEAST_TITLE_WORDS
            and any(words in name or name in words for name in declared)
        ),
        None,
    )
    if own is None:
        return []
    above_own = [own, *own.iterancestors()]
    own_words = fold_line(element_line(own))
    found: dict[Any, None] = {}
    for heading, words in headlines:
        above = [heading, *heading.iterancestors()]
        if words == own_words or not found.keys().isdisjoint(above):
            continue
        common = {*above_own}.intersection(above)
        pairs = product(
            (part for part in reversed(above_own) if part not in common),
            (part for part in reversed(above) if part not in common),
        )
        for mine, other in pairs:
            is_alike = heading.tag == own.tag or bool(
                mine.get("class") and mine.get("class") == other.get("class")
            )
            if (
                is_alike
                and mine.tag == other.tag
                and _has_prose(mine)
                and _has_prose(other)
            ):
                found[other] = None
                break
    return list(found)


def _has_prose(element: Any) -> bool:
    prose = (p for p in element.iter("p") if is_prose(element_line(p)))
    return sum(1 for _ in islice(prose, _LEAST_PROSE)) == _LEAST_PROSE


def page_numbers(root: Any) -> tuple[list[Any], bool]:
    """Return the elements that say "Page 1 of 3" or "Next page", and whether there are several pages."""
    found: dict[Any, None] = {}
    has_more = False
    starts = (
        part
        for element in root.iter()
        for words, part in (
            (element.text, element),
            (element.tail, element.getparent()),
        )
        if words
        and len(words) <= _PAGER_CHARS
        and not words.isspace()  # most are
        and _PAGE_WORD.search(words)
    )
    for start in islice(starts, _MOST_PAGE_WORDS):
        whole = None
        for element in islice((start, *start.iterancestors()), _PAGER_LEVELS):
            line = element_line(element)
            if len(line) > _PAGER_CHARS:
                break
            if number := _PAGE_NUMBER.fullmatch(line):
                whole = element
                numbers = re.findall(r"\d+", number[0])
                has_more |= not numbers or any(int(n) > 1 for n in numbers)
        if whole is not None and whole.tag not in ("h1", "h2", "title"):
            found[whole] = None
    return list(found), has_more


def with_lead(root: Any, text: str, facts: PageFacts) -> str:
    """Return `text` with the lead before it that stands between headline and body in an element of its own."""
    names = {fold_line(name) for name in (facts.title, *facts.headings) if name}
    lines = [line for line in text.split("\n") if line]
    if not lines:
        return text
    keys = set(map(line_key, lines))
    first = line_key(next(filter(is_prose, lines), lines[0]))
    is_below = False
    lead = ""
    for element in root.iter("h1", *_LEAD_TAGS):
        if element.tag == "h1":
            is_below = fold_line(element_line(element)) in names
            lead = "" if is_below else lead
            continue
        if not is_below or (lead and element.tag != "p"):
            continue
        words = element_line(element)
        if line_key(words) == first:
            break
        if not lead and _is_lead(element, words) and fold_line(words) not in names:
            lead = words
    else:
        return text
    if not lead or line_key(lead) in keys or fold_line(lead) in fold_line(text):
        return text
    return f"{lead}\n{text}"


def _is_lead(element: Any, words: str) -> bool:
    return (
        is_prose(words)
        and count_words(words) <= _MOST_LEAD_WORDS
        # A line of dates has more
        and sum(map(str.isdigit, words)) <= _MOST_DIGITS * len(words)
        and _LEAD_NAME.search(hyphenated(names_in(element, _LEAD_ATTRIBUTES)))
        is not None
        and element.find(".//a//*") is None
        and not any(
            parent.tag in ("a", "aside", "nav", "footer")
            for parent in element.iterancestors()
        )
    )
