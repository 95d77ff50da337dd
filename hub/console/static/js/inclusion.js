// The page of one entry: the bytes shown are hashed here, and their proof is followed to the root of
// a checkpoint that is signed by the log's key, the one this browser remembers if it does.

import { ProofError, isSame, leafHash, verifyInclusion } from "./merkle.js";
import {
  NoteError,
  fromBase64,
  knowsEd25519,
  parseCheckpoint,
  parseNote,
  parseVkey,
  readHash,
  toHex,
  verifyLogSignature,
} from "./notes.js";

const place = document.getElementById("entry-check");
const given = JSON.parse(document.getElementById("entry-proof").textContent);
const words = given.words;

function tell(state, text, detail = "") {
  const line = document.createElement("li");
  line.className = `log-step log-step-${state}`;
  const icon = document.createElement("span");
  icon.className = "log-step-icon";
  icon.textContent = { good: "✓", bad: "✗", unknown: "?" }[state];
  const hidden = document.createElement("span");
  hidden.className = "visually-hidden";
  hidden.textContent = `${words.states[state]}: `;
  const said = document.createElement("span");
  said.textContent = detail ? `${text} ${detail}` : text;
  line.append(icon, hidden, said);
  place.append(line);
}

async function check() {
  const data = fromBase64(given.data);
  const leaf = await leafHash(data);
  tell(toHex(leaf) === given.leaf ? "good" : "bad", words.leaf);
  const note = parseNote(given.note);
  const checkpoint = parseCheckpoint(note.text);
  await verifyInclusion(
    BigInt(given.index),
    checkpoint.size,
    leaf,
    given.proof.map(readHash),
    checkpoint.root,
  );
  tell("good", words.proof);
  await signed(note, checkpoint);
  const kept = localStorage.getItem("itmo-hub.log");
  const memory = kept === null ? null : JSON.parse(kept);
  if (memory === null || BigInt(memory.size) !== checkpoint.size) {
    tell("unknown", words.other_size);
  } else {
    const isKnown = isSame(readHash(memory.root), checkpoint.root);
    tell(isKnown ? "good" : "bad", isKnown ? words.known : words.fork);
  }
}

async function signed(note, checkpoint) {
  const kept = localStorage.getItem("itmo-hub.log");
  const pinned = kept === null ? null : JSON.parse(kept).vkey;
  const vkeys = pinned === null ? given.vkeys : [pinned];
  if (vkeys.length === 0 || !(await knowsEd25519())) {
    tell("unknown", words.no_key);
    return;
  }
  let detail = "";
  for (const vkey of vkeys) {
    try {
      await verifyLogSignature(note, checkpoint, await parseVkey(vkey));
      tell("good", pinned === null ? words.signed : words.signed_pinned);
      return;
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      detail = error.message;
    }
  }
  tell("bad", words.not_signed, detail);
}

place.replaceChildren();
if (!globalThis.isSecureContext || crypto.subtle === undefined) {
  tell("unknown", words.insecure);
} else {
  check()
    .catch((error) => {
      const isOurs = error instanceof ProofError || error instanceof NoteError;
      tell("bad", isOurs ? words.not_proved : words.failed, error.message);
    })
    .finally(() => {
      place.dataset.done = "true";
    });
}
