"""Pages of every kind that answer instead of an article, and articles that look like them; all invented.

`DEV` was in view when the rules of verdicts were chosen. `CHECK` was written before and looked at only after:
tests/unit/extract/test_verdict_pages.py says how much of it was right at first sight.
"""

from typing import NamedTuple

# ruff: noqa: E501 - a page's text in one line is read more easily than torn apart

_NAV = {
    "en": "Home|Politics|Business|Sport|Culture|Opinion|Weather|Video|Podcasts|Newsletters",
    "de": "Startseite|Politik|Wirtschaft|Sport|Kultur|Meinung|Wetter|Video|Podcasts|Newsletter",
    "fr": "Accueil|Politique|Économie|Sport|Culture|Opinions|Météo|Vidéos|Podcasts|Newsletters",
    "es": "Portada|Política|Economía|Deportes|Cultura|Opinión|Tiempo|Vídeos|Pódcast|Boletines",
    "it": "Home|Politica|Economia|Sport|Cultura|Opinioni|Meteo|Video|Podcast|Newsletter",
    "nl": "Voorpagina|Politiek|Economie|Sport|Cultuur|Opinie|Weer|Video|Podcasts|Nieuwsbrieven",
    "ru": "Главная|Политика|Экономика|Спорт|Культура|Мнения|Погода|Видео|Подкасты|Рассылки",
    "ar": "الرئيسية|سياسة|اقتصاد|رياضة|ثقافة|آراء|الطقس|فيديو|بودكاست|نشرات",
    "zh": "首页|时政|财经|体育|文化|评论|天气|视频|播客|订阅",
    "pt": "Início|Política|Economia|Desporto|Cultura|Opinião|Tempo|Vídeos|Podcasts|Boletins",
    "pl": "Strona główna|Polityka|Gospodarka|Sport|Kultura|Opinie|Pogoda|Wideo|Podcasty|Newslettery",
    "sv": "Start|Politik|Ekonomi|Sport|Kultur|Åsikter|Väder|Video|Poddar|Nyhetsbrev",
    "ko": "홈|정치|경제|스포츠|문화|오피니언|날씨|동영상|팟캐스트|뉴스레터",
    "ja": "トップ|政治|経済|スポーツ|文化|オピニオン|天気|動画|ポッドキャスト|メール",
}
_FOOT = {
    "en": "About us|Contact|Terms of use|Privacy policy|Cookie settings|Advertise|© 2026 Lantern Media",
    "de": "Über uns|Kontakt|AGB|Datenschutzerklärung|Cookie-Einstellungen|Impressum|© 2026 Laterne Medien",
    "fr": "Qui sommes-nous|Contact|CGU|Politique de confidentialité|Gérer mes cookies|© 2026 Lanterne",
    "es": "Quiénes somos|Contacto|Aviso legal|Política de privacidad|Configurar cookies|© 2026 Farol",
    "it": "Chi siamo|Contatti|Note legali|Privacy|Preferenze cookie|© 2026 Lanterna",
    "nl": "Over ons|Contact|Voorwaarden|Privacybeleid|Cookie-instellingen|© 2026 Lantaarn",
    "ru": "О редакции|Контакты|Правила|Политика конфиденциальности|Файлы cookie|© 2026 Фонарь",
    "ar": "من نحن|اتصل بنا|الشروط|سياسة الخصوصية|إعدادات الكوكيز|© 2026 المشكاة",
    "zh": "关于我们|联系我们|使用条款|隐私政策|Cookie 设置|© 2026 灯笼传媒",
    "pt": "Quem somos|Contactos|Termos|Política de privacidade|Gerir cookies|© 2026 Lanterna",
    "pl": "O nas|Kontakt|Regulamin|Polityka prywatności|Ustawienia cookies|© 2026 Latarnia",
    "sv": "Om oss|Kontakt|Villkor|Integritetspolicy|Cookieinställningar|© 2026 Lyktan",
    "ko": "회사 소개|문의|이용약관|개인정보처리방침|쿠키 설정|© 2026 등불",
    "ja": "会社概要|お問い合わせ|利用規約|プライバシーポリシー|Cookie設定|© 2026 行灯メディア",
}


class Sample(NamedTuple):
    """One page with the verdicts that are right for it."""

    name: str
    right: frozenset[str]
    page: bytes
    language: str


def _links(words: str, tag: str = "li") -> str:
    return "".join(f"<{tag}><a href='/{n}'>{word}</a></{tag}>" for n, word in enumerate(words.split("|")))


def bare(language: str, title: str, body: str, head: str = "") -> bytes:
    """A page that has nothing but its body."""
    start = (
        f"<!doctype html><html lang={language}><head><meta charset=utf-8><title>{title}</title>{head}</head>"
    )
    return f"{start}<body>{body}</body></html>".encode()


def framed(language: str, title: str, body: str, head: str = "") -> bytes:
    """A page inside the site's own frame: masthead, menu, footer."""
    top = f"<header><a href=/>Lantern</a><nav><ul>{_links(_NAV[language])}</ul></nav></header>"
    end = f"<footer><ul>{_links(_FOOT[language])}</ul></footer>"
    return bare(language, f"{title} | Lantern", f"{top}<main>{body}</main>{end}", head)


def paragraphs(*lines: str) -> str:
    """Each in an element of its own."""
    return "".join(f"<p>{line}</p>" for line in lines)


def article(title: str, *lines: str) -> str:
    """A headline and its text, as most sites mark them up."""
    return f"<article><h1>{title}</h1><div class=body>{paragraphs(*lines)}</div></article>"


def teasers(*items: str, tag: str = "h3") -> str:
    """Cards of a section: "headline|what it is about", the second not linked."""
    cards = []
    for number, item in enumerate(items):
        head, _, lead = item.partition("|")
        said = f"<p>{lead}</p>" if lead else ""
        cards.append(f"<div class=card><{tag}><a href='/a/{number}.html'>{head}</a></{tag}>{said}</div>")
    return "".join(cards)


def _sample(verdicts: str, name: str, language: str, page: bytes) -> Sample:
    right = verdicts.split()
    return Sample(f"{right[0]}: {name} ({language})", frozenset(right), page, language)


# --- held out: written before the rules, looked at after them --------------------------------------------------

