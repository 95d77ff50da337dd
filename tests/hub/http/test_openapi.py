"""The description is OpenAPI 3.1, names every route, and a live hub keeps to it."""

import copy
import json
import urllib.request
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.http import openapi, problems
from hub.http.routes import Door, public_application
from hub.protocol.limits import Limits
from hub.services.log_duties import LogDuties
from hub.services.metrics import Metrics
from tests.integration.hub_process import HubUnderTest

DOCUMENT = openapi.document(Limits())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS: list[Any] = [
    found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)
]
# With a GET nothing can be wrong: its parameters are any text.
RUNS = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.label.startswith("POST")
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_the_description_is_valid_openapi_3_1() -> None:
    """The official schema accepts it, and would not accept anything."""
    assert DOCUMENT["openapi"] == "3.1.0"
    SCHEMA.validate()
    broken: Any = copy.deepcopy(DOCUMENT)
    broken["paths"]["/v1/limits"]["get"]["responses"]["200"] = "fine"
    with pytest.raises(Exception, match="fine"):
        schemathesis.openapi.from_dict(broken).validate()


async def _refuse(_: bytes) -> bytes:
    raise AssertionError("nothing is posted here")


def test_every_operation_of_the_description_is_tried() -> None:
    """None was left out of the runs below because it could not be read."""
    described = {
        f"{method.upper()} {path}"
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
    }
    assert {operation.label for operation, _ in RUNS} == described


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    """Address and method, one for one."""
    log = cast(LogDuties, None)  # nothing is asked of it here
    door = Door(_refuse, lambda: b"", dict, Limits(), Metrics(), 1.0, log)
    routes = {
        (route.resource.canonical, route.method.lower())
        for route in public_application(door).router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (path, method) for path, operations in DOCUMENT["paths"].items() for method in operations
    }
    assert routes == described


def test_every_status_of_the_table_of_problems_is_described() -> None:
    """A peer that reads only the description is never surprised by a status."""
    responses = DOCUMENT["paths"]["/v1/envelopes"]["post"]["responses"]
    assert {str(status) for status in problems.STATUS.values()} <= set(responses)
    assert str(Limits().envelope_bytes_max) in json.dumps(DOCUMENT)


def test_a_live_hub_serves_this_very_description(live_hub: HubUnderTest) -> None:
    """What is tested here is what a peer downloads."""
    with urllib.request.urlopen(live_hub.address + "/openapi.json") as response:
        assert json.load(response) == DOCUMENT


@pytest.mark.parametrize(
    ("operation", "mode"), RUNS, ids=lambda one: getattr(one, "label", None) or one.value
)
def test_a_live_hub_keeps_to_its_description(
    live_hub: HubUnderTest, operation: Any, mode: GenerationMode
) -> None:
    """Whatever is sent, rightly or wrongly formed: described answers, and never a 500."""
    varied = operation.label.startswith("POST") or "{" in operation.path

    @settings(
        max_examples=25 if varied else 2,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(data=st.data())
    def keeps(data: st.DataObject) -> None:
        case: Case[Any] = data.draw(operation.as_strategy(generation_mode=mode))
        response = case.call(base_url=live_hub.address)
        case.validate_response(response, checks=CHECKS)

    keeps()
    assert live_hub.returncode is None
