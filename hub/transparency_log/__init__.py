"""The public Merkle log under every message: pure, so that anyone may check with the same code.

- `hashing`: leaves and nodes (RFC 6962 §2.1); `compact_range`: a tree's right edge, to append to.
- `entries`: what one leaf says; `tiles`, `proofs`: the tree as others read it (C2SP tlog-tiles).
- `notes`, `checkpoints`, `cosignatures`: who signed which tree head (C2SP signed-note and others).
- `proof_files`, `policies`, `witnessing`: proofs that stand alone, whom to believe, how to witness.

Imports nothing of ours. Private keys never come here: who signs hands over a callable.
"""
