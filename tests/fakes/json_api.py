"""A small HTTP server for fakes of JSON APIs: it reads and writes, the fake decides what is answered."""

import json
import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class JsonApi(ABC):
    """Answers one request at a time while it is open as a context manager.

    Args:
        listen: address to listen on; the port is the next free one.
    """

    def __init__(self, listen: str = "127.0.0.1") -> None:
        self.requests: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((listen, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = "http://{}:{}".format(*self._server.server_address[:2])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @abstractmethod
    def answer(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any], token: str
    ) -> tuple[int, dict[str, Any] | None]:
        """Status and body of the answer.

        Args:
            method: of HTTP.
            path: from the first slash to the question mark.
            query: the last value of each field.
            body: what was sent; empty if nothing was.
            token: the bearer token; empty if there is none.
        """

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                url = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(url.query).items()}
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                with api._lock:
                    api.requests.append((self.command, url.path))
                    status, answer = api.answer(self.command, url.path, query, body, token)
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: `requests` remembers."""

        return Handler
