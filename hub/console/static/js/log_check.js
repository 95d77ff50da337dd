// What a browser makes of a checkpoint it is served, by the one it remembers. No page, no storage:
// everything comes as an argument and goes back as a value.
//
// memory   {origin, vkey, size, root, note, at}: what was seen last; vkey is null while no public
//          key of the log was known. null on the first visit.
// facts    {origin, vkeys, witnesses}: what the console says of the log's and the witnesses' keys
// served   the note that was fetched
// getProof (from, to) => [base64 hashes]; throws NoProofError if none could be had
//
// Returned are a verdict, the steps that led there ({name, state, values}; state is good, bad or
// unknown), and what to remember from now on. After a bad verdict nothing new is remembered.

import { ProofError, isSame, verifyConsistency } from "./merkle.js";
import {
  ED25519,
  NoteError,
  cosignatureOf,
  fingerprint,
  knowsEd25519,
  parseCheckpoint,
  parseNote,
  parseVkey,
  readHash,
  toBase64,
  verifyLogSignature,
} from "./notes.js";

export class NoProofError extends Error {}

export const BAD = new Set(["unreadable", "origin", "signature", "fork", "rollback", "cosignature"]);

class Verdict extends Error {
  constructor(verdict) {
    super(verdict);
    this.verdict = verdict;
  }
}

export async function judge(memory, facts, served, getProof, now = new Date()) {
  const steps = [];
  const tell = (name, state, values = {}) => steps.push({ name, state, values });
  const proof = { hashes: null };
  try {
    const { note, checkpoint } = read(memory, facts, served, tell);
    const vkey = await signedBy(memory, facts, note, checkpoint, tell);
    const verdict = await continued(memory, checkpoint, getProof, proof, tell);
    await witnessed(facts, note, tell);
    const root = toBase64(checkpoint.root);
    const known = { origin: checkpoint.origin, vkey, size: String(checkpoint.size), root };
    const next =
      verdict === "unproved" ? memory : { ...known, note: served, at: now.toISOString() };
    return { verdict, steps, next, proof: proof.hashes };
  } catch (error) {
    if (!(error instanceof Verdict)) throw error;
    return { verdict: error.verdict, steps, next: memory, proof: proof.hashes };
  }
}

function read(memory, facts, served, tell) {
  let note;
  let checkpoint;
  try {
    note = parseNote(served);
    checkpoint = parseCheckpoint(note.text);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    tell("read", "bad", { detail: error.message });
    throw new Verdict("unreadable");
  }
  tell("read", "good", { size: String(checkpoint.size) });
  const origin = memory === null ? facts.origin : memory.origin;
  const isOurs = checkpoint.origin === origin;
  tell("origin", isOurs ? "good" : "bad", { origin: checkpoint.origin, remembered: origin });
  if (!isOurs) throw new Verdict("origin");
  return { note, checkpoint };
}

// Return the key that signed: the one that is remembered and no other; on the first visit one of
// those the console names.
async function signedBy(memory, facts, note, checkpoint, tell) {
  const pinned = memory === null ? null : memory.vkey;
  const vkeys = pinned === null ? facts.vkeys : [pinned];
  if (!(await knowsEd25519())) {
    tell("signature", "unknown", { reason: "browser" });
    return pinned;
  }
  let detail = null;
  for (const vkey of vkeys) {
    try {
      const key = await parseVkey(vkey);
      if (key.type !== ED25519) continue;
      await verifyLogSignature(note, checkpoint, key);
      tell("signature", "good", {
        keyId: key.keyId,
        fingerprint: await fingerprint(key),
        isPinned: pinned !== null,
      });
      return vkey;
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      detail = error.message;
    }
  }
  if (detail === null) {
    tell("signature", "unknown", { reason: "key" });
    return null;
  }
  tell("signature", "bad", { detail, isPinned: pinned !== null });
  throw new Verdict("signature");
}

async function continued(memory, checkpoint, getProof, proof, tell) {
  if (memory === null) {
    tell("memory", "unknown", {});
    return "first";
  }
  const size = BigInt(memory.size);
  const root = readHash(memory.root);
  const sizes = { from: String(size), to: String(checkpoint.size) };
  if (checkpoint.size < size) {
    tell("size", "bad", sizes);
    throw new Verdict("rollback");
  }
  if (checkpoint.size === size) {
    const isSameTree = isSame(root, checkpoint.root);
    tell("same", isSameTree ? "good" : "bad", sizes);
    if (!isSameTree) throw new Verdict("fork");
    return "same";
  }
  tell("size", "good", sizes);
  try {
    const texts = await getProof(sizes.from, sizes.to);
    proof.hashes = texts;
    const hashes = Array.isArray(texts) ? texts.map((one) => readHash(String(one))) : null;
    if (hashes === null) throw new ProofError("the proof is no list of hashes");
    await verifyConsistency(size, checkpoint.size, root, checkpoint.root, hashes);
    tell("proof", "good", { ...sizes, hashes: String(hashes.length) });
    return "continued";
  } catch (error) {
    if (error instanceof NoProofError) {
      tell("proof", "unknown", { ...sizes, detail: error.message });
      return "unproved";
    }
    if (!(error instanceof ProofError || error instanceof NoteError)) throw error;
    tell("proof", "bad", { ...sizes, detail: error.message });
    throw new Verdict("fork");
  }
}

async function witnessed(facts, note, tell) {
  if (!(await knowsEd25519())) return;
  let isBad = false;
  for (const vkey of facts.witnesses) {
    const key = await parseVkey(vkey);
    const said = await cosignatureOf(note, key);
    const state = { good: "good", bad: "bad" }[said.state] ?? "unknown";
    const time = said.time === undefined ? null : String(said.time);
    tell("witness", state, { name: key.name, keyId: key.keyId, said: said.state, time });
    isBad ||= state === "bad";
  }
  if (isBad) throw new Verdict("cosignature");
}
