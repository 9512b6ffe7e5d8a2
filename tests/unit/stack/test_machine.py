"""What this machine has."""

import pytest

from smailor.errors import NotFound
from smailor.stack import machine


@pytest.mark.parametrize(
    ("kernel", "profile", "confined"), [("Y", True, True), ("Y", False, False), ("N", True, False)]
)
def test_a_program_is_confined_where_apparmor_is_on_and_has_a_profile_for_it(tmp_path, kernel, profile, confined):
    (tmp_path / "enabled").write_text(f"{kernel}\n")
    if profile:
        (tmp_path / "usr.sbin.unbound").touch()
    found = machine.is_confined("/usr/sbin/unbound", kernel=tmp_path / "enabled", profiles=tmp_path)
    assert found is confined


def test_a_kernel_without_apparmor_confines_nothing(tmp_path):
    assert not machine.is_confined("/usr/sbin/unbound", kernel=tmp_path / "none", profiles=tmp_path)


def test_a_missing_program_is_named_with_the_command_that_installs_it():
    with pytest.raises(NotFound, match=r"no-such-program is not installed .*: make setup"):
        machine.program("no-such-program")


def test_a_missing_user_is_named():
    with pytest.raises(NotFound, match="no user nobody-of-that-name"):
        machine.account("nobody-of-that-name")
