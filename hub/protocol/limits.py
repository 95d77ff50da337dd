"""The exchange's limits, each named with its unit; published at ``/v1/limits``."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What an envelope, a batch and a delivery may be at most. All are settings of the hub."""

    envelope_bytes_max: int = 1_048_576
    messages_per_envelope_max: int = 500
    blocks_per_message_max: int = 1_000
    clock_skew_seconds_max: int = 300
    envelope_age_seconds_max: int = 7 * 86_400
    ledger_blocks_per_range_max: int = 1_000
    json_depth_max: int = 24
    fetch_wait_seconds_max: int = 30
    delivery_items_max: int = 200
    delivery_bytes_max: int = 4_194_304
    query_rows_max: int = 1_000
    questions_per_envelope_max: int = 10
    open_questions_per_participant_max: int = 8

    def document(self) -> dict[str, int]:
        """Return the limits as ``/v1/limits`` serves them."""
        return asdict(self)
