/* Keyboard shortcuts. Every page works without this script.

   j, k   next and previous story
   /      search field
   Copy   copies an id to the clipboard (the button is hidden without this script) */
"use strict";

const typing = (element) => element.closest("input, select, textarea, [contenteditable]") !== null;

const step = (by) => {
  const links = [...document.querySelectorAll(".story :is(h2, h3) a")];
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  if (next) {
    next.focus();
    next.scrollIntoView({ block: "center" });
  }
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "/") document.getElementById("q").focus();
  else return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("button[data-copies]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
  });
}
