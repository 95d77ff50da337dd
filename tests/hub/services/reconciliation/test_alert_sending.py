"""Alerts leave by real sockets, to receivers that take, refuse, fail, hang or hang up."""

import asyncio
import json
import ssl
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client import generate_latest

from hub.protocol.reconciliation_policy import MailPolicy, ReconciliationPolicy
from hub.protocol.retry_schedule import RetrySchedule
from hub.services.metrics import Metrics
from hub.services.reconciliation.alerts import alerts
from hub.services.reconciliation.alerts.alert_sending import (
    GIVE_UP_DAYS,
    AlertSender,
    Around,
    Channels,
    try_all,
)
from hub.services.reconciliation.alerts.alerts import Alert, trial
from hub.services.reconciliation.alerts.mail import Mailer, letter_of
from hub.services.reconciliation.alerts.webhooks import ALERT_TYP, NotSentError, Webhooks
from hub.store import alerts as hub_alerts
from hub.store.database import Database
from hub.store.reconciliation import alerts as rows
from hub.store.reconciliation.alerts import AlertRow
from keys.errors import KeysError
from keys.jws import open_signed, verify
from keys.public_keys import KeyRecord, PublicKey
from keys.trust import TrustStore
from tests.hub.services.reconciliation.night_rows import END, EVIL, NIGHT, plant_night
from tests.hub.services.reconciliation.receivers import PASSWORD, mail_server, webhook
from tests.integration.peers import seeded_signer

HUB = "XHB01"
SENDER, DESK = "hub@registry.example", "desk@ministry.example"
DOCUMENT = trial(HUB, END).as_json()


def webhooks(**options: Any) -> Webhooks:
    """Return what posts, with the hub's key; plain http is allowed on loopback."""
    return Webhooks([seeded_signer(HUB)], **({"allow_http": True} | options))


def mail_policy(port: int, **changes: Any) -> MailPolicy:
    """Return the policy of a server on loopback."""
    made = MailPolicy("localhost", SENDER, (DESK,), port=port, security="none")
    return replace(made, **changes)


def verified(raw: bytes) -> Any:
    """Return the document of a webhook, believed by the hub's public key alone."""
    public_key = PublicKey.from_der(HUB, seeded_signer(HUB).public_key_der)
    trust = TrustStore([KeyRecord.of(public_key, END - timedelta(1))])
    return json.loads(verify(open_signed(raw, ALERT_TYP), trust, HUB, END).payload)


# --- webhooks ------------------------------------------------------------------------------------


async def test_a_webhook_gets_the_document_signed_by_the_hub() -> None:
    """The receiver verifies it with the hub's key; one changed character is refused."""
    async with webhook() as hook:
        await webhooks().send(hook.url, DOCUMENT)
    ((media_type, raw),) = hook.got
    assert media_type == "application/jose+json"
    assert verified(raw) == json.loads(DOCUMENT)
    payload = json.loads(raw)["payload"]
    forged = raw.replace(payload.encode(), payload[:-2].encode() + b"AA")
    with pytest.raises(KeysError):
        verified(forged)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("fail", "it answered 500"),
        ("redirect", "it answered 307"),
        ("hang", "no answer within 0.5 seconds"),
        ("close", "ServerDisconnectedError"),
    ],
)
async def test_a_webhook_that_misbehaves_is_told_apart(behaviour: str, expected: str) -> None:
    """What it did is in the error; no redirect is followed."""
    async with webhook() as hook:
        hook.behaviour = behaviour
        with pytest.raises(NotSentError, match=expected):
            await webhooks(timeout_seconds=0.5).send(hook.url, DOCUMENT)
        assert hook.got == []


async def test_a_webhook_that_is_not_there_is_no_defect(unused_tcp_port: int) -> None:
    """A refused connection, an address that is none: both are said, none is raised as a crash."""
    for url in (f"http://127.0.0.1:{unused_tcp_port}/", "http://", "http://[::1", "nonsense"):
        with pytest.raises(NotSentError):
            await webhooks().send(url, DOCUMENT)


