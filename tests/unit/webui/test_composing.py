"""Messages built from what a person typed."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.errors import InvalidInput
from webui.mail import answering, composing
from webui.mail.composing import Draft, Upload, compose, recipients
from webui.mail.header import Mailbox
from webui.mail.message import MessageView, view

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ADA = "ada@analytical.test"


def built(name="Ada Lovelace", uploads=(), **fields):
    fields = {"sender": ADA, "to": "grace@lovelace.test", "key": "0123456789abcdef"} | fields
    return compose(Draft(**fields), sender_name=name, uploads=uploads, now=NOW)


def parsed(outgoing):
    return email.message_from_bytes(outgoing.message, policy=email.policy.default)


def test_a_message_is_what_was_typed():
    outgoing = built(subject="Grüße", text="Hällo\nAda", cc="Jörg <joerg@münchen.test>", bcc="secret@lovelace.test")
    message = parsed(outgoing)
    assert message["From"] == "Ada Lovelace <ada@analytical.test>"
    assert message["Subject"] == "Grüße"
    assert message.get_content().splitlines() == ["Hällo", "Ada"]
    assert outgoing.recipients == ("grace@lovelace.test", "joerg@xn--mnchen-3ya.test", "secret@lovelace.test")
    assert b"secret" not in outgoing.message
    assert outgoing.message_id == "<0123456789abcdef@analytical.test>"
    assert b"\n" not in outgoing.message.replace(b"\r\n", b"")
    assert outgoing.message.isascii()


TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=120)


@given(name=TEXT, subject=TEXT, text=TEXT, file=TEXT)
def test_nothing_typed_can_add_a_header_or_a_recipient(name, subject, text, file):
    outgoing = built(name=name, subject=subject, text=text, uploads=[Upload(file, "text/plain", b"x")])
    head, _, _ = outgoing.message.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == [
        b"content-type", b"date", b"from", b"message-id", b"mime-version", b"subject", b"to",
    ]  # fmt: skip
    assert all(len(line) <= 998 for line in outgoing.message.split(b"\r\n"))
    assert outgoing.recipients == ("grace@lovelace.test",)
    assert view(outgoing.message).sender.address == ADA


@given(
    st.lists(
        st.tuples(
            st.text(alphabet=st.sampled_from("aB ü,;.\"'()<>@\\=?_"), max_size=30),
            st.sampled_from(["a@b.test", "X.y@c.test"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_for_a_person_is_read_back_as_the_same_addresses(people):
    text = ", ".join(composing.write(Mailbox(" ".join(name.split()), address)) for name, address in people)
    assert {mailbox.address for mailbox in recipients("to", text)} == {address for _, address in people}


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("a@b.test; c@d.test", ["a@b.test", "c@d.test"]),
        ('"Smith, A." <A@b.test>, c@d.test,', ["A@b.test", "c@d.test"]),
        ("A. B. Smith <a@b.test>", ["a@b.test"]),
        ("a@b.test, a@b.test", ["a@b.test"]),
        ("a@BÜCHER.test", ["a@xn--bcher-kva.test"]),
        ("  ", []),
    ],
)
def test_recipients_are_read_as_people_type_them(typed, read):
    assert [mailbox.address for mailbox in recipients("to", typed)] == read


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("to", {"to": "nobody"}),
        ("to", {"to": "a@b.test, @c.test"}),
        ("cc", {"cc": "a b@c.test"}),
        ("to", {"to": ""}),
        ("to", {"to": ", ".join(f"a{number}@b.test" for number in range(101))}),
        ("subject", {"subject": "x" * 1000}),
        ("text", {"text": "x" * 600_000}),
        ("to", {"to": "a@b.test\r\nBcc: c@d.test"}),
    ],
)
def test_what_cannot_be_sent_names_its_field(field, fields):
    with pytest.raises(InvalidInput) as caught:
        built(**fields)
    assert caught.value.field == field


def test_attachments_keep_their_bytes_and_names():
    outgoing = built(
        uploads=[
            Upload("Übersicht.pdf", "application/pdf", b"\x00\xff"),
            Upload("a.eml", "message/rfc822", b"Subject: x"),
        ]
    )
    first, second = parsed(outgoing).iter_attachments()
    assert (first.get_filename(), first.get_content()) == ("Übersicht.pdf", b"\x00\xff")
    assert second.get_content_type() == "application/octet-stream"
    with pytest.raises(InvalidInput, match="attachments"):
        built(uploads=[Upload("a", "text/plain", bytes(26 * 1024**2))])


def test_long_message_ids_are_not_encoded_as_words():
    long = f"<{'a' * 200}@b.test>"
    outgoing = built(in_reply_to=long, references=("<first@b.test>", "not an id\r\nX: y"))
    assert f"In-Reply-To: {long}\r\n".encode() in outgoing.message
    assert f"References: <first@b.test>\r\n {long}\r\n".encode() in outgoing.message


LETTER = MessageView(
    subject="Notes",
    sender=Mailbox("Grace", "grace@lovelace.test"),
    to=(Mailbox("", "info@analytical.test"), Mailbox("Charles", "charles@analytical.test")),
    cc=(Mailbox("", ADA),),
    date=NOW,
    message_id="<2@x>",
    references=("<1@x>",),
    text="Dear Ada\n> earlier\n-- \nGrace",
)
OWN = (ADA, "info@analytical.test")


def test_an_answer_goes_to_its_author_from_the_address_that_was_written_to():
    draft = answering.reply(LETTER, own=OWN, everybody=False, quote=answering.quoted(LETTER, LETTER.text))
    assert (draft.to, draft.cc, draft.sender) == ("Grace <grace@lovelace.test>", "", "info@analytical.test")
    assert (draft.subject, draft.in_reply_to, draft.references) == ("Re: Notes", "<2@x>", ("<1@x>",))
    assert draft.text == "\n\nOn 23 November 2026 at 09:30, Grace wrote:\n> Dear Ada\n>> earlier\n"


def test_an_answer_to_all_leaves_oneself_out():
    draft = answering.reply(LETTER, own=OWN, everybody=True, quote="")
    assert draft.cc == "Charles <charles@analytical.test>"


def test_an_answer_to_what_one_sent_goes_on_to_the_same_people():
    sent = MessageView(sender=Mailbox("", ADA), to=(Mailbox("", "grace@lovelace.test"),))
    assert answering.reply(sent, own=OWN, everybody=False, quote="").to == "grace@lovelace.test"


@pytest.mark.parametrize("subject", ["Re: Notes", "RE: Notes", "AW: Notes", "re[2]: Notes"])
def test_re_is_not_doubled(subject):
    draft = answering.reply(MessageView(subject=subject, sender=LETTER.sender), own=OWN, everybody=False, quote="")
    assert draft.subject == subject


def test_a_draft_comes_back_as_it_was():
    draft = Draft(
        sender=ADA, to="Grace <grace@lovelace.test>, nonsense", bcc="b@c.test", subject="Ü", text="half a sen"
    )
    raw = composing.draft_message(draft, sender_name="Ada", now=NOW)
    again = answering.reopen(view(raw), own=OWN, text=view(raw).text)
    assert (again.to, again.bcc, again.subject, again.text) == (
        "Grace <grace@lovelace.test>",
        "b@c.test",
        "Ü",
        "half a sen",
    )
