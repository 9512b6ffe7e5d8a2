"""Hetzner's Cloud API, as much of it as `ansible/provision.yml` uses, over HTTP: point HCLOUD_ENDPOINT at it.

https://docs.hetzner.cloud/reference/cloud. What it holds are dictionaries in the API's own shape. It keeps the rules that a
playbook can trip over: names are unique, what is protected is not deleted, what is in use is not deleted, an address moves
between servers that are off only. Nothing is bought, nothing starts, unless `on_start` and `on_stop` say how.
"""

import base64
import binascii
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.fakes.json_api import JsonApi

Thing = dict[str, Any]
MOMENT = "2026-11-23T09:30:00+00:00"
PER_PAGE = 25
LOCATIONS = {"fsn1": "Falkenstein DC Park 1", "nbg1": "Nuremberg DC Park 1", "hel1": "Helsinki DC Park 1"}
SERVER_TYPES = {"cx23": (2, 4, 40, "x86"), "cx33": (4, 8, 80, "x86"), "cax21": (4, 8, 80, "arm")}
IMAGES = ("debian-12", "debian-13")
# What `change_protection` and `labels` apply to, by the name in a path, and the name of one of them.
KINDS = {
    "actions": "action",
    "datacenters": "datacenter",
    "firewalls": "firewall",
    "images": "image",
    "locations": "location",
    "networks": "network",
    "placement_groups": "placement_group",
    "primary_ips": "primary_ip",
    "server_types": "server_type",
    "servers": "server",
    "ssh_keys": "ssh_key",
    "volumes": "volume",
}
PROTECTED = {"networks", "primary_ips", "servers", "volumes"}