async def test_plain_http_is_refused_unless_allowed() -> None:
    """By default an alert leaves by https alone, to who has a certificate of a known authority."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with webhook() as plain, webhook(server) as secure:
        strict = webhooks(allow_http=False, tls=client)
        with pytest.raises(NotSentError, match="not https"):
            await strict.send(plain.url, DOCUMENT)
        await strict.send(secure.url, DOCUMENT)
        with pytest.raises(NotSentError, match="certificate verify failed"):
            await webhooks(allow_http=False).send(secure.url, DOCUMENT)
    assert (len(plain.got), len(secure.got)) == (0, 1)


# --- e-mail --------------------------------------------------------------------------------------


async def test_a_letter_says_it_in_words_and_as_a_page(sqlite: Database) -> None:
    """Subject, both bodies, the command that shows more; what a peer wrote is text in both."""
    with sqlite.writing() as connection:
        plant_night(connection)
        policy = ReconciliationPolicy(mail=MailPolicy("localhost", SENDER, (DESK,)))
        alerts.after_night(connection, NIGHT, policy=policy, now=END)
        (row,) = rows.due(connection, END, 10)
    with mail_server() as server:
        await Mailer(mail_policy(server.port)).send(row.target, row.body, END)
        said, letter = server.letter()
    assert (said["from"], said["to"]) == (SENDER, [DESK])
    assert letter["Subject"] == f"Reconciliation of {NIGHT}: 2 new cases, 1 without answer"
    assert letter["Auto-Submitted"] == "auto-generated"
    plain, page = (part.get_content() for part in letter.iter_parts())
    assert "- 2026-11-22/1 (opened) CHE01: 1500 units are missing at CHE01" in plain
    assert f"itmo-hub reconcile report {NIGHT}" in plain
    assert "<script>" in plain
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("title", ["a\r\nBcc: x@evil.example", "a\n\nbody", "\u2028Bcc: x\x00\x1b"])
def test_no_text_becomes_a_header(title: str) -> None:
    """Line ends and unseen characters leave the subject; the letter has the headers it had."""
    plain = letter_of(Alert.from_json(DOCUMENT), SENDER, DESK, END)
    evil = letter_of(
        replace(Alert.from_json(DOCUMENT), title=title, alert=title), SENDER, DESK, END
    )
    assert evil.keys() == plain.keys()
    head = evil.as_bytes().split(b"\r\n\r\n")[0]
    assert not [line for line in head.splitlines() if line.lower().startswith(b"bcc")]
    for address in (f"{DESK}\r\nBcc: x@evil.example", "nobody", "a@b, c@d"):
        with pytest.raises(ValueError, match="is no e-mail address"):
            letter_of(Alert.from_json(DOCUMENT), SENDER, address, END)


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """Write a server's certificate and key; return where, and the trust of its clients."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    (tmp_path / "server.pem").write_bytes(b"".join(c.bytes() for c in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return tmp_path, trusting


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_letters_travel_encrypted_and_with_a_password(
    certificates: tuple[Path, ssl.SSLContext], security: Any
) -> None:
    """The password is read from its file; a wrong one, and an unknown authority, are refused."""
    folder, trusting = certificates
    secret = folder / "password"
    secret.write_text(f"{PASSWORD}\n")
    with mail_server(security, folder) as server:
        policy = mail_policy(
            server.port, security=security, username="hub", password_file=str(secret)
        )
        await Mailer(policy, tls=trusting).send(DESK, DOCUMENT, END)
        said, _ = server.letter()
        assert (said["user"], said["tls"]) == ("hub", True)
        secret.write_text("wrong")
        with pytest.raises(NotSentError, match="SMTPAuthenticationError"):
            await Mailer(policy, tls=trusting).send(DESK, DOCUMENT, END)
        with pytest.raises(NotSentError, match="certificate verify failed"):
            await Mailer(policy).send(DESK, DOCUMENT, END)
        secret.unlink()
        with pytest.raises(NotSentError, match="FileNotFoundError"):
            await Mailer(policy, tls=trusting).send(DESK, DOCUMENT, END)


