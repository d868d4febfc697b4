/* Keys and local times. Every page works without this script.

   j, k   next and previous story        n, u   next page, front page
   /, ?   search field, list of the keys
   Copy   copies an id to the clipboard (the button is hidden without this script) */
"use strict";

const typing = (element) => element.closest("input, select, textarea, [contenteditable]") !== null;
const LINKS = ".story :is(h2, h3) a";

const step = (by) => {
  const links = [...document.querySelectorAll(LINKS)].filter((link) => link.offsetParent !== null);
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  if (next) {
    next.focus();
    next.scrollIntoView({ block: "center" });
  }
};

const follow = (selector) => document.querySelector(selector)?.click();
const keys = document.getElementById("keys");
const ACTS = {
  j: () => step(1),
  k: () => step(-1),
  n: () => follow("a[rel=next]"),
  u: () => follow(".masthead .name"),
  "/": () => document.getElementById("q").focus(),
  "?": () => keys.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open || typing(event.target)) return;
  const act = ACTS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

const show = document.getElementById("show-keys");
if (show) {
  show.hidden = false;
  show.addEventListener("click", () => keys.showModal());
}

/* Times: the server writes UTC; here they become those of the reader, near ones relative. */
const DAY = 86_400_000;
const CLOCK = { hour: "2-digit", minute: "2-digit" };
const DATE = { day: "numeric", month: "short" };
const written = (time, form) => new Intl.DateTimeFormat("en-GB", form).format(time);

const near = (span) => {
  const minutes = Math.round(Math.abs(span) / 60_000);
  if (!minutes) return "now";
  const words = minutes < 60 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return span >= 0 ? `${words} ago` : `in ${words}`;
};

const localise = () => {
  for (const element of document.querySelectorAll("time[datetime*=T]:not([data-fixed])")) {
    if (element.dateTime.endsWith("T00:00:00Z")) continue; // a date without a time
    const time = new Date(element.dateTime);
    const words = (element.dataset.utc ??= element.textContent);
    const clock = /\d\d:\d\d$/.test(words);
    const form = /^\d\d:\d\d$/.test(words) ? CLOCK
      : { ...DATE, ...(/\b\d{4}\b/.test(words) && { year: "numeric" }), ...(clock && CLOCK) };
    const span = Date.now() - time;
    element.textContent = Math.abs(span) < DAY ? near(span) : written(time, form);
    element.title = written(time, { dateStyle: "full", timeStyle: "short" });
  }
};
localise();
setInterval(localise, 60_000);
document.getElementById("zone").textContent = `Times are those of your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`;

for (const button of document.querySelectorAll("button[data-copies]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
  });
}
