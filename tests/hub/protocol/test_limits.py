"""Every limit has a number and a unit, and is published under its own name."""

from dataclasses import fields

from hub.protocol.limits import Limits


def test_the_document_names_every_limit_with_its_number() -> None:
    """What a peer reads at ``/v1/limits`` is exactly what the hub goes by."""
    limits = Limits(envelope_bytes_max=12_345)
    document = limits.document()
    assert document == {field.name: getattr(limits, field.name) for field in fields(Limits)}
    assert document["envelope_bytes_max"] == 12_345


def test_every_limit_is_a_positive_number_named_with_its_unit_last() -> None:
    """``blocks_per_message_max`` says of what and per what; nothing is unlimited."""
    for name, value in Limits().document().items():
        assert value > 0
        assert name.endswith("_max")
