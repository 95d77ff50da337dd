// Keys that sign acts, kept in this browser. The private half stays in the browser's own store and
// cannot be read back, not even by this script: it signs, and that is all it does.
//
// A key is {keyId, algorithm, publicKey, privateKey, madeAt}: the id as the hub makes it (its code
// and the beginning of the SHA-256 of the public key), "Ed25519" or "ES256", the public key as
// SubjectPublicKeyInfo, a CryptoKey that signs, and when it came here (ISO 8601).

import { isEncrypted, open } from "./pkcs8.js";

const DATABASE = "itmo-console";
const STORE = "keys";
const CURVES = {
  Ed25519: { make: { name: "Ed25519" }, sign: { name: "Ed25519" } },
  ES256: {
    make: { name: "ECDSA", namedCurve: "P-256" },
    sign: { name: "ECDSA", hash: "SHA-256" },
  },
};

// Why a key cannot be had; `reason` is one of the words of the page.
export class KeyError extends Error {
  constructor(reason, detail = "") {
    super(detail || reason);
    this.reason = reason;
  }
}

// Browsers give keys to pages they reached by https, or on localhost, and to no others.
export function requireKeys() {
  if (!window.isSecureContext || !window.crypto?.subtle) throw new KeyError("insecure");
  if (!window.indexedDB) throw new KeyError("no_storage");
}

// --- the store -----------------------------------------------------------------------------------

function opened() {
  return new Promise((resolve, reject) => {
    let request;
    try {
      request = indexedDB.open(DATABASE, 1);
    } catch {
      reject(new KeyError("no_storage"));
      return;
    }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "keyId" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new KeyError("no_storage", String(request.error)));
  });
}

async function inStore(mode, ask) {
  requireKeys();
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(new KeyError("no_storage", String(transaction.error)));
    });
  } finally {
    database.close();
  }
}

export const all = () => inStore("readonly", (store) => store.getAll());
export const find = (keyId) => inStore("readonly", (store) => store.get(keyId));
export const forget = (keyId) => inStore("readwrite", (store) => store.delete(keyId));
const keep = (key) => inStore("readwrite", (store) => store.put(key));

// --- making and loading --------------------------------------------------------------------------

// Make a key that leaves this browser never: Ed25519 where the browser has it, else P-256.
export async function make(hub) {
  requireKeys();
  for (const algorithm of ["Ed25519", "ES256"]) {
    let pair;
    try {
      pair = await crypto.subtle.generateKey(CURVES[algorithm].make, false, ["sign", "verify"]);
    } catch {
      continue;
    }
    const publicKey = await crypto.subtle.exportKey("spki", pair.publicKey);
    return kept(hub, algorithm, publicKey, pair.privateKey);
  }
  throw new KeyError("unsupported");
}

// Load a private key file (PKCS #8, PEM), as `itmo-hub keys generate` writes it, with its passphrase.
export async function load(hub, pem, passphrase) {
  requireKeys();
  if (isEncrypted(pem) && passphrase === "") throw new KeyError("encrypted");
  const bytes = await open(pem, passphrase);
  for (const algorithm of ["Ed25519", "ES256"]) {
    const { make: curve } = CURVES[algorithm];
    try {
      // Read once so that it can be told which public key it has; kept so that it cannot be read.
      const open = await crypto.subtle.importKey("pkcs8", bytes, curve, true, ["sign"]);
      const { d: _, key_ops: __, ...half } = await crypto.subtle.exportKey("jwk", open);
      const shown = await crypto.subtle.importKey("jwk", half, curve, true, ["verify"]);
      const publicKey = await crypto.subtle.exportKey("spki", shown);
      const closed = await crypto.subtle.importKey("pkcs8", bytes, curve, false, ["sign"]);
      return kept(hub, algorithm, publicKey, closed);
    } catch (error) {
      if (error instanceof KeyError) throw error;
    }
  }
  throw new KeyError("no_key");
}

async function kept(hub, algorithm, publicKey, privateKey) {
  const digest = hex(await crypto.subtle.digest("SHA-256", publicKey));
  const keyId = `${hub}-${digest.slice(0, 16)}`;
  const key = { keyId, algorithm, publicKey, privateKey, madeAt: new Date().toISOString() };
  await keep(key);
  // Asked, not demanded: a browser short of room may else throw the key away.
  await navigator.storage?.persist?.().catch(() => false);
  return key;
}

// --- signing -------------------------------------------------------------------------------------

// Sign bytes as the hub reads them: JWS, general JSON serialization, one signature.
export async function sign(key, typ, payload) {
  const header = JSON.stringify({ alg: key.algorithm, kid: key.keyId, typ });
  const protectedHeader = base64url(new TextEncoder().encode(header));
  const text = base64url(payload);
  const input = new TextEncoder().encode(`${protectedHeader}.${text}`);
  const { sign: how } = CURVES[key.algorithm];
  const signature = base64url(await crypto.subtle.sign(how, key.privateKey, input));
  return JSON.stringify({
    payload: text,
    signatures: [{ protected: protectedHeader, signature }],
  });
}

// Prove that this browser has the key: its own description, signed by itself.
export function prove(key, hub) {
  const document = JSON.stringify({
    key_id: key.keyId,
    participant: hub,
    algorithm: key.algorithm,
    public_key: base64url(key.publicKey),
    valid_from: key.madeAt,
    valid_until: null,
    revoked_at: null,
  });
  return sign(key, "itmo-key+jws", new TextEncoder().encode(document));
}

export async function fingerprint(key) {
  return hex(await crypto.subtle.digest("SHA-256", key.publicKey));
}

export function base64url(bytes) {
  let text = "";
  for (const one of new Uint8Array(bytes)) text += String.fromCharCode(one);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromBase64url(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (one) => one.charCodeAt(0));
}

function hex(bytes) {
  return Array.from(new Uint8Array(bytes), (one) => one.toString(16).padStart(2, "0")).join("");
}
