"""Scripts: the language implied by a script, and word splitting where no spaces are written.

Chinese characters are split into the words of a list and, between them, into pairs of neighbours (Chinese is
split at its grammatical characters first, Japanese ends such a run with kana). A katakana run is one word,
hiragana is grammar and dropped. Thai, Lao, Khmer and Burmese are split into pairs of clusters (a consonant
with its vowels). Numerals are converted: 三百, 12万8000 and ３ become 300, 128000 and 3.
"""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final

from aggregator.text.language import CHINESE
from aggregator.text.numbers import written_out

_HAN: Final = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA: Final = "\u3041-\u309f"
_KATAKANA: Final = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_CLUSTERED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
_UNSPACED: Final = f"{_HAN}{_HIRAGANA}{_KATAKANA}{_CLUSTERED}"
# Scripts by a range of their letters, in this order, and the default language of each.
_SCRIPTS: Final = {
    "kana": (f"{_HIRAGANA}{_KATAKANA}", "ja"),
    "han": (_HAN, "zh"),
    "hangul": ("\uac00-\ud7a3\u1100-\u11ff", "ko"),
    "cyrillic": ("\u0400-\u052f", "ru"),
    "arabic": ("\u0620-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc", "ar"),
    "greek": ("\u0370-\u03ff\u1f00-\u1fff", "el"),
    "hebrew": ("\u0590-\u05ff", "he"),
    "devanagari": ("\u0900-\u097f", "hi"),
    "thai": ("\u0e00-\u0e7f", "th"),
    "latin": ("A-Za-z\u00c0-\u024f\u1e00-\u1eff", ""),
}
# The scripts of languages that do not (only) use Latin letters; Serbian and some others use both.
_SCRIPTS_OF: Final = {
    "ja": "kana han", "zh": "han", "ko": "hangul han", "el": "greek",
    "he": "hebrew", "yi": "hebrew", "th": "thai",
    **dict.fromkeys(("ru", "uk", "bg", "mk", "be", "mn", "ky", "tg", "tt"), "cyrillic"),
    **dict.fromkeys(("sr", "kk", "uz", "az", "bs"), "cyrillic latin"),
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ckb", "ug", "sd"), "arabic"),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), "devanagari"),
}  # fmt: skip
# Similar languages that detection confuses in a short text.
# Languages whose scripts are not distinguished here: the declared language is kept.
_TRUSTED: Final = frozenset(
    (
        "am",
        "ti",
        "hy",
        "ka",
        "bn",
        "as",
        "ta",
        "te",
        "kn",
        "ml",
        "gu",
        "pa",
        "or",
        "si",
        "km",
        "lo",
        "my",
        "bo",
        "dz",
        "iu",
        "chr",
        "dv",
    )
)
_SAMPLE_CHARS: Final = 400  # letters of the beginning of a text by which its script is detected
_FOREIGN: Final = re.compile(
    "[\u0300-\u1dff\u2e80-\uabff\uac00-\ud7ff\uf900-\ufdff\ufe70-\uffef\U00020000-\U0003ffff]"
)
_LETTERS: Final = {name: re.compile(f"[{letters}]") for name, (letters, _) in _SCRIPTS.items()}

# Mostly grammatical Chinese characters; words are split there.
_GRAMMAR: Final = (
    "的了在是和与與及等被把将將从從向并也都就但则其该此每很更又还還再已曾至或若这這那们們他她它我你您"
)
# Characters of everyday Chinese words. A pair with one of them is rarely part of a name.
EVERYDAY: Final = frozenset(
    "一二三四五六七八九十百千万两几多少大小上下里中内外前后左右出入进去来回到走跑打拿放开关看说问叫想做有无是人个家时日月年"
    "天点分半处地面边头次度线站场队车船机房门口手身就还再更最很太才都也今当每经为成得见卖买吃喝坐住睡写读送接带找等连"
)
_COUNTER_PAIRS: Final = frozenset(
    (
        "公里",
        "小时",
        "分钟",
        "美元",
        "欧元",
        "日元",
        "亿元",
        "万元",
        "平方",
        "公斤",
        "小時",
        "分鐘",
        "カ月",
        "か月",
        "时许",
        "以上",
        "ドル",
        "ユーロ",
    )
)


