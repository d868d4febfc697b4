"""Stems: the form that the inflected forms of a word share, by language.

Snowball stems most languages, which it knows by their codes. Arabic has a stemmer of its own, because Snowball's does
not remove conjunctions and plurals. In a language without a stemmer, words are their own stems.
"""

import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

import Stemmer

from aggregator.text.common_words import all_listed
from aggregator.text.lines import word_list

# One pass gives different stems to forms of one noun: "пар" to "паром", but "паром" to "пароме"
_STEMMED_TWICE = frozenset({"ru"})
# Languages that join short words to the next word with an apostrophe, and the pattern of these short words
ELIDING = frozenset({"fr", "it", "ca", "ga"})
_ELISION = re.compile(
    r"(?:[bcdjlmnst]|qu|jusqu|lorsqu|puisqu|un|dell|all|dall|nell|sull|quell)['’](?=\w)",
    re.IGNORECASE,
)
# Hebrew points, Arabic vowels, and tatweel, which only widens a word
_VOWEL_SIGNS = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]"
)


_Stem = Callable[[str], str]


class _Stemmers(threading.local):
    """The stemmers of one thread by language, made on demand. Snowball's stemmers are not thread-safe."""

    def __init__(self) -> None:
        self._made: dict[str, _Stem | None] = {}

    def of(self, language: str) -> _Stem | None:
        if language in self._made:
            return self._made[language]
        stem: _Stem | None = None
        if language == "ar":
            words = (plain_letters(word, language) for word in all_listed(language))
            stem = _ArabicStemmer(words).stem
        else:
            with suppress(KeyError):  # a language that Snowball does not stem
                code = "no" if language in ("nb", "nn") else language
                stem = Stemmer.Stemmer(code, 0).stemWord
        self._made[language] = stem
        return stem


_stemmers = _Stemmers()


def stem_of(word: str, language: str) -> str:
    """Return the stem of a word, which must be in lower case and without an elided word before it."""
    stemmer = _stemmers.of(language)
    if stemmer is None:
        return word
    stem = stemmer(word)
    return stemmer(stem) if language in _STEMMED_TWICE else stem


def elision_length(word: str, language: str) -> int:
    """Return the length of an elided word and its apostrophe at the beginning of `word`: 2 for "l'usine"."""
    if language not in ELIDING:
        return 0
    match = _ELISION.match(word)
    return 0 if match is None else match.end()


def plain_letters(word: str, language: str) -> str:
    """Return a word in lower case as most writers spell it.

    Vowel signs are removed, a Russian "ё" becomes "е", and the lower case of a Turkish "İ" becomes "i".
    """
    if language in ("tr", "az"):
        word = word.replace("i\u0307", "i")
    if language == "ru":
        return word.replace("ё", "е")
    return _VOWEL_SIGNS.sub("", word)


_LETTERS = str.maketrans("أإآٱىةؤئ", "ااااي" + "هوي")
# The article has a plain alif: "ألمانيا" does not begin with an article.
_ARTICLES = word_list("وبال وكال فبال وال فال بال كال ولل فلل ال لل")
# Letters of conjunctions, prepositions, the future tense and the persons of a verb
_LETTERS_BEFORE = "وفبلكسيتن"
_ENDINGS = word_list("هما يين تين تان ات ان ون ين ها هم نا وا يه ته ه ي ا ت")
# A word keeps at least this many letters
_LEAST = 3
_PLURALS = """
    أسعار سعر أسواق سوق أسهم سهم بنوك بنك طرق طريق سدود سد مدن مدينة قرى قرية منازل منزل بيوت بيت أحزاب حزب
    نواب نائب وزراء وزير رؤساء رئيس خبراء خبير أطباء طبيب أطفال طفل قتلى قتيل جرحى جريح ضحايا ضحية ركاب راكب
    عمال عامل طلاب طالب جنود جندي صواريخ صاروخ عواصف عاصفة زلازل زلزال سيول سيل حرائق حريق سفن سفينة قوارب
    قارب زوارق زورق سجون سجن محاكم محكمة قضاة قاضي أحكام حكم تهم تهمة رشى رشوة رشاوى رشوة عقود عقد أموال مال
    ديون دين فوائد فائدة أهداف هدف فرق فريق مناطق منطقة دول دولة أحياء حي شوارع شارع مدارس مدرسة جسور جسر
    أنهار نهر أمطار مطر مصانع مصنع حقول حقل آبار بئر موانئ ميناء مطارات مطار قادة قائد زعماء زعيم رسوم رسم
    ضرائب ضريبة قوانين قانون عمليات عملية مستشفيات مستشفى شهود شاهد أدوية دواء أمراض مرض لقاحات لقاح
    أقمار قمر ملاعب ملعب مدربون مدرب أندية ناد بطولات بطولة كؤوس كأس جوائز جائزة أفلام فيلم كتب كتاب
"""


def _without_article(word: str) -> str:
    for article in _ARTICLES:
        if word.startswith(article) and len(word) - len(article) >= _LEAST - 1:
            return word[len(article) :]
    return word


_SINGULARS = {
    plural.translate(_LETTERS): singular.translate(_LETTERS)
    for plural, singular in zip(
        _PLURALS.split()[::2], _PLURALS.split()[1::2], strict=True
    )
}


class _ArabicStemmer:
    """A stemmer that uses a list of common words. Words must be without vowel signs."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._listed = frozenset(
            _bare_stem(_without_article(word).translate(_LETTERS)) for word in listed
        )

    def stem(self, word: str) -> str:
        bare = _without_article(word)
        if bare != word:
            return _bare_stem(bare.translate(_LETTERS))
        # Remove letters before a word without an article, unless the word itself is listed.
        word = word.translate(_LETTERS)
        for _ in range(2):
            if (
                _bare_stem(word) in self._listed
                or word[0] not in _LETTERS_BEFORE
                or len(word) <= _LEAST
            ):
                break
            tail = word[1:]
            is_word = _bare_stem(tail) in self._listed
            if not is_word and word[0] != "و":
                further = tail[1:]  # without one more letter: "سيخفض", "ليخفض"
                is_listed = (
                    len(further) >= _LEAST and _bare_stem(further) in self._listed
                )
                if is_listed and tail[0] in _LETTERS_BEFORE:
                    word = further
                break
            if not is_word and len(tail) <= _LEAST:
                break
            word = tail
        return _bare_stem(word)


def _bare_stem(word: str) -> str:
    word = _SINGULARS.get(word, word)
    while ending := next(
        (e for e in _ENDINGS if word.endswith(e) and len(word) - len(e) >= _LEAST), ""
    ):
        word = word[: -len(ending)]
    return word
