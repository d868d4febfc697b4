"""A receiver of webhooks on loopback that can be told how to answer; and the check that the docs show."""

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.conftest import REPOSITORY
from tests.support.loopback import Closing, LoopbackServer, Request, Response
from tests.support.waiting import wait_until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOCUMENT = (REPOSITORY / "docs" / "sending.md").read_text(encoding="utf-8")


def documented_check() -> Callable[[str, dict[str, str], bytes], bool]:
    """The function that docs/sending.md shows."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/sending.md", "exec"), names)
    return names["is_genuine"]


Answer = Callable[[Request], Response]


class Receiver(Closing):
    """Keeps what came; `answer` may be changed while it runs. Each request that was answered 2xx is taken."""

    def __init__(self, answer: Answer | None = None, *, signed: bool = True) -> None:
        """`signed`: whether requests are signed as those of webhooks are."""
        self._signed = signed
        self.answer: Answer = answer or (lambda _request: Response(204))
        self.came: list[Request] = []
        self.taken: list[Request] = []
        self.false: list[Request] = []  # whose signature did not hold when they came
        self._check = documented_check()
        self._lock = threading.Lock()
        self._server = LoopbackServer({"*": self._take})
        self.port = self._server.port

    def url(self, path: str = "/hook") -> str:
        return self._server.url(path)

    def _take(self, request: Request) -> Response:
        is_genuine = not self._signed or self._check(
            SECRET, dict(request.headers), request.body
        )
        with self._lock:
            self.came.append(request)
            if not is_genuine:
                self.false.append(request)
        response = self.answer(request)
        # `raw` hangs up: that accepts nothing
        if 200 <= response.status < 300 and response.raw is None:
            with self._lock:
                self.taken.append(request)
        return response

    def restart(self, seconds: float) -> None:
        """Away for so long, then there again at the same port."""
        self._server.close()
        time.sleep(seconds)
        self._server = LoopbackServer({"*": self._take}, port=self.port)

    def ids(self) -> list[str]:
        """The ids of what was taken, in order."""
        return [request.headers["webhook-id"] for request in self.taken]

    def bodies(self) -> list[dict[str, Any]]:
        """What was taken, in order."""
        return [json.loads(request.body) for request in self.taken]

    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies()]

    def wait(self, look: Callable[[], object]) -> None:
        """Until `look()` is true."""
        wait_until(look, "a request")

    def close(self) -> None:
        self._server.close()
