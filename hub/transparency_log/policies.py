"""Whom to believe about the log: a policy file of C2SP tlog-policy.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

1. A file of octets: tab, newline, 0x20 to 0x7E and 0x80 to 0xFF. Names are opaque; they are kept
   as text in which each octet that is not UTF-8 has its own stand-in (PEP 383), so that two names
   are equal only if their octets are.
2. Read once, from the top: a group or the quorum names only what stands above it, and each name is
   a member at most once. So nothing is circular, and each witness counts in one way only.
3. Two keys are the same if their public key is, whatever their names: refused.
4. Each line ends in a newline. A file that was cut off might else ask for less than it did.

A checkpoint is good if one of the logs has signed it and the quorum has cosigned it.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from hub.transparency_log.checkpoints import LOG_KEY_TYPES, SignedCheckpoint, open_checkpoint
from hub.transparency_log.cosignatures import cosigning_keys
from hub.transparency_log.notes import Note, NoteError, SignatureType, VerifierKey

NONE: Final = "none"
WITNESS_KEY_TYPES: Final = (
    SignatureType.COSIGNATURE_ED25519,
    SignatureType.COSIGNATURE_ML_DSA_44,
)
_POLICY_BYTES_MAX: Final = 8 * 1024 * 1024
_FORBIDDEN: Final = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,8}")


class PolicyError(ValueError):
    """The file is not a policy, or a checkpoint does not satisfy it; line and remedy are named."""


class PolicyKey(NamedTuple):
    """A log or a witness of a policy: its key, and where it is reached, if the policy says so."""

    key: VerifierKey
    url: str | None


class PolicyGroup(NamedTuple):
    """A group: it has cosigned when ``threshold`` of its members (names) have."""

    threshold: int
    members: tuple[str, ...]


Verified = Collection[VerifierKey] | Collection[str] | Collection[bytes]
"""Who has cosigned: keys; or key names or key ids, of which an ambiguous one counts for nobody."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as its file says it; witnesses and groups by their name in the file."""

    logs: tuple[PolicyKey, ...]
    witnesses: Mapping[str, PolicyKey]
    groups: Mapping[str, PolicyGroup]
    quorum: str

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Return the policy of a file. Raises PolicyError naming line and remedy."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        if len(raw) > _POLICY_BYTES_MAX:
            raise PolicyError(f"the policy has {len(raw)} bytes; at most {_POLICY_BYTES_MAX}")
        *lines, rest = raw.split(b"\n")
        if rest:
            raise PolicyError(
                f"line {len(lines) + 1}: no newline at its end; the file may be cut off:"
                " take it whole, or end it with a newline"
            )
        reader = _Reader()
        for number, line in enumerate(lines, start=1):
            reader.read(number, line)
        if reader.quorum is None:
            raise PolicyError(
                "no quorum line: add 'quorum <name>', or 'quorum none' for no witness"
            )
        return cls(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """The keys of the logs."""
        return tuple(log.key for log in self.logs)

    @property
    def witness_keys(self) -> tuple[VerifierKey, ...]:
        """The keys of the witnesses, in the order of the file."""
        return tuple(witness.key for witness in self.witnesses.values())

    def is_met_by(self, verified: Verified) -> bool:
        """Tell whether those who cosigned are a quorum."""
        return self.quorum == NONE or self.quorum in self._met(verified)

    def missing(self, verified: Verified) -> str:
        """Return in words what the quorum still lacks; empty when it is met."""
        if self.is_met_by(verified):
            return ""
        met = self._met(verified)
        lacking: list[str] = []
        waiting = [self.quorum]
        while waiting:
            name = waiting.pop(0)
            group = self.groups.get(name)
            if group is None:
                continue
            present = [member for member in group.members if member in met]
            absent = [member for member in group.members if member not in met]
            lacking.append(
                f"{_shown(name)} has {len(present)} of the {group.threshold} it needs"
                f" (not yet: {', '.join(_shown(member) for member in absent)})"
            )
            waiting += [member for member in absent if member in self.groups]
        return "; ".join(lacking) or f"the witness {_shown(self.quorum)} has not cosigned"

    def open(self, note: bytes | str | Note) -> SignedCheckpoint:
        """Return the checkpoint of a note that satisfies this policy.

        Raises CheckpointError: no log of the policy has signed it. PolicyError: no quorum cosigned.
        """
        signed = open_checkpoint(note, self.log_keys)
        lacking = self.missing(cosigning_keys(signed.note, self.witness_keys).keys())
        if lacking:
            raise PolicyError(f"the checkpoint lacks its quorum of witnesses: {lacking}")
        return signed

    def _met(self, verified: Verified) -> set[str]:
        """Return the names of the witnesses and groups that have cosigned."""
        given = set(verified)
        words = Counter(word for key in self.witness_keys for word in (key.name, key.key_id))
        met = {
            name
            for name, (key, _) in self.witnesses.items()
            if key in given
            or any(word in given and words[word] == 1 for word in (key.name, key.key_id))
        }
        for name, group in self.groups.items():
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(name)
        return met


@dataclass(slots=True)
class _Reader:
    """The one pass over the lines: what stands above the line that is read."""

    logs: list[PolicyKey] = field(default_factory=list)
    witnesses: dict[str, PolicyKey] = field(default_factory=dict)
    groups: dict[str, PolicyGroup] = field(default_factory=dict)
    quorum: str | None = None
    _members: dict[str, str] = field(default_factory=dict)

    def read(self, number: int, line: bytes) -> None:
        """Take in one line. Raises PolicyError."""
        found = _FORBIDDEN.search(line)
        if found is not None:
            raise PolicyError(
                f"line {number}: the octet 0x{found[0][0]:02X} at {found.start() + 1}: remove it"
                " (lines end in a newline alone, and tab is the only other control character)"
            )
        items = [
            item.decode("utf-8", "surrogateescape") for item in re.split(rb"[\t ]+", line) if item
        ]
        if not items or items[0].startswith("#"):
            return
        readers: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        try:
            if items[0] not in readers:
                raise PolicyError(
                    f"{_shown(items[0])} begins no line: log, witness, group, quorum or # does"
                )
            readers[items[0]](items[1:])
        except (PolicyError, NoteError) as error:
            raise PolicyError(f"line {number}: {error}") from error

    def _log(self, items: list[str]) -> None:
        if len(items) not in {1, 2}:
            raise PolicyError("write 'log <vkey> [<url>]'")
        key = _key(items[0], LOG_KEY_TYPES, "a log's key has type 1 or 6")
        _demand_new(key, self.logs)
        self.logs.append(PolicyKey(key, items[1] if len(items) == 2 else None))

    def _witness(self, items: list[str]) -> None:
        if len(items) not in {2, 3}:
            raise PolicyError("write 'witness <name> <vkey> [<url>]'")
        self._demand_free(items[0])
        key = _key(items[1], WITNESS_KEY_TYPES, "a witness's key has type 4 or 6")
        _demand_new(key, self.witnesses.values())
        self.witnesses[items[0]] = PolicyKey(key, items[2] if len(items) == 3 else None)

    def _group(self, items: list[str]) -> None:
        if len(items) < 3:
            raise PolicyError("write 'group <name> all|any|<k> <name>...' with at least one member")
        name, wanted, *members = items
        self._demand_free(name)
        for member in members:
            self._demand_known(member)
            if member in self._members:
                raise PolicyError(
                    f"{_shown(member)} is a member of {_shown(self._members[member])} already:"
                    " a name is a member once"
                )
            self._members[member] = name
        counts = {"all": len(members), "any": 1}
        if wanted not in counts and _COUNT.fullmatch(wanted) is None:
            raise PolicyError(f"{_shown(wanted)} is not 'all', 'any' or a decimal number from 1")
        threshold = counts.get(wanted) or int(wanted)
        if threshold > len(members):
            raise PolicyError(
                f"{threshold} of {len(members)} members can never cosign: lower the number or add"
                " members"
            )
        self.groups[name] = PolicyGroup(threshold, tuple(members))

    def _quorum(self, items: list[str]) -> None:
        if len(items) != 1:
            raise PolicyError("write 'quorum <name>' or 'quorum none'")
        if self.quorum is not None:
            raise PolicyError(f"the quorum is {_shown(self.quorum)} already: keep one quorum line")
        if items[0] != NONE:
            self._demand_known(items[0])
        self.quorum = items[0]

    def _demand_free(self, name: str) -> None:
        if name == NONE:
            raise PolicyError("'none' is predefined for the quorum line: take another name")
        if name in self.witnesses or name in self.groups:
            raise PolicyError(f"{_shown(name)} is defined above already: take another name")

    def _demand_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise PolicyError(
                f"no witness or group {_shown(name)} stands above this line: define it before"
            )


def _key(vkey: str, types: tuple[SignatureType, ...], rule: str) -> VerifierKey:
    key = VerifierKey.parse(vkey)
    if key.type not in types:
        raise PolicyError(
            f"{rule}, and {_shown(key.name)} has {int(key.type)}: take the other vkey"
        )
    return key


def _demand_new(key: VerifierKey, known: Iterable[PolicyKey]) -> None:
    for other in known:
        if other.key.public_key == key.public_key:
            raise PolicyError(
                f"{_shown(key.name)} has the public key of {_shown(other.key.name)}:"
                " remove one of the two lines"
            )


def _shown(name: str) -> str:
    """Return a name as people may read it: opaque octets as escapes."""
    return repr(name[:64].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
