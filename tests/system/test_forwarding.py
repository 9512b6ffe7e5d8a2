"""Mail that an alias sends outside: sealed, with a sender of ours, and its bounces find their way back."""

import uuid
from email.message import EmailMessage

import dkim

from tests.system.running import Inbox, Service, letter, token

SRS = "srs.smailor.test"
STRANGER = "someone@stranger.test"


def forward(service: Service, *targets: str) -> str:
    """An alias with these targets."""
    source = f"forward-{uuid.uuid4().hex[:8]}@analytical.test"
    for target in targets:
        service.operate("alias", "add", source, target, "--workspace", "analytical")
    return source


def send(service: Service, recipient: str, word: str, sender: str = STRANGER) -> None:
    delivery = service.from_outside(letter(STRANGER, recipient, word), sender=sender, recipient=recipient)
    assert delivery.accepted, delivery


def test_forwarded_mail_leaves_sealed_and_with_a_sender_of_ours(service: Service) -> None:
    """The seal is checked by dkimpy with the keys that the DNS shows."""
    word = token()
    send(service, forward(service, "friend@royalsociety.test"), word)
    kept = service.outside(word)
    assert kept.envelope["rcpt_to"] == ["friend@royalsociety.test"]
    assert kept.envelope["mail_from"].startswith("SRS0=")
    assert kept.envelope["mail_from"].endswith(f"=stranger.test=someone@{SRS}")
    verdict, results, reason = dkim.arc_verify(kept.content, dnsfunc=service.txt)
    assert verdict == b"pass", reason
    assert results[0]["as-domain"] == b"smailor.test"
    assert "dmarc=" in kept.message["ARC-Authentication-Results"]


def test_a_bounce_of_forwarded_mail_reaches_the_original_sender(service: Service) -> None:
    word, bounced = token(), token()
    send(service, forward(service, "gone@royalsociety.test"), word)
    rewritten = service.outside(word).envelope["mail_from"]
    report = letter("MAILER-DAEMON@stranger.test", rewritten, bounced)
    assert service.from_outside(report, sender="", recipient=rewritten).accepted
    kept = service.outside(bounced)
    assert (kept.envelope["mail_from"], kept.envelope["rcpt_to"]) == ("", [STRANGER])


def test_our_own_bounce_of_forwarded_mail_reaches_the_original_sender(service: Service) -> None:
    """The next domain does not exist: Postfix writes the report itself, to the rewritten sender."""
    word = token()
    send(service, forward(service, f"{word}@no-such-domain.test"), token())
    kept = service.outside(f"{word}@no-such-domain.test")
    assert (kept.envelope["mail_from"], kept.envelope["rcpt_to"]) == ("", [STRANGER])


def test_forged_rewritten_senders_are_refused(service: Service) -> None:
    word = token()
    send(service, forward(service, "friend@royalsociety.test"), word)
    rewritten = service.outside(word).envelope["mail_from"]
    for forged in (
        rewritten.replace("=someone@", "=victim@"),
        f"SRS0=AAAAAAAA=BB=x.test=victim@{SRS}",
        f"victim@{SRS}",
    ):
        refused = service.from_outside(letter("", forged, token()), sender="", recipient=forged)
        assert not refused.accepted
        assert (refused.replies[-1].code, refused.replies[-1].text[:5]) == (550, "5.1.1")


def test_a_group_reaches_both_sides(service: Service, ada: Inbox) -> None:
    """The copy that stays shows the rewritten sender, to which an answer would find its way, too."""
    word = token()
    send(service, forward(service, ada.address, "friend@royalsociety.test"), word)
    assert service.outside(word).envelope["mail_from"].endswith(f"@{SRS}")
    assert f"@{SRS}>".encode() in service.arrived(ada, word)


def test_a_bounce_that_is_forwarded_keeps_its_empty_sender(service: Service) -> None:
    word = token()
    send(service, forward(service, "friend@royalsociety.test"), word, sender="")
    kept = service.outside(word)
    assert kept.envelope["mail_from"] == ""
    assert dkim.arc_verify(kept.content, dnsfunc=service.txt)[0] == b"pass"


def test_mail_that_stays_is_not_sealed(service: Service, ada: Inbox) -> None:
    word = token()
    send(service, ada.address, word)
    arrived = service.arrived(ada, word)
    assert b"ARC-Seal" not in arrived
    assert SRS.encode() not in arrived


def test_a_seal_covers_what_mail_programs_write(service: Service) -> None:
    """Attachments, long lines, another alphabet: nothing on the way through Postfix and Rspamd changes it."""
    word = token()
    recipient = forward(service, "friend@royalsociety.test")
    message: EmailMessage = letter(STRANGER, recipient, f"{word} Grüße", "Grüße,\n" + "x" * 900 + "\n")
    message.add_attachment(bytes(range(256)) * 200, maintype="application", subtype="octet-stream", filename="a.bin")
    assert service.from_outside(message, sender=STRANGER, recipient=recipient).accepted
    verdict, _, reason = dkim.arc_verify(service.outside(word).content, dnsfunc=service.txt)
    assert verdict == b"pass", reason
