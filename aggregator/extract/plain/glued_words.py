"""Removes lists of links from the middle of sentences, and separates sentences and captions that run into each other.

Some outlets put links to other articles behind the name of a politician; in the text, their headlines run into the
name and end with "MORE". Other texts lost the space where two paragraphs were joined.
"""

import re

_NAME = r"[A-Z][\w’'-]{1,40}"
# The most characters of a list of links (limit; the longest of 1,229 has 700)
_LIST_CHARS = 900
# "Sen. Ann Berg Ann Marie BergSenate rejects bill Other headline MORE (D) said": the surname stands twice, and what
# follows its second place without a space, up to MORE, is links. Or the whole name stands twice, with a space or not.
_LINK_LISTS = (
    re.compile(
        rf"\b(?P<name>{_NAME}),? (?:[A-Z(“\"'][^\s|]{{0,30}} ){{1,6}}(?P=name)"
        rf"(?=[A-Z\d“\"'‘#(]|\s?MORE\b)[^\n]{{0,{_LIST_CHARS}}}?(?<![A-Z])MORE\b"
    ),
    re.compile(
        rf"\b(?P<name>(?P<first>{_NAME})(?: [^\s|]{{1,30}})? (?P<last>{_NAME}?)) ?(?P=first)(?: [^\s|]{{1,30}}){{0,3}}"
        rf" (?P=last)[^\n]{{0,{_LIST_CHARS}}}?(?<![A-Z])MORE\b"
    ),
)
# Only words that begin sentences, because "Booking.Com" and "Data.Set" are names.
_NO_SPACE = re.compile(
    r"(?:(?<=[a-z]{2})|(?<=\d\d))[.!?][”\"]?(?=(?:The|In|On|At|An?|But|And|He|She|It|They|We|I|You|This|That|These|Those"
    r"|There|If|When|As|For|After|Not|No|So|Now|His|Her|Their|Its|Our|My|With|While|Many|Most|Some|By|What|Yet|Also"
    r"|Since|Both|One|According|Among|Because|Before|During|However|Meanwhile|More|Under|Until)['’ ,])"
)


# A caption that runs into the text ends with its credit: "(Photo: Ann Lee) A group of students ..."
_CREDIT = re.compile(
    r"(?P<credit>\((?:AP )?(?:Photos?|Pictures?|Images?|Foto)\b[^()\n]{0,100}\)) (?=[A-Z“\"])"
)

# "image captionBoris Berg spoke": the label of a caption, which runs into it
_CAPTION = re.compile(r"(?<!\s)\s*+\b(?P<label>(?:image|media) caption)\s?(?=[A-Z“\"])")
_LINK = re.compile(
    r"\s?\((?:RELATED|READ|READ MORE|WATCH|SEE ALSO|MORE): [^()\n]{5,200}\)"
)


def without_link_lists(text: str) -> str:
    """Return the text without links in brackets, and lists of links that end with MORE behind a name."""
    text = _LINK.sub("", text)
    if "MORE" not in text:
        return text
    for links in _LINK_LISTS:
        text = links.sub(lambda found: found["name"], text)
    return text


def with_spaces(text: str) -> str:
    """Return the text with a space between sentences ("conflict.Yet he said"), and a line for each caption."""
    text = _CREDIT.sub(lambda found: f"{found['credit']}\n", text)
    text = _CAPTION.sub(lambda found: f"\n{found['label']} ", text).lstrip("\n")
    return _NO_SPACE.sub(lambda end: f"{end[0]} ", text)
