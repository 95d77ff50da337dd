// Live updates: the console says that something changed, and the parts of the page that show it ask
// for themselves anew (hx-trigger="live-cases from:body").
//
// 1. One stream a page. It is closed while nobody looks at the page, and when updates are paused.
// 2. Topics are told at most every two seconds, together; nothing is told while somebody types,
//    has a menu open or has selected text in a part that would be replaced.
// 3. When the connection breaks it is opened again, later each time, up to half a minute; all parts
//    are refreshed then, for nobody knows what was missed.

const TOPICS = ["head", "cases", "nights", "registries", "people"];
const TELL_EVERY = 2_000;
const WAIT_FIRST = 1_000;
const WAIT_MOST = 30_000;
const PAUSED = "itmo-live-paused";

const place = document.getElementById("live-state");
const address = document.body.dataset.live;

let source = null;
let wait = WAIT_FIRST;
let again = null;
let wasOpen = false;
let topics = new Set();
let timer = null;
let lastTold = 0;

const isPaused = () => sessionStorage.getItem(PAUSED) === "1";

// The words of a state stand in the place's own attributes, in the reader's language.
const words = document.createElement("span");
const button = document.createElement("button");

function show(state) {
  if (!place) return;
  place.dataset.state = state;
  const text = place.dataset[`${state}Text`] || "";
  if (words.textContent !== text) words.textContent = text;
  button.textContent = (isPaused() ? place.dataset.resumeText : place.dataset.pauseText) || "";
}

function tell() {
  timer = null;
  lastTold = Date.now();
  const told = [...topics];
  topics = new Set();
  for (const topic of told) document.body.dispatchEvent(new CustomEvent(`live-${topic}`));
}

function gather(names) {
  for (const name of names) if (TOPICS.includes(name)) topics.add(name);
  if (!topics.size || timer !== null) return;
  timer = setTimeout(tell, Math.max(0, lastTold + TELL_EVERY - Date.now()));
}

function open() {
  if (source || !address || isPaused() || document.hidden) return;
  clearTimeout(again);
  source = new EventSource(address);
  source.addEventListener("hello", () => {
    wait = WAIT_FIRST;
    show("live");
    if (wasOpen) gather(TOPICS);
    wasOpen = true;
  });
  source.addEventListener("changed", (event) => gather(event.data.split(" ")));
  // The session is over: the next page leads to the sign-in. Nothing is asked again.
  source.addEventListener("ended", () => {
    close();
    show("paused");
  });
  // Newer pages have its place: this one begins again when it is looked at, or after a while.
  source.addEventListener("replaced", () => {
    close();
    show("waiting");
    again = setTimeout(open, WAIT_MOST);
  });
  source.addEventListener("error", () => {
    close();
    show("waiting");
    again = setTimeout(open, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, WAIT_MOST);
  });
}

function close() {
  clearTimeout(again);
  if (source) source.close();
  source = null;
}

function settle() {
  if (isPaused() || document.hidden) {
    close();
    clearTimeout(timer);
    timer = null;
    topics = new Set();
    show("paused");
  } else {
    show("waiting");
    open();
  }
}

// Whoever needs the page to stand still stops all updates (WCAG 2.2.2), for this window.
if (place && address) {
  button.type = "button";
  button.className = "live-button";
  button.addEventListener("click", () => {
    if (isPaused()) sessionStorage.removeItem(PAUSED);
    else sessionStorage.setItem(PAUSED, "1");
    settle();
  });
  place.append(words);
  place.after(button);
  document.addEventListener("visibilitychange", settle);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) settle();
  });
  settle();
}

function isInUse(element) {
  // An element that refreshes several parts of the page stands for the whole of it.
  const part = element.hasAttribute("hx-select-oob") ? document.querySelector("main") : element;
  const active = document.activeElement;
  if (active && part.contains(active) && active.matches("input, textarea, select")) return true;
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && part.contains(selection.anchorNode));
}

// A part in use is left as it is; the next change refreshes it. And the console is told that nobody
// asked for the page: a session that is only watched by its own updates ends in time.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  const trigger = event.detail.requestConfig?.triggeringEvent?.type ?? "";
  if (trigger.startsWith("live-") && isInUse(event.detail.elt)) event.preventDefault();
});
document.body.addEventListener("htmx:configRequest", (event) => {
  const trigger = event.detail.triggeringEvent?.type ?? "";
  if (trigger.startsWith("live-")) event.detail.headers["X-By-Itself"] = "1";
});

// What was open stays open, and what had the focus has it again, wherever parts were replaced.
let opened = [];
let focused = null;
document.body.addEventListener("htmx:beforeSwap", () => {
  const active = document.activeElement;
  opened = [...document.querySelectorAll("main details[open][id]")].map((one) => one.id);
  focused = active && active.closest("main") ? active.id || active.getAttribute("href") : null;
});
document.body.addEventListener("htmx:afterSettle", () => {
  for (const id of opened) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  if (!focused || document.activeElement !== document.body) return;
  const found =
    document.getElementById(focused) ||
    [...document.querySelectorAll("main a[href]")].find(
      (one) => one.getAttribute("href") === focused,
    );
  if (found) found.focus({ preventScroll: true });
});
