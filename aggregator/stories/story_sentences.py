"""The sentences of a report, and which of them can be shown without the sentences before them."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from aggregator.extract.front_matter import (
    DATELINE_REST,
    LEADING_DATELINE,
    RUN_IN,
    sign_of,
    without_dateline,
)
from aggregator.stories.lexicon import word_list
from aggregator.stories.story_words import heads
from aggregator.text.lines import count_words
from aggregator.text.sentences import paragraphs, sentences_of

# A sentence that ends with one of these abbreviations was split at the wrong place: "He met Sen."
CUT_OFF = re.compile(
    r"\b(?:(?<!the )(?:U\.[SKN])|Reps?|Sens?|Govs?|Gen|Mrs?|Ms|Dr|Lt|Col)\.$"
)
END_MARKS, AFTER_END = ".!?…。！？｡။។៕።፧।۔؟։", "\"'”’»“)]」』"
# If a text ends with one of these, the feed has cut it.
CUT_MARKS = ("...", "…")
# The least number of words in a sentence without a full stop, as `sentences_of` returns it; a shorter one is a heading.
WHOLE_WORDS = 10
QUOTATION_MARKS = '“"„«「'
MARK = re.compile("[“”„«»「」]")
ANY_MARK = re.compile('["“”„«»「」]')
# The end of a quotation is searched for in this many paragraphs.
PARAGRAPHS_QUOTED = 20
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# A sentence with fewer words cannot be understood alone.
FEW_WORDS = 7
# The least number of words outside of a quotation: a speaker and a verb
SPEAKER_WORDS = 2
# The faults (`front_matter`) of sentences that do not belong to the report; a shown paragraph ends before them.
BOILERPLATE = frozenset(
    {
        "caption",
        "credit",
        "promotion",
        "post",
        "links",
        "characters",
        "no beginning",
        "no end",
    }
)
# The most characters of a shown sentence; longer sentences are lists and tables without marks
LONGEST = 550
# The least number of words in a title that is run into a sentence; fewer may be part of the sentence
HEADING_WORDS = 4
ANAPHORIC_NOUN = re.compile(
    r"The (?:ruling|spokes\w+|report|decision|move|statement|announcement|comments?|remarks?|man|woman|"
    r"incident|document|letter|order|measure|proposal|group|company|two|pair|latter|former|same|suspect|victim|vote|plan|"
    r"news|tweet|video|interview|deal|agreement|study|survey|poll)\b(?!-)"
    r"(?! [A-Z])(?! (?:of|by|in|that|who|from|for|to|at|accused|suspected|convicted|charged|believed)\b)"
)
CONNECTIVE = re.compile(
    r"(?:In (?:(?:this|that|both|each) case|other words|fact|addition|response|turn|contrast|particular)"
    r"|On the (?:one|other) hand"
    r"|As a result|For (?:example|instance|one thing|that reason)|That said|After all|Of course|By contrast"
    r"|At the same time|Either way|To be sure|Even so|In the meantime|Further|Moreover|Clearly"
    r"|(?:Earlier|Later|Shortly|Soon|Hours|Minutes|Moments|Days|Weeks|Months|Years)"
    r"(?: (?:in|on|that|the|before|earlier|later|after\w*|day|night|evening|morning|week))*),"
    r"|At the time\b|(?:A|One|Two|Three|\d+) (?:hour|day|week|month|year)s? (?:(?:earlier|later)\b|before,)"
    r"|[A-Z][a-z]+ [^A-Z,.“\"]{2,80}, (?:he|she|they|it|his|her|their|th(?:at|is) (?:is|was))\b"
    r"|(?:In|At|After|Before|Since|From|By|For|With|Under|During|Of|On|To|Among|Like|Despite|Because of|As"
    r"|As part of|Until|All|Some|Many|Most|None|One|Two|Three|Both|Each|Either|Part|Much|Several|Scraps)"
    r" (?:of )?(?:that|those|these|them|such|which"
    r"|this(?! (?:week|month|year|summer|winter|spring|fall|autumn)))\b"
    r"|The (?:[A-Z][\w-]+ )?(?:Republican|Democrat|official|lawmaker|senator|congress(?:wo)?man)\b(?! [A-Z])"
    r"|Others?\b|(?:Neither|Too often|Perhaps|Yes|Indeed|Among them|Not to mention|One of th\w+)\b(?! [A-Z])"
    r"|First(?:ly)?(?=,| (?:was|is|of|off|came)\b)"
    r"|(?:It|He|She|They|That|There)['’]\w+\b|The (?:first|second|third|last) (?:is|was|must|would|will)\b"
)
# A sentence that adds to others: "He also ...", "If convicted, she ...". It cannot begin a lead.
ADDING = re.compile(
    r"[A-Z][^,.;:“”\"()]{2,50}? also (?!(?:known|called|as)\b)\w"
    r"|(?:If|Once|Unless|When) (?:[a-z]+e[dn]|found|held|made|upheld)\b[^,]{0,40}, (?:he|it|she|the|they)\b"
)
# "The sharp reply came ...", "Under the changes agreed to by ...": the noun was mentioned before, perhaps in the title.
DEFINITE_NOUN = re.compile(
    r"(?:The (?P<subject>(?:[a-z][\w-]+ )?(?!(?:that|them|we|who)\b)[a-z][\w-]+) "
    r"(?:is|are|was|were|has|have|had|will|would|could|can|may|might|comes?|came|appears?|marks?|follows?|drew|means?)\b"
    r"|(?:As part of|During|Under) the (?P<circumstance>(?:[a-z][\w-]+ )?[a-z][\w-]+)"
    r"(?:,| (?:agreed|announced|proposed|reached|released|unveiled)\b))"
)
# Readers know some things that were not mentioned before: "The government has ...".
KNOWN_NOUN = re.compile(
    r"\b(?:administration|army|autumn|campaigns?|city|climate|community|coronavirus|country|day|dollar|economy"
    r"|election|euro|future|general|governor|government|internet|jury|markets?|mayor|media|military|month|morning"
    r"|nation|night|odds|outbreak|pandemic|past|police|president|press|public|rate|season|spring|state|summer"
    r"|virus|war|weather|week|weekend|winter|world|year)$"
)
# "It was President Boll who signed ...": this "it" does not refer to a sentence before.
CLEFT = re.compile(r"It (?:is|was) (?:[A-Z][\w.'’-]* )+(?:who|that|whose)\b")
# A quotation. No opening mark may be inside, because many unclosed marks would then take quadratic time.
QUOTED = re.compile(r"“[^“”]*”|\"[^\"]*\"|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」")
# "You" and "your" in small letters, or "You" at the beginning, but not in a name: "Know Your Rights"
SECOND_PERSON = re.compile(r"\b(?:you|your|yourself)\b|^You\b")
FIRST_PERSON = re.compile(
    r"\b(?:I|I['’]\w+|we|We|we['’]\w+|We['’]\w+|my|My|our|Our|us|me|myself)\b"
)
TRAILING_SPEAKER = re.compile(
    r",[”\"]?\s(?:(?:he|she|they) (?:said|says|added|wrote)|(?:said )?the official(?: said)?)\b"
)
PRONOUN_SPEAKER = re.compile(
    r"[”\"]\s+(?:he|she|they|it|we|I)\s+(?:\w+\s+)?"
    r"(?:said|says|told|wrote|tweeted|added|continued|argued|explained|asked|concluded|noted|posted)\b"
)


def sentences_of_report(text: str, title: str) -> Iterator[str]:
    """Yield the sentences of a text in order and word for word, without headings and datelines before them.

    A sentence is left out if it repeats the title, is longer than `LONGEST` characters, runs into other text, or is
    inside a quotation that began before it.
    """
    heading = _fold(title)
    lines = paragraphs(text)
    is_open = False
    for number, paragraph in enumerate(sentences_of(text)):
        is_open = is_open and _goes_on(lines[number : number + PARAGRAPHS_QUOTED])
        for raw in paragraph:
            was_open = is_open
            if has_odd_marks(raw):
                is_open = not is_open
            sentence = without_heading(raw, title)
            is_readable = len(sentence) <= LONGEST and not RUN_IN.search(sentence)
            if is_readable and not was_open and _fold(sentence) != heading:
                yield sentence


def _goes_on(lines: Sequence[str]) -> bool:
    """Return whether a quotation that was left open before these lines goes on and ends in them.

    It does if the first mark in the lines is a closing mark. An opening mark repeats the mark of the paragraph before,
    or the quotation is never closed.
    """
    for line in lines:
        mark = ANY_MARK.search(line)
        if mark:
            is_behind_word = (
                mark.start() > 0 and not line[mark.end() : mark.end() + 1].isalnum()
            )
            return mark.group() in "”»」" or (mark.group() in '"“' and is_behind_word)
    return False


def needs_sentence_before(sentence: str, language: str | None) -> bool:
    """Return whether a sentence refers to the sentence before it, or is too short to be understood alone.

    The words that refer to a sentence before are known for the languages in languages.yaml.
    """
    first = WORD.search(sentence)
    if first is None or count_words(sentence) < FEW_WORDS:
        return True
    # A pronoun that begins a quotation refers to what the speaker talks about, not to the sentence before.
    is_quotation = sentence.lstrip()[:1] in QUOTATION_MARKS
    refers = first.group().lower() in word_list(
        language, "anaphora"
    ) and not CLEFT.match(sentence)
    return bool(
        (refers and not is_quotation)
        or TRAILING_SPEAKER.search(sentence)
        or PRONOUN_SPEAKER.search(sentence)
        or ANAPHORIC_NOUN.match(sentence)
        or CONNECTIVE.match(sentence)
    )


def refers_back(sentence: str, title: str, language: str | None) -> bool:
    """Return whether an English sentence adds to others, or is about a thing that the title does not name.

    "The sharp reply came ...", for example, refers back if the title has no reply.
    """
    if ADDING.match(sentence):
        return True
    match = DEFINITE_NOUN.match(sentence)
    nouns = (match["subject"] or match["circumstance"]) if match else ""
    shared = heads(nouns, language).keys() & heads(title, language)
    return bool(nouns and not shared and not KNOWN_NOUN.search(nouns))


@lru_cache(maxsize=1024)
def front_matter(sentence: str, language: str | None = None) -> str | None:  # noqa: PLR0911 - a reason each
    """Return why a sentence cannot be shown as news text; None if it can.

    The reasons are a caption, a credit, a promotion, a post, the text of links, damaged characters, a question, a
    dateline, a missing beginning or end, half a quotation, a quotation without its speaker, or the first or second
    person outside of quotation marks.
    """
    if sign := sign_of(sentence):
        return sign
    outside = QUOTED.sub("", sentence)
    # A dateline that is still there was not removed, because too little follows it.
    if LEADING_DATELINE.match(sentence):
        return "dateline"
    # Not "al-Shabab", "iPhone"
    if sentence[:1].islower() and sentence.split(maxsplit=1)[0].islower():
        return "no beginning"
    is_heading = (
        not (_has_end(sentence) or _has_end(outside))
        and count_words(sentence) < WHOLE_WORDS
    )
    if is_heading or CUT_OFF.search(sentence) or is_cut(sentence):
        return "no end"
    if has_odd_marks(sentence):
        return "half a quotation"
    if outside != sentence and len(WORD.findall(outside)) < SPEAKER_WORDS:
        return "a quotation alone"
    if (language or "en") == "en" and (
        FIRST_PERSON.search(outside) or SECOND_PERSON.search(outside)
    ):
        return "first or second person"
    return None


def is_cut(sentence: str) -> bool:
    """Return whether a feed cut the sentence: "A ferry sank off …"."""
    return sentence.rstrip(AFTER_END).endswith(CUT_MARKS)


def _has_end(sentence: str) -> bool:
    """Return whether the last character, apart from spaces and closing marks, ends a sentence."""
    return sentence.rstrip().rstrip(AFTER_END).endswith(tuple(END_MARKS))


@lru_cache(maxsize=1024)
def shows_alone(sentence: str, language: str | None) -> bool:
    """Return whether the sentence can be shown without the sentence before it."""
    return front_matter(sentence, language) is None and not needs_sentence_before(
        sentence, language
    )


def without_heading(sentence: str, title: str) -> str:
    """Return a sentence without a dateline, and without the title of its report if the title runs into it."""
    _, space, rest = sentence.partition(f"{title} ")
    is_heading = len(title.split()) >= HEADING_WORDS and not rest[:1].islower()
    if space and is_heading and len(rest) > DATELINE_REST:
        sentence = rest
    return without_dateline(sentence)


def has_odd_marks(sentence: str) -> bool:
    """Return whether a quotation begins or ends in the sentence, but not both."""
    # The closing mark in German is the opening mark in English, so only the number of marks is checked.
    if len(MARK.findall(sentence)) % 2 == 1:
        return True
    parts = sentence.split('"')
    # The second mark closes nothing in '"It began. It went on. "Others say'
    return len(parts) % 2 == 0 or any(
        before[-1:] == " " and after[:1].isalnum()
        for before, after in zip(parts[1::2], parts[2::2], strict=True)
    )


def _fold(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!?…")
