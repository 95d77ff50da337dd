"""The result of a session as the hub logged and signed it, with all it takes to prove it offline.

1. The result is an act of the hub: its document is what the entry of the log commits to.
2. The registry was told of it in a delivery, which the hub signed; that is an entry as well, and
   the registry's acknowledgement another.
3. Each entry comes with its bytes, its salt, what it commits to, and a C2SP tlog-proof under a
   checkpoint with its signatures, as soon as one covers it.
"""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.services.serve_log import LogRequestError, LogServer
from hub.store import evidence
from hub.store.database import Database
from hub.store.evidence import LoggedContent
from hub.store.reconciliation import sessions
from hub.transparency_log.policies import Policy
from keys import base64url

FORMAT: Final = "itmo-reconciliation-result/1"
HOW_TO_PROVE: Final = (
    "For each entry: SHA-256 of the salt (base64url) followed by the content is the commitment of "
    "that name in the entry.",
    "The proof is a C2SP tlog-proof: the entry's hash leads to the root of its checkpoint. Check "
    "the signatures of the checkpoint with the policy file (`itmo-hub log policy`, or the anchor "
    "of `itmo-hub evidence anchor`, better from another source).",
    "The delivery is signed by the hub (JWS, its keys are in GET /v1/participants): it told the "
    "registry of the same result.",
)


class NoResultError(LookupError):
    """There is no such session, or it has no result yet."""


def document_of(database: Database, name: str, policy: Policy | None) -> dict[str, Any]:
    """Return a session's result and its entries of the log. Raises NoResultError.

    ``policy`` is the prompt policy of the witnesses, None without any.
    """
    with database.reading() as connection:
        row = sessions.load(connection, name)
        if row is None:
            raise NoResultError(f"no session {name!r}; `itmo-hub reconcile sessions` lists them")
        if row.result_log_index is None:
            raise NoResultError(f"session {name} has no result yet: it is {row.state}")
        found = {row.result_log_index: ("result", _content(connection, row.result_log_index))}
        made = evidence.delivery_of(connection, row.registry, row.result_log_index)
        if made is not None:
            role = f"delivery to {row.registry}"
            found[made.log_index] = (role, _content(connection, made.log_index))
            if (index := made.acknowledged_log_index) is not None:
                role = f"acknowledgement by {row.registry}"
                found[index] = (role, _content(connection, index))
    server = LogServer(database, policy)
    act = found[row.result_log_index][1].contents["act"]
    assert act is not None, "an act is never erased"
    return {
        "format": FORMAT,
        "session": row.session,
        "registry": row.registry,
        "state": row.state,
        "log_index": row.result_log_index,
        "result": msgspec.json.decode(act),
        "entries": [_told(server, index, *found[index]) for index in sorted(found)],
        "how_to_prove": HOW_TO_PROVE,
    }


def written(document: dict[str, Any]) -> bytes:
    """Return a document as the bytes of its file."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _content(connection: Connection, index: int) -> LoggedContent:
    found = evidence.content_at(connection, index)
    if found is None:
        raise NoResultError(f"entry {index} is not in the log: run `itmo-hub log check`")
    return found


def _told(server: LogServer, index: int, role: str, content: LoggedContent) -> dict[str, Any]:
    told: dict[str, Any] = {
        "log_index": index,
        "role": role,
        "kind": content.kind,
        "entry": content.entry.decode(),
        "salt": None if content.salt is None else base64url.encode(content.salt),
        "contents": {
            name: None if raw is None else raw.decode() for name, raw in content.contents.items()
        },
        "proof": None,
    }
    try:
        told["proof"] = server.proof(str(index))
    except LogRequestError as error:
        told["proof_is_missing"] = f"{error}"
    return told
