"""The operator's numbers, in the form Prometheus reads."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hub.protocol.errors import HubError, PeerError, UnavailableError
from hub.protocol.response_codes import ResponseCode
from hub.services.metrics import Metrics


def samples(metrics: Metrics) -> dict[str, float]:
    """Return every sample of ours by name and labels."""
    text = generate_latest(metrics.registry).decode()
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("itmo_hub")
    }


def test_every_answer_is_counted_by_what_it_was() -> None:
    """Receipts with their time, problems by name; what is no answer is not counted."""
    metrics = Metrics()
    for seconds in (0.001, 0.2, 20):
        metrics.receipt_seconds.observe(seconds)
    metrics.refused(PeerError(ResponseCode.KEY_UNKNOWN, "who"))
    metrics.refused(PeerError(ResponseCode.KEY_UNKNOWN, "who"))
    metrics.refused(UnavailableError(ResponseCode.HUB_OVERLOADED, "full", retry_after_seconds=1))
    metrics.refused(HubError("of no kind"))
    found = samples(metrics)
    assert found["itmo_hub_receipt_seconds_count"] == 3
    assert found["itmo_hub_problems_total/KEY_UNKNOWN"] == 2
    assert found["itmo_hub_problems_total/HUB_OVERLOADED"] == 1
    assert len([name for name in found if "problems_total" in name]) == 2


def test_two_hubs_in_one_process_count_apart() -> None:
    """Each has a registry of its own, so that a test, or a demonstration, may run several."""
    one, other = Metrics(), Metrics()
    one.expired.inc(5)
    one.leads.set(1)
    assert samples(one)["itmo_hub_transfers_expired_total"] == 5
    assert samples(other)["itmo_hub_transfers_expired_total"] == 0
    assert samples(other)["itmo_hub_leads"] == 0
