"""Finds names of persons, places and things by the marks of each script.

Latin, Greek and Cyrillic: runs of capitalised words inside sentences. German capitalises every noun: there a
single word is a name only after a preposition without article, and only if it is not a common noun. Scripts
without capitals: text in quotation marks and next to a title; transliterations (katakana; the Chinese
characters that spell foreign sounds); in Chinese also the most frequent place names.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

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

# Languages that capitalise every noun: only a run of two or more capitalised words is a name.
CAPITAL_NOUNS: Final = frozenset({"de", "lb"})
# German prepositions after which a noun without an article is a name: "in Bremen", not "in der Stadt".
BARE_PREPOSITIONS: Final = frozenset(
    {"aus", "bei", "gegen", "in", "nach", "nahe", "um", "von", "vor", "zwischen", "über"}
)
_PREPOSITION: Final = re.compile(
    rf"\b(?i:{'|'.join(sorted(BARE_PREPOSITIONS))}) ([A-ZÄÖÜ][\w’'-]{{2,}})"
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
    if language in CAPITAL_NOUNS:
        single = (name for name in _PREPOSITION.findall(text) if not name.endswith(_NOUN_ENDINGS))
        names = [*(name for name in names if " " in name), *single]
    return [name for name in names if not is_common(name)]


def _caseless(text: str, signs: re.Pattern[str], is_common: Callable[[str], bool]) -> Iterator[str]:
    for match in signs.finditer(text):
        name = match[match.lastindex or 0]
        if not is_common(name):
            yield name
