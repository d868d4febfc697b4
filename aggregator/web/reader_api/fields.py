"""The fields of requests: of the query and of the form."""

from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request

from aggregator.model.errors import UsageError
from aggregator.web.reader_api.ids import item_number
from aggregator.web.request_body import read_body

# The most ids in one request or response
MOST_IDS = 10_000
_BODY_SECONDS = 10.0

Fields = ImmutableMultiDict[str, str]


async def read_fields(request: Request, most_bytes: int) -> Fields:
    """Return the fields of the query and the form. Raises UsageError if they cannot be read."""
    body = b""
    if request.method == "POST":
        body = await read_body(request, most_bytes, _BODY_SECONDS)
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_IDS + 20
        )
    except ValueError as error:
        raise UsageError("the form is invalid") from error
    return ImmutableMultiDict([*request.query_params.multi_items(), *pairs])


def single(fields: Fields, key: str) -> str:
    """Return the only value of a field, "" without it. Raises UsageError if there are several."""
    if len(set(fields.getlist(key))) > 1:
        raise UsageError(f"`{key}` is given more than once")
    return fields.get(key, "")


def item_numbers(fields: Fields) -> list[int]:
    """Return the numbers of the items that the client names; others are ignored."""
    numbers = []
    for text in fields.getlist("i")[:MOST_IDS]:
        number = item_number(text)
        if number is not None:
            numbers.append(number)
    return numbers
