"""The kind of an article: what tells it, and what must not."""

import pytest

from aggregator.extract.kind import find_kind
from aggregator.model.entry import Enclosure
from aggregator.model.prepared import Kind
from tests.support.articles import COLUMN

MB = 1_000_000


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("opinion", "Opinion: The ferry should stay public"),
        ("opinion", "The ferry should stay public | Opinion"),
        ("opinion", "[Opinion] The ferry should stay public"),
        ("opinion", "Kommentar: Die Fähre gehört allen"),
        ("opinion", "Édito. – Le port est à tous | Édito"),
        ("opinion", "Opinión | Un puerto para todos"),
        ("opinion", "L’editoriale: il porto di tutti"),
        ("opinion", "Opinião: um porto para todos"),
        ("opinion", "Opinie: een haven voor iedereen"),
        ("opinion", "Мнение: порт для всех"),
        ("opinion", "رأي: ميناء للجميع"),
        ("opinion", "社评:港口属于大家"),
        ("opinion", "【社説】港はみんなのものだ"),
        ("explainer", "Analysis: A narrow win for the harbour board"),
        ("explainer", "The sale of the ferry, explained"),
        ("explainer", "What we know about the sale of the ferry"),
        ("explainer", "How does a ground lease work?"),
        ("explainer", "Ce que l’on sait de la vente du ferry"),
        ("explainer", "Lo que se sabe sobre la venta del ferri"),
        ("explainer", "Cosa sappiamo della vendita del traghetto"),
        ("explainer", "O que se sabe sobre a venda da balsa"),
        ("explainer", "Wat weten we over de verkoop van de veerboot?"),
        ("explainer", "Что известно о продаже парома"),
        ("explainer", "تحليل: فوز ضيق"),
        ("explainer", "一文读懂渡轮出售"),
        ("explainer", "【解説】フェリー売却"),
        ("list", "5 takeaways from the harbour debate"),
        ("fact_check", "Fact check: Did the board sell the ferry?"),
        ("fact_check", "Faktencheck: Wurde die Fähre verkauft?"),
        ("opinion", "Perspective | The harbour nobody wanted"),
        ("opinion", "COLUMN-The ferry sale is a bad bargain"),
        ("explainer", "ANALYSIS-Ferry sale leaves harbour board divided"),
        ("explainer", "Factbox: The ferries of Pennmouth"),
        ("explainer", "Pennmouth Bridge Explained: Costs, Owners And Delays"),
        ("explainer", "Explaining the harbour levy"),
        ("explainer", "Harbour levy: What to know"),
        ("explainer", "What to know as the ferry sale goes to a vote"),
        ("explainer", "Harbour levy due in July: Here’s what you need to know"),
        ("explainer", "Q&A: The harbour levy"),
        ("explainer", "Questions and answers about the harbour levy"),
        ("explainer", "The ferry sale: Your questions, answered"),
        ("explainer", "Timeline: How the ferry was sold"),
        ("explainer", "The mayor and the ferry: A timeline"),
        ("explainer", "The ferry sale by the numbers: 3 boats, 40 jobs"),
        ("explainer", "The harbour budget, in five charts"),
        ("explainer", "Streik der Fähren: Was Reisende jetzt wissen müssen"),
        ("explainer", "Chronologie: Der Verkauf der Fähre"),
        ("explainer", "Le port en chiffres | En chiffres"),
        ("explainer", "Huelga de ferris: todo lo que hay que saber"),
        ("explainer", "Sciopero dei traghetti: tutto quello che c’è da sapere"),
        ("explainer", "Забастовка паромов: что нужно знать"),
        ("list", "Key takeaways from the harbour debate"),
        ("list", "A divided board and other takeaways from the harbour debate"),
        ("list", "Harbour debate: The biggest takeaways"),
        ("list", "Winners and losers from the harbour vote"),
        ("list", "The new bridge, in pictures"),
        ("list", "In photos: The new bridge opens"),
        ("list", "Pennmouth in Bildern | Bilderstrecke"),
        ("list", "En imágenes: el nuevo puente"),
        ("list", "Débat sur le port : ce qu’il faut retenir"),
        ("fact_check", "事实核查:渡轮卖了吗?"),
        ("fact_check", "Debate fact-check: Claims about the ferry"),
        ("fact_check", "Harbour debate: Fact-checking the mayor’s claims"),
        ("fact_check", "Our fact-checks of the harbour debate"),
        ("fact_check", "Die Rede der Bürgermeisterin im Faktencheck"),
        ("fact_check", "Es falso que el ferri se haya vendido"),
        ("preview", "What to expect from the harbour hearings"),
        ("preview", "Week ahead: The board meets"),
        ("post", "By: Oda Renn"),
        ("post", "Comment on The levee that broke by Oda Renn"),
        ("release", "Ardour 8.6 released"),
        ("release", "Twentyseven 1.0.0"),
        ("episode", "Episode 12: The ferry"),
        ("episode", "Did the board sell the ferry? – podcast"),
        ("episode", "第12回 港の話"),
        ("newsletter", "Newsletter for friends #06: Time flies"),
        ("status", "Scheduled maintenance of the database"),
    ],
)
def test_a_title_tells_the_kind(kind: Kind, title: str) -> None:
    found = find_kind(title)
    assert found.kind == kind
    assert found.evidence


