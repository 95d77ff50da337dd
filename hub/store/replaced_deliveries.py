"""Deliveries sealed again after a key of the hub was revoked: new rows, the older sealings kept."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, bindparam, insert, select, update

from hub.store.mailboxes import Delivery
from hub.store.tables import delivery, delivery_replaced

_KEEP_REPLACED = insert(delivery_replaced).from_select(
    [
        "log_index",
        "recipient",
        "first_sequence",
        "last_sequence",
        "sha256",
        "created_at",
        "acknowledged_at",
        "acknowledged_log_index",
        "salt",
        "body",
        "replaced_by",
    ],
    select(
        delivery.c.log_index,
        delivery.c.recipient,
        delivery.c.first_sequence,
        delivery.c.last_sequence,
        delivery.c.sha256,
        delivery.c.created_at,
        delivery.c.acknowledged_at,
        delivery.c.acknowledged_log_index,
        delivery.c.salt,
        delivery.c.body,
        bindparam("b_replaced_by", type_=BigInteger),
    ).where(
        delivery.c.recipient == bindparam("b_recipient"),
        delivery.c.first_sequence == bindparam("b_first"),
    ),
)
# What was acknowledged was the older sealing: nobody has acknowledged this one yet.
_REPLACE = (
    update(delivery)
    .where(
        delivery.c.recipient == bindparam("b_recipient"),
        delivery.c.first_sequence == bindparam("b_first"),
    )
    .values(
        log_index=bindparam("b_log_index"),
        sha256=bindparam("b_sha256"),
        created_at=bindparam("b_created_at"),
        acknowledged_log_index=None,
        salt=bindparam("b_salt"),
        body=bindparam("b_body"),
    )
)


def replace_deliveries(connection: Connection, pairs: Sequence[tuple[Delivery, Delivery]]) -> None:
    """Put deliveries sealed again (second) in the place of stored ones (first), which are kept."""
    for old, new in pairs:
        where = {"b_recipient": old.recipient, "b_first": old.first_sequence}
        connection.execute(_KEEP_REPLACED, {**where, "b_replaced_by": new.log_index})
        connection.execute(
            _REPLACE,
            {
                **where,
                "b_log_index": new.log_index,
                "b_sha256": new.sha256,
                "b_created_at": new.created_at,
                "b_salt": new.salt,
                "b_body": new.body,
            },
        )
