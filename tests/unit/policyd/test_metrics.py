"""The metrics page is text that Prometheus reads."""

import pytest

from policyd.metrics import Metrics
from smailor.metrics import Reading
from smailor.scrape import respond


def test_page_has_counts_readings_and_a_cumulative_histogram() -> None:
    """Each metric with its HELP and TYPE; buckets add up to the count."""
    metrics = Metrics()
    metrics.decisions.add("permitted")
    metrics.decisions.add("permitted")
    metrics.decisions.add("limit_reached")
    for seconds in (0.0001, 0.0005, 0.003, 9.0):
        metrics.answer_seconds.observe(seconds)
    metrics.readings = [Reading("smailor_policyd_connections", "Open.", "gauge", lambda: 7)]
    lines = metrics.page().splitlines()
    assert 'smailor_policyd_decisions_total{kind="permitted"} 2' in lines
    assert 'smailor_policyd_decisions_total{kind="limit_reached"} 1' in lines
    assert "# TYPE smailor_policyd_decisions_total counter" in lines
    assert 'smailor_policyd_answer_seconds_bucket{le="0.0005"} 2' in lines
    assert 'smailor_policyd_answer_seconds_bucket{le="0.005"} 3' in lines
    assert 'smailor_policyd_answer_seconds_bucket{le="+Inf"} 4' in lines
    assert "smailor_policyd_answer_seconds_count 4" in lines
    assert "smailor_policyd_connections 7" in lines
    assert metrics.page().endswith("\n")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        (b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\xff\r\n\r\n", b"404"),
    ],
)
def test_only_the_page_is_served(head: bytes, status: bytes) -> None:
    """Anything but GET /metrics gets an error."""
    response = respond(head, lambda: "page\n")
    assert response.startswith(b"HTTP/1.1 " + status + b" ")
    content_head, _, body = response.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in content_head
