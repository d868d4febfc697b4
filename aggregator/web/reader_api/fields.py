"""Reads the fields of a request from its query and its form."""

import re
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request

from aggregator.model.errors import UsageError
from aggregator.web.reader_api.ids import LONG_ID
from aggregator.web.request_body import read_body

# The most ids in one request or response
MOST_IDS = 10_000
_BODY_SECONDS = 10.0
_SHORT_ID = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# The digits of a long id
_HEX_DIGITS = 16
_HEX = re.compile(rf"[0-9a-fA-F]{{1,{_HEX_DIGITS}}}", re.ASCII)

Fields = ImmutableMultiDict[str, str]


async def read_fields(request: Request, most_bytes: int) -> Fields:
    """Return the fields of the query and the form. Raises UsageError if they cannot be read."""
    body = b""
    if request.method == "POST":
        body = await read_body(request, most_bytes, _BODY_SECONDS)
    try:
        # Besides the ids, a form has a few other fields.
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_IDS + 20
        )
    except ValueError as error:
        raise UsageError("the form is invalid") from error
    return ImmutableMultiDict([*request.query_params.multi_items(), *pairs])


def single(fields: Fields, key: str) -> str:
    """Return the value of a field; "" if the request lacks it. Raises UsageError for different values."""
    if len(set(fields.getlist(key))) > 1:
        raise UsageError(f"`{key}` is given more than once")
    return fields.get(key, "")


def item_numbers(fields: Fields) -> list[int]:
    """Return the numbers of the items that the client names; invalid ids are ignored."""
    numbers = []
    for text in fields.getlist("i")[:MOST_IDS]:
        # An id is decimal, or hexadecimal after LONG_ID; FeedFlow sends 16 hexadecimal digits without LONG_ID.
        last = text.removeprefix(LONG_ID)
        if (last != text or len(text) == _HEX_DIGITS) and _HEX.fullmatch(last):
            number = int(last, 16)
        elif _SHORT_ID.fullmatch(text):
            number = int(text)
        else:
            continue
        if 0 < number < 2**63:
            numbers.append(number)
    return numbers
