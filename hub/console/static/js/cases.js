// The list of cases: choose all of a page at once, and keep what was chosen when the list changes.

function boxes() {
  return [...document.querySelectorAll('#cases input[name="case"]')];
}

function count() {
  const chosen = boxes().filter((box) => box.checked).length;
  const shown = document.getElementById("chosen-count");
  if (shown) shown.textContent = chosen ? `(${chosen})` : "";
  const all = document.getElementById("choose-all");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && chosen < boxes().length;
  }
}

function ready() {
  const all = document.getElementById("choose-all");
  if (all) all.hidden = false;
  count();
}

document.addEventListener("change", (event) => {
  if (event.target.id === "choose-all") {
    for (const box of boxes()) box.checked = event.target.checked;
  }
  if (event.target.closest?.("#cases")) count();
});

// A list in which somebody has chosen cases is not replaced under their hands: a link does it.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  const list = document.getElementById("cases");
  if (event.detail.elt !== list || !boxes().some((box) => box.checked)) return;
  event.preventDefault();
  if (list.querySelector(".case-newer")) return;
  const link = document.createElement("a");
  link.className = "case-newer";
  link.href = window.location.href;
  link.textContent = list.dataset.newer;
  list.prepend(link);
});
document.body.addEventListener("htmx:afterSwap", ready);
ready();
