"""Markup that a stranger may write into texts, and the check that none of it becomes markup of a page."""

from lxml import html

from tests.support.hostile_titles import SCRIPTS
from tests.support.tables import rows

HOSTILE = [
    *SCRIPTS, '"><img src=x onerror=alert(1)>', '" autofocus onfocus="alert(1)',
    "<a href=javascript:alert(1)>x</a>", "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example><input name=q>", "-->]]><iframe src=//evil.example>",
]  # fmt: skip


OWN_TAGS = set(rows("tame_pages", "own tags"))


OWN_SCRIPT = {"src": "/static/pages.js", "defer": "defer"}


def assert_tame(page: html.HtmlElement) -> None:
    """No element, attribute or address but ours: nothing that a stranger wrote became markup."""
    elements = [element for element in page.iter() if isinstance(element.tag, str)]
    assert {element.tag for element in elements} <= OWN_TAGS
    scripts = [element for element in elements if element.tag == "script"]
    assert [(dict(one.attrib), one.text) for one in scripts] == [(OWN_SCRIPT, None)]
    names = {name for one in elements if one.tag != "script" for name in one.attrib}
    assert not [
        name
        for name in names
        if name.startswith("on") or name in ("style", "src", "autofocus")
    ]
    targets = page.xpath("//@href | //@action")
    assert all(target.startswith(("/", "#")) for target in targets), targets
