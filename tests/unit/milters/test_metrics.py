"""What the processes of a milter count ends up on one page."""

import os

from milters.metrics import SERIES, Board


def numbers(board: Board) -> dict[str, float]:
    lines = [line for line in board.page().splitlines() if not line.startswith("#")]
    return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines)}


def test_processes_count_apart_and_the_page_adds_up():
    board = Board(2)
    if (pid := os.fork()) == 0:
        board.meter(0).ended("accepted", 0.003)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    meter = board.meter(1)
    meter.ended("accepted", 0.0004)
    meter.ended("refused", 9.0)
    meter.ended("abandoned")
    board.worker_died()
    page = numbers(board)
    assert page['smailor_milter_messages_total{outcome="accepted"}'] == 2
    assert page['smailor_milter_messages_total{outcome="refused"}'] == 1
    assert page['smailor_milter_messages_total{outcome="abandoned"}'] == 1
    assert page['smailor_milter_messages_total{outcome="failed"}'] == 0, "a series that is there from the start"
    assert page['smailor_milter_answer_seconds_bucket{le="0.0005"}'] == 1
    assert page['smailor_milter_answer_seconds_bucket{le="0.005"}'] == 2
    assert page["smailor_milter_answer_seconds_count"] == 3
    assert page["smailor_milter_worker_deaths_total"] == 1


def test_a_worker_goes_on_from_the_numbers_of_the_one_before():
    board = Board(1)
    for failures, keys in ((3, 5), (2, 4)):
        meter = board.meter(0)
        meter.watch(lambda failures=failures, keys=keys: {"key_failures_total": failures, "keys": keys})
        meter.ended("accepted")
        meter.ended("accepted")
    page = numbers(board)
    assert page["smailor_milter_key_failures_total"] == 5
    assert page["smailor_milter_keys"] == 4, "what is now, not what was"
    assert page['smailor_milter_messages_total{outcome="accepted"}'] == 4


def test_more_workers_than_foreseen_find_a_place():
    board = Board(1)
    for number in range(20):
        board.meter(number).ended("accepted")
    assert numbers(board)['smailor_milter_messages_total{outcome="accepted"}'] == 20
    assert len(SERIES) == len(set(SERIES))
