"""Cloudflare's DNS, as much of its API as DNS clients use, over HTTP: point CLOUDFLARE_BASE_URL (its SDK from 3 on) or
CLOUDFLARE_API_URL (before, and so Debian's certbot) at `endpoint`.

https://developers.cloudflare.com/api/resources/dns/. The zones are given, as they are in an account; what changes in them is
told to `on_change`, so that a real name server can answer it.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from tests.fakes.json_api import JsonApi

Record = dict[str, Any]
PER_PAGE = 100


class Cloudflare(JsonApi):
    """One account, open while it is used as a context manager.

    Args:
        zones: names of the account's zones.
        listen: address that the API listens on.
        on_change: called with name, type and all contents that they have from now on.
    """

    token = "b" * 40

    def __init__(
        self,
        zones: Iterable[str],
        *,
        listen: str = "127.0.0.1",
        on_change: Callable[[str, str, list[str]], object] = lambda name, kind, contents: None,
    ) -> None:
        super().__init__(listen)
        self.endpoint = f"{self.url}/client/v4"
        self._numbers = itertools.count(1)
        self.zones = {self._id(): {"name": name, "status": "active"} for name in zones}
        self.records: dict[str, dict[str, Record]] = {zone: {} for zone in self.zones}
        self._on_change = on_change

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to know."""
        return {
            "CLOUDFLARE_BASE_URL": self.endpoint,
            "CLOUDFLARE_API_URL": self.endpoint,
            "CLOUDFLARE_API_TOKEN": self.token,
        }

    def answer(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any], token: str
    ) -> tuple[int, dict[str, Any] | None]:
        """One request, as `JsonApi` wants it."""
        if token != self.token:
            return _error(403, 9109, "Invalid access token")
        match method, path.removeprefix("/client/v4/").rstrip("/").split("/"):
            case "GET", ["user", "tokens", "verify"]:
                return 200, _success({"id": "c" * 32, "status": "active"})
            case "GET", ["zones"]:
                return 200, _page([{"id": zone, **about} for zone, about in self.zones.items()], query)
            case "GET", ["zones", zone] if zone in self.zones:
                return 200, _success({"id": zone, **self.zones[zone]})
            case _, ["zones", zone, "dns_records"] if zone in self.zones:
                return self._collection(method, zone, query, body)
            case _, ["zones", zone, "dns_records", record] if record in self.records.get(zone, {}):
                return self._record(method, zone, record, body)
            case _, ["zones", _, "dns_records", _]:
                return _error(404, 81044, "Record does not exist.")
        return _error(404, 7003, "Could not route to this path, perhaps your object identifier is invalid?")

    def _collection(self, method: str, zone: str, query: dict[str, str], body: Record) -> tuple[int, dict[str, Any]]:
        if method == "GET":
            return 200, _page(list(self.records[zone].values()), query)
        if method != "POST":
            return _error(405, 10405, "Method not allowed for this authentication scheme")
        if fault := self._fault(zone, body):
            return fault
        record = {"id": self._id(), "proxied": False, "ttl": 1, "comment": None, **body}
        record["content"] = str(record["content"]).removeprefix('"').removesuffix('"')
        self.records[zone][record["id"]] = record
        self._tell(zone, record)
        return 200, _success(record)

    def _record(self, method: str, zone: str, number: str, body: Record) -> tuple[int, dict[str, Any]]:
        record = self.records[zone][number]
        if method == "GET":
            return 200, _success(record)
        if method == "DELETE":
            del self.records[zone][number]
            self._tell(zone, record)
            return 200, _success({"id": number})
        changed = {**record, **body}
        if fault := self._fault(zone, changed, but=number):
            return fault
        before = dict(record)
        record.update(changed)
        self._tell(zone, before)
        self._tell(zone, record)
        return 200, _success(record)

    def _fault(self, zone: str, wanted: Record, but: str = "") -> tuple[int, dict[str, Any]] | None:
        name = str(wanted.get("name", "")).lower()
        if not wanted.get("type") or not wanted.get("content"):
            return _error(400, 9005, "Content for record is invalid. It must not be empty.")
        if name != self.zones[zone]["name"] and not name.endswith(f".{self.zones[zone]['name']}"):
            return _error(400, 9000, "DNS name is invalid.")
        key = (name, wanted["type"], str(wanted["content"]).strip('"'))
        for record in self.records[zone].values():
            if record["id"] != but and (record["name"].lower(), record["type"], record["content"]) == key:
                return _error(400, 81058, "An identical record already exists.")
        return None

    def _tell(self, zone: str, record: Record) -> None:
        name, kind = record["name"].lower(), record["type"]
        same = [r for r in self.records[zone].values() if (r["name"].lower(), r["type"]) == (name, kind)]
        self._on_change(name, kind, [_zone_text(entry) for entry in same])

    def _id(self) -> str:
        return f"{next(self._numbers):032x}"


def _zone_text(record: Record) -> str:
    """The record's data as in a zone file."""
    content = str(record["content"])
    if record["type"] == "TXT":
        return " ".join(f'"{content[at : at + 255]}"' for at in range(0, len(content), 255))
    if record["type"] in {"MX", "CNAME", "NS", "PTR"}:
        content = f"{content.rstrip('.')}."
    return f"{record['priority']} {content}" if record["type"] == "MX" else content


def _page(found: list[Record], query: dict[str, str]) -> dict[str, Any]:
    """The API filters by name, type and content, exactly or as `name.exact`; a page after the last is empty."""
    for field in ("name", "type", "content"):
        wanted = query.get(field, query.get(f"{field}.exact"))
        if wanted is not None:
            found = [entry for entry in found if str(entry.get(field, "")).lower() == wanted.strip('"').lower()]
    page, size = int(query.get("page", 1)), int(query.get("per_page", PER_PAGE))
    part = found[(page - 1) * size : page * size]
    about = {"page": page, "per_page": size, "count": len(part), "total_count": len(found)}
    about["total_pages"] = -(-len(found) // size)
    return {**_success(part), "result_info": about}


def _success(result: Any) -> dict[str, Any]:
    return {"success": True, "errors": [], "messages": [], "result": result}


def _error(status: int, code: int, message: str) -> tuple[int, dict[str, Any]]:
    error = {"code": code, "message": message}
    return status, {"success": False, "errors": [error], "messages": [], "result": None}