@pytest.mark.parametrize(
    "title",
    [
        "", "Opinion polls show Labour lead", "Supreme Court issues opinion on harbour fees",
        "Analysis of water samples finds lead", "Ferry sale costs jobs - analysis",
        "Review: Police failed victims for years", "Editorial staff of the Herald on strike",
        "Columnist sues the Herald", "Poll: Labour leads", "Mayor explains why she sold the ferry",
        "Suspect identified in harbour shooting: What we know",
        "Board to hold its first meeting. Here’s what we know", "Attentat à Pennmouth : ce que l’on sait",
        "What is the mayor hiding?", "5 people killed in ferry fire",
        "Five years on, the harbour is still closed", "Sudden marriage of the mayor explained?",
        "iOS 7.1 is out! Update adds car support", "The Bachelor finale (Episode 11): Who is the winner?",
        "Fact-checking group loses its funding", "Documents released in the ferry case",
        "Magnitude 6.2 earthquake shakes Pennmouth", "Latest episode of violence at the harbour",
        "Police resolved to clear the harbour", "Der Kommentar des Ministers sorgt für Streit",
        "Tribune effondrée au stade", "La opinión pública rechaza la venta",
        "Мнение экспертов о продаже парома разделилось", "专家评论渡轮出售", "第20回党大会が開幕",
        "Takeaways to be banned near schools", "Board sets timeline for ferry sale",
        "Timeline for ferry sale slips again", "Meta: Fact-checking to end in March",
        "Fact-checking ends at Meta", "Fact-checkers leave the Herald", "Fact check policy dropped",
        "Q&A session with mayor ends in uproar", "Ferry song climbs in charts", "Mayor explained sale",
        "Police publish pictures of suspects", "Winners and losers announced", "Analysis-based tax rejected",
        "Ferry strike averted: What to know", "Harbour shooting: What we know", "Timeline-based feed returns",
        "Column-mounted gearbox recalled", "Perspective shifts on ferry sale",
        "Released: Israeli hostage freed", "Letters: mailed ricin reaches Senate",
        "Comment on ceasefire by minister angers unions", "By the harbour: Oda Renn",
    ],
)  # fmt: skip
def test_a_report_stays_a_report_and_has_no_evidence(title: str) -> None:
    assert find_kind(title)[:2] == ("report", None)


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("opinion", "https://www.herald.example/2026/11/20/opinion/ferry/index.html"),
        ("opinion", "https://www.herald.example/commentisfree/2026/nov/20/ferry"),
        ("opinion", "https://diario.example/opini%C3%B3n/el-puerto.html"),
        ("opinion", "https://opinion.herald.example/ferry"),
        ("explainer", "https://herald.example/article/explained/ferry-1/"),
        ("fact_check", "https://herald.example/news/factcheck/2026/ferry"),
        ("episode", "https://herald.example/podcasts/the-ferry/"),
        ("newsletter", "https://herald.example/newsletters/huddle/2026/11/20/ferry"),
        ("release", "https://github.com/herald/ferry/releases/tag/aurora"),
        ("status", "https://status.herald.example/incidents/x1"),
        ("report", "https://herald.example/opinion-polls/labour-lead"),
        ("report", "https://tribune.example/news/ferry"),
        ("report", "https://agency.example/news/releases/ferry"),
        ("report", "https://x.example/herald/status/12345"),
        ("report", "https://[bad/opinion/x"),
        ("report", "https://www.supremecourt.gov/opinions/25pdf/24-100_1abc.pdf"),
        (
            "report",
            "https://cdn.ca9.uscourts.gov/datastore/opinions/2026/11/20/24-100.pdf",
        ),
        ("report", "https://opinions.courts.state.example/2026/24-100"),
        (
            "report",
            "https://www.courtlistener.com/opinion/123456/lind-v-harbour-board/",
        ),
        ("report", "https://www.txcourts.gov/supreme/orders-opinions/opinions/2026/"),
        ("report", "https://law.herald.example/supreme-court/opinions/24-100"),
        ("report", "https://law.herald.example/court-of-appeals/slip-opinions/24-100"),
        ("report", "https://www.attorneygeneral.gov/opinions/2026/harbour"),
        ("opinion", "https://herald.example/opinions/2026/supreme-court-ferry/"),
        ("opinion", "https://herald.example/opinions/courts/ferry"),
        ("opinion", "https://courthouseherald.example/opinion/ferry"),
    ],
)
def test_a_folder_or_host_of_the_address_tells_the_kind(kind: Kind, url: str) -> None:
    assert find_kind("The ferry was sold", urls=(None, url)).kind == kind


