// Opens an encrypted private key file (PKCS #8, RFC 5958; PBES2, RFC 8018) with its passphrase, as
// `itmo-hub keys generate` and OpenSSL write it: PBKDF2 with HMAC, AES in CBC mode. What is opened
// is handed to the browser's own store at once; the passphrase is kept nowhere.

const OIDS = {
  "2a864886f70d01050d": "PBES2",
  "2a864886f70d01050c": "PBKDF2",
  "2a864886f70d0207": "SHA-1",
  "2a864886f70d0209": "SHA-256",
  "2a864886f70d020a": "SHA-384",
  "2a864886f70d020b": "SHA-512",
  "60864801650304012a": 256,
  "608648016503040116": 192,
  "608648016503040102": 128,
};
const ITERATIONS_MAX = 10_000_000;

// Why a file could not be opened: "no_key" (not such a file), "other_cipher", "wrong_passphrase".
export class FileError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

// Return the PKCS #8 bytes of a PEM text; `passphrase` is asked of only if it is encrypted.
export async function open(pem, passphrase) {
  const plain = block(pem, "PRIVATE KEY");
  if (plain !== null) return plain;
  const sealed = block(pem, "ENCRYPTED PRIVATE KEY");
  if (sealed === null) throw new FileError("no_key");
  return decrypt(sealed, passphrase);
}

export function isEncrypted(pem) {
  return pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----");
}

function block(pem, name) {
  const found = new RegExp(`-----BEGIN ${name}-----([A-Za-z0-9+/=\\s]+)-----END ${name}-----`).exec(pem);
  if (found === null) return null;
  try {
    return Uint8Array.from(atob(found[1].replace(/\s/g, "")), (one) => one.charCodeAt(0));
  } catch {
    throw new FileError("no_key");
  }
}

async function decrypt(sealed, passphrase) {
  const { salt, iterations, hash, length, iv, data } = readSealed(sealed);
  const secret = new TextEncoder().encode(passphrase);
  const base = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", salt, iterations, hash };
  const cipher = { name: "AES-CBC", length };
  const key = await crypto.subtle.deriveKey(how, base, cipher, false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, data));
  } catch {
    throw new FileError("wrong_passphrase"); // the padding at the end is not one
  }
}

// EncryptedPrivateKeyInfo ::= SEQUENCE { SEQUENCE { PBES2, SEQUENCE { kdf, cipher } }, OCTET STRING }
function readSealed(bytes) {
  const [algorithm, data] = children(element(bytes, 0));
  const [scheme, parameters] = children(algorithm);
  if (oid(scheme) !== "PBES2") throw new FileError("other_cipher");
  const [kdf, cipher] = children(parameters);
  const [kdfName, kdfParameters] = children(kdf);
  if (oid(kdfName) !== "PBKDF2") throw new FileError("other_cipher");
  const [salt, count, ...rest] = children(kdfParameters);
  const prf = rest.find((one) => one.tag === 0x30);
  const hash = prf === undefined ? "SHA-1" : oid(children(prf)[0]);
  const [cipherName, iv] = children(cipher);
  const length = oid(cipherName);
  const iterations = count.content.reduce((sum, byte) => sum * 256 + byte, 0);
  if (typeof hash !== "string" || !hash.startsWith("SHA-")) throw new FileError("other_cipher");
  if (typeof length !== "number" || iterations > ITERATIONS_MAX) throw new FileError("other_cipher");
  return { salt: salt.content, iterations, hash, length, iv: iv.content, data: data.content };
}

function oid(element_) {
  const text = Array.from(element_.content, (one) => one.toString(16).padStart(2, "0")).join("");
  return OIDS[text];
}

// One DER element at an offset: its tag, its content, and where it ends.
function element(bytes, at) {
  const tag = bytes[at];
  let length = bytes[at + 1];
  let start = at + 2;
  if (length === undefined) throw new FileError("no_key");
  if (length > 0x80 && length <= 0x83) {
    const count = length - 0x80;
    length = 0;
    for (const byte of bytes.subarray(start, start + count)) length = length * 256 + byte;
    start += count;
  } else if (length >= 0x80) {
    throw new FileError("no_key");
  }
  if (start + length > bytes.length) throw new FileError("no_key");
  return { tag, content: bytes.subarray(start, start + length), end: start + length };
}

function children(parent) {
  const found = [];
  for (let at = 0; at < parent.content.length; ) {
    const one = element(parent.content, at);
    found.push(one);
    at = one.end;
  }
  if (found.length < 2) throw new FileError("no_key");
  return found;
}
