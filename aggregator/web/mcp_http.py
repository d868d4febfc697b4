"""MCP over HTTP: the tools of `aggregator mcp` at `/mcp`, for tokens of scope read (docs/mcp.md).

Each request is answered by itself, as JSON: there are no sessions and no streams to keep. Host, origin and
token are checked by the request guard before, as for all addresses.
"""

import logging
from collections.abc import Callable
from functools import cache

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from aggregator.pipeline.manage_sources import SourceServices
from aggregator.store.read.reader import StoryReader
from aggregator.web.dependencies import Site
from aggregator.web.excerpts import Access
from aggregator.web.mcp_server import server_of
from aggregator.web.responses import RefusedError
from aggregator.web.security.middleware import MCP, read_body, refused, require_scope

_MOST_BYTES = 65_536  # a call has some names and numbers
_BODY_SECONDS = 10.0
_CHECKED_BEFORE = TransportSecuritySettings(enable_dns_rebinding_protection=False)


def route(site: Site, services: SourceServices) -> Route:
    """Return the route of `/mcp`."""
    logging.getLogger("mcp").setLevel(logging.ERROR)  # below: what clients send
    all_tuning = services.config.effective_tuning
    reader = StoryReader(services.database, all_tuning)

    @cache
    def server(access: Access) -> MCPServer:
        return server_of(reader, all_tuning, access, site.settings.excerpt_words)

    return Route(MCP, endpoint=_Endpoint(site, server), methods=["POST"])


class _Endpoint:
    def __init__(self, site: Site, server: Callable[[Access], MCPServer]) -> None:
        self._site = site
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            require_scope(request, "read", "MCP", "read")
            body = await read_body(request, _MOST_BYTES, _BODY_SECONDS)
        except RefusedError as error:
            response: Response = await refused(request, error, _MOST_BYTES)
            await response(scope, receive, send)
            return
        app = self._server(self._site.access(request)).streamable_http_app(
            streamable_http_path=MCP,
            json_response=True,
            stateless_http=True,
            max_request_body_size=_MOST_BYTES,
            transport_security=_CHECKED_BEFORE,
        )
        is_read = False

        async def receive_again() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        async with app.router.lifespan_context(app):
            await app(scope, receive_again, send)
