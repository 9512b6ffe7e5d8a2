"""The policy protocol: the same requests for any chunking, one error for each way to be wrong, bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd import protocol
from policyd.protocol import PolicyRequest, RequestReader

CHUNK_SIZES = [1, 2, 7, 4096]

POSTFIX = (
    b"request=smtpd_access_policy\nprotocol_state=END-OF-MESSAGE\nprotocol_name=ESMTP\n"
    b"client_address=192.0.2.7\nclient_name=client.example.net\nclient_port=53007\n"
    b"reverse_client_name=client.example.net\nserver_address=198.51.100.7\nserver_port=587\n"
    b"helo_name=client.example.net\nsender=ada+list=x@analytical.test\nrecipient=\n"
    b"recipient_count=3\nqueue_id=4Zb7Qx2mC9z1D\ninstance=1c39.6560b1f1.a7bb2.0\nsize=4096\netrn_domain=\nstress=\n"
    b"sasl_method=PLAIN\nsasl_username=ada@analytical.test\nsasl_sender=\nccert_subject=\nccert_issuer=\n"
    b"ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
    b"encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=submission\n"
    b"compatibility_level=3.6\nmail_version=3.7.11\n\n"
)
"""A request as Postfix 3.7 sends it."""

SHORT = b"request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=1.2.3.4\n"


def read(data: bytes, size: int = 4096) -> list[PolicyRequest]:
    reader = RequestReader()
    requests = []
    for start in range(0, len(data), size):
        requests += reader.feed(data[start : start + size])
    reader.end()
    return requests


def test_a_request_of_postfix_is_read() -> None:
    """All attributes that a decision can depend on arrive; an equals sign in a value belongs to the value."""
    assert read(POSTFIX) == [
        PolicyRequest(
            protocol_state="END-OF-MESSAGE",
            instance="1c39.6560b1f1.a7bb2.0",
            queue_id="4Zb7Qx2mC9z1D",
            sasl_username="ada@analytical.test",
            sender="ada+list=x@analytical.test",
            recipient="",
            recipient_count=3,
            size=4096,
            client_address="192.0.2.7",
        )
    ]


@pytest.mark.parametrize("size", CHUNK_SIZES)
def test_same_requests_for_any_chunking(size: int) -> None:
    """recv() cuts where it likes: requests do not depend on it."""
    data = POSTFIX + SHORT + b"sender=a=b=c@x.test\n\n" + POSTFIX
    assert read(data, size) == read(data, len(data))
    assert len(read(data, size)) == 3


@given(st.lists(st.binary(max_size=60), max_size=30))
def test_any_bytes_in_any_chunks_give_requests_or_a_named_error(chunks: list[bytes]) -> None:
    """Whatever arrives, nothing but a ProtocolError comes out, and chunking makes no difference."""

    def outcome(pieces: list[bytes]) -> tuple[list[PolicyRequest], str]:
        reader, requests = RequestReader(), []
        try:
            for piece in pieces:
                for request in reader.feed(piece):
                    requests.append(request)  # noqa: PERF402 - those before an error count
            reader.end()
        except protocol.ProtocolError as error:
            return requests, error.kind
        return requests, ""

    assert outcome(chunks) == outcome([b"".join(chunks)])


ATTRIBUTE_LINES = st.lists(
    st.sampled_from(
        [*POSTFIX.strip().split(b"\n"), b"=x", b"plain", b"size=-1", b"a=\xff", b"sender=\xff", b"x=\r", b"x=\0", b""]
    ),
    max_size=12,
)


@given(ATTRIBUTE_LINES, st.integers(1, 50))
def test_odd_requests_fail_alike_for_any_chunking(lines: list[bytes], size: int) -> None:
    """Near-requests too: what is wrong does not depend on where recv() cut."""
    data = b"\n".join([*SHORT.split(b"\n")[:2], *lines, b"", b""])

    def kind(step: int) -> str:
        try:
            return repr(read(data, step))
        except protocol.ProtocolError as error:
            return error.kind

    assert kind(size) == kind(len(data))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\n", protocol.EmptyRequest),
        (SHORT + b"no equals sign\n\n", protocol.NoAttribute),
        (SHORT + b"=value\n\n", protocol.NoAttribute),
        (SHORT.replace(b"\n", b"\r\n") + b"\r\n\n\n", protocol.CarriageReturn),
        (SHORT + b"sender=a\0b\n\n", protocol.NulByte),
        (SHORT + b"sender=\xff\xfe\n\n", protocol.NotText),
        (SHORT + b"size=12a\n\n", protocol.NotANumber),
        (SHORT + b"size=-1\n\n", protocol.NotANumber),
        (SHORT + "size=١٢".encode() + b"\n\n", protocol.NotANumber),
        (SHORT + b"recipient_count=" + b"9" * 19 + b"\n\n", protocol.NotANumber),
        (b"request=smtpd_access_policy\nprotocol_state=RCPT\n\n", protocol.MissingAttribute),
        (b"request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=\n\n", protocol.MissingAttribute),
        (b"request=smtpd_access_policy\ninstance=1\n\n", protocol.MissingAttribute),
        (b"protocol_state=RCPT\ninstance=1\n\n", protocol.MissingAttribute),
        (b"request=junk_policy\nprotocol_state=RCPT\ninstance=1\n\n", protocol.UnknownRequest),
        (SHORT + b"instance=" + b"1" * 129 + b"\n\n", protocol.InstanceTooLong),
        (SHORT + b"".join(b"a%d=\n" % i for i in range(126)) + b"\n", protocol.TooManyAttributes),
        (SHORT + b"helo_name=" + b"a" * protocol.MAX_REQUEST_BYTES + b"\n\n", protocol.RequestTooLong),
        (b"a" * (protocol.MAX_REQUEST_BYTES + 1), protocol.RequestTooLong),
        (SHORT, protocol.Truncated),
    ],
)
@pytest.mark.parametrize("size", CHUNK_SIZES)
def test_each_way_to_be_wrong_has_its_error(data: bytes, error: type[protocol.ProtocolError], size: int) -> None:
    """And the same one, however the bytes are cut."""
    with pytest.raises(error):
        read(data, size)


def test_good_requests_in_front_of_a_bad_one_are_still_yielded() -> None:
    """Half a chunk being wrong does not lose the half that was right."""
    requests = RequestReader().feed(POSTFIX + b"junk\n\n")
    assert next(requests).size == 4096
    with pytest.raises(protocol.NoAttribute):
        next(requests)


def test_an_endless_request_is_refused_before_it_fills_memory() -> None:
    """The reader holds no more than its bound and one chunk, whatever is sent."""
    reader = RequestReader()
    for _ in range(protocol.MAX_REQUEST_BYTES // 1024):
        assert list(reader.feed(b"x" * 1024)) == []
    with pytest.raises(protocol.RequestTooLong):
        list(reader.feed(b"x"))


def test_unknown_attributes_are_ignored_and_missing_ones_are_empty() -> None:
    """SMTPD_POLICY_README asks for both; what nobody needs may even hold bytes that are no text."""
    (request,) = read(SHORT + b"future_attribute=\xff\nsize=\n\n")
    assert request == PolicyRequest("RCPT", "1.2.3.4")


def test_addresses_beyond_ascii_are_read() -> None:
    """With SMTPUTF8 Postfix sends addresses in UTF-8."""
    (request,) = read(SHORT + "sender=jürgen@müller.test".encode() + b"\n\n")
    assert request.sender == "jürgen@müller.test"


def test_a_refusal_is_one_line_that_fits_an_smtp_reply() -> None:
    """A text can neither forge a second attribute nor break the reply line."""
    answer = protocol.format_refusal(450, "4.7.1", "limit of a@x\naction=OK\r\n\nü" + "x" * 1000)
    assert answer.startswith(b"action=450 4.7.1 limit of a@x?action=OK????xxx")
    assert answer.count(b"\n") == 2
    assert answer.endswith(b"x\n\n")
    assert len(answer) < 512
