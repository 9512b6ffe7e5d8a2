"""The run directory's marker and lock."""

from pathlib import Path

import pytest

from smailor.errors import Conflict, InvalidInput
from smailor.stack import directory


def test_a_second_service_is_refused(tmp_path):
    root = tmp_path / "run"
    first = directory.claim(root, keep=False)
    assert directory.is_running(root)
    with pytest.raises(Conflict, match="already"):
        directory.claim(root, keep=False)
    first.release()
    assert not directory.is_running(root)


def test_a_directory_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "letter").write_text("precious")
    with pytest.raises(InvalidInput, match="not empty and was not made by smailor up"):
        directory.claim(tmp_path, keep=False)
    assert (tmp_path / "letter").read_text() == "precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter"]


def test_an_empty_directory_may_be_given(tmp_path):
    directory.claim(tmp_path, keep=False).release()


def test_what_an_earlier_service_left_goes(tmp_path):
    first = directory.claim(tmp_path, keep=False)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "old").touch()
    (tmp_path / "link").symlink_to("/etc")
    first.release()
    second = directory.claim(tmp_path, keep=False)
    assert not second.kept
    second.empty()
    assert not (tmp_path / "log").exists()
    assert Path("/etc").is_dir()
    second.release()


def test_kept_data_are_gone_on_with_whatever_the_next_start_asks_for(tmp_path):
    directory.claim(tmp_path, keep=True).release()
    second = directory.claim(tmp_path, keep=False)
    assert second.kept
    second.release()
    third = directory.claim(tmp_path, keep=False)
    assert third.kept, "a start that crashed must not have given the data up"
    third.release()


def test_a_database_to_be_emptied_is_remembered_beyond_a_crash(tmp_path):
    first = directory.claim(tmp_path, keep=False)
    first.remember(keep=False, database="postgresql://host/name")
    first.release()
    second = directory.claim(tmp_path, keep=False)
    assert second.database == "postgresql://host/name"
    second.release()


def test_asking_whether_a_service_runs_makes_nothing(tmp_path):
    assert not directory.is_running(tmp_path / "nowhere")
    assert not directory.is_running(tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_removed_directory_is_locked_anew(tmp_path):
    root = tmp_path / "run"
    first = directory.claim(root, keep=False)
    first.remove()
    first.release()
    second = directory.claim(root, keep=False)
    assert directory.is_running(root)
    second.release()