async def test_a_server_without_encryption_gets_no_letter_that_demands_it() -> None:
    """Neither the letter nor the password leaves in the clear."""
    with mail_server() as server:
        with pytest.raises(NotSentError, match="STARTTLS"):
            await Mailer(mail_policy(server.port, security="starttls")).send(DESK, DOCUMENT, END)
        with pytest.raises(NotSentError):
            await Mailer(mail_policy(server.port, security="tls")).send(DESK, DOCUMENT, END)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("refuse", "550"),
        ("hang", "Timeout"),
        ("close", "SMTP"),
        ("closing", "SMTP"),
    ],
)
async def test_a_mail_server_that_misbehaves_is_told_apart(behaviour: str, expected: str) -> None:
    """Refused recipient, silence, a connection closed at once or over the letter."""
    with mail_server(behaviour) as server:
        mailer = Mailer(mail_policy(server.port), timeout_seconds=1)
        with pytest.raises(NotSentError, match=expected):
            await mailer.send(DESK, DOCUMENT, END)


async def test_a_mail_server_that_is_not_there_is_no_defect(unused_tcp_port: int) -> None:
    """A refused connection is said."""
    with pytest.raises(NotSentError, match="SMTPConnectError"):
        await Mailer(mail_policy(unused_tcp_port)).send(DESK, DOCUMENT, END)


# --- the job -------------------------------------------------------------------------------------


@dataclass
class Desk:
    """A sender on a database, with a clock of its own."""

    database: Database
    policy: ReconciliationPolicy
    now: datetime = END
    leads: bool = True
    metrics: Metrics = field(default_factory=Metrics)

    async def round(self) -> None:
        """Send what is due."""
        mail = self.policy.mail
        channels = Channels(webhooks(timeout_seconds=0.5), None if mail is None else Mailer(mail))

        async def run_blocking(work: Any, *arguments: Any) -> Any:
            return await asyncio.to_thread(work, *arguments)

        around = Around(lambda: self.leads, lambda: self.now, run_blocking, self.metrics)
        sender = AlertSender(self.database, self.policy, channels, RetrySchedule(), around)
        await sender.run()

    def rows(self) -> list[AlertRow]:
        """Return all alerts, oldest first."""
        with self.database.reading() as connection:
            states = (rows.WAITING, rows.SENT, rows.GIVEN_UP)
            return rows.newest(connection, states, 100)[::-1]


def planted(database: Database, *urls: str, mail: MailPolicy | None = None) -> Desk:
    """Return a desk with the alerts of a night to send."""
    policy = ReconciliationPolicy(webhooks=urls, mail=mail)
    with database.writing() as connection:
        plant_night(connection)
        alerts.after_night(connection, NIGHT, policy=policy, now=END)
    return Desk(database, policy)


async def test_each_receiver_is_told_once_by_both_ways(either: Database) -> None:
    """A webhook and a letter; the next round has nothing to send."""
    async with webhook() as hook:
        with mail_server() as server:
            desk = planted(either, hook.url, mail=mail_policy(server.port))
            for _ in range(2):
                await desk.round()
            _, letter = server.letter()
    assert len(hook.got) == 1
    assert verified(hook.got[0][1])["alert"] == f"night/{NIGHT}"
    assert NIGHT in str(letter["Subject"])
    assert {row.state for row in desk.rows()} == {"sent"}


async def test_a_receiver_that_fails_is_tried_again_until_it_takes(sqlite: Database) -> None:
    """Later and later; one that hangs holds up nobody else, and in the end all are told."""
    async with webhook() as good, webhook() as bad:
        bad.behaviour = "hang"
        desk = planted(sqlite, bad.url, good.url)
        await desk.round()
        assert len(good.got) == 1
        first, second = desk.rows()
        assert (first.state, first.failure_count, second.state) == ("waiting", 1, "sent")
        assert first.next_attempt_at is not None
        assert first.next_attempt_at > END
        await desk.round()
        assert desk.rows()[0].failure_count == 1, "it is not due yet"
        bad.behaviour = "fail"
        for failures in (2, 3):
            desk.now = desk.rows()[0].next_attempt_at or END
            await desk.round()
            assert desk.rows()[0].failure_count == failures
        bad.behaviour = "take"
        desk.now += timedelta(hours=1)
        await desk.round()
        assert [row.state for row in desk.rows()] == ["sent", "sent"]
        assert len(bad.got) == len(good.got) == 1


