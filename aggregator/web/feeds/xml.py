"""What both XML formats do alike."""

import datetime as dt

from lxml import etree

ATOM = "http://www.w3.org/2005/Atom"


def add(parent: etree._Element, name: str, text: str) -> etree._Element:
    """A new child with that text."""
    element = etree.SubElement(parent, name)
    element.text = text
    return element


def document(root: etree._Element, css_url: str) -> bytes:
    """The whole document, with the stylesheet by which a browser shows it."""
    root.addprevious(etree.ProcessingInstruction("xml-stylesheet", f'type="text/css" href="{css_url}"'))
    return etree.tostring(root.getroottree(), encoding="utf-8", xml_declaration=True, pretty_print=True)


def rfc3339(time: dt.datetime) -> str:
    """With its fraction of a second, in UTC: by it the items of one second are told apart."""
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
