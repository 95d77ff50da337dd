// Signed notes and checkpoints of the log (C2SP signed-note, tlog-checkpoint, tlog-cosignature),
// read in their one spelling and verified with WebCrypto. Nothing here reads the page or network.
//
//   origin                      a checkpoint's text
//   tree size, decimal
//   root, base64
//   (extension lines)
//   <empty line>
//   — <key name> base64(key id, 4 bytes || signature)
//
// Ed25519 is verified: type 1 for the log, type 4 for cosignatures of witnesses. ML-DSA-44 (type 6)
// is not known to browsers yet; such lines are told as not verified, and never as good.

import { HASH_BYTES, NUMBER_MAX, sha256 } from "./merkle.js";

export const ED25519 = 1;
export const COSIGNATURE_ED25519 = 4;
export const COSIGNATURE_ML_DSA_44 = 6;
const KEY_ID_BYTES = 4;
const TIMESTAMP_BYTES = 8;
const ED25519_BYTES = 64;
const NOTE_CHARACTERS_MAX = 2 * 1024 * 1024;
const PUBLIC_KEY_BYTES = { 1: 32, 4: 32, 6: 1312 };

export class NoteError extends Error {
  constructor(message) {
    super(message);
    this.name = "NoteError";
  }
}

const encoder = new TextEncoder();

export const toHex = (bytes) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

// Standard base64 with padding, and only the one spelling of its bytes.
export function fromBase64(text) {
  let plain;
  try {
    plain = atob(text);
  } catch {
    throw new NoteError("what should be base64 is none");
  }
  const bytes = Uint8Array.from(plain, (one) => one.charCodeAt(0));
  if (toBase64(bytes) !== text) throw new NoteError("this is not the one base64 spelling");
  return bytes;
}

export function readNumber(text) {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text) || BigInt(text) > NUMBER_MAX) {
    throw new NoteError("a number is decimal, without sign or leading zero");
  }
  return BigInt(text);
}

export function readHash(text) {
  const bytes = fromBase64(text);
  if (bytes.length !== HASH_BYTES) throw new NoteError(`a hash has ${HASH_BYTES} bytes`);
  return bytes;
}

// A text and its signatures, none of them verified. The text ends in a newline.
export function parseNote(whole) {
  if (whole.length > NOTE_CHARACTERS_MAX) throw new NoteError("the note is too long");
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) {
    throw new NoteError("the note has control characters");
  }
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 0 || !whole.endsWith("\n")) throw new NoteError("this is no signed note");
  const lines = whole.slice(cut + 2, -1);
  if (lines === "") throw new NoteError("the note has no signatures");
  return { text: whole.slice(0, cut + 1), signatures: lines.split("\n").map(parseLine) };
}

function parseLine(line) {
  const parts = /^— ([^\s+]+) (\S+)$/u.exec(line);
  if (parts === null) throw new NoteError("a signature line has a name and its signature");
  const bytes = fromBase64(parts[2]);
  if (bytes.length <= KEY_ID_BYTES) throw new NoteError("a signature line lacks its signature");
  return {
    name: parts[1],
    keyId: toHex(bytes.slice(0, KEY_ID_BYTES)),
    signature: bytes.slice(KEY_ID_BYTES),
    line,
  };
}

// What a note's text says of the log.
export function parseCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.length < 4 || lines.pop() !== "" || lines.some((line) => line === "")) {
    throw new NoteError("a checkpoint has three lines or more, none of them empty");
  }
  const [origin, size, root] = lines;
  return { origin, size: readNumber(size), root: readHash(root), extensions: lines.slice(3) };
}

// A public key as its owner writes it: <name>+<key id>+base64(type || key).
export async function parseVkey(vkey) {
  const parts = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/u.exec(vkey.trim());
  if (parts === null) throw new NoteError("a key is written <name>+<key id>+<base64 of the key>");
  const encoded = fromBase64(parts[3]);
  const type = encoded[0];
  if (PUBLIC_KEY_BYTES[type] !== encoded.length - 1) {
    throw new NoteError("the key is of no type that a log or witness has");
  }
  const keyId = await keyIdOf(parts[1], encoded);
  if (keyId !== parts[2]) throw new NoteError("the key does not have the key id it is written with");
  return { name: parts[1], keyId, type, publicKey: encoded.slice(1), vkey: vkey.trim() };
}

async function keyIdOf(name, encoded) {
  const digest = await sha256(encoder.encode(`${name}\n`), encoded);
  return toHex(digest.slice(0, KEY_ID_BYTES));
}

// What people compare by eye: SHA-256 over the public key, in groups of four digits.
export async function fingerprint(key) {
  return toHex(await sha256(key.publicKey)).match(/.{4}/g).join(" ");
}

export async function knowsEd25519() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(9), "Ed25519", false, ["verify"]);
    return true;
  } catch (error) {
    return error.name === "DataError"; // it knows the algorithm, and this is no key
  }
}

async function isSigned(publicKey, signature, data) {
  if (signature.length !== ED25519_BYTES || (await isWeak(publicKey))) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, data);
  } catch {
    return false;
  }
}

// Keys of small order "verify" texts that their owner never saw; a y beyond the prime is no key.
const PRIME = (1n << 255n) - 19n;
const SMALL_ORDER = new Set([
  0n,
  1n,
  PRIME - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
]);

async function isWeak(publicKey) {
  let y = 0n;
  for (let at = 31; at >= 0; at -= 1) y = (y << 8n) | BigInt(publicKey[at]);
  y &= (1n << 255n) - 1n;
  return y >= PRIME || SMALL_ORDER.has(y);
}

const linesOf = (note, key) =>
  note.signatures.filter((one) => one.name === key.name && one.keyId === key.keyId);

// Check that the log's own key (Ed25519) has signed, once, under the checkpoint's own name.
export async function verifyLogSignature(note, checkpoint, key) {
  if (key.type !== ED25519) throw new NoteError("a browser verifies Ed25519 keys of a log");
  if (key.name !== checkpoint.origin) {
    throw new NoteError(`the checkpoint is of “${checkpoint.origin}”, the key of “${key.name}”`);
  }
  const lines = linesOf(note, key);
  if (lines.length === 0) throw new NoteError(`the key ${key.keyId} has not signed`);
  if (lines.length > 1) throw new NoteError(`the key ${key.keyId} stands there twice`);
  if (!(await isSigned(key.publicKey, lines[0].signature, encoder.encode(note.text)))) {
    throw new NoteError(`the signature of the key ${key.keyId} is not of this checkpoint`);
  }
}

// Return what one witness's line is worth: good with its time, bad, absent or unverified.
export async function cosignatureOf(note, key) {
  const lines = linesOf(note, key);
  if (lines.length === 0) return { state: "absent" };
  if (lines.length > 1) return { state: "bad" };
  if (key.type !== COSIGNATURE_ED25519) return { state: "unverified" };
  const bytes = lines[0].signature;
  const time = bytes
    .slice(0, TIMESTAMP_BYTES)
    .reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const data = encoder.encode(`cosignature/v1\ntime ${time}\n${note.text}`);
  const isGood =
    bytes.length === TIMESTAMP_BYTES + ED25519_BYTES &&
    time > 0n &&
    time <= NUMBER_MAX &&
    (await isSigned(key.publicKey, bytes.slice(TIMESTAMP_BYTES), data));
  return isGood ? { state: "good", time } : { state: "bad" };
}
