"""The roles' templates with a local service's values: both engines, both Dovecots, both ways to ask DNS."""

import re
import tomllib
from pathlib import Path

import jinja2
import jinja2.meta
import pytest
import yaml

from smailor.config import Provider, parse_settings
from smailor.errors import ConfigError
from smailor.stack.layout import Layout, Ports
from smailor.stack.render import ROLES, Role
from smailor.stack.secrets import LocalSecrets
from smailor.stack.variables import Wishes, forwarder, mail_role, roles

POSTGRESQL = "postgresql://owner:secret@10.1.2.3:5433/mail"
# What the local service has no use for; Ansible renders it with the role's own vars and loops.
SERVER_ONLY = {"smailor.sh.j2", "tmpfiles.conf.j2"}
SQLITE = "sqlite:////run/x/db/smailor.db"


def wishes(url=SQLITE, resolver=""):
    return Wishes(Layout(Path("/run/x"), Ports(25000)), LocalSecrets.make(), url, resolver)


def text_of(role, template, **facts):
    return roles(wishes(**facts))[role].render(template)


@pytest.mark.parametrize("url", [SQLITE, POSTGRESQL])
@pytest.mark.parametrize("resolver", ["", "10.9.8.7:5300"])
def test_every_template_renders_with_every_variable_there(url, resolver):
    """StrictUndefined: a variable without a value would be an error."""
    for role in roles(wishes(url=url, resolver=resolver)).values():
        for template in role.templates():
            if template not in SERVER_ONLY and not template.startswith("units/"):
                assert role.render(template).strip() or template.startswith("local.d/")


SECRETS = {
    "postfix": {"postfix_database_password": "x"},
    "dovecot": {"dovecot_database_password": "x", "dovecot_doveadm_api_key": "x"},
}


@pytest.mark.parametrize("name", ["postfix", "dovecot", "rspamd", "redis", "unbound"])
def test_production_defaults_and_the_secrets_render(name):
    """Nothing else is needed, so that `defaults/main.yml` is a complete example."""
    role = Role(name, SECRETS.get(name, {}))
    for template in role.templates():
        role.render(template)


@pytest.mark.parametrize("path", sorted(ROLES.glob("*/defaults/main.yml")), ids=lambda path: path.parts[-3])
def test_every_default_is_prefixed_documented_and_used(path):
    name = path.parts[-3]
    text = path.read_text()
    variables = yaml.safe_load(text)
    users = [
        file for kind in ("templates", "tasks", "handlers", "vars") for file in path.parents[1].rglob(f"{kind}/**/*")
    ]
    uses = "".join(file.read_text() for file in users if file.is_file())
    for variable in variables or ():
        assert variable.startswith(f"{name}_")
        assert re.search(rf"\b{variable}\b", uses), f"{variable} is used by no template and no task"


@pytest.mark.parametrize("path", sorted(ROLES.glob("*/templates")), ids=lambda path: path.parts[-2])
def test_templates_use_no_variable_of_another_role(path):
    name = path.parts[-2]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(path))  # noqa: S701 - it renders nothing
    # Ansible's own filters: known here by name only.
    environment.filters.update(dict.fromkeys(("regex_replace", "regex_search", "bool", "to_json"), str))
    for template in environment.list_templates():
        source, _, _ = environment.loader.get_source(environment, template)
        names = jinja2.meta.find_undeclared_variables(environment.parse(source))
        # Facts of the server, the item of a loop, and the inventory's names are Ansible's.
        assert all(used.startswith((f"{name}_", "ansible_")) for used in names - {"item", "inventory_hostname"}), (
            template
        )


def test_a_value_for_a_variable_of_another_role_is_refused():
    with pytest.raises(ConfigError, match="role redis has no variables named dovecot_listen"):
        Role("redis", {"dovecot_listen": "x"})


def test_the_rendered_configuration_is_one_that_our_processes_read():
    facts = wishes(url=POSTGRESQL)
    text = roles(facts)["smailor"].render("smailor.toml.j2")
    settings = parse_settings(text, source="smailor.toml", environ={})
    assert settings.database.url == POSTGRESQL
    assert settings.dns.servers == ("127.0.0.1:25053",)
    assert settings.web.mail_hostname == "mail.smailor.test"
    assert settings.secrets.sealing_keys == (facts.secrets.sealing_key,)


def test_every_setting_is_in_the_template():
    """A new key of smailor/config.py without a place in the role would keep its default in production unnoticed."""
    text = text_of("smailor", "smailor.toml.j2")
    settings = parse_settings(text, source="x", environ={})
    written = tomllib.loads(text)
    for section in set(settings.__dataclass_fields__) - {"plans", "providers"}:
        assert set(written[section]) == set(getattr(settings, section).__dataclass_fields__), section


