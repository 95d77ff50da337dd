"""Counters and timings for the operator, in Prometheus form; served on the operator's port."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from hub.protocol.errors import HubError, PeerError, UnavailableError


class CaseMetrics:
    """How the cases of reconciliation stand, and who is still to be told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._cases = Gauge(
            "itmo_hub_reconciliation_cases",
            "Cases that are not closed, by state and kind (the leader knows)",
            ["state", "kind"],
            registry=registry,
        )
        self._frozen = Gauge(
            "itmo_hub_reconciliation_frozen_units",
            "Units that cases keep frozen (the leader knows)",
            registry=registry,
        )
        self._oldest = Gauge(
            "itmo_hub_reconciliation_oldest_case_seconds",
            "Age of the oldest case that is not closed, 0 without any (the leader knows)",
            registry=registry,
        )
        self._alerts = Gauge(
            "itmo_hub_reconciliation_alerts",
            "Alerts waiting to be sent, sent, and given up (the leader knows)",
            ["state"],
            registry=registry,
        )
        self._own_books = Gauge(
            "itmo_hub_reconciliation_own_books_faults",
            "Faults of the hub's own books in the last night's check (the leader knows)",
            registry=registry,
        )

    def tell(
        self,
        *,
        cases: Mapping[tuple[str, str], int],
        frozen_units: int,
        oldest_seconds: float,
        alerts: Mapping[str, int],
        own_books_faults: int,
    ) -> None:
        """Say how the cases stand, by state and kind; what is no longer there is dropped."""
        self._cases.clear()
        for (state, kind), count in cases.items():
            self._cases.labels(state, kind).set(count)
        self._frozen.set(frozen_units)
        self._oldest.set(oldest_seconds)
        for state in ("waiting", "sent", "given_up"):
            self._alerts.labels(state).set(alerts.get(state, 0))
        self._own_books.set(own_books_faults)


class Metrics:
    """The hub's own numbers. One instance a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.receipt_seconds = Histogram(
            "itmo_hub_receipt_seconds",
            "From an envelope's last byte to its receipt (questions left out)",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self._refused = Counter(
            "itmo_hub_problems_total",
            "Envelopes answered with a problem document",
            ["name"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "itmo_hub_deliveries_total",
            "Deliveries pushed, by result",
            ["result"],
            registry=self.registry,
        )
        self.expired = Counter(
            "itmo_hub_transfers_expired_total", "Transfers expired", registry=self.registry
        )
        self.queue = Gauge(
            "itmo_hub_intake_waiting", "Envelopes waiting at the door", registry=self.registry
        )
        self.leads = Gauge(
            "itmo_hub_leads", "1 when this process pushes and sweeps", registry=self.registry
        )
        self.log_size = Gauge(
            "itmo_hub_log_size", "Entries under the newest checkpoint", registry=self.registry
        )
        self.checkpoint_age = Gauge(
            "itmo_hub_log_checkpoint_age_seconds",
            "Age of the newest checkpoint; it grows while nothing is recorded",
            registry=self.registry,
        )
        self.log_halted = Gauge(
            "itmo_hub_log_halted",
            "1 when a witness or the log itself stopped the hub",
            registry=self.registry,
        )
        self.witnesses_behind = Gauge(
            "itmo_hub_log_witnesses_behind",
            "Witnesses that did not cosign when asked last (the leader knows)",
            registry=self.registry,
        )
        self.witnesses_disagreeing = Gauge(
            "itmo_hub_log_witnesses_disagreeing",
            "Witnesses that contradict the log until they agree (the leader knows)",
            registry=self.registry,
        )
        self.quorum_met = Gauge(
            "itmo_hub_log_quorum_met",
            "1 when the prompt quorum cosigned the checkpoint asked about last (the leader knows)",
            registry=self.registry,
        )
        self._add_sessions()
        self._add_cases()

    def _add_sessions(self) -> None:
        self.reconciled = Counter(
            "itmo_hub_reconciliation_sessions_total",
            "Comparisons with registries, by what they came to",
            ["result"],
            registry=self.registry,
        )
        self.reconciliation_questions = Gauge(
            "itmo_hub_reconciliation_open_questions",
            "Questions that registries have not answered yet (the leader knows)",
            registry=self.registry,
        )
        self.reconciliation_night_seconds = Gauge(
            "itmo_hub_reconciliation_night_seconds",
            "How long the last night took, from its first cut to its end",
            registry=self.registry,
        )
        self.reconciliation_agreed_age = Gauge(
            "itmo_hub_reconciliation_agreed_age_seconds",
            "Age of the last comparison in which a registry agreed (the leader knows)",
            ["registry"],
            registry=self.registry,
        )

    def _add_cases(self) -> None:
        self.cases = CaseMetrics(self.registry)

    def refused(self, error: HubError) -> None:
        """Count a problem answered."""
        if isinstance(error, PeerError | UnavailableError):
            self._refused.labels(error.code.name).inc()
