"""Arabic words without what is written onto them: و ("and"), ب ("in"), the article, endings.

A proclitic of one letter looks like the first letter of a word: it is taken off only where a word is left
that the lists of common words hold (و, the most frequent, in front of any longer word). The endings of
number, gender, possession and origin go until three letters are left, so "ليبيا" and "الليبية" are one word.
Plurals that change inside ("أسعار" of "سعر") stand in a short table.
"""

from collections.abc import Iterable
from typing import Final

_LETTERS: Final = str.maketrans("أإآٱىةؤئ", "ااااي" + "هوي")
# With a plain alif: "ألمانيا" does not begin with the article.
_ARTICLES: Final = ("وبال", "وكال", "فبال", "وال", "فال", "بال", "كال", "ولل", "فلل", "ال", "لل")
_LETTERS_BEFORE: Final = "وفبلكسيتن"  # conjunctions, prepositions, future, persons of a verb
_ENDINGS: Final = (
    "هما", "يين", "تين", "تان", "ات", "ان", "ون", "ين", "ها", "هم", "نا", "وا", "يه", "ته",
    "ه", "ي", "ا", "ت",
)  # fmt: skip
_LEAST: Final = 3  # letters that are left of a word
_PLURALS: Final[str] = """
    أسعار سعر أسواق سوق أسهم سهم بنوك بنك طرق طريق سدود سد مدن مدينة قرى قرية منازل منزل بيوت بيت أحزاب حزب
    نواب نائب وزراء وزير رؤساء رئيس خبراء خبير أطباء طبيب أطفال طفل قتلى قتيل جرحى جريح ضحايا ضحية ركاب راكب
    عمال عامل طلاب طالب جنود جندي صواريخ صاروخ عواصف عاصفة زلازل زلزال سيول سيل حرائق حريق سفن سفينة قوارب
    قارب زوارق زورق سجون سجن محاكم محكمة قضاة قاضي أحكام حكم تهم تهمة رشى رشوة رشاوى رشوة عقود عقد أموال مال
    ديون دين فوائد فائدة أهداف هدف فرق فريق مناطق منطقة دول دولة أحياء حي شوارع شارع مدارس مدرسة جسور جسر
    أنهار نهر أمطار مطر مصانع مصنع حقول حقل آبار بئر موانئ ميناء مطارات مطار قادة قائد زعماء زعيم رسوم رسم
    ضرائب ضريبة قوانين قانون عمليات عملية مستشفيات مستشفى شهود شاهد أدوية دواء أمراض مرض لقاحات لقاح
    أقمار قمر ملاعب ملعب مدربون مدرب أندية ناد بطولات بطولة كؤوس كأس جوائز جائزة أفلام فيلم كتب كتاب
"""


def _plain(word: str) -> str:
    return word.translate(_LETTERS)


def _without_article(word: str) -> str:
    for article in _ARTICLES:
        if word.startswith(article) and len(word) - len(article) >= _LEAST - 1:
            return word[len(article) :]
    return word


def _without_endings(word: str) -> str:
    while ending := next((e for e in _ENDINGS if word.endswith(e) and len(word) - len(e) >= _LEAST), ""):
        word = word[: -len(ending)]
    return word


_SINGULARS: Final = {
    _plain(plural): _plain(singular)
    for plural, singular in zip(_PLURALS.split()[::2], _PLURALS.split()[1::2], strict=True)
}


class ArabicStemmer:
    """Stems under a list of common words. Words come without vowel signs."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._listed = frozenset(_stem_of(_plain(_without_article(word))) for word in listed)

    def stemWord(self, word: str) -> str:  # noqa: N802  (the name that Snowball's stemmers have)
        """The stem of `word`."""
        bare = _without_article(word)
        return _stem_of(_plain(bare) if bare != word else self._without_proclitics(word))

    def _without_proclitics(self, word: str) -> str:
        word = _plain(word)
        for _ in range(2):
            if _stem_of(word) in self._listed or word[0] not in _LETTERS_BEFORE or len(word) <= _LEAST:
                break
            rest = word[1:]
            is_word = _stem_of(rest) in self._listed
            if not is_word and word[0] != "و":
                further = self._listed_behind(rest)
                return further or word
            if not is_word and len(rest) <= _LEAST:
                break
            word = rest
        return word

    def _listed_behind(self, word: str) -> str:
        """What stands behind one more letter ("سيخفض", "ليخفض") when it is listed; else ""."""
        rest = word[1:]
        is_listed = word[0] in _LETTERS_BEFORE and len(rest) >= _LEAST and _stem_of(rest) in self._listed
        return rest if is_listed else ""


def _stem_of(word: str) -> str:
    singular = _SINGULARS.get(word)
    return _without_endings(singular if singular is not None else word)