CHECK = [
    # consent
    _sample("consent", "search engine", "en", bare("en", "Before you continue", "<h1>Before you continue to Lantern</h1>" + paragraphs(
        "We use cookies and data to deliver and maintain our services, track outages and protect against spam, fraud and abuse.",
        "If you choose “Accept all”, we will also use cookies and data to develop and improve new services, deliver and measure the effectiveness of ads and show personalised content.",
        "If you choose “Reject all”, we will not use cookies for these additional purposes.",
    ) + "<button>Reject all</button><button>Accept all</button><a href=/x>More options</a>")),
    _sample("consent", "family of brands", "en", bare("en", "Your privacy choices", "<div><h2>Lantern is part of the Beacon family of brands</h2>" + paragraphs(
        "When you use our sites and apps, we use cookies to provide our sites and apps to you, authenticate users, apply security measures and prevent spam and abuse, and measure your use of our sites and apps.",
        "If you click ‘Accept all’, we and our partners, including 237 who are part of the IAB Transparency & Consent Framework, will also store and/or access information on a device and use precise geolocation data.",
        "You can withdraw your consent or change your choices at any time by clicking on the ‘Privacy dashboard’ link.",
    ) + "</div>")),
    _sample("consent", "pure subscription", "de", bare("de", "Laterne: Zustimmung", "<h1>Lesen Sie weiter mit Werbung oder im Pur-Abo</h1>" + paragraphs(
        "Besuchen Sie laterne.example wie gewohnt mit Werbung und Tracking. Ihre Zustimmung ist jederzeit widerrufbar.",
        "Wir und unsere bis zu 193 Partner verarbeiten personenbezogene Daten, zum Beispiel Ihre IP-Adresse, mit Technologien wie Cookies, um Anzeigen und Inhalte zu personalisieren.",
        "Nutzen Sie laterne.example nahezu werbefrei für 2,99 € im Monat.",
    ) + "<button>Akzeptieren und weiter</button><a href=/pur>Jetzt Pur abonnieren</a>")),
    _sample("consent", "in the frame", "fr", framed("fr", "Le respect de votre vie privée est notre priorité", "<section>" + paragraphs(
        "Avec votre accord, nos 812 partenaires et nous utilisons des cookies ou technologies similaires pour stocker, consulter et traiter des données personnelles telles que votre visite sur ce site.",
        "Vous pouvez retirer votre consentement ou vous opposer aux traitements fondés sur l’intérêt légitime à tout moment.",
        "Continuer sans accepter",
    ) + "</section>")),
    _sample("consent", "pay or accept", "es", bare("es", "Farol", "<h2>Tu privacidad es importante</h2>" + paragraphs(
        "Con tu acuerdo, nosotros y nuestros socios usamos cookies o tecnologías similares para almacenar, acceder y procesar datos personales como tus visitas a esta página web.",
        "Aceptar y continuar gratis", "Rechazar y suscribirse por 3 € al mes",
    ))),
    _sample("consent", "decree", "it", bare("it", "Informativa", paragraphs(
        "Noi e terze parti selezionate utilizziamo cookie o tecnologie simili per finalità tecniche e, con il tuo consenso, anche per altre finalità come specificato nella cookie policy.",
        "Puoi liberamente prestare, rifiutare o revocare il tuo consenso, in qualsiasi momento.",
        "Rifiuta", "Accetta",
    ))),
    _sample("consent", "notice", "ru", bare("ru", "Мы используем cookie", paragraphs(
        "Наш сайт использует файлы cookie, чтобы улучшить работу сервиса и показывать рекламу. Продолжая пользоваться сайтом, вы соглашаетесь на обработку персональных данных.",
        "Принять все", "Настроить",
    ))),
    _sample("consent", "notice", "ja", bare("ja", "Cookieの使用について", paragraphs(
        "当社および当社のパートナーは、コンテンツや広告のパーソナライズ、アクセス解析のためにCookieを使用します。",
        "「すべて許可」をクリックすると、Cookieの使用に同意したことになります。", "すべて許可", "設定を管理する",
    ))),
    # paywall
    _sample("paywall", "metered", "en", framed("en", "Harbour board sells the eastern quay", article(
        "Harbour board sells the eastern quay",
        "The board of Sennick harbour has agreed to sell the eastern quay to a group of grain traders for 84 million crowns, two people with knowledge of the matter said.",
        "You have reached your limit of free articles. Subscribe to keep reading.", "Cancel any time.", "Log in",
    ))),
    _sample("paywall", "hard wall", "en", framed("en", "What the mill fire will cost", article(
        "What the mill fire will cost", "This story is exclusive to subscribers.",
        "Get unlimited access to every article from 1 crown a week.", "Already have an account? Sign in",
    ))),
    _sample("paywall", "plus", "de", framed("de", "Warum die Hafenbrücke so teuer wird", article(
        "Warum die Hafenbrücke so teuer wird",
        "Die Kosten für die Sanierung der Hafenbrücke haben sich verdoppelt. Ein internes Papier nennt die Gründe.",
        "Weiterlesen mit L+", "Sie haben bereits ein Abo? Hier anmelden", "4 Wochen für 1 €, danach monatlich kündbar",
    ))),
    _sample("paywall", "share left", "fr", framed("fr", "À Calmouth, la gare divise", article(
        "À Calmouth, la gare divise",
        "Le projet de nouvelle gare oppose depuis deux ans la mairie et les riverains du quartier du port, qui redoutent des années de travaux.",
        "Il vous reste 84.3% de cet article à lire. La suite est réservée aux abonnés.",
    ))),
    _sample("paywall", "premium", "es", framed("es", "El puerto negocia en secreto", article(
        "El puerto negocia en secreto",
        "La autoridad portuaria lleva meses negociando la venta del muelle este con dos empresas extranjeras.",
        "Contenido exclusivo para suscriptores", "Suscríbete para seguir leyendo", "¿Ya eres suscriptor? Inicia sesión",
    ))),
    _sample("paywall", "members", "ja", framed("ja", "港の東埠頭、売却へ", article(
        "港の東埠頭、売却へ",
        "セニック港の運営会社は東埠頭を穀物商社に売却する方針を固めた。関係者が明らかにした。",
        "この記事は有料会員限定です。残り1,243文字", "会員の方はこちら ログイン",
    ))),
    _sample("paywall", "paid text", "zh", framed("zh", "东码头将被出售", article(
        "东码头将被出售", "据知情人士透露，港务局已同意将东码头出售给一家粮食贸易集团。", "本文为付费内容，订阅后可阅读全文。", "立即订阅",
    ))),
    _sample("paywall", "by subscription", "ru", framed("ru", "Порт продаёт восточный причал", article(
        "Порт продаёт восточный причал", "Совет порта согласился продать восточный причал группе зерновых трейдеров, рассказали два собеседника.",
        "Этот материал доступен только подписчикам. Оформите подписку, чтобы читать дальше.", "Уже есть подписка? Войти",
    ))),
    # lists
    _sample("list", "section with leads", "en", framed("en", "Business", "<h1>Business</h1>" + teasers(
        "Grain traders buy the eastern quay|The sale brings the harbour board 84 million crowns, more than twice what was expected a year ago.",
        "Mill owner wants to rebuild by spring|Insurers will pay most of the damage of last month’s fire, the company says, and 90 jobs are safe.",
        "Rates stay where they are|The central bank sees no reason to move before the summer, its governor told parliament on Tuesday.",
        "Ferry company orders two ships|Both are to run on batteries and will replace the oldest vessels of the fleet within three years.",
        "Fewer lorries on the coast road|Traffic counts show a fall of eleven per cent since the new rail terminal was opened in March.",
        "Bakers complain about flour|A poor harvest has driven prices up by a fifth, and small shops say they cannot pass it on.",
        "Port workers vote on new roster|The union recommends to accept, yet many of its members at the container terminal are against it.",
        "Startup maps the sea bed|Two engineers from Isk have raised nine million crowns for drones that measure under water.",
    ))),
    _sample("list", "topic", "de", framed("de", "Thema: Hafen", "<h1>Thema: Hafen</h1><p>Alle Artikel und Hintergründe</p>" + teasers(
        "Hafenbrücke bleibt bis Herbst gesperrt|Prüfer haben weitere Risse gefunden. Der Umweg kostet Pendler eine halbe Stunde.",
        "Wem gehört der Ostkai?|Der Verkauf an eine Gruppe von Getreidehändlern wirft Fragen auf, die der Vorstand nicht beantwortet.",
        "Weniger Lastwagen auf der Küstenstraße|Seit der Eröffnung des Bahnterminals ist der Verkehr um elf Prozent zurückgegangen.",
        "Neue Fähren fahren elektrisch|Zwei Schiffe sind bestellt, sie sollen in drei Jahren die ältesten der Flotte ersetzen.",
        "Streik im Containerterminal abgewendet|Gewerkschaft und Hafengesellschaft haben sich in der Nacht auf einen Dienstplan geeinigt.",
        "So soll das Ufer aussehen|Ein Büro aus Calmouth hat den Wettbewerb um die Promenade gewonnen.",
    ) + "<a href='?page=2'>Weitere Artikel</a>")),
    _sample("list", "tag", "fr", framed("fr", "Inondations : toute l’actualité", "<h1>Inondations</h1>" + teasers(
        "Pennmouth compte ses morts après la rupture de la digue", "La décrue s’amorce dans la vallée de l’Arrel",
        "Pourquoi la station de pompage est tombée en panne", "Les écoles rouvriront jeudi, assure la mairie",
        "Trois cents habitants évacués par bateau dans la nuit", "L’assureur estime les dégâts à quarante millions",
        "La ligne de chemin de fer vers Calmouth reste coupée", "Ce que l’on sait de l’alerte lancée samedi",
    ))),
    _sample("list", "search", "es", framed("es", "Resultados de la búsqueda", "<h1>Resultados para: puerto</h1><p>34 resultados</p>" + teasers(
        "La autoridad portuaria vende el muelle este|Hace 2 horas", "Los estibadores votan el nuevo turno|Ayer",
        "Dos transbordadores eléctricos para la línea de la costa|12/10/2026", "Menos camiones en la carretera del puerto|11/10/2026",
        "El puente del puerto sigue cerrado hasta otoño|09/10/2026", "Así será el nuevo paseo de la ribera|02/10/2026",
    ))),
    _sample("list", "section", "ru", framed("ru", "Экономика", "<h1>Экономика</h1>" + teasers(
        "Порт продаёт восточный причал зерновым трейдерам", "Центробанк сохранил ставку на прежнем уровне",
        "Паромная компания заказала два электрических судна", "Поток грузовиков на прибрежной дороге сократился",
        "Пекари жалуются на подорожание муки на пятую часть", "Докеры проголосуют за новый график смен",
    ))),
    _sample("list", "author", "en", framed("en", "Ada Lorne", "<h1>Ada Lorne</h1><p>Ada Lorne writes about ports and shipping. She joined the paper in 2011.</p>" + teasers(
        "Grain traders buy the eastern quay", "Ferry company orders two ships that run on batteries", "Fewer lorries on the coast road since March",
        "Port workers vote on a new roster this week", "How the harbour bridge came to crack", "The last lighthouse keeper of Isk retires",
        tag="h2",
    ))),
    # front pages
    _sample("list", "front page", "en", framed("en", "Lantern: news from the coast", "<section>" + teasers(
        "Levee breaks at Pennmouth, four dead|Hundreds are taken off their roofs by boat; the mayor asks everybody below the market to leave.",
        "Dock workers walk out over roster", "Rates stay where they are", "United lose at home again", "Opinion: who pays for the bridge?",
        "Recipe: barley soup for wet days", "The week in pictures",
    ) + "</section><h2>Most read</h2><ol>" + _links("Who owns the eastern quay now?|Mill fire: what we know|Weather: more rain|Ferry timetable changes") + "</ol>")),
    _sample("list", "front page", "ja", framed("ja", "行灯ニュース", teasers(
        "ペンマスで堤防決壊、4人死亡", "港湾労働者が勤務表に抗議しストライキ", "中央銀行、金利を据え置き", "ユナイテッド、本拠地でまた敗れる",
        "社説：橋の費用は誰が払うのか", "東埠頭、穀物商社に売却へ", "フェリー会社、電気船2隻を発注", "パン屋、小麦粉の値上がりに悲鳴",
    ))),
    # block
    _sample("block", "challenge", "en", bare("en", "Just a moment...", "<div class=main-wrapper><h1>lantern.example</h1><h2>Verifying you are human. This may take a few seconds.</h2><p>lantern.example needs to review the security of your connection before proceeding.</p></div>")),
    _sample("block", "edge", "en", bare("en", "Access Denied", "<h1>Access Denied</h1><p>You don't have permission to access \"http&#58;&#47;&#47;lantern&#46;example&#47;a\" on this server.</p><p>Reference&#32;&#35;18&#46;1f3e</p>")),
    _sample("block", "device check", "fr", bare("fr", "lanterne.example", "<p>Veuillez activer JavaScript et désactiver votre bloqueur de publicité</p>")),
    _sample("block", "captcha", "de", bare("de", "Sicherheitsüberprüfung", "<h1>Bitte bestätigen Sie, dass Sie kein Roboter sind</h1><p>Wir haben ungewöhnlichen Datenverkehr aus Ihrem Netzwerk festgestellt. Lösen Sie das Rätsel, um fortzufahren.</p>")),
    _sample("block", "press and hold", "en", bare("en", "Lantern", "<h1>Press &amp; Hold to confirm you are a human (and not a bot).</h1><p>Reference ID 5b1c-22</p>")),
    _sample("block", "guard", "ru", bare("ru", "Проверка браузера", "<h1>Проверяем ваш браузер перед переходом на сайт</h1><p>Процесс автоматический. Пожалуйста, подождите несколько секунд.</p>")),
    _sample("block", "verify", "zh", bare("zh", "安全验证", "<p>您的访问过于频繁，请完成安全验证后继续访问。</p>")),
    _sample("block", "limit", "es", bare("es", "Acceso bloqueado", "<h1>Lo sentimos, ha sido bloqueado</h1><p>No puede acceder a farol.example. Este sitio usa un servicio de seguridad para protegerse de ataques en línea.</p>")),
    # not an article
    _sample("not_article", "soft 404 in the frame", "en", framed("en", "Page not found", "<h1>Sorry, we can’t find that page</h1><p>The page you were looking for may have been moved or deleted. Try our search, or go to the front page.</p><h2>Popular now</h2>" + teasers("Levee breaks at Pennmouth, four dead", "Dock workers walk out over roster"))),
    _sample("not_article", "maintenance", "de", bare("de", "Wartungsarbeiten", "<h1>Wir sind gleich wieder da</h1><p>Unsere Seite wird gerade gewartet. Bitte versuchen Sie es in wenigen Minuten noch einmal.</p>")),
    _sample("not_article", "server error", "en", bare("en", "500 Internal Server Error", "<h1>Internal Server Error</h1><p>The server encountered an internal error or misconfiguration and was unable to complete your request.</p>")),
    _sample("not_article", "gone", "fr", framed("fr", "Erreur 404", "<h1>Oups !</h1><p>Cette page n’existe pas ou n’existe plus. Retournez à l’accueil ou utilisez la recherche.</p>")),
    _sample("not_article", "gone", "zh", bare("zh", "页面不存在", "<p>抱歉，您访问的页面不存在或已被删除。</p><a href=/>返回首页</a>")),
    _sample("not_article", "missing", "ja", framed("ja", "ページが見つかりません", "<h1>お探しのページは見つかりませんでした</h1><p>ページが移動または削除された可能性があります。</p>")),
    _sample("not_article", "missing", "ru", framed("ru", "Ошибка 404", "<h1>Страница не найдена</h1><p>Возможно, она была удалена или вы ошиблись в адресе.</p>")),
    _sample("not_article paywall", "login", "en", framed("en", "Sign in", "<h1>Sign in to your account</h1><form><label>Email address</label><input type=email><label>Password</label><input type=password><button>Sign in</button></form><p>Forgot your password? New here? Create an account</p>")),
    _sample("not_article paywall", "login", "es", framed("es", "Iniciar sesión", "<h1>Accede a tu cuenta</h1><form><label>Correo electrónico</label><input type=email><label>Contraseña</label><input type=password><button>Entrar</button></form><p>¿Has olvidado tu contraseña? ¿No tienes cuenta? Regístrate</p>")),
    _sample("not_article", "shop", "de", framed("de", "Laternen-Tasse", "<h1>Laternen-Tasse</h1><p>14,90 € inkl. MwSt., zzgl. Versandkosten</p><p>Tasse aus Porzellan mit dem Schriftzug unserer Zeitung. Spülmaschinenfest.</p><button>In den Warenkorb</button><p>Lieferzeit: 3 bis 5 Werktage</p>", '<meta property="og:type" content="product">')),
    # stubs
    _sample("stub", "video", "en", framed("en", "Watch: boats in the streets of Pennmouth", "<h1>Watch: boats in the streets of Pennmouth</h1><video src=v.mp4></video><span>1:42</span>")),
    _sample("stub", "gallery", "de", framed("de", "Die Flut in Pennmouth in Bildern", "<h1>Die Flut in Pennmouth in Bildern</h1><figure><img src=1.jpg></figure><figure><img src=2.jpg></figure><p>1/12</p>")),
    _sample("stub", "one line", "fr", framed("fr", "La digue de Pennmouth a cédé", "<article><h1>La digue de Pennmouth a cédé</h1><p>Plus d’informations à suivre.</p></article>")),
    # nothing
    _sample("empty", "empty markup", "en", b"<html><head></head><body><div id=root></div></body></html>"),
    _sample("binary", "image", "en", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00" + bytes(range(256)) * 4),
    _sample("binary", "zip", "en", b"PK\x03\x04\x14\x00\x08\x00" + bytes(range(256)) * 4),
    # articles that look like something else
    _sample("ok", "about cookies", "en", framed("en", "Watchdog fines two papers over cookie banners", article(
        "Watchdog fines two papers over cookie banners",
        "The privacy watchdog has fined two newspapers 400,000 crowns each because their cookie banners made it hard to refuse.",
        "“Accept all cookies” was a bright button, while those who wanted to manage their choices had to open three pages, it said.",
        "Both papers said that they would change their banners within a month.",
    ))),
    _sample("ok", "about paywalls", "de", framed("de", "Zeitung öffnet ihre Bezahlschranke für die Flut", article(
        "Zeitung öffnet ihre Bezahlschranke für die Flut",
        "Der „Courier“ zeigt alle Texte über die Flut von Pennmouth kostenlos. Sonst sind sie nur für Abonnenten zu lesen.",
        "Die Chefredaktion begründet das mit dem großen Bedarf an verlässlichen Nachrichten. Nach zwei Wochen soll die Schranke wieder gelten.",
    ))),
    _sample("ok", "about captchas", "en", framed("en", "Are you a robot? Why captchas are getting harder", article(
        "Are you a robot? Why captchas are getting harder",
        "Programs now solve picture puzzles faster than people do, researchers at the university of Orrin report.",
        "They let 200 volunteers verify that they are human on sixty sites; on average it took them nine seconds, and the programs four.",
    ))),
    _sample("ok", "brief", "fr", framed("fr", "Un blessé dans un accident près d’Isk", article(
        "Un blessé dans un accident près d’Isk",
        "Un homme de 43 ans a été légèrement blessé mardi soir lorsque sa voiture a quitté la route côtière près d’Isk. La police recherche des témoins.",
    ))),
    _sample("ok", "brief", "ja", framed("ja", "イスク近郊で事故、1人けが", article(
        "イスク近郊で事故、1人けが", "火曜日の夜、イスク近郊の海岸道路で乗用車が道路を外れ、43歳の男性が軽いけがをした。警察は目撃者を探している。",
    ))),
    _sample("ok", "brief", "es", framed("es", "Un herido en un accidente cerca de Isk", article(
        "Un herido en un accidente cerca de Isk", "Un hombre de 43 años resultó herido leve el martes por la noche al salirse de la carretera de la costa. La policía busca testigos.",
    ))),
    _sample("ok", "with a call to subscribe", "en", framed("en", "Rates stay where they are", article(
        "Rates stay where they are",
        "The central bank has left its key rate at three per cent. It sees no reason to move before the summer, its governor told parliament.",
        "Most analysts had expected the decision. Two of nine members voted for a cut, according to the minutes.",
        "Unions welcomed the step, while the builders’ association spoke of a missed chance for the housing market.",
        "The next meeting is on 14 December. Until then the bank wants to see how wages develop in the coming talks.",
    ) + "<aside><p>Enjoying this article? Subscribe now to read every story.</p></aside>")),
    _sample("ok", "article with many links below", "ru", framed("ru", "Порт закрыт из-за шторма", article(
        "Порт закрыт из-за шторма",
        "Порт Сенника закрыт с утра понедельника из-за шторма, сообщила администрация. На рейде стоят сорок судов.",
        "Метеорологи ожидают, что ветер стихнет к вечеру вторника. До этого времени отменены и все паромные рейсы.",
    ) + "<section><h2>Читайте также</h2>" + teasers(
        "Центробанк сохранил ставку на прежнем уровне", "Паромная компания заказала два электрических судна",
        "Пекари жалуются на подорожание муки на пятую часть", "Докеры проголосуют за новый график смен",
    ) + "</section>")),
]  # fmt: skip

# --- in view when the rules were chosen ------------------------------------------------------------------------

DEV = [
    _sample("consent", "partners", "en", bare("en", "We value your privacy", "<h1>We value your privacy</h1>" + paragraphs(
        "We and our 842 partners store and access personal data, like browsing data or unique identifiers, on your device.",
        "Selecting “I Accept” enables tracking technologies to support the purposes shown under “we and our partners process data to provide”.",
        "I Accept", "Reject All", "Show Purposes",
    ))),
    _sample("consent", "overlay", "de", bare("de", "laterne.example", "<h1>Wir brauchen Ihre Zustimmung</h1>" + paragraphs(
        "Um Ihnen unser Angebot kostenfrei anbieten zu können, finanzieren wir uns durch Werbung.",
        "Wir nutzen Cookies und ähnliche Technologien. Mit einem Klick auf „Alle akzeptieren“ willigen Sie in die Verarbeitung Ihrer Daten ein.",
        "Alle akzeptieren", "Einstellungen verwalten",
    ))),
    _sample("consent", "partners", "fr", bare("fr", "Bienvenue", "<h2>Bienvenue sur lanterne.example</h2>" + paragraphs(
        "Nos partenaires et nous déposons des cookies afin de mesurer l’audience et d’afficher de la publicité personnalisée.",
        "Accepter et continuer", "Paramétrer les cookies",
    ))),
    _sample("consent", "partners", "es", bare("es", "Tu privacidad nos importa", paragraphs(
        "Nosotros y nuestros 790 socios almacenamos o accedemos a información en un dispositivo, tales como cookies, y procesamos datos personales.",
        "Aceptar todo", "Más opciones",
    ))),
    _sample("consent", "partners", "nl", bare("nl", "Wij geven om uw privacy", paragraphs(
        "Wij en onze partners gebruiken cookies en vergelijkbare technieken om informatie op je apparaat op te slaan. Geef hieronder je toestemming.",
        "Akkoord", "Instellen",
    ))),
    _sample("consent", "notice", "zh", bare("zh", "Cookie 提示", paragraphs("我们和合作伙伴使用 Cookie 来改善您的浏览体验并投放个性化广告。点击“全部接受”即表示您同意我们使用 Cookie。", "全部接受", "管理设置"))),
    _sample("consent", "notice", "ar", bare("ar", "نحن نهتم بخصوصيتك", paragraphs("نستخدم نحن وشركاؤنا ملفات تعريف الارتباط لتحسين تجربتك وعرض إعلانات مخصصة. بالنقر على قبول الكل فإنك توافق على استخدامها.", "قبول الكل", "إدارة الخيارات"))),
    _sample("paywall", "subscribers only", "en", framed("en", "Inside the harbour board", article(
        "Inside the harbour board",
        "For two years the members of the harbour board have met behind closed doors. Minutes seen by the Lantern show what they talked about.",
        "This article is for subscribers only. Subscribe now to continue reading.", "Already a subscriber? Log in",
    ))),
    _sample("paywall", "trial", "en", framed("en", "The mill that would not burn", article(
        "The mill that would not burn", "Continue reading with a free trial", "Start your free trial", "Then 9 crowns a month. Cancel anytime.",
    ))),
    _sample("paywall", "declared", "en", framed("en", "Who pays for the bridge", article(
        "Who pays for the bridge", "The harbour bridge was opened in 1931, and for ninety years nobody asked what it would cost to keep. That has changed.",
        "Read the full story with a digital pass.",
    ), '<script type="application/ld+json">{"@type":"NewsArticle","headline":"Who pays for the bridge","isAccessibleForFree":false}</script>')),
    _sample("paywall", "for subscribers", "de", framed("de", "Die Geheimnisse des Hafenrats", article(
        "Die Geheimnisse des Hafenrats", "Zwei Jahre lang tagte der Hafenrat hinter verschlossenen Türen. Protokolle zeigen, worüber gesprochen wurde.",
        "Dieser Artikel ist nur für Abonnenten verfügbar.", "Jetzt testen: 30 Tage für 1 €", "Bereits Abonnent? Einloggen",
    ))),
    _sample("paywall", "subscribers", "fr", framed("fr", "Les secrets du conseil du port", article(
        "Les secrets du conseil du port", "Pendant deux ans, le conseil du port s’est réuni à huis clos. Des comptes rendus montrent de quoi il parlait.",
        "Article réservé à nos abonnés", "Lire la suite avec un abonnement", "Déjà abonné ? Se connecter",
    ))),
    _sample("paywall", "subscribers", "it", framed("it", "I segreti del consiglio del porto", article(
        "I segreti del consiglio del porto", "Per due anni il consiglio del porto si è riunito a porte chiuse. I verbali mostrano di che cosa si parlava.",
        "Questo contenuto è riservato agli abbonati", "Abbonati per continuare a leggere", "Sei già abbonato? Accedi",
    ))),
    _sample("paywall", "subscribers", "nl", framed("nl", "De geheimen van de havenraad", article(
        "De geheimen van de havenraad", "Twee jaar lang vergaderde de havenraad achter gesloten deuren. Uit notulen blijkt waarover werd gesproken.",
        "Dit artikel is alleen voor abonnees. Word abonnee om verder te lezen.", "Al abonnee? Log in",
    ))),
    _sample("paywall", "subscribers", "ar", framed("ar", "أسرار مجلس الميناء", article(
        "أسرار مجلس الميناء", "اجتمع مجلس الميناء عامين خلف أبواب مغلقة، وتكشف محاضر الجلسات ما دار فيها.", "هذا المحتوى متاح للمشتركين فقط. اشترك الآن لمتابعة القراءة.", "مشترك بالفعل؟ تسجيل الدخول",
    ))),
    _sample("paywall", "rest", "ja", framed("ja", "港湾評議会の内幕", article(
        "港湾評議会の内幕", "港湾評議会は2年間、非公開で会合を重ねてきた。議事録から話し合いの内容が明らかになった。", "この記事は有料記事です。残り862文字（全文1,050文字）", "続きを読むには有料会員登録が必要です",
    ))),
    _sample("list", "section with leads", "de", framed("de", "Wirtschaft", "<h1>Wirtschaft</h1>" + teasers(
        "Getreidehändler kaufen den Ostkai|Der Verkauf bringt dem Hafenvorstand 84 Millionen Kronen, mehr als doppelt so viel wie vor einem Jahr erwartet.",
        "Mühle soll bis zum Frühjahr wieder stehen|Die Versicherer zahlen den größten Teil des Schadens, teilt die Firma mit, 90 Stellen sind sicher.",
        "Leitzins bleibt unverändert|Die Notenbank sieht vor dem Sommer keinen Grund zu handeln, sagte ihr Präsident im Parlament.",
        "Reederei bestellt zwei Schiffe|Beide sollen mit Batterien fahren und in drei Jahren die ältesten der Flotte ersetzen.",
        "Bäcker klagen über teures Mehl|Eine schlechte Ernte hat die Preise um ein Fünftel steigen lassen, kleine Läden können das nicht weitergeben.",
        "Hafenarbeiter stimmen ab|Die Gewerkschaft rät, den neuen Dienstplan anzunehmen, doch am Containerterminal sind viele dagegen.",
        "Startup vermisst den Meeresboden|Zwei Ingenieurinnen aus Isk haben neun Millionen Kronen für ihre Drohnen eingesammelt.",
    ))),
    _sample("list", "section with times", "en", framed("en", "World", "<h1>World</h1><ul>" + "".join(
        f"<li><a href=/w/{n}><span>{head}</span></a> <time>{n} hours ago</time></li>" for n, head in enumerate((
            "Levee breaks at Pennmouth, four dead", "Talks on the border road begin in Orrin", "Tavelle elects its first woman mayor",
            "Storm closes three ports on the western coast", "Judges free the editor of the Brask Gazette", "Calmouth bans cars from its old town",
            "Miners of Lower Hume end their strike", "Two climbers found alive after six days")))
        + "</ul><a href=?p=2>Load more</a>")),
    _sample("list", "topic", "fr", framed("fr", "Port de Sennick", "<h1>Port de Sennick</h1><p>Retrouvez tous nos articles sur le port.</p>" + teasers(
        "Le quai est vendu à des négociants en grains|La vente rapporte 84 millions de couronnes, plus du double de ce qui était attendu il y a un an.",
        "Les dockers votent sur le nouveau planning|Le syndicat recommande de l’accepter, mais beaucoup s’y opposent au terminal à conteneurs.",
        "Deux ferries électriques pour la côte|Les navires remplaceront les plus anciens de la flotte d’ici trois ans.",
        "Moins de camions sur la route côtière|Les comptages montrent une baisse de onze pour cent depuis l’ouverture du terminal ferroviaire.",
        "Le pont restera fermé jusqu’à l’automne|Les inspecteurs ont trouvé d’autres fissures. Le détour coûte une demi-heure.",
    ))),
    _sample("list", "tag", "es", framed("es", "Inundaciones", "<h1>Inundaciones</h1>" + teasers(
        "Pennmouth llora a sus muertos tras romperse el dique", "Baja el nivel del río en el valle del Arrel", "Por qué falló la estación de bombeo",
        "Las escuelas reabrirán el jueves, asegura la alcaldesa", "Trescientos vecinos evacuados en barca durante la noche", "El seguro calcula daños por cuarenta millones",
    ))),
    _sample("list", "search", "en", framed("en", "Search results for “bridge”", "<h1>Search</h1><p>Showing 1–10 of 128 results for “bridge”</p>" + teasers(
        "Harbour bridge stays closed until autumn|9 October 2026 … inspectors found more cracks in the pillars of the bridge …",
        "Who pays for the bridge?|2 October 2026 … nobody asked what the bridge would cost to keep …",
        "Letters: our bridge|28 September 2026 … readers write about the bridge and the detour …",
        "Ferry to run all night|21 September 2026 … while the bridge is closed, the ferry sails every half hour …",
        "Bridge closed after cracks are found|14 September 2026 … two pillars of the bridge have cracks …",
    ))),
    _sample("list", "section", "zh", framed("zh", "财经", "<h1>财经</h1>" + teasers(
        "东码头将出售给粮食贸易集团", "央行维持利率不变", "渡轮公司订购两艘电动船", "沿海公路卡车流量下降", "面包店抱怨面粉涨价两成", "码头工人将就新班次投票", "初创公司测绘海床获融资",
    ))),
    _sample("list", "section", "ar", framed("ar", "اقتصاد", "<h1>اقتصاد</h1>" + teasers(
        "تجار الحبوب يشترون الرصيف الشرقي للميناء", "البنك المركزي يبقي سعر الفائدة دون تغيير", "شركة العبارات تطلب سفينتين كهربائيتين",
        "تراجع حركة الشاحنات على الطريق الساحلي", "الخبازون يشكون من ارتفاع أسعار الدقيق", "عمال الميناء يصوتون على جدول العمل الجديد",
    ))),
    _sample("list", "front page", "de", framed("de", "Laterne: Nachrichten von der Küste", teasers(
        "Deich bricht bei Pennmouth, vier Tote|Hunderte werden mit Booten von den Dächern geholt, die Bürgermeisterin ruft zur Räumung auf.",
        "Hafenarbeiter streiken gegen Dienstplan", "Leitzins bleibt unverändert", "United verliert wieder zu Hause", "Kommentar: Wer zahlt für die Brücke?",
        "Rezept: Graupensuppe für nasse Tage", "Die Woche in Bildern", "Weniger Lastwagen auf der Küstenstraße",
    ))),
    _sample("block", "service", "en", bare("en", "Attention Required! | Cloudflare", "<h1>Sorry, you have been blocked</h1><h2>You are unable to access lantern.example</h2><p>This website is using a security service to protect itself from online attacks. The action you just performed triggered the security solution.</p>")),
    _sample("block", "plain 403", "en", bare("en", "403 Forbidden", "<center><h1>403 Forbidden</h1></center><hr><center>nginx</center>")),
    _sample("block", "javascript", "en", bare("en", "lantern.example", "<p>Please enable JS and disable any ad blocker</p>")),
    _sample("block", "interruption", "en", bare("en", "Pardon Our Interruption", "<h1>Pardon Our Interruption</h1><p>As you were browsing something about your browser made us think you were a bot. There are a few reasons this might happen: you are moving through this site at super-human speed; you have disabled cookies in your web browser.</p>")),
    _sample("block", "check", "de", bare("de", "Einen Moment bitte", "<h1>laterne.example</h1><p>Wir prüfen, ob Sie ein Mensch sind. Dies kann einige Sekunden dauern.</p>")),
    _sample("block", "denied", "fr", bare("fr", "Accès refusé", "<h1>Accès refusé</h1><p>Vous n’avez pas l’autorisation d’accéder à cette page. Votre adresse a été bloquée en raison d’une activité inhabituelle.</p>")),
    _sample("block", "robot", "es", bare("es", "Verificación", "<h1>¿Eres un robot?</h1><p>Hemos detectado tráfico inusual desde tu red. Completa la comprobación para continuar.</p>")),
    _sample("block", "denied", "ja", bare("ja", "アクセスが拒否されました", "<p>このページへのアクセスが拒否されました。ロボットではないことを確認してください。</p>")),
    _sample("block", "denied", "ru", bare("ru", "Доступ ограничен", "<h1>Доступ к сайту ограничен</h1><p>Подтвердите, что вы не робот. Нам показалось, что запросы отправляются автоматически.</p>")),
    _sample("block", "javascript", "zh", bare("zh", "请稍候", "<p>请启用 JavaScript 和 Cookie 后继续。正在检查您的浏览器是否安全。</p>")),
    _sample("not_article", "404", "en", framed("en", "404", "<h1>404</h1><p>Oops! That page can’t be found. It looks like nothing was found at this location.</p>")),
    _sample("not_article", "404", "de", framed("de", "Seite nicht gefunden", "<h1>Seite nicht gefunden</h1><p>Die von Ihnen aufgerufene Seite existiert leider nicht. Bitte nutzen Sie die Suche oder die Startseite.</p>")),
    _sample("not_article", "404", "fr", framed("fr", "Page introuvable", "<h1>Page introuvable</h1><p>La page que vous recherchez n’existe pas ou a été déplacée.</p>")),
    _sample("not_article", "404", "es", framed("es", "Página no encontrada", "<h1>Página no encontrada</h1><p>La página que buscas no existe o ha cambiado de dirección.</p>")),
    _sample("not_article", "404", "ar", framed("ar", "الصفحة غير موجودة", "<h1>عذرا، الصفحة غير موجودة</h1><p>ربما تم حذف الصفحة التي تبحث عنها أو نقلها.</p>")),
    _sample("not_article", "maintenance", "en", bare("en", "Site maintenance", "<h1>We’ll be back soon</h1><p>Sorry for the inconvenience. We’re performing some maintenance at the moment and will be back online shortly.</p>")),
    _sample("not_article", "maintenance", "fr", bare("fr", "Site en maintenance", "<p>Notre site est actuellement en maintenance. Merci de revenir dans quelques instants.</p>")),
    _sample("not_article", "gateway", "en", bare("en", "502 Bad Gateway", "<center><h1>502 Bad Gateway</h1></center><hr><center>nginx/1.22.1</center>")),
    _sample("not_article", "article gone", "en", framed("en", "Article no longer available", "<h1>This article is no longer available</h1><p>The article that you requested has been removed from our site.</p>")),
    _sample("not_article paywall", "login", "de", framed("de", "Anmelden", "<h1>Anmelden</h1><form><label>E-Mail-Adresse</label><input type=email><label>Passwort</label><input type=password><button>Anmelden</button></form><p>Passwort vergessen? Noch kein Konto? Jetzt registrieren</p>")),
    _sample("not_article paywall", "login", "fr", framed("fr", "Connexion", "<h1>Connectez-vous</h1><form><label>Adresse e-mail</label><input type=email><label>Mot de passe</label><input type=password><button>Se connecter</button></form><p>Mot de passe oublié ? Créer un compte</p>")),
    _sample("not_article", "shop", "en", framed("en", "Lantern tea towel", "<h1>Lantern tea towel</h1><p>12.50 crowns, free delivery over 40</p><p>A tea towel of pure linen with our front page of the day on which the bridge was opened.</p><button>Add to basket</button>", '<meta property="og:type" content="product">')),
    _sample("stub", "video", "fr", framed("fr", "Vidéo : des barques dans les rues de Pennmouth", "<h1>Vidéo : des barques dans les rues de Pennmouth</h1><video src=v.mp4></video><span>1:42</span>")),
    _sample("stub", "gallery", "en", framed("en", "In pictures: the flood at Pennmouth", "<h1>In pictures: the flood at Pennmouth</h1><figure><img src=1.jpg></figure><figure><img src=2.jpg></figure>")),
    _sample("stub", "one line", "de", framed("de", "Deich bei Pennmouth gebrochen", "<article><h1>Deich bei Pennmouth gebrochen</h1><p>Mehr in Kürze.</p></article>")),
    _sample("empty", "script only", "en", b"<html><body><script>load()</script></body></html>"),
    _sample("binary", "pdf", "en", b"%PDF-1.7\n\x00\x01\x02\x03" + bytes(range(256)) * 4),
    _sample("ok", "about the consent law", "de", framed("de", "Cookie-Banner sollen verschwinden", article(
        "Cookie-Banner sollen verschwinden",
        "Die Regierung will die lästigen Fenster abschaffen. Künftig soll ein Dienst die Einwilligung verwalten, sodass niemand mehr auf „Alle akzeptieren“ klicken muss.",
        "Verbraucherschützer begrüßen das, die Werbewirtschaft warnt vor Einbußen. Das Parlament berät im November.",
    ))),
    _sample("ok", "about a paper that charges", "fr", framed("fr", "Le « Courrier » fait payer ses lecteurs", article(
        "Le « Courrier » fait payer ses lecteurs",
        "À partir de lundi, un article sur trois sera réservé aux abonnés, annonce la direction du « Courrier ».",
        "Le journal a perdu un tiers de ses recettes publicitaires en deux ans. Douze postes doivent être supprimés.",
    ))),
    _sample("ok", "about a block", "en", framed("en", "Access denied: 4,000 pupils locked out of exam site", article(
        "Access denied: 4,000 pupils locked out of exam site",
        "Four thousand pupils could not log in to the site for the final exams on Monday. Their browsers showed “403 Forbidden”.",
        "The ministry blamed a filter that took the schools’ traffic for an attack. The exams were moved to Thursday.",
    ))),
    _sample("ok", "about an error", "en", framed("en", "Page not found: library loses its catalogue", article(
        "Page not found: library loses its catalogue",
        "The library of Isk has lost the catalogue of its 90,000 books. A failed disk took the copies with it, too.",
        "Volunteers will type the cards in again; they expect to be done by Easter. Until then readers must ask at the desk.",
    ))),
    _sample("ok", "brief", "de", framed("de", "Leichtverletzter bei Unfall nahe Isk", article(
        "Leichtverletzter bei Unfall nahe Isk", "Ein 43 Jahre alter Mann ist am Dienstagabend leicht verletzt worden, als sein Wagen nahe Isk von der Küstenstraße abkam. Die Polizei sucht Zeugen.",
    ))),
    _sample("ok", "brief", "en", framed("en", "Man hurt in crash near Isk", article(
        "Man hurt in crash near Isk", "A man of 43 was slightly hurt on Tuesday night when his car left the coast road near Isk. Police are looking for witnesses.",
    ))),
    _sample("ok", "brief", "zh", framed("zh", "伊斯克附近发生车祸一人受伤", article(
        "伊斯克附近发生车祸一人受伤", "周二晚，一辆轿车在伊斯克附近的沿海公路驶离路面，一名43岁男子受轻伤。警方正在寻找目击者，事故原因仍在调查之中。",
    ))),
    _sample("ok", "brief", "ar", framed("ar", "إصابة رجل في حادث قرب إيسك", article(
        "إصابة رجل في حادث قرب إيسك", "أصيب رجل في الثالثة والأربعين بجروح طفيفة مساء الثلاثاء عندما خرجت سيارته عن الطريق الساحلي قرب إيسك. وتبحث الشرطة عن شهود.",
    ))),
    _sample("ok", "among cards", "en", framed("en", "Ferry to run all night", article(
        "Ferry to run all night",
        "While the harbour bridge is closed, the ferry between Sennick and Isk will sail every half hour, also at night, the port company said on Monday.",
        "A crossing takes twelve minutes and costs two crowns; those who work in the port pay nothing. The bridge stays closed until autumn.",
    ) + "<section><h2>More on this</h2>" + teasers(
        "Harbour bridge stays closed until autumn|Inspectors have found more cracks in the pillars.", "Who pays for the bridge?|Nobody asked what it would cost to keep.",
        "Ferry company orders two ships|Both are to run on batteries.", "Fewer lorries on the coast road|Traffic counts show a fall.",
    ) + "</section>")),
    _sample("ok", "with a cookie bar", "es", framed("es", "El transbordador navegará toda la noche", "<div>Usamos cookies propias y de terceros. <button>Aceptar cookies</button></div>" + article(
        "El transbordador navegará toda la noche",
        "Mientras el puente del puerto esté cerrado, el transbordador entre Sennick e Isk saldrá cada media hora, también de noche, informó el lunes la empresa portuaria.",
        "La travesía dura doce minutos y cuesta dos coronas. El puente seguirá cerrado hasta el otoño.",
    ))),
    _sample("ok", "with a log-in form in its frame", "en", framed("en", "Judges free the editor of the Brask Gazette", "<form action=/login><input type=email><input type=password><button>Sign in</button></form>" + article(
        "Judges free the editor of the Brask Gazette",
        "A court in Orrin has acquitted the editor of the Brask Gazette, who had been accused of giving away state secrets in a report on the border road.",
        "The judges held that the documents had been public for months. The prosecutor may appeal within ten days.",
    ))),
]  # fmt: skip

# --- held out a second time: written after the rules, in other languages and forms, and run once ----------------

LATER = [
    _sample("consent", "long list of purposes", "en", bare("en", "Manage consent", "<h1>Manage consent</h1>" + paragraphs(
        "We and our 613 partners need your consent to use the data you provide for the purposes below.",
        *(f"Purpose {n}: partners can use this data to measure advertising performance. By choosing accept you consent to it; our partners may rely on legitimate interests." for n in range(1, 12)),
        "Save and exit", "Accept all", "Reject all",
    ))),
    _sample("consent", "partners", "pt", bare("pt", "A sua privacidade", paragraphs(
        "Nós e os nossos 420 parceiros armazenamos e acedemos a dados pessoais, como cookies, no seu dispositivo.", "Pode alterar as suas preferências a qualquer momento.", "Aceitar tudo", "Rejeitar tudo"))),
    _sample("consent", "partners", "sv", bare("sv", "Vi bryr oss om din integritet", paragraphs(
        "Vi och våra 320 partners lagrar och får åtkomst till data, till exempel kakor, på din enhet.", "Godkänn alla", "Hantera val"))),
    _sample("consent", "partners", "pl", bare("pl", "Dbamy o Twoją prywatność", paragraphs(
        "My i nasi partnerzy przechowujemy informacje na urządzeniu, takie jak pliki cookies, i przetwarzamy dane osobowe.", "Akceptuję i przechodzę do serwisu", "Ustawienia zaawansowane"))),
    _sample("consent", "in the frame", "de", framed("de", "Datenschutz und Nutzungserlebnis", "<section>" + paragraphs(
        "Wir verarbeiten mit unseren 184 Partnern personenbezogene Daten und speichern Informationen auf Ihrem Endgerät.", "Ihre Einwilligung können Sie jederzeit widerrufen.", "Zustimmen", "Ohne Zustimmung weiter") + "</section>")),
    _sample("paywall", "long teaser", "en", framed("en", "The quay that nobody wanted", article(
        "The quay that nobody wanted",
        *(f"When the eastern quay was built, its planners expected {n}0 ships a week, and for some years they came. Then the channel silted up, the grain went elsewhere, and the cranes stood idle through summer and winter." for n in range(2, 6)),
        "To read the rest of this article, become a member.", "Already a member? Sign in",
    ))),
    _sample("paywall", "register", "en", framed("en", "Tavelle’s tram finds its friends", article(
        "Tavelle’s tram finds its friends", "The tramway that voters refused two years ago is back on the agenda, and this time shopkeepers are for it.",
        "Register for free to continue reading.", "It takes less than a minute.",
    ))),
    _sample("paywall", "subscribers", "pt", framed("pt", "O cais que ninguém queria", article(
        "O cais que ninguém queria", "Quando o cais foi construído, esperavam-se trinta navios por semana.", "Conteúdo exclusivo para assinantes", "Já é assinante? Entrar",
    ))),
    _sample("paywall", "subscribers", "pl", framed("pl", "Nabrzeże, którego nikt nie chciał", article(
        "Nabrzeże, którego nikt nie chciał", "Gdy budowano nabrzeże, spodziewano się trzydziestu statków tygodniowo.", "Artykuł dostępny tylko dla subskrybentów.", "Zaloguj się",
    ))),
    _sample("paywall", "plus", "sv", framed("sv", "Kajen som ingen ville ha", article(
        "Kajen som ingen ville ha", "När kajen byggdes väntades trettio fartyg i veckan. Det blev inte så.", "För att läsa vidare behöver du en prenumeration.", "Redan prenumerant? Logga in",
    ))),
    _sample("list", "cards inside links", "en", framed("en", "Sport", "<h1>Sport</h1>" + "".join(
        f"<a href=/s/{n} class=card><img src={n}.jpg><h3>{head}</h3><p>{lead}</p></a>" for n, (head, lead) in enumerate((
            ("United lose at home again", "A late goal decides a dull match before an empty stand."),
            ("Champion withdraws injured", "A torn muscle keeps her from the final in Orrin."),
            ("Rowers win on the Arrel", "The eight from Isk was four lengths ahead at the bridge."),
            ("Cyclists strike over safety", "The peloton stopped for ten minutes before the descent."),
            ("Skater returns after two years", "He says that he had almost given up."),
            ("Chess: a draw after ninety moves", "Both players were short of time.")))))),
    _sample("list", "archive by day", "de", framed("de", "Archiv: 12. Oktober 2026", "<h1>Archiv vom 12. Oktober 2026</h1><ul>" + "".join(
        f"<li><time>{n}:15</time> <a href=/x/{n}>{head}</a></li>" for n, head in enumerate((
            "Deich bricht bei Pennmouth, vier Menschen sterben", "Hafenarbeiter streiken gegen den neuen Dienstplan", "Leitzins bleibt nach Sitzung unverändert",
            "Mühle soll bis zum Frühjahr wieder stehen", "Richter sprechen Chefredakteur frei", "Wal strandet unter dem Leuchtturm"), start=8)) + "</ul>")),
    _sample("list", "topic", "pt", framed("pt", "Porto", "<h1>Porto</h1>" + teasers(
        "Autoridade portuária vende cais a comerciantes|A venda rende 84 milhões de coroas, mais do dobro do esperado há um ano.",
        "Estivadores votam novo horário|O sindicato recomenda que o aceitem, mas muitos estão contra.",
        "Dois ferries elétricos para a costa|Os navios vão substituir os mais antigos da frota em três anos.",
        "Menos camiões na estrada da costa|As contagens mostram uma queda de onze por cento.",
        "Ponte fica fechada até ao outono|Os inspetores encontraram mais fissuras nos pilares.",
    ))),
    _sample("list", "podcast episodes", "en", framed("en", "The Quayside Podcast", "<h1>The Quayside Podcast</h1><p>Every week two reporters talk about the coast.</p>" + teasers(
        "Episode 12: who owns the eastern quay|Two reporters read the minutes.", "Episode 11: after the flood in Pennmouth|What was lost and what was saved.",
        "Episode 10: the strike that was not|A night at the terminal.", "Episode 9: ninety years of one bridge|Its builder’s granddaughter remembers.",
        "Episode 8: the last lighthouse keeper|He still counts the ships.", "Episode 7: barley and bread|Why flour is dear.",
    ))),
    _sample("block", "region", "en", bare("en", "451: Unavailable due to legal reasons", "<h1>451: Unavailable due to legal reasons</h1><p>We recognize you are attempting to access this website from a country belonging to the European Economic Area and therefore access cannot be granted at this time.</p>")),
    _sample("block", "app shell", "en", b"<html><head><title>Lantern</title></head><body><noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div></body></html>"),
    _sample("block", "firewall", "en", bare("en", "Request Rejected", "<p>The requested URL was rejected. Please consult with your administrator. Your support ID is: 1234567890</p>")),
    _sample("block", "robot", "pt", bare("pt", "Verificação", "<h1>Verifique que você é humano</h1><p>Detectamos tráfego incomum vindo da sua rede.</p>")),
    _sample("block", "robot", "tr", bare("tr", "Bir dakika", "<h1>Erişim engellendi</h1><p>Robot olmadığınızı doğrulayın.</p>")),
    _sample("not_article", "404", "pt", framed("pt", "Página não encontrada", "<h1>Página não encontrada</h1><p>O endereço que procura não existe ou foi alterado.</p>")),
    _sample("not_article", "404", "sv", framed("sv", "Sidan hittades inte", "<h1>Sidan hittades inte</h1><p>Sidan du söker finns inte längre.</p>")),
    _sample("not_article", "404", "ko", bare("ko", "오류", "<p>요청하신 페이지를 찾을 수 없습니다.</p>")),
    _sample("not_article", "expired", "en", framed("en", "Lantern", "<h1>This content has expired</h1><p>The story you requested is no longer available.</p><p>You might like our latest headlines instead.</p>")),
    _sample("not_article", "database error", "en", bare("en", "Error", "<h1>Error establishing a database connection</h1>")),
    _sample("not_article paywall", "login", "nl", framed("nl", "Inloggen", "<h1>Inloggen</h1><form><label>E-mailadres</label><input type=email><label>Wachtwoord</label><input type=password><button>Inloggen</button></form><a href=/x>Wachtwoord vergeten?</a>")),
    _sample("stub", "audio", "en", framed("en", "Listen: the bells of Tavelle ring again", "<h1>Listen: the bells of Tavelle ring again</h1><audio src=a.mp3></audio>" + teasers("United lose at home again", "Champion withdraws injured", "Rowers win on the Arrel", "Cyclists strike over safety on descent", "Skater returns after two years"))),
    _sample("ok", "interview", "en", framed("en", "“You must accept that you will fail”", article(
        "“You must accept that you will fail”",
        "Ilse Brandt has been mayor of Pennmouth for twelve years. We asked her what she has learnt.",
        "Do you read what is written about you? “Please continue to write, I always say. But no, I stopped reading it.”",
        "What would you tell a young mayor? “You cannot please everybody. You need to log your promises and keep them.”",
    ))),
    _sample("ok", "service piece", "de", framed("de", "So melden Sie Ihren Wasserschaden", article(
        "So melden Sie Ihren Wasserschaden",
        "Nach der Flut von Pennmouth sollten Betroffene ihrem Versicherer schnell schreiben. Bitte machen Sie vorher Fotos.",
        "Wer kein Konto beim Portal des Versicherers hat, kann sich auch am Telefon melden. Der Rat der Verbraucherzentrale: Unterschreiben Sie nichts, was Sie nicht verstehen.",
    ))),
    _sample("ok", "subscription prices", "en", framed("en", "Streaming gets dearer", article(
        "Streaming gets dearer",
        "Subscribers of the largest streaming service will pay two crowns a month more from January.",
        "Members only learnt of it by mail. The company says that it has to pay more for its films; a consumer group advises people to cancel at any time they like.",
    ))),
    _sample("ok", "listicle", "en", framed("en", "Five walks along the coast", "<article><h1>Five walks along the coast</h1><p>The coast path is open again. Our reporters walked it in May and June, and these are the stretches that they liked best, with the time that they take and where to eat.</p>" + "".join(
        f"<h3><a href=/walk/{n}>The walk from {a} to {b}</a></h3><p>It takes {n} hours and leads past the old lighthouse, where the path is steep and can be slippery after rain. Halfway there is an inn whose landlord knows every wreck in the bay.</p><p>Good shoes are a must, and a map does no harm. The bus back runs every hour until eight in the evening, on Sundays until six. Dogs are welcome on a lead from May to August.</p><p>Those who like to swim find a beach of shingle below the second stile.</p><p>Parking costs three crowns a day.</p>" for n, (a, b) in enumerate((("Isk", "Brask"), ("Brask", "Sennick"), ("Sennick", "Orrin"), ("Orrin", "Tavelle"), ("Tavelle", "Calmouth")), start=2)) + "</article>")),
    _sample("ok", "results", "en", framed("en", "Rowing: results from the Arrel", "<article><h1>Rowing: results from the Arrel</h1><p>The eight from Isk won the regatta on the Arrel on Sunday, four lengths ahead of Sennick.</p><table>" + "".join(f"<tr><td>{n}</td><td>Crew of {p}</td><td>6:{n}2</td></tr>" for n, p in enumerate(("Isk", "Sennick", "Orrin", "Brask"), start=1)) + "</table></article>")),
    _sample("ok", "brief", "pt", framed("pt", "Ferido em acidente perto de Isk", article(
        "Ferido em acidente perto de Isk", "Um homem de 43 anos ficou ligeiramente ferido na terça-feira à noite quando o carro saiu da estrada da costa. A polícia procura testemunhas."))),
    _sample("ok", "brief", "ko", framed("ko", "이스크 인근 사고로 1명 부상", article(
        "이스크 인근 사고로 1명 부상", "화요일 밤 이스크 인근 해안 도로에서 승용차가 도로를 벗어나 43세 남성이 가벼운 부상을 입었다. 경찰은 목격자를 찾고 있으며 사고 원인을 조사하고 있다."))),
    _sample("ok", "about an outage", "en", framed("en", "Service unavailable: bank’s customers locked out", article(
        "Service unavailable: bank’s customers locked out",
        "Customers of the savings bank could not log in on Monday morning. “Something went wrong” was all that the app told them.",
        "The bank said that an update had failed and that it was sorry for the inconvenience. By noon most could see their accounts again.",
    ))),
]  # fmt: skip