# Traditional characters that are frequent in news, and their simplified forms.
_TRADITIONAL: Final = (
    "啟馳這個們來時國會為發後說對過還開關員長東車門問間聞現見覺視觀親議論語話設計認記許評證試該詳調談請課諾謀謝識護讀變讓貝負財責敗貨質販貪購貴買費貿賀資賊賓賞賠賣賬賴賺賽贈贊贏軍軌軟較載輕輛輝輪輸轉農運進連達"
    "違遠適選遺遼邊郵鄉醫釋針鋼鐵錄錢錯鎮鏡鐘銀銅銷鋒鎖鎊閉閣閱闆隊陽陰陣階際陸險隨隱難雙雜離雞電靈靜韓響頁項順須預領頭題額類願顧顯風飛飯飲館養餘馬駐駕騎驗驚體鬥魚鮮鳥鴻鹽麥麗黃黨齊齒龍龜業樂樓標樣樹橋機檢"
    "權歐歲歸殘殺氣決況沒淚準溝滅滿漁漢潛潔潰濟濤濱灣災煙熱燈營爭爺爾狀獄獨獎環產畢畫異當療癥盜監盤盧眾睏礎礙確祕禍種稅積穩窮競筆節範築簡簽簾籌糧糾紀約紅級納紐純紙紛細終組結絕給統經綜綠維網緊線緣編緩縣總績"
    "織繼續罷羅義習聖聯聲職聽肅腦腳臉臨舉舊艦艙藝莊華萬葉著蓋蔣藍藥蘇蘭處號虧術衛衝補裝裡製複規覽觸訂討訓訪診詐詞詢誌誤誰諮謊譯譽豐趙跡踐躍軒辦辭遞遲邁鄭鄧鄰釀鍵鋪鏈鑑鑽鑒閃陳陝隸雖霧頒頻顆顏飄飽駛騙騰驅驟"
    "鬆鬧鬱鳳鳴鴨鵬麼黴點齡億價優傳傷債傾僅僑償儀內兩冊凍凱別則剛創劃劇劉劍劑動務勝勞勢勵勸區協單卻參吳嗎喪喬嚇嚮嚴團園圓圖圍執堅報場塊塗墜墮壇壓壞壯壽夢夥夾奪奮妝婦媽嬰孫學實寧審寫寬寶將專尋導屆屬島嶺幣師"
    "帳帶幫幹幾庫廁廂廈廚廠廢廣廳張強彈彌彙彥徑從復徵恆悅惡惱愛慘慣慮慶憂憑憲應懲懷懸戀戰戲戶拋挾捨掃掛採揚換揮損搖搶摯撐撥撫撲擁擇擊擋擔據擠擬擴擺擾攝敵數斷於晉暫曆曉書柵條極構槍檔櫃欄歷殼毀沖減測渦湯溫滬"
    "滯漲澤澱濕濾瀋灘無煉爐牆獲獵瑪瑣瑤瓊疊瘋癒皺盡睜矯碼磚礦祿禮禦稱穀穫窩竊筍籃籲紮絡絲緒緝縮繞繪罰羈聰脅脫臺與興舖艱芻茲荊莖菸萊蒼蓮薦薩蔭虜蝕蟲蠻衆裏襲託詩誇誕誠誘諒諸謂謙譴貓貢貫貸貼賤賦賭贓趨蹤軸輔輩"
    "輯轄轎轟迴遊遜遷鄒醜釘鈔鈴鉛錦錫鍋鍾鏟鐮閒闊闖隻雲韌韻頂頓頗頸飼餅餓饋駁騷髒鬍鬚魯鯨鷹麵"
)
_SIMPLE: Final = (
    "启驰这个们来时国会为发后说对过还开关员长东车门问间闻现见觉视观亲议论语话设计认记许评证试该详调谈请课诺谋谢识护读变让贝负财责败货质贩贪购贵买费贸贺资贼宾赏赔卖账赖赚赛赠赞赢军轨软较载轻辆辉轮输转农运进连达"
    "违远适选遗辽边邮乡医释针钢铁录钱错镇镜钟银铜销锋锁镑闭阁阅板队阳阴阵阶际陆险随隐难双杂离鸡电灵静韩响页项顺须预领头题额类愿顾显风飞饭饮馆养余马驻驾骑验惊体斗鱼鲜鸟鸿盐麦丽黄党齐齿龙龟业乐楼标样树桥机检"
    "权欧岁归残杀气决况没泪准沟灭满渔汉潜洁溃济涛滨湾灾烟热灯营争爷尔状狱独奖环产毕画异当疗症盗监盘卢众困础碍确秘祸种税积稳穷竞笔节范筑简签帘筹粮纠纪约红级纳纽纯纸纷细终组结绝给统经综绿维网紧线缘编缓县总绩"
    "织继续罢罗义习圣联声职听肃脑脚脸临举旧舰舱艺庄华万叶着盖蒋蓝药苏兰处号亏术卫冲补装里制复规览触订讨训访诊诈词询志误谁谘谎译誉丰赵迹践跃轩办辞递迟迈郑邓邻酿键铺链鉴钻鉴闪陈陕隶虽雾颁频颗颜飘饱驶骗腾驱骤"
    "松闹郁凤鸣鸭鹏么霉点龄亿价优传伤债倾仅侨偿仪内两册冻凯别则刚创划剧刘剑剂动务胜劳势励劝区协单却参吴吗丧乔吓向严团园圆图围执坚报场块涂坠堕坛压坏壮寿梦伙夹夺奋妆妇妈婴孙学实宁审写宽宝将专寻导届属岛岭币师"
    "帐带帮干几库厕厢厦厨厂废广厅张强弹弥汇彦径从复征恒悦恶恼爱惨惯虑庆忧凭宪应惩怀悬恋战戏户抛挟舍扫挂采扬换挥损摇抢挚撑拨抚扑拥择击挡担据挤拟扩摆扰摄敌数断于晋暂历晓书栅条极构枪档柜栏历壳毁冲减测涡汤温沪"
    "滞涨泽淀湿滤沈滩无炼炉墙获猎玛琐瑶琼叠疯愈皱尽睁矫码砖矿禄礼御称谷获窝窃笋篮吁扎络丝绪缉缩绕绘罚羁聪胁脱台与兴铺艰刍兹荆茎烟莱苍莲荐萨荫虏蚀虫蛮众里袭托诗夸诞诚诱谅诸谓谦谴猫贡贯贷贴贱赋赌赃趋踪轴辅辈"
    "辑辖轿轰回游逊迁邹丑钉钞铃铅锦锡锅钟铲镰闲阔闯只云韧韵顶顿颇颈饲饼饿馈驳骚脏胡须鲁鲸鹰面"
)
_SIMPLIFIED: Final = str.maketrans(_TRADITIONAL, _SIMPLE)