class ApiError(Exception):
    """An answer that is an error.

    Args:
        status: of HTTP.
        code: the API's word for it.
        message: for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class HetznerCloud(JsonApi):
    """One project, open while it is used as a context manager.

    Args:
        addresses: IPv4 addresses and IPv6 networks that servers get, each in the order in which they are handed out.
        listen: address that the API listens on.
        on_start: called with a server when it is switched on (after its creation too).
        on_stop: called with a server when it is switched off or deleted.
    """

    token = "a" * 64

    def __init__(
        self,
        *,
        addresses: dict[str, Iterable[str]],
        listen: str = "127.0.0.1",
        on_start: Callable[[Thing], object] = lambda server: None,
        on_stop: Callable[[Thing], object] = lambda server: None,
    ) -> None:
        self.things: dict[str, dict[int, Thing]] = {kind: {} for kind in KINDS}
        self._free = {family: iter(given) for family, given in addresses.items()}
        self._numbers: Iterator[int] = itertools.count(1001)
        self._on_start, self._on_stop = on_start, on_stop
        super().__init__(listen)
        self.endpoint = f"{self.url}/v1"
        self._furnish()

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to know."""
        return {"HCLOUD_ENDPOINT": self.endpoint, "HCLOUD_TOKEN": self.token}

    def named(self, kind: str, name: str) -> Thing:
        """The thing of that name; KeyError if there is none."""
        for thing in self.things[kind].values():
            if thing["name"] == name:
                return thing
        raise KeyError(name)

    # --- requests

    def answer(
        self, method: str, path: str, query: dict[str, str], body: Thing, token: str
    ) -> tuple[int, Thing | None]:
        """One request, as `JsonApi` wants it."""
        if token != self.token:
            error = ApiError(401, "unauthorized", "unable to authenticate")
        else:
            try:
                return self._route(method, path.removeprefix("/v1/").split("/"), query, body)
            except ApiError as raised:
                error = raised
        return error.status, {"error": {"code": error.code, "message": error.message, "details": None}}

    def _route(self, method: str, parts: list[str], query: dict[str, str], body: Thing) -> tuple[int, Thing | None]:
        kind = parts[0]
        if kind not in KINDS:
            raise ApiError(404, "not_found", f"there is no {kind}")
        match method, parts[1:]:
            case "GET", []:
                return 200, self._page(kind, query)
            case "POST", []:
                return 201, self._create(kind, body)
            case "GET", [number]:
                return 200, {KINDS[kind]: self._one(kind, number)}
            case "PUT", [number]:
                thing = self._one(kind, number)
                self._unique(kind, body.get("name"), but=thing)
                thing.update({field: value for field, value in body.items() if value is not None})
                return 200, {KINDS[kind]: thing}
            case "DELETE", [number]:
                return self._delete(kind, self._one(kind, number))
            case "GET", ["actions", number]:
                return 200, {"action": self._one("actions", number)}
            case "GET", [_, "actions", number]:
                return 200, {"action": self._one("actions", number)}
            case "POST", [number, "actions", command]:
                thing = self._one(kind, number)
                run = getattr(self, f"_{KINDS[kind]}_{command}", None) or getattr(self, f"_{command}", None)
                if run is None:
                    raise ApiError(404, "not_found", f"there is no action {command}")
                run(thing, body)
                action = self._action(command, kind, thing)
                return 201, {"actions": [action]} if kind == "firewalls" else {"action": action}
        raise ApiError(404, "not_found", f"{method} {'/'.join(parts)}")

    def _page(self, kind: str, query: dict[str, str]) -> Thing:
        found = list(self.things[kind].values())
        for field in ("name", "fingerprint", "architecture", "ip", "type", "status"):
            if field in query:
                found = [thing for thing in found if thing.get(field) == query[field]]
        for condition in filter(None, query.get("label_selector", "").split(",")):
            name, _, value = condition.replace("==", "=").partition("=")
            found = [
                thing
                for thing in found
                if name in thing.get("labels", {}) and (not value or thing["labels"][name] == value)
            ]
        page, size = int(query.get("page", 1)), int(query.get("per_page", PER_PAGE))
        last = max(-(-len(found) // size), 1)
        pagination = {
            "page": page,
            "per_page": size,
            "previous_page": page - 1 if page > 1 else None,
            "next_page": page + 1 if page < last else None,
            "last_page": last,
            "total_entries": len(found),
        }
        return {kind: found[(page - 1) * size : page * size], "meta": {"pagination": pagination}}

    def _one(self, kind: str, number: str | int) -> Thing:
        try:
            return self.things[kind][int(number)]
        except (KeyError, ValueError):
            raise ApiError(404, "not_found", f"{KINDS[kind]} with ID '{number}' not found") from None

    def _unique(self, kind: str, name: str | None, but: Thing | None = None) -> None:
        if any(thing["name"] == name and thing is not but for thing in self.things[kind].values() if name):
            raise ApiError(409, "uniqueness_error", f"{KINDS[kind]} name is already used")

    def _create(self, kind: str, body: Thing) -> Thing:
        make = getattr(self, f"_new_{KINDS[kind]}", None)
        if make is None:
            raise ApiError(405, "method_not_allowed", f"{kind} are not made by clients")
        if not body.get("name"):
            raise ApiError(422, "invalid_input", "invalid input in field 'name'")
        self._unique(kind, body["name"])
        thing = {"id": next(self._numbers), "name": body["name"], "created": MOMENT, "labels": body.get("labels") or {}}
        if kind in PROTECTED:
            thing["protection"] = {"delete": False}
        answer: Thing = make(thing, body) or {}
        self.things[kind][thing["id"]] = thing
        return {KINDS[kind]: thing, **answer}

    def _delete(self, kind: str, thing: Thing) -> tuple[int, Thing | None]:
        if thing.get("protection", {}).get("delete"):
            raise ApiError(403, "protected", f"{KINDS[kind]} is delete protected")
        if thing.get("server") or thing.get("assignee_id") or thing.get("applied_to"):
            raise ApiError(422, "resource_in_use", f"{KINDS[kind]} is in use by a server")
        del self.things[kind][thing["id"]]
        if kind != "servers":
            return 204, None
        self._server_poweroff(thing, {})
        self._let_go(thing["id"])
        return 200, {"action": self._action("delete_server", kind, thing)}

    def _let_go(self, number: int) -> None:
        """What a deleted server had is free again; what goes with it goes."""
        for volume in self.things["volumes"].values():
            if volume["server"] == number:
                volume["server"] = None
        for address in list(self.things["primary_ips"].values()):
            if address["assignee_id"] == number:
                address["assignee_id"] = None
                if address["auto_delete"]:
                    del self.things["primary_ips"][address["id"]]
        for group in self.things["placement_groups"].values():
            group["servers"] = [member for member in group["servers"] if member != number]
        for firewall in self.things["firewalls"].values():
            firewall["applied_to"] = [to for to in firewall["applied_to"] if to["server"]["id"] != number]

    def _action(self, command: str, kind: str, thing: Thing) -> Thing:
        action = {
            "id": next(self._numbers),
            "name": "",
            "command": command,
            "status": "success",
            "progress": 100,
            "started": MOMENT,
            "finished": MOMENT,
            "resources": [{"id": thing["id"], "type": KINDS[kind]}],
            "error": None,
        }
        self.things["actions"][action["id"]] = action
        # Under way when it is told, done when it is asked about.
        return {**action, "status": "running", "progress": 0, "finished": None}

    # --- what there is without asking, and how things are made

    def _furnish(self) -> None:
        for name, city in LOCATIONS.items():
            location = {"id": next(self._numbers), "name": name, "description": city, "country": "DE", "city": city}
            location |= {"latitude": 50.0, "longitude": 12.0, "network_zone": "eu-central"}
            self.things["locations"][location["id"]] = location
            center = {"id": next(self._numbers), "name": f"{name}-dc14", "description": city, "location": location}
            center["server_types"] = {"supported": [], "available": [], "available_for_migration": []}
            self.things["datacenters"][center["id"]] = center
        for name, (cores, memory, disk, architecture) in SERVER_TYPES.items():
            kind = {
                "id": next(self._numbers),
                "name": name,
                "description": name.upper(),
                "cores": cores,
                "memory": memory,
            }
            kind |= {"disk": disk, "architecture": architecture, "prices": [], "storage_type": "local"}
            kind |= {
                "cpu_type": "shared",
                "deprecated": False,
                "deprecation": None,
                "locations": [],
                "category": "cost",
            }
            self.things["server_types"][kind["id"]] = kind
        for name, architecture in itertools.product(IMAGES, ("x86", "arm")):
            image = {"id": next(self._numbers), "name": name, "type": "system", "status": "available", "labels": {}}
            image |= {"architecture": architecture, "os_flavor": "debian", "os_version": name[-2:], "created": MOMENT}
            image |= {"deprecated": None, "deleted": None, "disk_size": 5, "image_size": None, "rapid_deploy": True}
            image |= {"description": name, "created_from": None, "bound_to": None, "protection": {"delete": False}}
            self.things["images"][image["id"]] = image

    def _new_ssh_key(self, thing: Thing, body: Thing) -> None:
        try:
            blob = base64.b64decode(body["public_key"].split()[1], validate=True)
        except (IndexError, binascii.Error):
            raise ApiError(422, "invalid_input", "invalid input in field 'public_key'") from None
        digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
        thing["public_key"] = body["public_key"]
        thing["fingerprint"] = ":".join(digest[at : at + 2] for at in range(0, 32, 2))

    def _new_network(self, thing: Thing, body: Thing) -> None:
        thing |= {"ip_range": body["ip_range"], "subnets": body.get("subnets") or [], "routes": [], "servers": []}
        thing |= {"load_balancers": [], "expose_routes_to_vswitch": bool(body.get("expose_routes_to_vswitch"))}

    def _new_firewall(self, thing: Thing, body: Thing) -> Thing:
        thing |= {"rules": _rules(body.get("rules") or []), "applied_to": []}
        return {"actions": []}

    def _new_placement_group(self, thing: Thing, body: Thing) -> None:
        thing |= {"type": body["type"], "servers": []}

    def _new_volume(self, thing: Thing, body: Thing) -> Thing:
        server = None if body.get("server") is None else self._one("servers", body["server"])
        location = server["datacenter"]["location"] if server else self._place(body)["location"]
        thing |= {"size": body["size"], "format": body.get("format"), "status": "available", "location": location}
        thing |= {"server": server and server["id"], "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{thing['id']}"}
        if server:
            server["volumes"].append(thing["id"])
        return {"action": self._action("create_volume", "volumes", thing), "next_actions": []}

    def _new_primary_ip(self, thing: Thing, body: Thing) -> Thing:
        address = next(self._free[body["type"]])
        thing |= {"ip": address, "type": body["type"], "blocked": False, "dns_ptr": [], "assignee_type": "server"}
        thing |= {"auto_delete": bool(body.get("auto_delete")), "assignee_id": None, "datacenter": self._place(body)}
        if body["type"] == "ipv4":
            reversed_name = "-".join(address.split("."))
            thing["dns_ptr"] = [{"ip": address, "dns_ptr": f"static.{reversed_name}.clients.your-server.de"}]
        return {"action": None}

    def _new_server(self, thing: Thing, body: Thing) -> Thing:
        wanted = body.get("public_net") or {}
        place = self._place(body)
        thing |= {"status": "off", "server_type": self._by_name("server_types", body["server_type"]), "iso": None}
        thing |= {"image": self._by_name("images", body["image"]), "datacenter": place, "rescue_enabled": False}
        thing |= {"locked": False, "backup_window": None, "outgoing_traffic": 0, "ingoing_traffic": 0, "volumes": []}
        thing |= {"included_traffic": 0, "primary_disk_size": 40, "private_net": [], "user_data": body.get("user_data")}
        thing |= {"protection": {"delete": False, "rebuild": False}, "placement_group": None, "load_balancers": []}
        thing["public_net"] = {"ipv4": None, "ipv6": None, "floating_ips": [], "firewalls": []}
        thing["ssh_keys"] = [self._by_name("ssh_keys", key)["public_key"] for key in body.get("ssh_keys") or []]
        for family in ("ipv4", "ipv6"):
            if wanted.get(f"enable_{family}", True):
                if wanted.get(family):
                    address = self._one("primary_ips", wanted[family])
                else:
                    given = {"name": f"primary_ip-{next(self._numbers)}", "type": family, "auto_delete": True}
                    address = self._create("primary_ips", {**given, "datacenter": place["name"]})["primary_ip"]
                self._primary_ip_assign(address, {"assignee_id": thing["id"]}, server=thing)
        if body.get("placement_group"):
            self._server_add_to_placement_group(thing, body)
        for number in body.get("networks") or []:
            self._server_attach_to_network(thing, {"network": number})
        for entry in body.get("firewalls") or []:
            self._bind_firewall(self._one("firewalls", entry["firewall"]), thing)
        for number in body.get("volumes") or []:
            self._volume_attach(self._one("volumes", number), {"server": thing["id"]}, server=thing)
        if body.get("start_after_create", True):
            self._server_poweron(thing, {})
        action = self._action("create_server", "servers", thing)
        return {"action": action, "next_actions": [], "root_password": None if thing["ssh_keys"] else "a-password"}

    def _by_name(self, kind: str, given: str | int) -> Thing:
        if str(given).isdigit():
            return self._one(kind, given)
        try:
            return self.named(kind, str(given))
        except KeyError:
            raise ApiError(422, "invalid_input", f"{kind}: there is no {given}") from None

    def _place(self, body: Thing) -> Thing:
        if body.get("datacenter"):
            return self._by_name("datacenters", body["datacenter"])
        location = self._by_name("locations", body.get("location") or "fsn1")
        return self.named("datacenters", f"{location['name']}-dc14")

    # --- actions: named after their kind and their path, or after their path alone

    def _change_protection(self, thing: Thing, body: Thing) -> None:
        thing["protection"].update({name: value for name, value in body.items() if value is not None})

    def _server_poweron(self, server: Thing, _: Thing) -> None:
        if server["status"] != "running":
            server["status"] = "running"
            self._on_start(server)

    def _server_poweroff(self, server: Thing, _: Thing) -> None:
        if server["status"] != "off":
            server["status"] = "off"
            self._on_stop(server)

    def _server_change_type(self, server: Thing, body: Thing) -> None:
        self._must_be_off(server)
        server["server_type"] = self._by_name("server_types", body["server_type"])

    def _server_add_to_placement_group(self, server: Thing, body: Thing) -> None:
        group = self._one("placement_groups", body["placement_group"])
        if len(group["servers"]) >= 10:
            raise ApiError(422, "resource_limit_exceeded", "a spread placement group holds 10 servers")
        group["servers"].append(server["id"])
        server["placement_group"] = group

    def _server_attach_to_network(self, server: Thing, body: Thing) -> None:
        network = self._one("networks", body["network"])
        if not network["subnets"]:
            raise ApiError(422, "no_subnet_available", "no subnet available to attach the server to")
        start = network["subnets"][0]["ip_range"].rpartition(".")[0]
        address = body.get("ip") or f"{start}.{len(network['servers']) + 2}"
        server["private_net"].append(
            {"network": network["id"], "ip": address, "alias_ips": [], "mac_address": "86:00:ff:2a:7d:e1"}
        )
        network["servers"].append(server["id"])

    def _network_add_subnet(self, network: Thing, body: Thing) -> None:
        network["subnets"].append({**body, "gateway": f"{body['ip_range'].rpartition('.')[0]}.1", "vswitch_id": None})

    def _firewall_set_rules(self, firewall: Thing, body: Thing) -> None:
        firewall["rules"] = _rules(body["rules"])

    def _firewall_apply_to_resources(self, firewall: Thing, body: Thing) -> None:
        for entry in body["apply_to"]:
            self._bind_firewall(firewall, self._one("servers", entry["server"]["id"]))

    def _firewall_remove_from_resources(self, firewall: Thing, body: Thing) -> None:
        for entry in body["remove_from"]:
            server = self._one("servers", entry["server"]["id"])
            firewall["applied_to"] = [to for to in firewall["applied_to"] if to["server"]["id"] != server["id"]]
            bound = server["public_net"]["firewalls"]
            server["public_net"]["firewalls"] = [entry for entry in bound if entry["id"] != firewall["id"]]

    def _bind_firewall(self, firewall: Thing, server: Thing) -> None:
        firewall["applied_to"].append({"type": "server", "server": {"id": server["id"]}})
        server["public_net"]["firewalls"].append({"id": firewall["id"], "status": "applied"})

    def _volume_attach(self, volume: Thing, body: Thing, server: Thing | None = None) -> None:
        if volume["server"] is not None:
            raise ApiError(422, "volume_already_attached", "volume is already attached")
        server = server or self._one("servers", body["server"])
        volume["server"] = server["id"]
        server["volumes"].append(volume["id"])

    def _volume_detach(self, volume: Thing, _: Thing) -> None:
        self._one("servers", volume["server"])["volumes"].remove(volume["id"])
        volume["server"] = None

    def _volume_resize(self, volume: Thing, body: Thing) -> None:
        if body["size"] <= volume["size"]:
            raise ApiError(422, "invalid_input", "a volume only grows")
        volume["size"] = body["size"]

    def _primary_ip_assign(self, address: Thing, body: Thing, server: Thing | None = None) -> None:
        server = server or self._one("servers", body["assignee_id"])
        self._must_be_off(server)
        if address["assignee_id"] is not None:
            raise ApiError(409, "conflict", "primary IP is assigned to another server")
        address["assignee_id"] = server["id"]
        seen = {"id": address["id"], "ip": address["ip"], "blocked": False, "dns_ptr": address["dns_ptr"]}
        if address["type"] == "ipv4":
            seen["dns_ptr"] = address["dns_ptr"][0]["dns_ptr"]
        server["public_net"][address["type"]] = seen

    def _primary_ip_unassign(self, address: Thing, _: Thing) -> None:
        server = self._one("servers", address["assignee_id"])
        self._must_be_off(server)
        server["public_net"][address["type"]] = None
        address["assignee_id"] = None

    def _primary_ip_change_dns_ptr(self, address: Thing, body: Thing) -> None:
        kept = [entry for entry in address["dns_ptr"] if entry["ip"] != body["ip"]]
        if body["dns_ptr"] is not None:
            kept.append({"ip": body["ip"], "dns_ptr": body["dns_ptr"]})
        address["dns_ptr"][:] = kept

    def _must_be_off(self, server: Thing) -> None:
        if server["status"] != "off":
            raise ApiError(422, "server_not_stopped", "the server must be off")


def _rules(given: list[Thing]) -> list[Thing]:
    """As the API gives them back: every field there."""
    fields = ("direction", "protocol", "port", "source_ips", "destination_ips", "description")
    return [{**{field: rule.get(field) for field in fields}} for rule in given]
