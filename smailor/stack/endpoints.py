"""endpoints.json: where everything of a running service answers. The contract for tests and outside tools."""

import json
import os
from pathlib import Path
from typing import Any

from smailor.stack.demo import DemoAccounts
from smailor.stack.layout import Layout
from smailor.stack.variables import Wishes


def endpoints(wishes: Wishes, accounts: DemoAccounts) -> dict[str, Any]:
    """The content of endpoints.json, its names in their fixed order.

    Args:
        wishes: what the service is like.
        accounts: who can log in.
    """
    layout, ports = wishes.layout, wishes.layout.ports
    return {
        "web": f"http://{ports.at('web')}",
        **{name: ports.at(name) for name in ("smtp", "submission", "submissions", "imap", "imaps", "managesieve")},
        "lmtp": f"unix:{layout.socket('lmtp')}",
        "policyd": f"unix:{layout.socket('policyd')}",
        "milters": {
            "signing": f"unix:{layout.socket('signing')}",
            "dmarc": f"unix:{layout.socket('dmarc')}",
            "rspamd": ports.at("rspamd"),
        },
        "resolver": wishes.dns,
        "metrics": {name: f"http://{ports.at(f'{name}_metrics')}/metrics" for name in ("policyd", "signing", "dmarc")},
        "tls_ca": str(layout.ca),
        "config": str(layout.config),
        "database": wishes.database_url,
        "internet": {
            "smtp": ports.at("internet"),
            "maildir": str(layout.internet_mail),
            "zones": str(layout.zones),
        },
        "operator": {"email": accounts.operator_email, "password": accounts.operator_password},
        "inboxes": [
            {
                "address": inbox.address,
                "workspace": inbox.workspace,
                "password": inbox.password,
                "app_password": inbox.app_password,
            }
            for inbox in accounts.inboxes
        ],
    }


def write(layout: Layout, content: dict[str, Any]) -> None:
    """Write endpoints.json whole or not at all, for root only: it holds passwords."""
    write_whole(layout.endpoints, json.dumps(content, indent=2) + "\n", mode=0o600)


def write_whole(path: Path, text: str, *, mode: int) -> None:
    """Give a file this content by renaming, so that a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def welcome(content: dict[str, Any], run_directory: Path) -> list[str]:
    """What a person reads when everything is up.

    Args:
        content: of endpoints.json.
        run_directory: where it lies.
    """
    operator = content["operator"]
    lines = [
        "",
        f"  Web        {content['web']}",
        f"  Operator   {operator['email']}  {operator['password']}",
    ]
    inboxes = content["inboxes"]
    if inboxes:
        widest = max(len(inbox["address"]) for inbox in inboxes)
        lines += ["", f"  {'Inbox':<{widest}}  {'web password':<20}  app password (IMAP, SMTP)"]
        lines += [f"  {i['address']:<{widest}}  {i['password']:<20}  {i['app_password']}" for i in inboxes]
        first = inboxes[0]
        lines += [
            "",
            "  Try",
            f"    swaks --server {content['submission']} --tls --from {first['address']} --to bob@internet.test \\",
            f"      --auth-user {first['address']} --auth-password {first['app_password']}",
            f"      # arrives in {content['internet']['maildir']}",
            f"    curl --ssl-reqd --cacert {content['tls_ca']} 'imap://{content['imap']}/INBOX?ALL' \\",
            f"      --user {first['address']}:{first['app_password']}",
        ]
    lines += ["", f"  All addresses and passwords: {run_directory}/endpoints.json", ""]
    return lines