def test_the_opinion_of_a_court_is_no_column() -> None:
    url = "https://www.supremecourt.gov/24-100"
    assert find_kind(
        "Opinion: Lind v. Harbour Board", urls=(url,), sections=("Opinions",)
    )[:2] == (
        "report",
        None,
    )
    column = find_kind("The stadium trap", COLUMN, urls=(url,), language="en")
    assert column[:2] == ("report", None)


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        ("opinion", "Opinion"),
        ("opinion", "News / Opinion"),
        ("opinion", "社説"),
        ("explainer", "Explainer"),
        ("report", "Opinion polls"),
        ("report", "Analysis"),  # also a field of mathematics
        ("report", "Q&A"),  # mostly interviews
        ("report", "News"),
    ],
)
def test_a_category_or_section_tells_the_kind_only_as_a_whole(
    kind: Kind, section: str
) -> None:
    assert find_kind("The ferry was sold", sections=("News", section)).kind == kind


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("opinion", "Opinion"),
        ("opinion", "Kommentar"),
        ("report", "Podcasts"),
        ("report", "Fact-checking"),
    ],
)
def test_a_category_of_an_entry_is_often_its_topic(kind: Kind, category: str) -> None:
    assert find_kind("Programme ends", categories=("News", category)).kind == kind


def test_the_name_of_a_paper_is_no_label() -> None:
    assert find_kind("The ferry", outlet="Tribune - Pakistan")[:2] == ("report", None)
    assert find_kind("The ferry", outlet="La Tribune | Tribune")[:2] == ("report", None)
    assert find_kind("The ferry", urls=("https://x.example/tribune/2026/ferry",))[
        :2
    ] == (
        "report",
        None,
    )


def test_the_type_of_the_page_comes_first() -> None:
    by_type = find_kind(
        "Opinion: The ferry", types=("newsarticle", "analysisnewsarticle")
    )
    assert by_type[:2] == ("explainer", "type: analysisnewsarticle")
    assert (
        find_kind("The ferry", types=("article", "opinionnewsarticle")).kind
        == "opinion"
    )
    assert find_kind("The ferry", types=("podcastepisode",)).kind == "episode"
    assert find_kind("The ferry", types=("reportagenewsarticle",))[:2] == (
        "report",
        None,
    )


def test_the_source_and_the_byline_tell_an_opinion() -> None:
    assert find_kind("The ferry", outlet="The Herald - Opinion")[:2] == (
        "opinion",
        "outlet: - Opinion",
    )
    assert find_kind("The ferry", outlet="Herald > Opinion").kind == "opinion"
    assert find_kind("The ferry", outlet="Opinion Research Group").kind == "report"
    assert (
        find_kind("The ferry", author="Ada Lind, opinion contributor").kind == "opinion"
    )
    assert find_kind("The ferry", author="The Editorial Board").kind == "opinion"
    assert find_kind("The ferry", author="Ada Lind, editor").kind == "report"


def test_a_long_audio_file_tells_an_episode() -> None:
    def kind(length: int | None, type_: str = "audio/mpeg") -> Kind:
        media = (
            Enclosure(url="https://herald.example/1", type=type_, length_bytes=length),
        )
        return find_kind("The ferry", media=media, episode_audio_bytes=20 * MB).kind

    assert kind(65 * MB) == "episode"
    assert {kind(5 * MB), kind(None), kind(65 * MB, "video/mp4")} == {"report"}


def test_live_blogs_and_roundups_are_named_as_they_were_found() -> None:
    assert (
        find_kind("Opinion: Live updates", is_container=True, is_live=True).kind
        == "live_blog"
    )
    assert find_kind("Key events, day 12", is_container=True).kind == "roundup"
    assert find_kind("Morning newsletter", is_container=True).kind == "newsletter"


@pytest.mark.parametrize(
    "text",
    [
        "We have deleted this article because we confused two persons.",
        "This story has been retracted.",
        "Wir haben diesen Artikel am Montag gelöscht.",
        "Nous avons retiré cet article parce que ses faits étaient faux.",
        "Hemos retirado esta noticia porque contenía errores.",
        "Questo articolo è stato rimosso.",
        "Esta notícia foi removida porque continha erros.",
        "Dit artikel is verwijderd.",
        "Мы удалили эту статью из-за ошибки.",
        "我们删除了这篇文章。",
        "この記事は削除されました。",
        "تم حذف هذا المقال.",
    ],
)
def test_an_outlet_that_takes_its_article_back_withdraws_it(text: str) -> None:
    assert find_kind("Correction", text).kind == "withdrawal"


@pytest.mark.parametrize(
    "text",
    [
        "The maker has withdrawn the product, the article says.",
        "Police removed the banner. We have this report from the scene.",
        "The journal retracted the study, this report has learned.",
    ],
)
def test_a_report_about_something_withdrawn_is_a_report(text: str) -> None:
    assert find_kind("Toys recalled in Lindmar", text).kind == "report"
