// What every page has: the reader's own time on hover, menus that close, and htmx told to stay quiet.

// A <time class="instant"> shows UTC; its title tells the same instant where the reader is.
export function localTimes(root) {
  for (const element of root.querySelectorAll("time.instant")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const local = at.toLocaleString(document.documentElement.lang, {
      dateStyle: "full",
      timeStyle: "long",
    });
    const utc = element.title.endsWith("UTC") ? `${element.title} · ` : "";
    element.title = `${utc}${local}`;
  }
}

localTimes(document);
document.body.addEventListener("htmx:afterSwap", () => localTimes(document));

// An open menu closes with Escape, and when something else is chosen.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.console-menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.console-menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// A form that was sent is not sent again by a second click; going back makes it usable once more.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  setTimeout(() => {
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = true;
  });
});
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const button of document.querySelectorAll("form button[type=submit]")) button.disabled = false;
});
