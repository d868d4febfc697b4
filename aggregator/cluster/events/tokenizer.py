"""Tokenizer: text to stems, names and numbers, with rules by language.

One regular expression finds words and numbers. The result for a word (stem, hash, document frequency) is
cached by language, so the stemmer sees each word once. Results do not depend on the cache.

Each token becomes one integer, a *code*: the hash, above it the document frequency, and on top a flag for
numbers; STOP_WORD for a stop word. So one `numpy.unique` counts the terms of an article together with the
input of their weights.

Finds names of persons, places and things by the marks of each script.

Latin, Greek and Cyrillic: runs of capitalised words inside sentences. German capitalises every noun: there a
single word is a name only after a preposition without article, and only if it is not a common noun. Scripts
without capitals: text in quotation marks and next to a title; transliterations (katakana; the Chinese
characters that spell foreign sounds); in Chinese also the most frequent place names.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import xxhash

from aggregator.cluster.events.document_frequency import (
    ANY_LANGUAGE,
    BackgroundFrequencies,
    Kind,
)
from aggregator.cluster.events.term_codec import HASH_BITS
from aggregator.cluster.events.weights import EventTuning
from aggregator.text.common_words import LISTS, common_words
from aggregator.text.language import stop_words
from aggregator.text.lines import ascii_text
from aggregator.text.numbers import plain_number, spelt_numbers
from aggregator.text.scripts import EVERYDAY, needs_splitting, pieces, simplified
from aggregator.text.stems import elided, plain_letters, stem_of

_UPPER: Final = "".join(
    re.escape(c) for c in map(chr, [*range(0x590), *range(0x1E00, 0x2000)]) if c.isupper()
)
# A run of capitalised words after a lower-case letter, comma, semicolon or closing quote, so not at the start
# of a sentence, where every word has a capital. The text before is checked by a lookbehind after the capital,
# so that the scan skips to capitals: four times as fast.
_RUN: Final = rf"[\w'’-]*(?: [{_UPPER}][\w'’-]*)*"
_BEFORE: Final = rf"(?<=[^\W\d_{_UPPER}] .|[,;\"”’»] .)"
_CAPITALS: Final = re.compile(rf"[{_UPPER}]{_BEFORE}{_RUN}")
# The same after an opening quotation mark: «Осиновская», „Aegean Star“. Not in English: its weights were
# trained without it.
_QUOTED_CAPITALS: Final = re.compile(rf"[{_UPPER}](?:{_BEFORE}|(?<=[^\W\d_] [«„“\"].)|(?<=[«„“] .)){_RUN}")

_PREPOSITION: Final = re.compile(
    r"\b(?i:aus|bei|gegen|in|nach|nahe|um|von|vor|zwischen|über) ([A-ZÄÖÜ][\w’'-]{2,})"
    r"(?= [^A-ZÄÖÜ]|[.,;:!?\n)]|$)"
)
_NOUN_ENDINGS: Final = (
    "ung", "ungen", "heit", "heiten", "keit", "keiten", "schaft", "schaften", "tion", "tionen", "tät",
    "täten", "ismus", "nis", "nisse", "nissen", "ling", "linge",
)  # fmt: skip

_HAN: Final = "\u3005\u3400-\u9fff"
_SPELLING: Final = (
    "阿埃艾安昂奥巴鲍贝比彼宾波伯博布查达戴丹德登迪蒂丁杜顿多恩尔伐法菲费芬夫弗福盖甘冈戈格贡古哈汉赫亨洪胡霍基吉"
    "贾杰卡凯坎康考科克肯孔库奎拉莱赖兰朗劳勒雷黎里莉林琳柳龙卢鲁伦罗洛马玛迈麦曼芒梅蒙米密缅摩莫默姆穆纳娜奈尼涅宁"
    "纽诺努欧帕派潘佩彭皮普奇恰乔切丘茹瑞萨赛桑瑟森沙莎珊舍圣什施史舒斯思苏索塔泰坦汤唐特滕廷图托瓦旺威韦维温沃乌武西"
    "希锡肖谢辛修历雅亚扬耶伊尤约赞泽扎詹珍茨兹佐"
)
# Provinces, cities and countries that are often named in Chinese.
_CHINESE_PLACES: Final = (
    "北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|"
    "陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|石家庄|太原|沈阳|大连|长春|哈尔滨|南京|苏州|无锡|杭州|宁波|温州|"
    "合肥|福州|厦门|南昌|济南|青岛|郑州|洛阳|武汉|长沙|广州|深圳|珠海|东莞|佛山|南宁|桂林|海口|三亚|成都|贵阳|昆明|拉萨|西安|兰州|"
    "西宁|银川|乌鲁木齐|台北|美国|英国|法国|德国|俄罗斯|乌克兰|日本|韩国|朝鲜|印度|印尼|泰国|越南|缅甸|菲律宾|马来西亚|新加坡|"
    "澳大利亚|新西兰|加拿大|墨西哥|巴西|阿根廷|智利|秘鲁|意大利|西班牙|葡萄牙|希腊|土耳其|伊朗|伊拉克|以色列|巴勒斯坦|加沙|叙利亚|"
    "黎巴嫩|沙特|埃及|南非|尼日利亚|苏丹|巴基斯坦|阿富汗|波兰|荷兰|比利时|瑞典|挪威|芬兰|丹麦|瑞士|奥地利|匈牙利"
)
_SURNAMES: Final = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田"
    "任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍"
)
_CHINESE_TITLES: Final = (
    "总统|总理|主席|部长|市长|省长|州长|县长|局长|行长|院长|校长|厂长|董事长|总裁|总经理|总监|负责人|创始人|主教练|主帅|教授|研究员|分析师|"
    "发言人|书记|主任|律师|被告人|司机|车主|队长"
)
_CHINESE_VERBS: Final = (
    "表示|指出|介绍|认为|透露|坦言|宣布|回应|强调|告诉|说|称|在|于|对|的|将|也|曾|接受|[，。：、]"
)
_CHINESE: Final = re.compile(
    rf"(?:{_CHINESE_TITLES})([{_SURNAMES}][{_HAN}]{{1,2}}?)(?={_CHINESE_VERBS})"
    rf"|(?<![{_HAN}])([{_SURNAMES}](?!先生|女士)[{_HAN}]{{1,2}}?)(?=表示|指出|介绍|认为|透露|坦言|先生|女士|告诉|说)|"
    rf"[{_SPELLING}]{{1,20}}+(?:[·•・][{_SPELLING}]{{1,20}}+)++|{_CHINESE_PLACES}|[{_SPELLING}]{{3,}}"
    r"|[“《「『]([^”》」』\s，。！？、]{2,10})[”》」』]"
)
# Katakana spells foreign words too: a name has several parts, or a word such as island, town or Mr. after it.
_JAPANESE: Final = re.compile(
    r"(?<![ァ-ヺー])[ァ-ヺー]{2,}+(?:(?:[・＝=][ァ-ヺー]{2,}+)++|(?=[島市州県港国氏湾町村区沖軍]|さん|政府|海|首相|大統領))"
    r"|[「『“]([^」』”ぁ-ん\s。、！？]{2,12})[」』”]"
    rf"|([{_HAN}]{{2,6}}?)(?=氏|さん|容疑者|被告|首相|大統領|知事|選手|監督|社長|会長|議員|親方|教授|総裁)"
    r"|(?<![一-龯])[一-龯]{2,3}(?=[県市町村島])(?!市場|市民|村民|町民|県民|県警)"
)
_ARABIC_TITLES: Final = (
    "الرئيس|رئيس الوزراء|الوزير|المتحدث|المتحدثة|القبطان|الأمير|الملك|الشيخ|الدكتور|المدرب|اللاعب|المدافع|"
    "الحاكمة|الحاكم|السيد|السيدة|النائب|السفير|الجنرال|العقيد|البديل|المحلل|الناشط|الناشطة|جزيرة|مدينة|بلدة|قرية|شركة"
)
_ARABIC: Final = re.compile(rf"(?:{_ARABIC_TITLES}) (\w+ \w+)|[\"“«]([^\"”»\n.،,:]{{3,40}})[\"”»]")
_KOREAN: Final = re.compile(
    r"([가-힣]{2,4}) (?=대통령|총리|장관|대표|의원|회장|감독|선수|시장|지사|씨)"
    r"|[‘“'\"]([^’”'\"\n.,]{2,20})[’”'\"]"
)
_QUOTED: Final = re.compile(r"[\"“«„]([^\"”»“\n.,;:!?]{3,40})[\"”»“]")
# Scripts without capitals and without further rules here.
_QUOTING: Final = (
    "he", "yi", "hi", "mr", "ne", "bn", "ta", "te", "kn", "ml", "gu", "pa", "th", "lo", "km", "my", "am",
    "ka", "si",
)  # fmt: skip
_CASELESS: Final = {
    "zh": _CHINESE, "ja": _JAPANESE, "ko": _KOREAN,
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ckb", "ug", "sd"), _ARABIC),
    **dict.fromkeys(_QUOTING, _QUOTED),
}  # fmt: skip
_LONGEST_SCAN: Final = 240_000  # characters searched in a language without capitals

# Languages that capitalise every noun: only a run of two or more capitalised words is a name.
_CAPITAL_NOUNS: Final = frozenset({"de", "lb"})


def find_names(text: str, language: str, is_common: Callable[[str], bool]) -> list[str]:
    """Return the names in `text` as written, without the ending 's, with repeats.

    `is_common` reports everyday words.
    """
    if language in _CASELESS:
        return list(_caseless(text[:_LONGEST_SCAN], _CASELESS[language], is_common))
    capitals = _CAPITALS if language == "en" else _QUOTED_CAPITALS
    names = [name.replace("’", "'").removesuffix("'s") for name in capitals.findall(text)]
    if language == "en":
        return names
    if language in _CAPITAL_NOUNS:
        single = (name for name in _PREPOSITION.findall(text) if not name.endswith(_NOUN_ENDINGS))
        names = [*(name for name in names if " " in name), *single]
    return [name for name in names if not is_common(name)]


def _caseless(text: str, signs: re.Pattern[str], is_common: Callable[[str], bool]) -> Iterator[str]:
    for match in signs.finditer(text):
        name = match[match.lastindex or 0]
        if not is_common(name):
            yield name


HASH_MASK: Final = (1 << HASH_BITS) - 1
STOP_WORD: Final = -1
_DF_BITS: Final = 24
DF_MASK: Final = (1 << _DF_BITS) - 1
NUMBER: Final = 1 << HASH_BITS + _DF_BITS  # codes from here on are numbers ("72,000", "two")
_MEMO_LIMIT: Final = 50_000  # tokens per language, about 6 MB; the cache is cleared when full
_LONGEST_TOKEN: Final = 64  # characters; a longer token is not a word and is cut

# A word, or a number with its separators; "12th" and "3-year" are words.
_TOKEN: Final = re.compile(r"[^\W\d_][\w'’-]*|\d(?:[\d.,]*\d(?![\w-])|[\w'’-]*)")
# The same for text without other letters than those of ASCII, in two thirds of the time.
_ASCII_TOKEN: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9_'’-]*|[0-9](?:[0-9.,]*[0-9](?![A-Za-z0-9_-])|[A-Za-z0-9_'’-]*)"
)

_LARGEST_SPELT: Final = 12  # of the numbers in words that the weights were trained with
# Languages that decline names and rarely share spellings with other languages: their names are stemmed.
_DECLINING: Final = frozenset({"ru", "uk", "be", "bg", "sr", "mk"})
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_FIRST_HAN: Final = "\u3400"
_BEFORE_DIGIT: Final = re.compile(r"\b([وفبلك]|ال)(?=\d)")  # "و34": and 34


def primary_tag(language: str | None) -> str:
    """Return "en" for "en", "en-GB" and "EN_us"; "und" for an unknown language."""
    tag = re.split(r"[-_]", (language or "").strip().lower(), maxsplit=1)[0]
    return tag if tag.isalpha() and tag.isascii() and 2 <= len(tag) <= 3 else "und"


class Vocabulary(dict[str, int]):
    """Codes by token for one language, computed on first use. Tokens are as they occur in the text.

    Without `tuning`, stems, names and common words are available, but not document frequencies.
    """

    def __init__(
        self, language: str, background: BackgroundFrequencies, tuning: EventTuning | None = None
    ) -> None:
        super().__init__()
        self.language = language
        self._stops = stop_words(language)
        self._listed = _listed(language)
        self._words = _words_of_han(language, self._listed)
        self._spelt = spelt_numbers(language)
        self._background = background
        self._memo: dict[Kind, dict[str, int]] = {"n": {}, "d": {}, "u": {}}
        self._shares = _shares(tuning)
        self._df, self.unlisted_df = self._frequencies()
        events = background.events.get(ANY_LANGUAGE, 0)
        self._everyday_df = round(self._shares["topical"] * events)
        self._common_df = round(self._shares["common"] * events)
        self.named_df = round(self._shares["named"] * events)

    @property
    def knows_common(self) -> bool:
        """Whether common words are known; otherwise none can be called rare."""
        return bool(self._df)

    @property
    def has_lists_only(self) -> bool:
        """Whether only the lists of common words are known of this language."""
        return self.unlisted_df > 0

    def _frequencies(self) -> tuple[Mapping[str, int], int]:
        """Return document frequencies by stem, and that of other stems: counted, or from the lists."""
        if self._background.knows(self.language):
            return self._background.table("w", self.language), 0
        events = self._background.events.get(ANY_LANGUAGE, 0)
        listed: dict[str, int] = {}
        for heading, heading_words in self._listed if events else ():
            for word in heading_words:
                listed.setdefault(self.stem(word), round(self._shares[heading] * events))
        listed.pop("", None)
        return listed, round(self._shares["unlisted"] * events) if listed else 0

    def __missing__(self, token: str) -> int:
        code = self._word_code(token)
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        if len(token) <= _LONGEST_TOKEN:
            self[token] = code
        return code

    def stem(self, token: str) -> str:
        """Return the stem of `token`; "" for a stop word and for a single letter."""
        word = token[:_LONGEST_TOKEN].lower().replace("’", "'").rstrip("'-")
        if not word.isascii():
            word = plain_letters(word, self.language)
        if word in self._stops:
            return ""
        if "'" in word:
            word = word[elided(word, self.language) :].removesuffix("'s")
        if word in self._stops or (len(word) < 2 and word < _FIRST_HAN):
            return ""
        if word[:1].isdigit():
            return plain_number(word, self.language)
        return stem_of(word, self.language)

    def number(self, token: str) -> str | None:
        """Return the number that `token` means ("2" for "two"), None for other words."""
        if token[0].isdigit():
            return plain_number(token, self.language)
        number = self._spelt.get(token.lower(), 0)
        return str(number) if 2 <= number <= _LARGEST_SPELT else None

    def tokens(self, text: str, limit: int) -> list[str]:
        """Return words and numbers in order, at most `limit`; scripts.py splits text without spaces."""
        # A word is rarely longer than 12 characters: this limits the scan of a huge text only.
        text = text[: limit * 12]
        if ascii_text(text) is not None:
            return _ASCII_TOKEN.findall(text)[:limit]
        if self.language == "ar":
            text = _BEFORE_DIGIT.sub(r"\1 ", text)
        if needs_splitting(text):
            if self.language == "zh":
                text = simplified(text)
            return pieces(text, is_japanese=self.language == "ja", known=self._words)[:limit]
        return _TOKEN.findall(text)[:limit]

    def codes(self, kind: Kind, terms: Sequence[str]) -> list[int]:
        """Return the codes of names, numbers or numbers with their units, which belong to no language."""
        memo = self._memo[kind]
        if len(memo) >= _MEMO_LIMIT:
            memo.clear()
        for term in terms:
            if term not in memo:
                df = self._background.table(kind, ANY_LANGUAGE).get(term[:_LONGEST_TOKEN], 0)
                memo[term] = _code(kind, ANY_LANGUAGE, term, df)
        return [memo[term] for term in terms]

    def names(self, text: str) -> list[str]:
        """Return the names in `text` in lower case, with repeats."""
        names = [name.lower() for name in self.written_names(text)]
        if self.declines_names:
            return [" ".join(self.stem(word) or word for word in name.split()) for name in names]
        return names

    @property
    def declines_names(self) -> bool:
        """Whether names of the language have endings of cases."""
        return self.language in _DECLINING

    def written_names(self, text: str) -> list[str]:
        """Return the names in `text` as written, with repeats."""
        if self.language == "zh":
            text = simplified(text)
        return find_names(text, self.language, self._is_common)

    def words_of_names(self, names: Iterable[str]) -> list[int]:
        """Return the hashes of the words in `names`, which are in the form that `names` returns."""
        joined = " ".join(dict.fromkeys(names))
        if self.declines_names:
            return [_code("w", self.language, stem, 0) & HASH_MASK for stem in joined.split()]
        return [
            self[token] & HASH_MASK for token in self.tokens(joined, len(joined)) if self[token] != STOP_WORD
        ]

    def _is_common(self, word: str) -> bool:
        return self.stem(word) in self._df

    def _word_code(self, token: str) -> int:
        stem = self.stem(token)
        if not stem or (len(stem) == 1 and stem >= _FIRST_HAN):
            return STOP_WORD
        mark = NUMBER if self.number(token) is not None else 0
        df = self._df.get(stem[:_LONGEST_TOKEN])
        return mark | _code("w", self.language, stem, self._usual_df(stem) if df is None else df)

    def _usual_df(self, stem: str) -> int:
        """Return the document frequency assumed for an unlisted stem.

        Small numbers, years and single characters are as frequent as common words; pairs with an everyday
        character are as frequent as topical ones.
        """
        if not self.has_lists_only:
            return 0
        if (len(stem) < 3 and (stem.isdigit() or len(stem) == 1)) or _YEAR.fullmatch(stem):
            return self._common_df
        if stem.isdigit():
            return 0
        if len(stem) == 2 and self.language == "zh" and not EVERYDAY.isdisjoint(stem):
            return self._everyday_df
        return self.unlisted_df


def _listed(language: str) -> tuple[tuple[str, list[str]], ...]:
    """Return the lists of common words with their headings, as words."""
    return tuple(
        (heading, simplified(words).split() if language == "zh" else words.split())
        for heading, words in common_words(language)
    )


def _words_of_han(language: str, listed: tuple[tuple[str, list[str]], ...]) -> frozenset[str]:
    """Return the listed words of two or more Chinese characters only."""
    if language not in ("ja", "zh"):
        return frozenset()
    return frozenset(
        word for _, words in listed for word in words if len(word) > 1 and min(word) >= _FIRST_HAN
    )


def _shares(tuning: EventTuning | None) -> dict[str, float]:
    """Return the share of events that contain a word, by list."""
    if tuning is None:
        return dict.fromkeys((*LISTS, "unlisted"), 0.0)
    return {
        "very common": tuning.listed_very_common,
        "common": tuning.listed_common,
        "named": tuning.listed_named,
        "topical": tuning.listed_topical,
        "unlisted": tuning.unlisted,
    }


def word_hash(language: str, stem: str) -> int:
    """Return the hash of a stem, which packed terms carry."""
    return _code("w", language, stem, 0)


def _code(kind: Kind, language: str, term: str, df: int) -> int:
    hashed: int = xxhash.xxh3_64_intdigest(f"{kind}:{language}:{term[:_LONGEST_TOKEN]}".encode())
    return min(df, DF_MASK) << HASH_BITS | hashed & HASH_MASK
