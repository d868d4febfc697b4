"""Pages as the web builds them, of invented outlets, each with the paragraphs that are its article.

Between them they have what real pages put around and into an article: menus, cards of other articles,
sign-ups, captions, advertisements, boxes about the author, scripts, and text in ways of its own.
"""
# ruff: noqa: E501 - markup as it is

import json
from typing import NamedTuple

FERRY = (
    "The ferry between Port Selwyn and Lower Brannock stayed in harbour on Tuesday after its captain refused to "
    "sail with a cracked mooring winch.",
    "About three hundred passengers had to spend the night on the mainland, most of them in the sports hall of "
    "the secondary school.",
    "“I will not take people across with a winch that may let go in the middle of the sound,” said the captain, "
    "Orla Tennant, who has sailed the route for nineteen years.",
    "The company that runs the ferry, Selwyn Lines, said that a new winch was on its way from the yard at "
    "Carrick Head and would be fitted on Thursday.",
    "Islanders have complained for years about the age of the boat, which was built in 1981 and was to be "
    "replaced four years ago.",
    "The island council meets on Friday to ask the ministry for a second boat until the spring.",
)
FERRY_TITLE = "Ferry stays in harbour after captain refuses to sail"
TEASERS = (
    "Mayor of Port Selwyn opens the new fish market",
    "School roof at Hollow Bay to be mended in May",
    "Storm takes the roof off the old cannery",
    "What the new bus timetable means for the villages",
)


class WebPage(NamedTuple):
    name: str
    html: str
    paragraphs: tuple[str, ...]
    title: str = FERRY_TITLE
    language: str = "en"


def _p(paragraphs: tuple[str, ...], opening: str = "<p>") -> str:
    return "".join(f"{opening}{paragraph}</p>\n" for paragraph in paragraphs)


def _page(head: str, body: str, language: str = "en") -> str:
    return f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">{head}</head><body>{body}</body></html>'


_MENU = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/news'>News</a></li><li><a href='/sport'>Sport</a></li></ul></nav>"
_FOOT = (
    "<footer><p>© 2024 The Selwyn Courier. All rights reserved.</p><a href='/imprint'>Imprint</a></footer>"
)


def _cards(tag: str = "div") -> str:
    return "".join(
        f"<{tag} class='c{n}'><a href='/a/{n}'><img src='{n}.jpg'><h3>{headline}</h3><p>The lead of another article, which "
        f"has nothing to do with this one, number {n}.</p></a></{tag}>"
        for n, headline in enumerate(TEASERS)
    )


def _links() -> str:
    return "".join(f"<li><a href='/a/{n}'>{headline}</a></li>" for n, headline in enumerate(TEASERS))


def web_pages() -> tuple[WebPage, ...]:
    return (
        _blog_engine(),
        _portal_engine(),
        _div_soup(),
        _accelerated(),
        _advertised(),
        _broken_lines(),
        _sections(),
        _sidebar_first(),
        _drop_cap(),
        _layout_table(),
        _modules(),
        _other_posts(),
        _sign_ups(),
        _filled_by_script(),
        _linked_paragraphs(),
        _cyrillic(),
        _japanese(),
        _arabic(),
        _hindi(),
    )


def _blog_engine() -> WebPage:
    """A blog engine's theme: byline and date above, share buttons, tags, author box and related posts below."""
    title = (
        f"<title>{FERRY_TITLE} - The Selwyn Courier</title><meta property='og:title' content='{FERRY_TITLE}'>"
    )
    body = f"""{_MENU}<div id="content" class="site-content"><article id="post-811" class="post-811 post type-post hentry">
<header class="entry-header"><h1 class="entry-title">{FERRY_TITLE}</h1>
<div class="entry-meta">By <a rel="author" href="/author/j">Jude Farrow</a> on <time datetime="2024-12-03T18:20:00+00:00">3 December 2024</time></div></header>
<div class="entry-content"><figure class="wp-caption"><img src="f.jpg"><figcaption class="wp-caption-text">The ferry on Tuesday. Photo: M. Quill</figcaption></figure>
{_p(FERRY[:3])}<p><strong>READ ALSO: <a href="/a/1">{TEASERS[0]}</a></strong></p>{_p(FERRY[3:])}
<div class="sharedaddy"><h3>Share this:</h3><ul><li><a href="#">Facebook</a></li><li><a href="#">Print</a></li></ul></div>
<div id="jp-relatedposts"><h3>Related</h3>{_cards()}</div></div>
<footer class="entry-footer">Tagged <a href="/tag/ferry">ferry</a></footer></article>
<div class="author-box"><h4>Jude Farrow</h4><p>Jude Farrow has written about the islands for eleven years and lives with two dogs in Port Selwyn.</p></div>
<div id="comments" class="comments-area"><h2>2 comments</h2><ol class="comment-list"><li><p>About time that somebody did something about that boat, it is a disgrace.</p></li></ol></div></div>
<aside id="secondary" class="widget-area"><ul>{_links()}</ul></aside>{_FOOT}"""
    return WebPage("a blog engine", _page(title, body), FERRY)


