// Signs an act with the person's own key. What the page shows under "What you sign" is read here
// from the very bytes that are signed, so nobody signs anything else than what they see.

import { find, fromBase64url, sign } from "./keys.js";

const data = (id) => JSON.parse(document.getElementById(id).textContent);
const toSign = data("signing-data");
const shown = data("signing-shown");
const words = data("signing-words");

const state = document.getElementById("signing-state");
const form = document.getElementById("signing-form");
const button = document.getElementById("signing-button");
// A statement counts for a while by the hub's clock; a little less here, for the way.
const TOO_OLD_MS = (toSign.freshSeconds - 15) * 1000;

document.getElementById("signing-needs-script").hidden = true;

const MEMBERS = [
  "says", "kind", "subject", "parameters", "reason", "actor", "at",
  "hub", "log", "proposal", "statement_id", "format",
];

// Return what the bytes say. One text for one value: so no member is there twice, nor hidden.
function read(payload) {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  const said = JSON.parse(text);
  if (JSON.stringify(said) !== text) throw new Error("not in its one form");
  const { kind, parameters, subject } = said;
  const isShown =
    ["kind", "subject", "reason", "actor", "says"].every((name) => said[name] === shown[name]) &&
    JSON.stringify({ kind, parameters, subject }) === shown.deed &&
    Object.keys(said).every((name) => MEMBERS.includes(name));
  if (!isShown) throw new Error("differs from the page");
  return said;
}

function show(said) {
  const facts = document.getElementById("signing-facts");
  for (const name of MEMBERS) {
    if (said[name] === null) continue;
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    term.textContent = words[`member_${name}`];
    if (name === "parameters") {
      const whole = document.createElement("pre");
      whole.tabIndex = 0;
      whole.textContent = JSON.stringify(said.parameters, null, 2);
      value.append(whole);
    } else {
      value.textContent = name === "says" ? words[`says_${said.says}`] : said[name];
    }
    facts.append(term, value);
  }
  document.getElementById("signing-content").hidden = false;
}

function growOld() {
  button.disabled = true;
  form.hidden = true;
  document.getElementById("signing-again").hidden = false;
}

async function ready(payload) {
  const key = await find(toSign.keyId);
  if (key === undefined) {
    document.getElementById("signing-no-key").hidden = false;
    form.hidden = true;
    return;
  }
  state.textContent = words.ready;
  button.disabled = false;
  setTimeout(growOld, TOO_OLD_MS);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    state.textContent = words.signing;
    try {
      form.elements.statement.value = await sign(key, toSign.typ, payload);
    } catch (error) {
      console.error(error);
      state.textContent = words.failed;
      button.disabled = false;
      return;
    }
    form.submit();
  });
}

try {
  const payload = fromBase64url(toSign.payload);
  let said = null;
  try {
    said = read(payload);
  } catch (error) {
    console.error(error);
    state.textContent = words.differs;
  }
  if (said !== null) {
    show(said);
    await ready(payload);
  }
} catch (error) {
  console.error(error);
  state.textContent = words[error.reason] ?? words.failed;
}

// Coming back to a page that was sent already: what it signed was used.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) growOld();
});
