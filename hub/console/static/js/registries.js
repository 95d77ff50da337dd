// A key's document may be taken from a file: its text is put into the field, where it can be read.
// Without this script the field alone is there, and the text is pasted.

const BYTES_MAX = 64 * 1024;

for (const part of document.querySelectorAll("[data-fills]")) {
  const field = document.getElementById(part.dataset.fills);
  const chooser = part.querySelector("input[type=file]");
  if (!field || !chooser) continue;
  part.hidden = false;
  chooser.addEventListener("change", async () => {
    const files = [...chooser.files].filter((file) => file.size <= BYTES_MAX);
    const texts = await Promise.all(files.map((file) => file.text()));
    field.value = texts.map((text) => text.trim()).join("\n");
    field.focus();
  });
}
