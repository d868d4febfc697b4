"""Recognises boilerplate of a page by the form and the words of a line.

Only whole lines match, so a real sentence is never cut. The patterns are in boilerplate.yaml, and phrases of about
thirty languages are in phrases.yaml. Rules that depend on the position of a line are in saved_text.py. See ADR 14.
"""

import re
from itertools import takewhile

from aggregator.config.shipped import ShippedTable
from aggregator.extract.phrases import (
    are_phrases,
    label_of,
    phrases,
    without_numbers,
    words,
)
from aggregator.extract.wire.wire import is_agency_name
from aggregator.text.lines import count_words, ends_sentence, is_prose, word_list

_SHORT_WORDS = 14
_LETTER = re.compile(r"[^\W_]")
_STEP = re.compile(r"[/>»›|]")
_BREADCRUMB = re.compile(r"(?:(?<!\s)\s++)?[/>»›|]\s*")
_BULLET = re.compile(r"^(?:[•●▪■◦‣⁃►▶➤→»›*·–—-])\s+")
PATTERNS = ShippedTable(
    "aggregator.extract", "boilerplate.yaml", dict[str, list[str]]
).content
_LONG_RE = re.compile("|".join(PATTERNS["any_length"]), re.IGNORECASE)
_SHORT_RE = re.compile("|".join(PATTERNS["short"]), re.IGNORECASE)
_READING_TIME = re.compile(
    r"\W*\d{1,3}\s?(?:min|мин|хв|dk|分|분)[^\W\d]{0,5}\.?(?: (?:read|listen))?\W*",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\+?[\d.,]{1,6}\s?[kKmM+]?|A[-+](?:\s?A[-+])?")
_ARROW = re.compile(r"(?<!\s)\s++(?:>{1,2}|›|»|→|/)\s+")
_CREDIT = re.compile(
    r"(?:^|[\s(\[|/©.▲（【])(?P<label>[^\W\d_]+(?:\s[^\W\d_]+)?)\s?[:=/©／][^:]{2,70}$"
)
_CREDITED = re.compile(r"(?:\s/|©|\s[|–])\s?(?P<name>[^/©|]{2,40})[)\]]?")
_SHORT_CREDIT = re.compile(
    r"(?:^|.*[\s(/.])fot\.\s[^.]{2,50}|.*\S\s?©\s?\S[^.©]{1,60}|"
    r".*[＝=].{1,20}(?:提供|撮影|写す|共同)|.*\s\S{2,8}\s?[摄攝]",
    re.IGNORECASE,
)
# Every credit has one of these marks.
_CREDIT_MARK = re.compile("[:=/©／]")
# Every short credit has one of these signs, which are searched first because that is cheap.
_SHORT_SIGNS = word_list("fot. © ＝ = 摄 攝")
_CHINESE_BYLINE = re.compile(
    r"[（(【]?(?:本[报報]|中央社)?[记記]者.{1,24}[报報][导導道][）)】]?|[（(].{0,6}[记記]者.{1,20}[）)]"
)
_SHORT_FORMS = (_SHORT_RE, _READING_TIME, _CHINESE_BYLINE)
# A longer line is not a heading of related links; the longest known heading has 60 characters
_HEADING_CHARS = 120
# The limit in words for scripts without spaces, where each character is a word
_WIDE_HEADING = 14
# A sentence of at least this many words after a label of one word is content, and not a link
_LABELLED_SENTENCE = 10
_CAPTION_WORDS = 60  # a longer line is not a caption
_LABELLED_WORDS = 40  # a label does not apply to a longer line
_LINE_START_WORDS = 25  # the first words do not decide about a longer line
_SHORT_SENTENCE_WORDS = (
    8  # the first words alone decide about a sentence up to this length
)
_BUTTON_WORDS = 3  # a phrase up to this length that ends like a sentence is a sentence, and not a button
_JOINING = frozenset(
    words(
        "and und et y e en & of the der die das de la le des dos das i og och и та ve"
    )
)


def is_section(line: str) -> bool:
    """Return whether `line` consists of the names of newspaper sections ("World News", "Middle East")."""
    line_words = words(line)
    return bool(line_words) and are_phrases(
        line_words, ("sections", "breadcrumb_home"), _JOINING
    )


def is_boilerplate(line: str) -> bool:
    """Return whether the whole `line` is boilerplate at any position; never for long prose."""
    if not _LETTER.search(line):
        return True
    plain = without_bullet(line)
    if _LONG_RE.fullmatch(plain):
        return True
    count = count_words(plain)
    is_sentence = (
        plain.endswith(".")
        and not plain.endswith("..")
        and (count > _SHORT_SENTENCE_WORDS or ". " in plain)
    )
    if (
        count <= _SHORT_WORDS
        and not is_sentence
        and any(form.fullmatch(plain) for form in _SHORT_FORMS)
    ):
        return True
    return is_caption(plain) or is_known_phrase(plain, count)


def is_weak(line: str) -> bool:
    """Return whether `line` is boilerplate next to other boilerplate or after the end of the article."""
    if _COUNT.fullmatch(line):
        return True
    if len(line) > _HEADING_CHARS or (
        ends_sentence(line) and not line.endswith(("...", "…"))
    ):
        return False
    core = without_numbers(words(line))
    return (
        phrases("ambiguous").has(core) or phrases("label").has(core) or is_section(line)
    )


def heads_related_links(line: str) -> bool:
    """Return whether `line` is a heading of links to other articles ("Related news:")."""
    if len(line) > _HEADING_CHARS:
        return False
    plain = without_bullet(line)
    line_words = without_numbers(words(plain))
    if (
        len(line_words) <= _WIDE_HEADING
        and all(len(word) == 1 for word in line_words)
        and not ends_sentence(plain)
    ):
        return any(
            line_words[place:] in phrases("links_heading").whole
            for place in range(len(line_words) - 1)
        )
    return not plain.endswith((".", "!")) and phrases("links_heading").has(line_words)


def is_caption(line: str) -> bool:
    """Return whether `line` ends with an image credit: "A ferry. Photo: Bo Marsh", "On Sunday. / EFE"."""
    if count_words(line) > _CAPTION_WORDS:
        return False
    bare = line.rstrip(" )]）】.")
    is_sentence = ends_sentence(line)
    tail = bare[-160:]
    small = tail.lower()
    if not is_sentence and (
        any(sign in small for sign in _SHORT_SIGNS) and _SHORT_CREDIT.fullmatch(tail)
    ):
        return True
    end = bare[-90:]
    credit = _CREDIT.search(end) if _CREDIT_MARK.search(end) else None
    if credit is not None:
        label = words(credit["label"])
        labels = (label[start:] for start in range(len(label)))
        if not phrases("credits").whole.isdisjoint(labels):
            return True
    if is_sentence and not line.endswith(")"):
        return False
    names = _CREDITED.findall(line[-50:])
    if names and is_agency_name(names[-1].strip(" )]")):
        return True
    return _ends_in_capitals(line)


def _ends_in_capitals(line: str) -> bool:
    """Return whether `line` ends with a name in capitals after lower case: "On Sunday. BO MARSH / EFE"."""
    before, _, inside = line.rstrip(")").rpartition("(")
    tail = before if before and line.endswith(")") and inside.isupper() else line
    pieces = re.split(r"[\s.]+", tail.rstrip(" «»“”\"'/"))
    capitals = sum(1 for _ in takewhile(_is_in_capitals, reversed(pieces)))
    names = [
        piece
        for piece in pieces[len(pieces) - capitals :]
        if len(piece) >= 2 and piece.isalpha()
    ]
    text_before = " ".join(pieces[: len(pieces) - capitals])
    return (
        len(names) >= 2
        and any(len(name) >= 4 for name in names)
        and any(map(str.islower, text_before))
    )


def _is_in_capitals(piece: str) -> bool:
    letters = [c for c in piece if c.isalpha()]
    return piece.isupper() if letters else piece in ("/", "«", "»", "&", "-", "–")


def is_known_phrase(line: str, count: int) -> bool:
    """Return whether `line`, which has `count` words, is boilerplate by the phrases of phrases.yaml."""
    line_words = words(line)
    is_sentence = ends_sentence(line)
    if not line_words:
        return False
    core = without_numbers(line_words)
    if phrases("whole_line").has(core):
        return not (is_sentence and count <= _BUTTON_WORDS and line[-1] in ".!?")
    label, text_after = label_of(line)
    if count <= _LABELLED_WORDS and phrases("label").has(label):
        # The first word of a sentence is not a label: "Next: the council will vote on the budget of the harbour on
        # Monday evening."
        is_first_word = (
            len(label) == 1
            and not phrases("credits").has(label)
            and ends_sentence(text_after)
            and count_words(text_after) >= _LABELLED_SENTENCE
        )
        if not is_first_word:
            return True
    is_never_content = phrases("never_content").occurs_in(line_words)
    if is_never_content or count > _LINE_START_WORDS:
        return is_never_content
    channels = phrases("channels")
    if phrases("line_start").at(line_words):
        return (
            not is_sentence
            or count <= _SHORT_SENTENCE_WORDS
            or channels.occurs_in(line_words)
        )
    return phrases("call_to_action").at(line_words) > 0 and channels.occurs_in(
        line_words
    )


def without_bullet(line: str) -> str:
    return line if line[:1].isalnum() else _BULLET.sub("", line, count=1)


def is_headline_bullet(line: str) -> bool:
    """Return whether `line` is a bulleted headline of another article, and not a sentence."""
    return (
        without_bullet(line) != line and not is_prose(line) and not ends_sentence(line)
    )


def is_navigation(line: str) -> bool:
    """Return whether `line` looks like a row of links at the end of a page ("About us | Contact | Shop").

    Rows of tables look the same, so use it only after the last sentence.
    """
    pieces = list(map(str.strip, re.split(r"[|•·]", line)))
    return (
        len(pieces) >= 2
        and all(0 < len(piece.split()) <= 5 for piece in pieces)
        and not ends_sentence(line)
    )


def breadcrumb_pieces(line: str) -> tuple[str, ...]:
    """Return the pieces of a breadcrumb line ("News/World/ Headline | Section"), or ()."""
    if len(line) > 300 or not _STEP.search(line) or is_prose(line):
        return ()
    first_pieces = phrases("breadcrumb_home")
    path = line
    after_colon = line.partition(":")[2]
    if first_pieces.has(words(_BREADCRUMB.split(after_colon)[0])):
        path = after_colon.strip()
    pieces = tuple(filter(None, map(str.strip, _BREADCRUMB.split(path))))
    if len(pieces) < 2:
        return ()
    if (
        first_pieces.has(words(pieces[0]))
        or (
            len(_ARROW.findall(path)) == len(pieces) - 1
            and not ends_sentence(path)
            and all(count_words(step) <= 5 for step in pieces[:-1])
            and any(map(is_section, pieces))
        )
        or (
            is_section(pieces[0])
            and (len(pieces) <= 3 or sum(map(is_section, pieces)) >= 2)
        )
    ):
        return pieces
    return ()