def _portal_engine() -> WebPage:
    """A content system's field wrappers, with a list of links between the paragraphs."""
    title = f"<title>{FERRY_TITLE} | Selwyn Broadcasting</title>"
    body = f"""<div class="region region-header">{_MENU}</div><main role="main"><div class="node node--type-article">
<h1 class="page-header"><span>{FERRY_TITLE}</span></h1>
<div class="field field--name-field-image"><img src="f.jpg"><div class="field field--name-field-caption caption">A winch like the one that cracked</div></div>
<div class="field field--name-body field__item"><p>{FERRY[0]}</p><p>{FERRY[1]}</p><ul>{_links()}</ul>{_p(FERRY[2:])}</div>
<div class="field field--name-field-tags"><a href="/t/1">Ferries</a> <a href="/t/2">Islands</a></div></div></main>
<div class="region region-sidebar"><h2>Most read</h2><ol>{_links()}</ol></div>{_FOOT}"""
    return WebPage("a portal engine", _page(title, body), FERRY)


def _div_soup() -> WebPage:
    """No tag that means anything and classes made by a machine; the paragraphs are divs."""
    paragraphs = "".join(f"<div class='x7f a{n}'><span>{text}</span></div>" for n, text in enumerate(FERRY))
    body = f"""<div class="q1"><div class="q2"><a href="/">Home</a><a href="/news">News</a></div></div>
<div class="w3"><div class="w4"><h1 class="t9">{FERRY_TITLE}</h1><div class="u1"><div>3 December 2024</div></div>
<div class="w5">{paragraphs}</div></div><div class="w8">{_cards()}</div></div>"""
    return WebPage("div soup", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _accelerated() -> WebPage:
    """An accelerated page: its own tags, a consent box, advertisements."""
    body = f"""<amp-consent id="c"><div><p>We and our partners use cookies.</p><button>OK</button></div></amp-consent>
<header><a href="/">Selwyn Online</a></header><article><h1>{FERRY_TITLE}</h1><amp-img src="f.jpg"></amp-img>
{_p(FERRY[:2])}<amp-ad width="300" type="doubleclick"><div placeholder>Advertisement</div></amp-ad>{_p(FERRY[2:4])}
<amp-iframe src="x"></amp-iframe>{_p(FERRY[4:])}</article><amp-list src="/rel"><div class="related">{_cards()}</div></amp-list>{_FOOT}"""
    return WebPage("an accelerated page", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _advertised() -> WebPage:
    """Advertisements and their scripts between all paragraphs."""
    advert = """<div class="ad-slot"><div class="ad-label">Advertisement</div><ins class="adsbygoogle" data-ad-client="x"></ins>
<script>(adsbygoogle = window.adsbygoogle || []).push({});</script></div>"""
    article = advert.join(f"<p>{text}</p>" for text in FERRY)
    body = f"{_MENU}<div class='article-wrap'><h1>{FERRY_TITLE}</h1><div class='article-text'>{article}</div></div>{_FOOT}"
    return WebPage("advertisements inside", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _broken_lines() -> WebPage:
    """Paragraphs as line breaks in one box."""
    article = "<br><br>".join(FERRY)
    body = f"<div id='top'><a href='/'>Home</a> | <a href='/news'>News</a></div><div id='main'><h1>{FERRY_TITLE}</h1><div class='text'>{article}</div></div>"
    return WebPage("paragraphs as line breaks", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _sections() -> WebPage:
    """The article in sections of equal build with advertisements between."""
    parts = "<div class='ad'>Advertisement</div>".join(
        f"<section class='s-part'><div class='s-col'>{_p(FERRY[n : n + 2])}</div></section>"
        for n in (0, 2, 4)
    )
    body = f"{_MENU}<main><h1>{FERRY_TITLE}</h1>{parts}<section class='s-more'><h2>More stories</h2>{_cards()}</section></main>{_FOOT}"
    return WebPage("an article in sections", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _sidebar_first() -> WebPage:
    """The sidebar with its leads stands before the article in the source."""
    body = f"""{_MENU}<div class="grid"><div class="left"><h2>Latest</h2>{_cards("section")}</div>
<div class="right"><div class="story"><h1>{FERRY_TITLE}</h1>{_p(FERRY)}</div></div></div>{_FOOT}"""
    return WebPage("a sidebar before the body", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _drop_cap() -> WebPage:
    """A large first letter in a tag of its own, and the topic glued to the headline above the text."""
    first = f"<p class='first'><span class='dropcap'>{FERRY[0][0]}</span>{FERRY[0][1:]}</p>"
    body = f"""{_MENU}<article><h1><span>Islands</span><span>{FERRY_TITLE}</span></h1><div class="body">
<p><b>Islands</b>{FERRY_TITLE}</p>{first}{_p(FERRY[1:])}</div></article>{_FOOT}"""
    head = f"<title>{FERRY_TITLE}</title><meta property='og:title' content='{FERRY_TITLE}'>"
    return WebPage("a drop cap", _page(head, body), FERRY)


def _layout_table() -> WebPage:
    """A page of the nineties: tables hold menu, article and links."""
    body = f"""<table width="100%"><tr><td colspan="3"><a href="/">Home</a></td></tr><tr>
<td width="120"><a href="/1">News</a><br><a href="/2">Sport</a></td>
<td><h1>{FERRY_TITLE}</h1><font size="2">{_p(FERRY)}</font></td>
<td width="200"><b>More news</b><ul>{_links()}</ul></td></tr></table>"""
    return WebPage("tables for layout", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _modules() -> WebPage:
    """Modules of one system: text, teaser, poll, video and box, told apart by their names only."""
    parts = (
        f"<div class='m-text'>{_p(FERRY[:2])}</div>",
        f"<article class='m-teaser'><h3><a href='/a/1'>{TEASERS[0]}</a></h3><p>The lead of that other article, as long as a sentence is.</p></article>",
        f"<div class='m-text'>{_p(FERRY[2:4])}</div>",
        "<div class='elementPoll'><p>Should the captain have sailed all the same, what do you think about it?</p></div>",
        "<figure class='m-video'><p class='video-heading'>Watch: the night in the sports hall of the school</p></figure>",
        "<div class='InfoBox'><h4>The boat</h4><p>The ferry Brannock Star was built in 1981 and takes three hundred and forty passengers.</p></div>",
        f"<div class='m-text'>{_p(FERRY[4:])}</div>",
    )
    body = f"{_MENU}<main><h1>{FERRY_TITLE}</h1>{''.join(parts)}</main>{_FOOT}"
    return WebPage("modules", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _other_posts() -> WebPage:
    """Whole other posts inside the post, as endless pages load them."""
    others = "".join(
        f"<article id='post-{900 + n}'><p>{headline}. This is the whole text of another post, which goes on for "
        "some more words than one would like, and on, and on, until its end.</p></article>"
        for n, headline in enumerate(TEASERS)
    )
    body = f"""{_MENU}<div id="primary"><article id="post-811"><h1>{FERRY_TITLE}</h1><div class="entry">{_p(FERRY)}</div>
<h3>You may like</h3>{others}</article></div>{_FOOT}"""
    return WebPage("other posts inside", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _sign_ups() -> WebPage:
    """A newsletter between the paragraphs, one behind them, and a card inside one link."""
    body = f"""{_MENU}<article><h1>{FERRY_TITLE}</h1><div class="article-body">{_p(FERRY[:3])}
<section aria-label="Newsletter sign-up"><h3>The Morning Boat</h3><p>All that matters on the islands, every morning at six, in your letterbox.</p></section>
<a href="/a/3"><div><h1>{TEASERS[2]}</h1><p>OPEN TO THE SKY: The owner said that nobody would be able to use the hall before summer, and perhaps not then.</p></div></a>
{_p(FERRY[3:])}</div><div class="support"><p>The Courier lives on its readers. Our reporters are out in every weather, and you can help them with a small sum every month.</p></div></article>{_FOOT}"""
    return WebPage("sign-ups", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _filled_by_script() -> WebPage:
    """A page that a script fills: the text stands in its data alone."""
    paragraphs = (*FERRY, *(f"On Wednesday morning: {text}" for text in FERRY[:4]))
    data = {"@type": "NewsArticle", "headline": FERRY_TITLE, "articleBody": "\n".join(paragraphs)}
    head = f"<title>{FERRY_TITLE}</title><script type='application/ld+json'>{json.dumps(data)}</script>"
    body = f"{_MENU}<div id='app'><h1>{FERRY_TITLE}</h1><p>This page needs a newer browser.</p></div>{_FOOT}"
    return WebPage("filled by a script", _page(head, body), paragraphs)


def _linked_paragraphs() -> WebPage:
    """Paragraphs full of links, and in boxes of three that differ by nothing."""
    linked = FERRY[3].replace(
        "Selwyn Lines, said that a new winch was on its way from",
        "<a href='/x'>Selwyn Lines, said that a new winch was on its way from</a>",
    )
    body = f"""{_MENU}<main><h1>{FERRY_TITLE}</h1><div class="col">{_p(FERRY[:3])}</div><div class="ad"></div>
<div class="col"><p>{linked}</p><p>{FERRY[4]}</p></div><div class="ad"></div><div class="col"><p>{FERRY[5]}</p></div></main>{_FOOT}"""
    return WebPage("linked paragraphs", _page(f"<title>{FERRY_TITLE}</title>", body), FERRY)


def _foreign(name: str, language: str, title: str, paragraphs: tuple[str, ...], more: str) -> WebPage:
    cards = "".join(f"<div><a href='/{n}'><h3>{more}</h3><p>{more} {n}</p></a></div>" for n in range(4))
    body = f"""<nav><a href='/'>{more}</a></nav><article><h1>{title}</h1><div class="text">{_p(paragraphs)}</div></article>
<div class="related">{cards}</div><footer><p>© 2024</p></footer>"""
    return WebPage(name, _page(f"<title>{title}</title>", body, language), paragraphs, title, language)


def _cyrillic() -> WebPage:
    return _foreign(
        "Cyrillic", "ru", "Паром остался в порту: капитан отказался выходить в море",
        (
            "Паром между Порт-Селвином и Нижним Браноком во вторник остался в порту, потому что капитан отказался выходить в море с треснувшей лебёдкой.",
            "Около трёхсот пассажиров провели ночь на материке, большинство из них — в спортивном зале средней школы.",
            "«Я не повезу людей через пролив с лебёдкой, которая может сорваться», — сказала капитан, девятнадцать лет работающая на этом маршруте.",
            "Новая лебёдка уже в пути, её установят в четверг, сообщила компания, которой принадлежит паром.",
        ),
        "Мэр открыл новый рыбный рынок",
    )  # fmt: skip


def _japanese() -> WebPage:
    return _foreign(
        "Japanese", "ja", "船長が出航を拒否、連絡船は港にとどまる",
        (
            "火曜日、係留用のウインチにひびが入っていたため、船長が出航を拒否し、連絡船は終日港にとどまった。",
            "約三百人の乗客は本土で一夜を過ごすことになり、その多くは中学校の体育館に泊まった。",
            "「海峡の真ん中で外れるかもしれないウインチで、人を乗せて渡ることはできない」と船長は話している。",
            "運航会社によると、新しいウインチはすでに工場を出ており、木曜日に取り付けられる予定だという。",
        ),
        "町長が新しい魚市場を開いた",
    )  # fmt: skip


def _arabic() -> WebPage:
    return _foreign(
        "Arabic", "ar", "العبّارة تبقى في الميناء بعد رفض القبطان الإبحار",
        (
            "بقيت العبّارة التي تربط الميناء بالجزيرة راسية يوم الثلاثاء بعد أن رفض القبطان الإبحار بسبب تشقق في الرافعة.",
            "واضطر نحو ثلاثمئة مسافر إلى قضاء الليل على البر الرئيسي، ومعظمهم في القاعة الرياضية للمدرسة الثانوية.",
            "وقال القبطان إنه لن ينقل الناس عبر المضيق برافعة قد تنفلت في أي لحظة، وهو يعمل على هذا الخط منذ تسعة عشر عاما.",
            "وأعلنت الشركة المشغلة أن رافعة جديدة في الطريق وستركب يوم الخميس.",
        ),
        "رئيس البلدية يفتتح سوق السمك الجديد",
    )  # fmt: skip


def _hindi() -> WebPage:
    return _foreign(
        "Hindi", "hi", "कप्तान के इनकार के बाद नौका बंदरगाह में ही रही",
        (
            "मंगलवार को चरखी में दरार होने के कारण कप्तान ने जाने से इनकार कर दिया और नौका पूरे दिन बंदरगाह में खड़ी रही।",
            "लगभग तीन सौ यात्रियों को रात मुख्य भूमि पर बितानी पड़ी, उनमें से अधिकतर स्कूल के खेल भवन में सोए।",
            "कप्तान ने कहा कि वह ऐसी चरखी के साथ लोगों को पार नहीं ले जाएँगी जो बीच में टूट सकती है।",
            "कंपनी ने बताया कि नई चरखी रास्ते में है और गुरुवार को लगा दी जाएगी।",
        ),
        "महापौर ने नया मछली बाज़ार खोला",
    )  # fmt: skip