async def test_a_receiver_that_never_takes_is_given_up_and_the_operator_told(
    sqlite: Database, unused_tcp_port: int
) -> None:
    """After the days that are granted: no more attempts, an alert of the hub, the metrics."""
    desk = planted(sqlite, f"http://127.0.0.1:{unused_tcp_port}/")
    await desk.round()
    desk.now += timedelta(days=GIVE_UP_DAYS)
    await desk.round()
    (row,) = desk.rows()
    assert row.state == "given_up"
    assert row.last_error is not None
    with sqlite.reading() as connection:
        (told,) = hub_alerts.newest(connection)
    assert (told.kind, told.subject) == ("alert_not_sent", f"webhook {row.target}")
    shown = generate_latest(desk.metrics.registry).decode()
    assert 'itmo_hub_reconciliation_alerts{state="given_up"} 1.0' in shown
    assert 'itmo_hub_reconciliation_alerts{state="waiting"} 0.0' in shown
    assert "itmo_hub_reconciliation_frozen_units 1520.0" in shown
    assert 'cases{kind="missing_at_registry",state="open"} 2.0' in shown
    assert "itmo_hub_reconciliation_own_books_faults 0.0" in shown
    samples = dict(line.rsplit(" ", 1) for line in shown.splitlines() if not line.startswith("#"))
    age = timedelta(days=12 + GIVE_UP_DAYS, minutes=3)
    assert float(samples["itmo_hub_reconciliation_oldest_case_seconds"]) == age.total_seconds()


async def test_a_receiver_taken_out_of_the_settings_gets_nothing_more(sqlite: Database) -> None:
    """What waits for it is given up at once, and said."""
    async with webhook() as hook:
        desk = planted(sqlite, hook.url)
        desk.policy = replace(desk.policy, webhooks=())
        await desk.round()
    assert hook.got == []
    assert [(row.state, row.last_error) for row in desk.rows()] == [
        ("given_up", "it is no longer in the settings")
    ]


async def test_only_the_leader_sends(sqlite: Database) -> None:
    """Another process of the hub leaves everything as it is."""
    async with webhook() as hook:
        desk = planted(sqlite, hook.url)
        desk.leads = False
        await desk.round()
        assert hook.got == []
    assert [row.state for row in desk.rows()] == ["waiting"]


async def test_a_trial_says_how_each_receiver_took_it(unused_tcp_port: int) -> None:
    """All are tried, whatever the others do, and what went wrong is said for each."""
    async with webhook() as hook:
        policy = ReconciliationPolicy(
            webhooks=(hook.url, f"http://127.0.0.1:{unused_tcp_port}/"),
            mail=mail_policy(unused_tcp_port),
        )
        assert policy.mail is not None
        channels = Channels(webhooks(), Mailer(policy.mail))
        found = await try_all(policy, channels, hub=HUB, now=END)
    assert [(one.channel, one.error is None) for one in found] == [
        ("webhook", True),
        ("webhook", False),
        ("mail", False),
    ]
    assert verified(hook.got[0][1])["title"] == "Test of alerts by XHB01"


def test_what_peers_wrote_is_in_no_header() -> None:
    """A letter about a hostile reason has it in its bodies alone."""
    said = replace(
        Alert.from_json(DOCUMENT),
        unanswered_count=1,
        unanswered=(alerts.ToldSilence("GHA01", "refused", None, f"{EVIL}\r\nBcc: x@y"),),
    )
    letter = letter_of(said, SENDER, DESK, END)
    assert not [value for value in letter.values() if "Bcc" in str(value)]
