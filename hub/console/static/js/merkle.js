// The tree of the log (RFC 6962), checked in the browser: SHA-256 by WebCrypto, sizes as BigInt, so
// that a log of more than 2^53 entries is counted right. Nothing here reads the page or the network.
//
// A check returns nothing if it holds, and throws ProofError if it does not. The steps are those of
// RFC 9162 §2.1.3.2 and §2.1.4.2.

export const HASH_BYTES = 32;
export const PROOF_HASHES_MAX = 63;
export const NUMBER_MAX = (1n << 63n) - 1n;

export class ProofError extends Error {
  constructor(message) {
    super(message);
    this.name = "ProofError";
  }
}

export async function sha256(...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

// One prefix for leaves and another for nodes: a node is never read as a leaf.
export const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
export const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);
export const emptyRoot = () => sha256(new Uint8Array(0));

export function isSame(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

// Check that the leaf's hash is at `index` in the tree of `size` with this root.
export async function verifyInclusion(index, size, leaf, proof, root) {
  if (!(0n <= index && index < size && size <= NUMBER_MAX)) {
    throw new ProofError(`there is no entry ${index} in a tree of ${size}`);
  }
  checkHashes([...proof, leaf, root], proof);
  let node = index;
  let last = size - 1n;
  let found = leaf;
  for (const sibling of proof) {
    if (last === 0n) throw new ProofError("the proof has hashes beyond the root");
    if (node & 1n || node === last) {
      found = await nodeHash(sibling, found);
      while (!(node & 1n) && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      found = await nodeHash(found, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new ProofError("the proof ends before the root");
  if (!isSame(found, root)) {
    throw new ProofError(`the entry is not number ${index} of the tree of ${size} with this root`);
  }
}

// Check that the tree of `first` leaves is the beginning of the tree of `second`.
export async function verifyConsistency(first, second, firstRoot, secondRoot, proof) {
  if (!(0n <= first && first <= second && second <= NUMBER_MAX)) {
    throw new ProofError(`a tree of ${first} leaves does not begin one of ${second}`);
  }
  checkHashes([...proof, firstRoot, secondRoot], proof);
  if (first === 0n || first === second) {
    await checkWithoutProof(first, second, firstRoot, secondRoot, proof);
    return;
  }
  if (proof.length === 0) throw new ProofError("there is no proof");
  const isPerfect = (first & (first - 1n)) === 0n; // then its root is a node of the larger tree
  const path = isPerfect ? [firstRoot, ...proof] : proof;
  let node = first - 1n;
  let last = second - 1n;
  while (node & 1n) {
    node >>= 1n;
    last >>= 1n;
  }
  let before = path[0];
  let after = path[0];
  for (const sibling of path.slice(1)) {
    if (last === 0n) throw new ProofError("the proof has hashes beyond the root");
    if (node & 1n || node === last) {
      before = await nodeHash(sibling, before);
      after = await nodeHash(sibling, after);
      while (!(node & 1n) && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      after = await nodeHash(after, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new ProofError("the proof ends before the root");
  if (!isSame(before, firstRoot) || !isSame(after, secondRoot)) {
    throw new ProofError(`the tree of ${second} does not continue the tree of ${first}`);
  }
}

async function checkWithoutProof(first, second, firstRoot, secondRoot, proof) {
  if (proof.length !== 0) throw new ProofError("here the proof is empty");
  if (first === 0n && !isSame(firstRoot, await emptyRoot())) {
    throw new ProofError("the root of a tree without leaves is the hash of nothing");
  }
  if (first === second && !isSame(firstRoot, secondRoot)) {
    throw new ProofError(`two trees of ${first} leaves have different roots`);
  }
}

function checkHashes(hashes, proof) {
  if (proof.length > PROOF_HASHES_MAX) throw new ProofError("no proof has so many hashes");
  if (hashes.some((one) => !(one instanceof Uint8Array) || one.length !== HASH_BYTES)) {
    throw new ProofError(`each hash has ${HASH_BYTES} bytes`);
  }
}