def test_the_operator_s_providers_are_written_as_they_are():
    company = {"kind": "oidc", "issuer": "https://login.example.com", "client_id": "us", "client_secret": 'a "b"'}
    variables = {**roles(wishes())["smailor"].variables, "smailor_providers": {"company": company}}
    text = Role("smailor", variables).render("smailor.toml.j2")
    assert parse_settings(text, source="x", environ={}).providers == {"company": Provider(**company)}


def test_the_operator_s_plans_are_written_as_they_are():
    facts = {"standard": {"messages_per_hour": 100}, "large": {"recipients_per_message": 500}}
    role = roles(wishes())["smailor"]
    text = Role("smailor", {**role.variables, "smailor_plans": facts}).render("smailor.toml.j2")
    plans = parse_settings(text, source="x", environ={}).plans
    assert plans["standard"].messages_per_hour == 100
    assert plans["large"].recipients_per_message == 500


def test_postfix_and_dovecot_use_a_role_that_may_only_read():
    for engine_text in (
        text_of("postfix", "maps/domains.cf.j2", url=POSTGRESQL),
        text_of("dovecot", "sql.conf.j2", url=POSTGRESQL),
        text_of("dovecot", "dovecot-2.4.conf.j2", url=POSTGRESQL),
    ):
        assert "smailor_mail_mail" in engine_text
        assert "owner" not in engine_text
        assert "5433" in engine_text


def test_servers_get_every_map_of_postfix_that_the_local_service_gets():
    """The local service renders all that lies there, Ansible what is listed: a map left out would be missing on servers."""
    role = Path(ROLES, "postfix")
    listed = yaml.safe_load((role / "vars/main.yml").read_text())["postfix_map_files"]
    assert sorted(f"{name}.j2" for name in listed) == sorted(
        file.name for file in (role / "templates/maps").iterdir() if file.name != "database.j2"
    )


def test_two_databases_of_one_cluster_have_two_mail_roles():
    assert mail_role("one") != mail_role("two")
    assert len(mail_role("x" * 100)) <= 63


@pytest.mark.parametrize("template", ["sql.conf.j2", "dovecot-2.4.conf.j2"])
def test_passwords_are_looked_up_by_digest_and_service(template):
    text = text_of("dovecot", template)
    query = re.search(r"FROM dovecot_passwords.*?LIMIT 1", text, re.DOTALL)[0]
    assert "sha256" in query
    assert "service = '*'" in query


@pytest.mark.parametrize("template", ["dovecot-2.3.conf.j2", "dovecot-2.4.conf.j2"])
def test_revocation_bites_at_once_because_nothing_is_cached(template):
    assert "auth_cache_size = 0" in text_of("dovecot", template)


def test_submission_milter_failure_holds_mail_and_rspamd_failure_does_not():
    text = text_of("postfix", "main.cf.j2")
    assert re.search(r"^signing_milter = .*default_action=tempfail", text, re.MULTILINE)
    assert re.search(r"^rspamd_milter = .*default_action=accept.*content_timeout=30s", text, re.MULTILINE)


def test_every_milter_of_the_production_defaults_is_on_a_unix_socket():
    defaults = Role("postfix", {}).variables
    for milter in defaults["postfix_inbound_milters"] + defaults["postfix_submission_milters"]:
        assert milter["socket"].startswith("unix:")


def test_smuggling_settings_have_no_exclusions():
    text = text_of("postfix", "main.cf.j2")
    assert "\nsmtpd_forbid_bare_newline = normalize\n" in text
    assert "\nsmtpd_forbid_bare_newline_exclusions =\n" in text


def test_nothing_leaves_the_machine_from_a_local_service():
    text = text_of("postfix", "main.cf.j2")
    assert "\nsmtp_bind_address = 127.0.0.1\n" in text
    assert "\nsmtp_tcp_port = 25026\n" in text
    assert "smtp_bind_address" not in Role("postfix", {}).render("main.cf.j2")


def test_with_a_resolver_outside_unbound_only_hands_on():
    text = forwarder(wishes(resolver="10.9.8.7:5300")).render("unbound.conf.j2")
    assert "forward-addr: 10.9.8.7@5300" in text
    assert "auth-zone" not in text
    assert 'nameserver = ["10.9.8.7:5300"]' in text_of("rspamd", "local.d/options.inc.j2", resolver="10.9.8.7:5300")
