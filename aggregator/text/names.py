"""Finds names of persons, places and things by the marks of each script.

Latin, Greek and Cyrillic: runs of capitalised words inside sentences. German capitalises every noun, so a single
word is a name only after a preposition without article, and only if it is not a common noun. Scripts without
capitals: text in quotation marks and next to a title; transliterations (katakana; the Chinese characters that
spell foreign sounds); in Chinese also the most frequent place names.
"""

import re
from collections.abc import Callable
from functools import cache

from aggregator.text.lines import word_list, word_set
from aggregator.text.scripts import CHINESE_LISTS

UPPER = "".join(
    re.escape(c)
    for c in map(chr, [*range(0x590), *range(0x1E00, 0x2000)])
    if c.isupper()
)
# A run of capitalised words after a lower-case letter, comma, semicolon or closing quote. The start of a sentence is
# left out, because every first word has a capital. The text before is checked by a lookbehind after the capital, so
# that the scan skips to capitals, which is four times faster.
_RUN = rf"[\w'’-]*(?: [{UPPER}][\w'’-]*)*"
_BEFORE = rf"(?<=[^\W\d_{UPPER}] .|[,;\"”’»] .)"
_CAPITALS = re.compile(rf"[{UPPER}]{_BEFORE}{_RUN}")
# The same, also after an opening quotation mark: «Осиновская», „Aegean Star“. This is not used in English, because its
# weights were trained without it.
_QUOTED_CAPITALS = re.compile(
    rf"[{UPPER}](?:{_BEFORE}|(?<=[^\W\d_] [«„“\"].)|(?<=[«„“] .)){_RUN}"
)

# Words in lower case that join the parts of a name: "Bank of England", "Bundesamt für Justiz". The first
# pattern joins a noun and its complements, the second joins the items of a list.
LINKS = {
    "en": ("(?:of|for)(?: the)?", "and"),
    "de": ("für|von", "und"),
    "fr": ("(?:de|pour)(?: la| les)?|du|des|sans", "et"),
    "es": ("(?:de|para)(?: la| las| los)?|del", "y"),
    "it": ("di|del|della|dei|delle|degli|per(?: la| il)?", "e"),
    "pt": ("de|da|do|das|dos|para(?: a| o)?", "e"),
    "nl": ("(?:van|voor)(?: de| het)?", "en"),
}
# These words are not English, so in English texts they are part of a name, as in "Osama bin Laden".
PARTICLES = "(?:von|van|de|del|di|da|du|bin|al)(?: der| den| la)?"

# Languages that capitalise every noun: a run of two or more capitalised words is a name, a single word only after one
# of BARE_PREPOSITIONS.
CAPITAL_NOUNS = frozenset({"de", "lb"})
# German prepositions after which a noun without an article is a name: "in Bremen", not "in der Stadt".
BARE_PREPOSITIONS = word_set("aus bei gegen in nach nahe um von vor zwischen über")
_PREPOSITION = re.compile(
    rf"\b(?i:{'|'.join(sorted(BARE_PREPOSITIONS))}) ([A-ZÄÖÜ][\w’'-]{{2,}})"
    r"(?= [^A-ZÄÖÜ]|[.,;:!?\n)]|$)"
)
_NOUN_ENDINGS = word_list("""
    ung ungen heit heiten keit keiten schaft schaften tion tionen tät täten ismus nis nisse nissen ling
    linge
""")

