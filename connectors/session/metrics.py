"""The session's counters, in a registry of their own so that several sessions share a process."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from connectors.session.log.standing import LogStanding

__all__ = ["SessionMetrics"]

_SECONDS_BUCKETS: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1, 4, 16, 60)


class SessionMetrics:
    """Counters of one session; `render` gives the text that Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.envelopes_sent = self._counter("envelopes_sent", "Attempts to send", "result")
        self.messages_answered = self._counter("messages_answered", "Outcomes", "outcome")
        self.deliveries = self._counter("deliveries", "Deliveries received", "result")
        self.items_applied = Counter(
            "itmo_session_items_applied", "Items given effect", registry=self.registry
        )
        self.alarms = self._counter("alarms", "Alarms raised", "kind")
        self.send_seconds = self._histogram("send_seconds", "From sending to the receipt stored")
        self.receive_seconds = self._histogram(
            "receive_seconds", "From a delivery's last byte to its acknowledgement"
        )
        self.outbox = Gauge(
            "itmo_session_outbox", "Not yet receipted", ["state"], registry=self.registry
        )
        self.applied_through = Gauge(
            "itmo_session_applied_through", "Last sequence applied", registry=self.registry
        )
        self.open_alarms = Gauge("itmo_session_open_alarms", "Alarms open", registry=self.registry)
        self._log_size = self._gauge("log_size", "Entries in the last tree believed")
        self._log_audited = self._gauge("log_audited", "Entries covered by audits")
        self._log_pending = self._gauge("log_claims_pending", "Promised entries not proven yet")
        self._log_paused = self._gauge("log_paused", "1 while a finding pauses the session")

    def note_log(self, standing: LogStanding) -> None:
        """Set the gauges of the transparency log."""
        self._log_size.set(standing.size)
        self._log_audited.set(standing.audited_size)
        self._log_pending.set(standing.claims["pending"])
        self._log_paused.set(standing.pause is not None)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"itmo_session_{name}", text, registry=self.registry)

    def _counter(self, name: str, text: str, label: str) -> Counter:
        return Counter(f"itmo_session_{name}", text, [label], registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(
            f"itmo_session_{name}", text, buckets=_SECONDS_BUCKETS, registry=self.registry
        )

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
