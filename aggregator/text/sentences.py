"""Splits paragraphs into sentences, each an unchanged part of its paragraph.

In doubt, no split is made, because two sentences left together do less harm than a sentence cut in two.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator

from aggregator.text.calendar import forms, number_of
from aggregator.text.clock_times import opening
from aggregator.text.lines import ends_sentence, has_words, word_set

# A full stop after these does not end a sentence
_ABBREVIATIONS = word_set("""
    govs sens reps mr mrs ms dr prof gen col lt sgt capt maj adm gov sen rep rev hon st sr jr vs etc inc ltd
    corp co no nos dept est fig vol approx pres sec supt messrs bzw ca usw ggf evtl vgl nr str tel abs art
    bsp geb mio mrd inkl sog zb dh hr fr mme mlle mm m av env p.ex sra srta ud uds pág núm dña d.h z.b u.a
    i.e e.g a.k.a dott ing avv sig on drs dhr mevr jl blz g гг г им ул тыс млн млрд руб dep mt ft amb atty
""").union(
    forms("months", "en", short=True) - forms("months", "en"),
    forms("weekdays", "en", short=True) - forms("weekdays", "en"),
)
# Abbreviated American states, as in "Tampa, Fla. — "; in lower case some of them are words ("fell ill").
STATES = word_set("""
    Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Mass Md Mich Minn Miss Mo Mont Neb Nev Okla
    Ore Pa Penn Tenn Tex Va Vt Wash Wis Wyo
""")
# A sentence ends after "U.S." or "Fla." if one of these words follows
_AFTER_DOTTED = word_set("""
    the a in but it he she they on at this that and however according police officials mr as after we i
""")
# The possible end of a sentence: a mark of Western scripts with closing quotation marks, before a space and a capital
# or digit; a mark of Chinese, Japanese, Burmese, Khmer or Ethiopic; a mark of Indian scripts, Arabic, Urdu or Armenian
# before a space. All three begin with one class of signs, so `re` skips to these. This is seven times faster than three
# alternatives.
_BOUNDARY = re.compile(
    r"[.!?…。！？｡။។៕።፧।۔؟։](?:"
    r"(?<=[.!?…])(?<![.!?…]{2})[.!?…]*+[\"”“’)\]»]*+(?=\s+[\"“‘«„(\[¿¡—–-]*\s?[^\W_a-zß-öø-ÿа-я])"
    r"|(?<=[。！？｡။។៕።፧])[。！？｡။។៕።፧]*[」』”）]*"
    r"|(?<=[।۔؟։])(?<![।۔؟։]{2})[।۔؟։]*+(?=\s))"
)
# "U.S.", "p.m.", or an initial, at the end of a text
_DOTTED_END = re.compile(r"(?:^|[\s(\"“])((?:[^\W\d_]\.){1,}[^\W\d_]?)$")
# A line with fewer words that does not end a sentence is a heading, caption or label
LINE_WORDS = 25
# The same for the only line of a text. This limit is lower, because many feeds leave the full stop out.
_TEXT_WORDS = 10
# A sentence with fewer words tells too little to be compared, but stays in a text that is shown: "He denies it."
SENTENCE_WORDS = 4
# An abbreviation is searched in this many characters before a full stop
_WORD_CHARS = 80
# A quotation with more characters is treated as unclosed
_MAX_QUOTE = 600
_QUOTATION = re.compile(
    "|".join(
        rf"{opener}[^{closer}]{{0,{_MAX_QUOTE}}}{closer}"
        for opener, closer in ("“”", "«»", "„“", "「」", '""')
    )
)


_NEXT_WORD = re.compile(r"\W*(\w+)")
# The number of "6. Dezember"
_ORDINAL = re.compile(r"\d{1,2}")
# Words after an ordinal, besides months: "2. Bundesliga"
_ORDINAL_NOUNS = word_set("""
    jahrhundert weltkrieg stock platz spieltag runde klasse bundesliga jahrestag minute geburtstag
""")


def paragraphs(text: str) -> list[str]:
    """Return the non-empty lines of an article's text."""
    return list(filter(None, map(str.strip, text.split("\n"))))


def sentences_of(text: str, shortest: int = SENTENCE_WORDS) -> Iterator[list[str]]:
    """Yield the sentences of each paragraph. The only line of a text needs no full stop if it has _TEXT_WORDS words."""
    lines = paragraphs(text)
    least = _TEXT_WORDS if len(lines) == 1 else LINE_WORDS
    for line in lines:
        yield split_sentences(line, least, shortest)


def join_sentences(sentences: Iterable[str]) -> str:
    """Return the sentences in one line, with spaces between them except behind Chinese and Japanese marks."""
    joined = ""
    for sentence in sentences:
        is_spaced = joined and joined.rstrip("」』”）")[-1:] not in "。！？｡"
        joined += f" {sentence}" if is_spaced else sentence
    return joined


def split_sentences(
    paragraph: str, least: int = LINE_WORDS, shortest: int = SENTENCE_WORDS
) -> list[str]:
    """Return the sentences of one paragraph, in order, each a substring of it; none for a heading.

    The clock time of a live blog's entry is left out. A quotation of several sentences is not split. A line of fewer
    than `least` words that does not end a sentence (a heading, caption or label) is dropped, and so are sentences of
    fewer than `shortest` words.
    """
    text = paragraph.strip()
    clock = opening(text)
    if clock is not None:
        text = text[clock.end :].strip()
    if not ends_sentence(text) and not has_words(text, least):
        return []
    pieces = []
    start = 0
    # Quotations neither overlap nor run backwards, so one pass suffices.
    quoted = deque(match.span() for match in _QUOTATION.finditer(text))
    for match in _BOUNDARY.finditer(text):
        end = match.end()
        while quoted and quoted[0][1] <= end:
            quoted.popleft()
        is_quoted = bool(quoted) and quoted[0][0] < end
        if not is_quoted and _ends_here(text, start, match):
            pieces.append(text[start:end].strip())
            start = end
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if has_words(piece, shortest)]


def _ends_here(text: str, start: int, marks: re.Match[str]) -> bool:
    """Return whether the sentence that begins at `start` ends with these marks."""
    if not marks.group().startswith(".") or marks.group().startswith(".."):
        return True
    before = text[max(start, marks.start() - _WORD_CHARS) : marks.start()]
    word = before.rsplit(None, 1)[-1].lstrip('"“‘«„([') if before.split() else ""
    following = _NEXT_WORD.match(text, marks.end())
    next_word = following.group(1).lower() if following else ""
    if _DOTTED_END.search(before[-12:] + "."):
        is_initial = len(word) == 1 and word.isupper()
        return next_word in _AFTER_DOTTED and not is_initial
    if word in STATES:
        return next_word in _AFTER_DOTTED
    if word.lower().rpartition("-")[2] in _ABBREVIATIONS:  # "then-Sen. Boll"
        return False
    if _ORDINAL.fullmatch(word):
        return next_word not in _ORDINAL_NOUNS and not number_of("months", next_word)
    return True
