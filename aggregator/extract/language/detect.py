"""Language detection (BCP 47 primary tags, "en", "pt") and stop words.

The stop word lists were written for this project: articles, pronouns, prepositions, auxiliaries, and the
verbs of saying that every report uses. They need not be complete: where a background table of the language
exists, a missing word has little weight by its document frequency.
"""

import re
from collections.abc import Iterable
from functools import cache

from aggregator.extract.limits import ExtractTuning

_LISTS: dict[str, str] = {
    "en": """
        a about above after again against all also although am among an and another any are aren't around
        as at be because been before being below between both but by came can can't cannot come could
        couldn't did didn't do does doesn't doing don't down during each either else even ever every few
        for from further get gets getting go goes going got had hadn't has hasn't have haven't having he
        he'd he'll he's her here hers herself him himself his how however i i'd i'll i'm i've if in into
        is isn't it it's its itself just let like made make makes many may me might more most much must my
        myself no nor not now of off on once one only onto or other others our ours out over own per
        rather said same say saying says shall she she'd she'll she's should shouldn't since so some such
        take tell than that that's the their theirs them themselves then there there's these they they'd
        they'll they're they've this those though through thus to told too toward towards under until up
        upon us very was wasn't way we we'd we'll we're we've well went were weren't what what's when
        where whether which while who who's whom whose why will with within without won't would wouldn't
        yes yet you you'd you'll you're you've your yours yourself mr mrs ms""",
    "de": """
        ab aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei beim
        bereits bin bis bist da dabei dadurch dafür dagegen daher damit danach dann daran darauf darf
        darüber das dass dazu dein dem den denen denn dennoch der deren des dessen dich die dies diese
        diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines er es etwa etwas
        euch euer für gab gegen gegenüber gibt ging habe haben hat hatte hatten hier hin hinter ich ihm
        ihn ihnen ihr ihre ihrem ihren ihrer im immer in ist ja jede jedem jeden jeder jedes jedoch jetzt
        kann kein keine keinen keiner können könnte laut man mehr mein mich mir mit muss müssen nach
        nachdem nicht nichts noch nun nur ob oder ohne sagt sagte schon sehr sei sein seine seinem seinen
        seiner seit selbst sich sie sind so sogar soll sollen sollte sondern sowie über um und uns unser
        unter viel viele vom von vor war waren warum was weil weiter welche wenn wer werde werden wie
        wieder will wir wird wo worden wurde wurden würde würden während zu zum zur zwar zwischen""",
    "fr": """
        a afin ai ainsi alors après au aucun aucune aujourd'hui auprès aura aussi autour autre autres aux
        avaient avait avant avec avoir ayant beaucoup bien c car ce ceci cela celle celles celui cependant
        certains ces cet cette ceux chaque chez comme comment contre d dans de depuis derrière des dès
        deux devait devant dire dit doit donc dont du elle elles en encore entre est et étaient était
        étant été être eu eux faire fait fois font furent grâce hors ici il ils j je jusqu jusque l la là
        laquelle le lequel les lesquels leur leurs lors lorsque lui m ma mais malgré me même mêmes mes
        moins mon n ne ni non nos notre nous on ont ou où par parce parmi pas pendant peu peut peuvent
        plus plusieurs plutôt pour pourrait pourtant près puis qu quand que quel quelle quelles quelques
        quels qui quoi s sa sans se sera serait ses seulement si selon soit son sont sous sur t ta tandis
        tel telle tels toujours tous tout toute toutes très trop tu un une vers voici voilà vos votre vous
        y""",
    "es": """
        a además ahora al algo algún alguna algunas algunos allí ante antes aquel aquella aquí así aún
        aunque bajo bien cada casi como cómo con contra cual cuál cuando cuándo de debe del desde después
        dice dicho dijo donde dónde dos durante e el él ella ellas ellos en entonces entre era eran es esa
        esas ese eso esos esta está están estaba estar estas este esto estos fue fueron ha había habían
        han hace hacer hacia hasta hay he la las le les lo los luego más me medio mejor menos mi mientras
        mis mismo muy nada ni no nos nosotros nuestra nuestro nunca o os otra otras otro otros para parte
        pero poco por porque pues puede pueden que qué quien quién quienes se sea según ser será si sí
        sido sin sino sobre solo sólo son su sus también tan tanto te tener tiene tienen toda todas
        todavía todo todos tras tu tuvo un una unas uno unos usted va ya y yo""",
    "it": """
        a ad agli ai al alcuni all alla alle allo altra altre altri altro anche ancora aveva avere c che
        chi ci cioè col come con contro cosa così cui d da dagli dai dal dall dalla dalle dallo degli dei
        del dell della delle dello dentro di dice dietro dopo dove dovrebbe due durante e ed era erano
        essere è fa fare fatto fino fra già gli ha hanno ho i il in infatti invece io l la le lei lo loro
        lui ma mai me meno mentre mi mia mio molto ne negli nei nel nell nella nelle nello nessuno no noi
        non nostra nostro o ogni oltre oppure ora per perché però più poi prima proprio può qualche quale
        quali quando quanto quasi quella quelle quelli quello questa queste questi questo qui se secondo
        sempre senza si sia solo sono sopra sotto stata state stati stato su sua subito sue sugli sui sul
        sull sulla sulle sullo suo suoi tra tre troppo tu tutta tutte tutti tutto un una uno va verso vi
        viene voi""",
    "pt": """
        a à acordo agora ainda além algum alguma alguns ao aos apenas após aquela aquele aqui as às assim
        até bem cada com como contra cuja cujo da das de dela dele deles depois desde dessa desse desta
        deste deve disse diz do dois dos durante e é ela elas ele eles em enquanto então entre era eram
        essa essas esse esses esta está estão estar estas estava este estes eu foi foram fora há isso isto
        já lá lhe mais mas me mesma mesmo meu minha muito muitos na não nas nem nenhum no nos nós nossa
        nosso num numa o onde ontem os ou outra outras outro outros para pela pelas pelo pelos pode podem
        pois por porque porém pouco quando quanto que quem se segundo seja sem sempre ser será seu seus si
        sido sob sobre sua suas também tão tem têm ter teve tinha toda todas todo todos tudo um uma umas
        uns vai você""",
    "nl": """
        aan af al alle alleen als altijd andere ben bij bijna binnen daar daarom dan dat de deze die dit
        doen door dus echter een één eens elk elke en er ervan even ga gaan gaat geen geweest had hadden
        heb hebben heeft hem het hier hij hoe hun iemand iets ik in is ja je jij jullie kan kon konden
        kunnen kwam liet maar me meer men met mij mijn moet moeten na naar net niet niets nog nu of om
        omdat onder ons onze ook op over pas per rond sinds soms te tegen ten ter terwijl toch toen tot
        tussen twee u uit uw van veel verder volgens voor waar waarom wanneer want waren was wat we weer
        wel welke werd werden wie wij wil worden wordt zal ze zegt zei zelf zich zij zijn zo zoals zonder
        zou zouden""",
    "ru": """
        а без более больше будет будут бы был была были было быть в вам вас ведь весь во вот все всего
        всей всех вы где да даже для до другой его ее ей если есть еще ещё же за здесь и из или им иногда
        их к как какая какой когда кто ли либо между меня мне много может можно мы на над надо нас не него
        нее ней нет ни них но ну о об один одна однако он она они оно от очень по под поэтому после потом
        потому при про раз с сам самый себя сейчас со сказал сказала также так такой там тебя тем теперь
        то тогда того тоже той только том тот тут ты у уже хотя чего чей чем через что чтобы эта эти этим
        этих это этого этой этом этот я заявил заявила сообщил словам данным который которая которое которые
        которого которой которому которым которых котором которую всем всех всеми всему всего всею всю будто
        чуть никто ничто никого нам нами ими ему ней нею собой себе слишком должен должна должно должны нельзя
        такого такая такое такие таких таким такому своих своим своей свою своего своем наш наша наше наши
        наших нашего мой моя мои ваш ваша ваши чьи крайне по-прежнему например однако впрочем причем зато
        едва пусть именно прежде кроме""",
    "ar": """
        في من على إلى الى عن مع أن ان إن هذا هذه ذلك تلك التي الذي الذين ما ماذا لا لم لن قد كان كانت يكون
        تكون هو هي هم هن نحن أنا أنت كما كل بعد قبل بين حتى حيث حين عند عندما ثم أو او أم بل لكن غير سوى
        أي أيضا ايضا منذ خلال ضد حول دون فوق تحت أمام وراء إذا اذا لو لقد وقد وفي ومن وعلى وإلى وأن وان
        وكان وكانت وهو وهي ولم ولا بأن به بها له لها لهم فيه فيها منه منها عليه عليها إنه أنه أنها وقال
        قال قالت وقالت وأضاف أضاف بعض جميع نحو مثل هناك هنا يوم اليوم أما أين مما بما فيما كيف متى لماذا
        لأن لأنه لأنها بأنه بأنها أنهم أنهما لكنه لكنها ليس ليست ليسوا هؤلاء اللذان اللتان اللواتي
        كلها كله كلهم بعضهم منهم منهما عنه عنها عنهم لدى لديه لديها معه معها معهم فإن فقد وهذا
        وهذه وذلك وأنه وأنها إلا إنما هل بلا بنحو لاسيما سيما زال تزال يزال مازال كأن لعل وعندما كلما""",
    "sv": """
        alla allt att av bara blev bli blir de dem den denna deras dess det detta dig din dock du där
        efter eller en enligt er ett från för före genom ha hade han hans har hela henne hennes hon honom
        hos hur här i ifrån in inför inga ingen inget inom inte jag kan kunde mellan men mer mot mycket
        måste ni nu när någon något några och också om oss på samma sedan sig sin sina sitt ska skulle som
        så sådan säger sade till under upp ut utan vad var vara varit vi vid vilka vilken är även över""",
    "da": """
        af alle alt anden at blev blive bliver både da de dem den denne der deres det dette dig din dog du
        efter eller en end er et fik for fra før få får gennem ham han hans har havde hele hen hende
        hendes her hun hvad hvem hver hvor hvordan hvorfor i ikke ind ingen inden jeg kan kom kommer kun
        kunne man mange med meget mellem men mere mod må ned noget nogle nu når og også om op os over på
        samme selv siden siger sig sin sine skal skulle som så til ud uden under var ved vi vil ville være
        været""",
    "pl": """
        a aby ale albo ani bardzo bez bo by być był była było były będzie będą chce ci cię co czy dla do
        gdy gdzie go i ich ile im inne innych ja jak jako je jego jej jest jeszcze już każdy kiedy kto
        która które którego której który których którzy lub ma mają może można mu my na nad nam nas nawet
        nie niego nich nim niż o obecnie od on ona one oni oraz po pod podczas ponieważ poza przed przede
        przez przy również są się sobie swoich swoje także tak tam te tego tej ten też to tu ty tych tylko
        tym w we wie wiele więc wszystko z za ze że został została""",
    "tr": """
        acaba ama ancak aslında az bana bazı belki ben beri bile bin bir biri birkaç biz bu bunu bunun
        böyle da daha dahi de defa değil diye dolayı en gibi göre hem hep hepsi her hiç için ile ilgili
        ise işte kadar karşı kendi ki kim mi mu mı nasıl ne neden nerede o olan olarak oldu olduğu
        olduğunu olup on ona onlar onu onun sadece sanki sen siz sonra şey şu tarafından tüm ve veya ya
        yani yer yine yok çok çünkü üzere""",
    "zh": """
        年 月 日 号 號 人 名 个 個 时 時 分 秒 点 點 元 万 亿 家 位 次 条 件 辆 艘 架 只 座 户
        套 项 种 岁 公里 小时 分钟 地 着 过 過 不 一 二 三 没 有 可 以 能 要 说 去 来 好 大 小 多 少
        新 老 本 全 今 第""",
    "ja": """
        年 月 日 号 人 名 個 時 分 秒 点 円 万 億 回 件 台 隻 機 戸 棟 歳 度 者 的 同 約 第 前
        後 中 内 上 下 間 今 何 一 二 三 言 話 見 行 来 出 入 思 述 受 続 持 合 気 目 手 本 際 事 物 所
        方 私 彼 氏 別 次 計 用 全 各 毎 数 新 初 大 小 多 少 高 低 強 長 分か""",
}


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the lower-case stop words of `language` (a primary tag); empty without a list."""
    return frozenset(_LISTS.get(language, "").split())


_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_].{0,30})?")
# Similar in writing; detection confuses them in short texts.
CHINESE = frozenset({"cmn", "yue", "wuu", "lzh", "gan", "hak", "nan"})
# Templates often declare "en" for texts in other scripts; these languages are never written in another one.
_WRITTEN_IN_LATIN = frozenset({
    "ca", "cs", "da", "de", "en", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu", "id", "is", "it", "lt",
    "lv", "nb", "nl", "nn", "no", "pl", "pt", "ro", "sk", "sl", "sv", "tr", "vi",
})  # fmt: skip
_UNDETERMINED = frozenset({"und", "zxx", "mul", "xx", "xxx"})


def find_language(title: str, text: str, declared: str | None, tuning: ExtractTuning) -> str | None:
    """Return the language of `title` and `text`, or None without a declaration and without letters.

    `declared` is used while they are very short and in its script.
    """
    hint = primary_tag(declared)
    sample = f"{title}\n{text[: tuning.language_sample_chars]}".strip()
    letters = sum(map(str.isalpha, sample[: 2 * tuning.language_min_chars]))
    if letters == 0 or (hint is not None and letters < tuning.language_min_chars and _may_be(hint, sample)):
        return hint
    return _detected(sample)


def language_of_feed(texts: Iterable[str], tuning: ExtractTuning) -> str | None:
    """Return the language of entries of a feed together, which tell more than each alone."""
    sample = "\n".join(text[: tuning.language_sample_chars] for text in texts)
    return _detected(sample) if any(map(str.isalpha, sample)) else None


def primary_tag(declared: str | None) -> str | None:
    """Return "en" for "en-GB" and "EN_us"; None if `declared` is not a language tag."""
    match = _TAG.fullmatch(declared.strip()) if declared else None
    tag = match.group(1).lower() if match else None
    return None if tag in _UNDETERMINED else _as_written(tag)


def _may_be(language: str, sample: str) -> bool:
    """Return whether the script of a short text fits the language, by a cheap check."""
    letters = [char for char in sample if char.isalpha()]
    latin = sum(char <= "\u024f" or "\u1e00" <= char <= "\u1eff" for char in letters)
    return language not in _WRITTEN_IN_LATIN or 2 * latin >= len(letters)


def _as_written(tag: str | None) -> str | None:
    return "zh" if tag in CHINESE else tag


def _detected(sample: str) -> str | None:
    import py3langid

    return _as_written(py3langid.classify(sample)[0])
