// Passkeys: asks the hub what to ask the device, asks the device, and hands its answer back. The
// button is shown only where the browser can do it; everything else on these pages works without.

const said = (place, text) => {
  place.querySelector(".passkey-said").textContent = text;
};

const bytesOf = (text) => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (one) => one.charCodeAt(0));
};

const textOf = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

// What failed at the hub: its own words, and where to go first if it says so.
class Refused extends Error {
  constructor(message, to) {
    super(message);
    this.to = to;
  }
}

async function post(place, path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": place.dataset.csrf },
    body: JSON.stringify(body),
    redirect: "error",
  });
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    // A page instead of an object: the general words will do.
  }
  if (!response.ok) throw new Refused(answer.error ?? place.dataset.failed, answer.to);
  return answer;
}

const withBytes = (credentials) =>
  (credentials ?? []).map((one) => ({ ...one, id: bytesOf(one.id) }));

async function make(place) {
  const { flow, options } = await post(place, "/me/passkeys/question", {});
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytesOf(options.challenge),
      user: { ...options.user, id: bytesOf(options.user.id) },
      excludeCredentials: withBytes(options.excludeCredentials),
    },
  });
  const answer = {
    id: credential.id,
    rawId: textOf(credential.rawId),
    type: credential.type,
    response: {
      attestationObject: textOf(credential.response.attestationObject),
      clientDataJSON: textOf(credential.response.clientDataJSON),
    },
  };
  const name = place.querySelector("input").value;
  return post(place, "/me/passkeys", { flow, name, credential: JSON.stringify(answer) });
}

async function signIn(place) {
  const { flow, options } = await post(place, "/sign-in/passkey/question", {});
  const credential = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: bytesOf(options.challenge),
      allowCredentials: withBytes(options.allowCredentials),
    },
  });
  const { response } = credential;
  const answer = {
    id: credential.id,
    rawId: textOf(credential.rawId),
    type: credential.type,
    response: {
      authenticatorData: textOf(response.authenticatorData),
      clientDataJSON: textOf(response.clientDataJSON),
      signature: textOf(response.signature),
      userHandle: response.userHandle ? textOf(response.userHandle) : null,
    },
  };
  const next = place.dataset.next;
  return post(place, "/sign-in/passkey", { flow, next, credential: JSON.stringify(answer) });
}

// Browsers make passkeys for names, not for addresses in numbers.
const IS_NUMBER = /^[\d.]+$|^\[/.test(window.location.hostname);

const WAYS = { make, "sign-in": signIn };

for (const place of document.querySelectorAll("[data-passkey]")) {
  if (!window.isSecureContext || !window.PublicKeyCredential || IS_NUMBER) continue;
  place.hidden = false;
  for (const without of document.querySelectorAll("[data-passkey-without]")) without.hidden = true;
  const button = place.querySelector("button");
  button.addEventListener("click", async () => {
    button.disabled = true;
    said(place, "");
    try {
      const { to } = await WAYS[place.dataset.passkey](place);
      window.location.assign(to);
    } catch (error) {
      if (error instanceof Refused && error.to) window.location.assign(error.to);
      else said(place, error instanceof Refused ? error.message : place.dataset.failed);
    } finally {
      button.disabled = false;
    }
  });
}