def fitting_language(declared: str, text: str) -> str:
    """Return `declared`, unless most of the text's first letters are in a script that it is not written in.

    Then return the default language of that script. `declared` is a primary tag, "und" for unknown; all
    Chinese is "zh".
    """
    if declared in CHINESE:
        declared = "zh"
    sample = text[:_SAMPLE_CHARS]
    is_latin = declared not in _SCRIPTS_OF and declared not in _TRUSTED
    if declared in _TRUSTED or (is_latin and not _FOREIGN.search(sample)):
        return declared
    counts = Counter({name: len(letters.findall(sample)) for name, letters in _LETTERS.items()})
    if counts["kana"] * 10 > counts["han"] and counts["kana"]:
        counts["kana"] += counts.pop("han")
    script, most = counts.most_common(1)[0]
    if not most or (script == "latin" and is_latin) or script in _SCRIPTS_OF.get(declared, "").split():
        return declared
    return _SCRIPTS[script][1] or "und"


def needs_splitting(text: str) -> bool:
    """Return whether the text has more than spaces and Latin, Greek or Cyrillic letters."""
    if text.isascii():
        return False
    try:
        text.encode("cp1252")  # cp1252 has no such letter; encoding is faster than searching
    except UnicodeEncodeError:
        return _SPECIAL.search(text) is not None
    return False


# Combining marks, Hebrew, Arabic and above; not Greek, Cyrillic, Armenian, emoji or punctuation.
_SPECIAL: Final = re.compile(
    "[\u0300-\u036f\u0590-\u10ff\u1100-\u1dff\u3005-\u31ff\u3400-\uabff\uac00-\ud7ff\uf900-\ufdff"
    "\ufe70-\ufefc\uff10-\uffdc\U00020000-\U0003ffff]"
)


