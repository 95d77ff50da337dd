// The page of one's keys: what is in this browser, made, loaded, offered, forgotten.

import { all, fingerprint, forget, load, make, prove, requireKeys } from "./keys.js";

const data = (id) => JSON.parse(document.getElementById(id).textContent);
const { hub, registered, offered } = data("key-data");
const words = data("key-words");

const state = document.getElementById("key-state");
const list = document.getElementById("key-list");
const FILE_BYTES_MAX = 16_384;

document.getElementById("key-needs-script").hidden = true;

// Do something and say how it went; what goes wrong is said in the page's words.
async function saying(action, done = "") {
  state.textContent = "";
  try {
    await action();
    state.textContent = done;
  } catch (error) {
    console.info(error);
    state.textContent = words[error.reason] ?? words.failed;
  }
}

async function show() {
  const keys = await all();
  list.replaceChildren(...(await Promise.all(keys.map(item))));
  document.getElementById("key-none").hidden = keys.length > 0;
}

async function item(key) {
  const made = document.getElementById("key-item").content.cloneNode(true);
  const part = (name) => made.querySelector(`.${name}`);
  part("key-id").textContent = key.keyId;
  part("key-algorithm").textContent = key.algorithm;
  part("key-fingerprint").textContent = await fingerprint(key);
  const form = part("key-offer");
  if (key.keyId === registered || key.keyId === offered) {
    part("key-word").textContent = key.keyId === registered ? words.registered : words.offered;
    form.hidden = true;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    saying(async () => {
      form.elements.proof.value = await prove(key, hub);
      form.submit();
    });
  });
  part("key-forget").addEventListener("click", () => askToForget(key));
  return made;
}

function askToForget(key) {
  const dialog = document.getElementById("key-forget-dialog");
  dialog.returnValue = "";
  dialog.addEventListener(
    "close",
    () => {
      if (dialog.returnValue !== "forget") return;
      saying(async () => {
        await forget(key.keyId);
        await show();
      }, words.forgotten);
    },
    { once: true },
  );
  dialog.showModal();
}

document.getElementById("key-make").addEventListener("click", () =>
  saying(async () => {
    await make(hub);
    await show();
  }, words.made),
);

// A file that is encrypted waits here until its passphrase was typed; neither is kept.
let waiting = "";
const passphrase = document.getElementById("key-passphrase");
const sealed = document.getElementById("key-sealed");

async function take(pem) {
  waiting = pem;
  sealed.hidden = true;
  try {
    await load(hub, pem, passphrase.value);
    waiting = "";
  } catch (error) {
    sealed.hidden = !["encrypted", "wrong_passphrase"].includes(error.reason);
    if (!sealed.hidden) passphrase.focus();
    throw error;
  } finally {
    passphrase.value = "";
  }
  await show();
}

document.getElementById("key-file").addEventListener("change", (event) =>
  saying(async () => {
    const [file] = event.target.files;
    if (file === undefined) return;
    const pem = file.size > FILE_BYTES_MAX ? "" : await file.text();
    event.target.value = "";
    await take(pem);
  }, words.loaded),
);

sealed.addEventListener("submit", (event) => {
  event.preventDefault();
  saying(() => take(waiting), words.loaded);
});

await saying(async () => {
  requireKeys();
  await show();
  document.getElementById("keys").hidden = false;
});
