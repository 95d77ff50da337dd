// The log page: this browser remembers the last checkpoint it saw, and verifies that the newest one
// continues it. What went wrong once stays on the page until a person says that it was looked at.
//
// Storage is of this browser alone: "itmo-hub.log" is the memory, "itmo-hub.log.trouble" what went
// wrong, with both checkpoints, to be saved as a file for whoever has to judge it.

import { BAD, NoProofError, judge } from "./log_check.js";
import { NoteError, fingerprint, parseVkey } from "./notes.js";

const MEMORY = "itmo-hub.log";
const TROUBLE = "itmo-hub.log.trouble";
const ICONS = { good: "✓", bad: "✗", unknown: "?" };

const area = document.getElementById("log-check");
const facts = JSON.parse(document.getElementById("log-facts").textContent);
const words = facts.words;

const stored = (name) => {
  const text = localStorage.getItem(name);
  return text === null ? null : JSON.parse(text);
};

const store = (name, value) => localStorage.setItem(name, JSON.stringify(value));

// Fill {names} of a text; values are never read as HTML, for all of it becomes text content.
const say = (text, values) =>
  text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function stepWords(step) {
  const values = { ...step.values };
  if (values.time) values.time = new Date(Number(values.time) * 1000).toISOString();
  const name = step.name === "witness" ? `witness_${values.said}` : `${step.name}_${step.state}`;
  const reason = values.reason ? `${name}_${values.reason}` : name;
  return say(words.steps[reason] ?? words.steps[name] ?? name, values);
}

function show(result, heading, kind) {
  const box = element("div", `log-verdict log-verdict-${kind}`);
  box.setAttribute("role", kind === "danger" ? "alert" : "status");
  box.append(element("p", "log-verdict-heading", heading));
  const list = element("ol", "log-steps");
  for (const step of result.steps) {
    const line = element("li", `log-step log-step-${step.state}`);
    line.append(element("span", "log-step-icon", ICONS[step.state]));
    line.append(element("span", "visually-hidden", `${words.states[step.state]}: `));
    line.append(element("span", "log-step-text", stepWords(step)));
    list.append(line);
  }
  box.append(list);
  return box;
}

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function showTrouble(trouble) {
  const box = show(trouble, words.verdicts[trouble.verdict], "danger");
  box.id = "log-trouble";
  box.prepend(element("p", "log-verdict-at", say(words.trouble_at, { at: trouble.at })));
  box.append(element("p", "", words.trouble_do));
  const evidence = element("button", "btn btn-danger", words.save);
  evidence.type = "button";
  evidence.addEventListener("click", () => {
    save(`log-evidence-${trouble.at.slice(0, 19).replaceAll(":", "")}.json`, evidenceOf(trouble));
  });
  const again = element("details", "log-again");
  again.append(element("summary", "", words.again));
  again.append(element("p", "", words.again_text));
  const forget = element("button", "btn", words.forget);
  forget.type = "button";
  forget.addEventListener("click", () => {
    localStorage.removeItem(TROUBLE);
    localStorage.removeItem(MEMORY);
    location.reload();
  });
  again.append(forget);
  box.append(evidence, again);
  return box;
}

// Both checkpoints as they came, signatures and all: what a witness or another party can verify.
function evidenceOf(trouble) {
  return JSON.stringify({ format: "itmo-log-evidence/1", console: location.origin, ...trouble }, null, 2);
}

async function fetched(path, what) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    throw new NoProofError(`${what}: ${error.message}`);
  }
  if (!answer.ok) throw new NoProofError(`${what}: ${answer.status}`);
  return answer.text();
}

async function getProof(from, to) {
  const text = await fetched(`/log/consistency?from=${from}&to=${to}`, "/log/consistency");
  try {
    return JSON.parse(text).hashes;
  } catch {
    return null; // what is no proof proves nothing, and is told so
  }
}

async function showMemory(memory) {
  const place = document.getElementById("log-memory");
  if (memory === null) {
    place.textContent = words.memory_none;
    return;
  }
  place.textContent = say(words.memory, memory);
  const pin = document.getElementById("log-pin");
  if (memory.vkey === null) {
    pin.hidden = false;
    return;
  }
  const key = await parseVkey(memory.vkey);
  const values = { keyId: key.keyId, fingerprint: await fingerprint(key) };
  document.getElementById("log-key").textContent = say(words.key, values);
}

// A person may know the log's key better than this console does: they paste it.
function takeKey() {
  const form = document.getElementById("log-pin");
  const input = document.getElementById("log-pin-key");
  const trouble = document.getElementById("log-pin-error");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const key = await parseVkey(input.value);
      if (key.name !== facts.origin) throw new NoteError(say(words.pin_other, key));
      store(MEMORY, { ...stored(MEMORY), vkey: key.vkey });
      location.reload();
    } catch (error) {
      trouble.textContent = say(words.pin_error, { detail: error.message });
      input.setAttribute("aria-invalid", "true");
    }
  });
}

export async function check() {
  area.setAttribute("aria-busy", "true");
  const trouble = stored(TROUBLE);
  const memory = stored(MEMORY);
  try {
    if (trouble !== null) {
      area.replaceChildren(showTrouble(trouble));
      return;
    }
    const served = await fetched("/log/checkpoint", "/log/checkpoint");
    const result = await judge(memory, facts, served, getProof);
    if (BAD.has(result.verdict)) {
      const told = { verdict: result.verdict, at: new Date().toISOString(), steps: result.steps };
      const kept = { ...told, remembered: memory, served, proof: result.proof, facts: keysOf(facts) };
      store(TROUBLE, kept);
      area.replaceChildren(showTrouble(kept));
      return;
    }
    store(MEMORY, result.next);
    const isOpen = result.steps.some((step) => step.state === "unknown" && step.name !== "witness");
    const kind = isOpen ? (result.verdict === "first" ? "info" : "warning") : "success";
    area.replaceChildren(show(result, words.verdicts[result.verdict], kind));
  } catch (error) {
    const line = element("p", "log-verdict log-verdict-warning", "");
    line.setAttribute("role", "status");
    line.textContent = say(words.not_checked, { detail: error.message });
    area.replaceChildren(line);
  } finally {
    area.dataset.verdict = trouble?.verdict ?? stored(TROUBLE)?.verdict ?? "";
    area.removeAttribute("aria-busy");
    await showMemory(stored(MEMORY));
  }
}

const keysOf = ({ origin, vkeys, witnesses }) => ({ origin, vkeys, witnesses });

if (!globalThis.isSecureContext || crypto.subtle === undefined) {
  area.replaceChildren(element("p", "log-verdict log-verdict-warning", words.insecure));
} else {
  takeKey();
  document.getElementById("log-check-now").addEventListener("click", check);
  check();
}