def simplified(text: str) -> str:
    """Return Chinese text with the most frequent traditional characters simplified."""
    return text.translate(_SIMPLIFIED)


def pieces(text: str, *, is_japanese: bool, known: frozenset[str] = frozenset()) -> list[str]:
    """Return words and numbers of a text in any script, in order.

    `known` are words in Chinese characters; a run of characters is split at them before the rest becomes
    pairs.
    """
    text = written_out(unicodedata.normalize("NFKC", text))
    tokens = list(_pieces(text, is_japanese or _LETTERS["kana"].search(text) is not None, known))
    return tokens or [text[i : i + 2] for i in range(len(text) - 1) if text[i : i + 2].isalpha()]


def _pieces(text: str, is_japanese: bool, known: frozenset[str]) -> Iterator[str]:
    number_end = -1
    for match in _any_token().finditer(text):
        kind, token = match.lastgroup, match.group()
        if kind == "han":
            if match.start() == number_end:
                counter = 2 if token[:2] in _COUNTER_PAIRS else 1
                yield token[:counter]
                token = token[counter:]
            for run in [token] if is_japanese else _GRAMMAR_RUN.split(token):
                yield from _words_and_pairs(run, known)
        elif kind == "clustered":
            yield from _pairs(_CLUSTER.findall(token))
        elif kind != "hiragana":
            yield token
        number_end = match.end() if kind == "number" else -1


def _words_and_pairs(run: str, known: frozenset[str]) -> Iterator[str]:
    """Yield the longest known words from left to right, and pairs of the characters between them."""
    start = at = 0
    while at < len(run):
        length = next((n for n in _LENGTHS if run[at : at + n] in known), 0)
        if not length:
            at += 1
            continue
        yield from _rest(run[start:at])
        yield run[at : at + length]
        start = at = at + length
    yield from _rest(run[start:])


def _rest(run: str) -> Iterator[str]:
    """Yield pairs of the characters outside known words; split at further grammatical characters."""
    for part in _PARTICLE_RUN.split(run):
        yield from _pairs(part)


def _pairs(run: str | list[str]) -> Iterator[str]:
    if len(run) == 1:
        yield run[0]
    for i in range(len(run) - 1):
        yield run[i] + run[i + 1]


@functools.cache
def marks() -> str:
    """Return the combining marks and joiners inside words, as ranges of a character class."""
    codes = [c for c in range(0x300, 0x10000) if unicodedata.category(chr(c)) in ("Mn", "Mc")]
    spans: list[list[int]] = []
    for code in [*codes, 0x200C, 0x200D]:
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)


@functools.cache
def _any_token() -> re.Pattern[str]:
    inside = rf"(?:(?![{_UNSPACED}])[\w'’{marks()}-])"
    return re.compile(
        rf"(?P<han>[{_HAN}]+)|(?P<katakana>[{_KATAKANA}]+)|(?P<hiragana>[{_HIRAGANA}]+)"
        rf"|(?P<clustered>[{_CLUSTERED}]+)"
        rf"|(?P<number>\d(?:[\d.,\u066b\u066c]*\d)?(?!{inside}))|(?P<word>[^\W_]{inside}*)"
    )


_LENGTHS: Final = (6, 5, 4, 3, 2)  # lengths of known words, in characters
_PARTICLES: Final = "自由受于以起等让给称用但不没要能可因所使仍均未约近逾共余每各某只又着过"
_PARTICLE_RUN: Final = re.compile(f"[{_PARTICLES}]+")
_GRAMMAR_RUN: Final = re.compile(f"[{_GRAMMAR}]+")
# A cluster: vowels before a letter, the letter, signs above, below and after it.
_CLUSTER: Final = re.compile(
    "[\u0e40-\u0e44\u0ec0-\u0ec4]?[\u0e01-\u0e2e\u0e81-\u0eae\u1000-\u102a\u1780-\u17b3]"
    "[\u0e30-\u0e3a\u0e45-\u0e4e\u0eb0-\u0ebc\u0ec6-\u0ece\u102b-\u103e\u17b4-\u17d3]*"
)
