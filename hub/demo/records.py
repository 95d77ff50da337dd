"""What the participants put on record, as the bodies of their messages."""

from typing import Any, Final

APPROACH_A64: Final = "CA0002"
AUTHORIZATION: Final = "TH-2022-001"
AUTHORIZATION_A64: Final = "TH-2026-A64"

Body = dict[str, Any]


def hello(delivery_mode: str, binding: str) -> Body:
    """Return what a registry's software says of itself."""
    return {
        "software": "itmo-hub connector",
        "protocol_versions": ["itmo-exchange/1"],
        "binding": binding,
        "delivery_mode": delivery_mode,
    }


def agreements() -> list[Body]:
    """Return the two cooperative approaches: of the story, and of the mechanism's feed."""
    return [
        _approach("CA0001", "Bangkok E-Bus Programme", ("CHE", "GHA", "THA")),
        _approach(APPROACH_A64, "Article 6.4 activities in Thailand", ("CHE", "THA")),
    ]


def _approach(approach: str, title: str, parties: tuple[str, ...]) -> Body:
    return {
        "cooperative_approach": approach,
        "version": 1,
        "title": title,
        "participating_parties": list(parties),
        "ndc_periods": [
            {"party": party, "first_year": 2021, "last_year": 2030} for party in parties
        ],
        "status": "active",
    }


def authorizations() -> list[Body]:
    """Return Thailand's two authorizations, both for use towards NDCs."""
    return [
        _authorization(AUTHORIZATION, "CA0001", quantity_max=500_000),
        _authorization(AUTHORIZATION_A64, APPROACH_A64, quantity_max=100_000_000),
    ]


def _authorization(authorization: str, approach: str, *, quantity_max: int) -> Body:
    return {
        "authorization_id": authorization,
        "version": 1,
        "cooperative_approach": approach,
        "authorizing_party": "THA",
        "authorized_on": "2022-10-01",
        "purposes": "NDC",
        "authorized_parties": [],
        "authorized_entities": [],
        "quantity_max": quantity_max,
        "metric": "GHG",
        "sectors": ["Transportation"],
        "activity_types": ["Transport"],
        "vintage_first": 2021,
        "vintage_last": 2030,
        "valid_from": "2022-10-01",
        "changes_apply_to_first_transferred": False,
        "status": "in_force",
    }
