"""The table of permissions: what is always true of it, and that docs/accounts.md shows the one in force."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from smailor.accounts.permissions import (
    DOMAIN_GRANTS,
    GRANTS,
    Permission,
    Role,
    allowed,
    allowed_somewhere,
    may_give,
    roles_to_give,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "accounts.md"


def test_the_documented_table_is_the_one_in_force():
    table = DOCUMENT.read_text().partition("| permission |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \|(.*)\|$", table, re.MULTILINE)
    documented = {name: [cell.strip() == "x" for cell in cells.split("|")] for name, cells in rows}
    assert documented == {
        permission.value: [*(permission in GRANTS[role] for role in Role), permission in DOMAIN_GRANTS]
        for permission in Permission
    }


def test_every_role_has_its_row_and_everybody_may_look_and_leave():
    assert set(GRANTS) == set(Role)
    assert GRANTS[Role.OWNER] == set(Permission)
    for role in Role:
        assert {Permission.VIEW_WORKSPACE, Permission.LEAVE_WORKSPACE} <= GRANTS[role]


def test_each_role_of_owner_admin_and_the_others_may_less_than_the_one_before():
    for more, less in pairwise([Role.OWNER, Role.ADMIN, Role.READ_ONLY, Role.MEMBER]):
        assert GRANTS[less] < GRANTS[more]


def test_a_role_is_given_by_those_who_may_all_that_it_may():
    for own in Role:
        for role in Role:
            assert may_give(own, role) == (GRANTS[role] <= GRANTS[own])
    assert roles_to_give(Role.OWNER) == tuple(Role)
    assert Role.OWNER not in roles_to_give(Role.ADMIN)


@pytest.mark.parametrize("permission", list(Permission))
def test_the_administrator_of_a_domain_may_do_things_there_and_nowhere_else(permission):
    mine = {"domains": ("mine.test",)}
    by_domain = permission in DOMAIN_GRANTS
    by_role = permission in GRANTS[Role.MEMBER]
    assert allowed(Role.MEMBER, permission, domain="mine.test", **mine) == (by_domain or by_role)
    assert allowed(Role.MEMBER, permission, domain="other.test", **mine) == by_role
    assert allowed(Role.MEMBER, permission, **mine) == by_role
    assert allowed_somewhere(Role.MEMBER, permission, **mine) == (by_domain or by_role)
    assert allowed_somewhere(Role.MEMBER, permission) == by_role


def test_whoever_administers_a_domain_gives_nobody_any_right_over_people_or_the_workspace():
    over = {name for name in Permission if re.search(r"member|workspace|ownership|audit|key|billing", name)}
    assert not over & DOMAIN_GRANTS