# The Chinese lists are in chinese.yaml. The lists of other scripts are here, because only these patterns use them.
_HAN = "\u3005\u3400-\u9fff"
_SPELLING = CHINESE_LISTS["spelling"]
_SURNAMES = CHINESE_LISTS["surnames"]
# Verbs and forms of address after a surname without a title
_SAID_IN_CHINESE = "表示|指出|介绍|认为|透露|坦言|先生|女士|告诉|说"
_CHINESE = re.compile(
    rf"(?:{CHINESE_LISTS['titles']})([{_SURNAMES}][{_HAN}]{{1,2}}?)(?={CHINESE_LISTS['verbs']})"
    rf"|(?<![{_HAN}])([{_SURNAMES}](?!先生|女士)[{_HAN}]{{1,2}}?)(?={_SAID_IN_CHINESE})|"
    rf"[{_SPELLING}]{{1,20}}+(?:[·•・][{_SPELLING}]{{1,20}}+)++|{CHINESE_LISTS['places']}|[{_SPELLING}]{{3,}}"
    r"|[“《「『]([^”》」』\s，。！？、]{2,10})[”》」』]"
)
# Katakana also spells foreign words. A name has several parts, or a word such as island, town or Mr. follows it.
_AFTER_KATAKANA = "[島市州県港国氏湾町村区沖軍]|さん|政府|海|首相|大統領"
_JAPANESE_TITLES = (
    "氏|さん|容疑者|被告|首相|大統領|知事|選手|監督|社長|会長|議員|親方|教授|総裁"
)
# Words that begin with the sign of a city, town, village or prefecture, so that no name of a place ends with this sign
_NO_PLACE = "市場|市民|村民|町民|県民|県警"
_JAPANESE = re.compile(
    rf"(?<![ァ-ヺー])[ァ-ヺー]{{2,}}+(?:(?:[・＝=][ァ-ヺー]{{2,}}+)++|(?={_AFTER_KATAKANA}))"
    r"|[「『“]([^」』”ぁ-ん\s。、！？]{2,12})[」』”]"
    rf"|([{_HAN}]{{2,6}}?)(?={_JAPANESE_TITLES})"
    rf"|(?<![一-龯])[一-龯]{{2,3}}(?=[県市町村島])(?!{_NO_PLACE})"
)
_ARABIC_TITLES = (
    "الرئيس|رئيس الوزراء|الوزير|المتحدث|المتحدثة|القبطان|الأمير|الملك|الشيخ|الدكتور|المدرب|اللاعب|المدافع|"
    "الحاكمة|الحاكم|السيد|السيدة|النائب|السفير|الجنرال|العقيد|البديل|المحلل|الناشط|الناشطة|جزيرة|مدينة|بلدة|قرية|شركة"
)
_ARABIC = re.compile(
    rf"(?:{_ARABIC_TITLES}) (\w+ \w+)|[\"“«]([^\"”»\n.،,:]{{3,40}})[\"”»]"
)
_KOREAN_TITLES = "대통령|총리|장관|대표|의원|회장|감독|선수|시장|지사|씨"
_KOREAN = re.compile(
    rf"([가-힣]{{2,4}}) (?={_KOREAN_TITLES})"
    r"|[‘“'\"]([^’”'\"\n.,]{2,20})[’”'\"]"
)
_QUOTED = re.compile(r"[\"“«„]([^\"”»“\n.,;:!?]{3,40})[\"”»“]")
CASELESS = {
    "zh": _CHINESE, "ja": _JAPANESE, "ko": _KOREAN,
    **dict.fromkeys(word_list("ar fa ur ps ckb ug sd"), _ARABIC),
    # Scripts without capitals and without further rules here.
    **dict.fromkeys(word_list("he yi hi mr ne bn ta te kn ml gu pa th lo km my am ka si"), _QUOTED),
}  # fmt: skip
_LONGEST_SCAN = 240_000  # characters searched in a language without capitals


def find_names(
    text: str,
    language: str,
    is_common: Callable[[str], bool],
    *,
    are_linked: bool = False,
) -> list[str]:
    """Return the names in `text` as written, without the ending 's, with repeats.

    `is_common` tells everyday words, which are left out, but not in English: its weights were trained with them.
    `are_linked` adds everything that LINKS and PARTICLES join to a name, whether the result is one name ("Bank of
    England") or several ("Iraq and Syria").
    """
    if language in CASELESS:
        names = [
            match[match.lastindex or 0]
            for match in CASELESS[language].finditer(text[:_LONGEST_SCAN])
        ]
    else:
        capitals = _CAPITALS if language == "en" else _QUOTED_CAPITALS
        if are_linked and language in LINKS:
            capitals = _link_pattern(capitals.pattern, language)
        names = [
            name.replace("’", "'").removesuffix("'s") for name in capitals.findall(text)
        ]
    if language == "en":
        return names  # common words stay, see the docstring
    if language in CAPITAL_NOUNS:
        nouns = _PREPOSITION.findall(text)
        names = [name for name in names if " " in name]
        names += [noun for noun in nouns if not noun.endswith(_NOUN_ENDINGS)]
    return [name for name in names if not is_common(name)]


@cache
def _link_pattern(capitals: str, language: str) -> re.Pattern[str]:
    part = f"[{UPPER}]{_RUN}"
    # "Alcohol, Tobacco, Firearms and Explosives"
    enumeration = f"(?:, {part}){{1,12}},? (?:{LINKS[language][1]}) {part}"
    return re.compile(f"{capitals}(?: (?:{_joints(language)}) {part}|{enumeration})*")


def _joints(language: str) -> str:
    joints = "|".join(LINKS[language])
    return f"{joints}|{PARTICLES}" if language == "en" else joints


@cache
def link_pattern(language: str) -> re.Pattern[str]:
    """Return the pattern of the words between the parts of a linked name, in one group."""
    return re.compile(f"(,? (?:{_joints(language)}) |, )(?=[{UPPER}])")
