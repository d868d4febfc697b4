/* Keys, marks and local times. Every page works without this script: marks are forms.

   j, k    next and previous story, on a list and on the page of a story
   o, v    open the story, its original
   m, s    mark as read or unread, save or remove from saved; A the whole list as read
   n, u    next page; back to the list, at the story
   /, ?    search field, list of the keys
   Copy    copies an id to the clipboard (the button is hidden without this script) */
"use strict";

/* A picture that its site does not give leaves no empty frame. */
for (const picture of document.querySelectorAll("img.thumb")) {
  if (picture.complete && !picture.naturalWidth) picture.remove();
  picture.addEventListener("error", () => picture.remove());
}

const typing = (element) => element.closest("input, select, textarea, [contenteditable]") !== null;
const isShown = (element) => element.offsetParent !== null;
const LINKS = ".story :is(h2, h3) a";
const ORIGINAL = "a.original, .titles a, .reports .title a";
const whole = document.querySelector(".whole");
const links = [...document.querySelectorAll(LINKS)].filter(isShown);

/* The story that keys act on: that of the page, else the one of a list that has the focus or was left last. */
const current = () => whole ?? document.activeElement.closest(".story") ?? document.querySelector(".story:target");

/* The last list of this tab: its address, then those of its stories. */
const tabStorage = () => {
  try {
    return sessionStorage;
  } catch {
    return null; // forbidden by the browser
  }
};
const storage = tabStorage();
if (links.length) {
  const shown = [location.pathname + location.search, ...links.map((link) => link.pathname)];
  storage?.setItem("list", JSON.stringify(shown));
}
const list = JSON.parse(storage?.getItem("list") ?? "[]");

const turn = (by) => {
  const at = list.indexOf(location.pathname, 1);
  if (at > 0 && at + by > 0 && at + by < list.length) location.assign(list[at + by]);
};

const step = (by) => {
  const at = links.findIndex((link) => current()?.contains(link));
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  if (next) {
    next.focus();
    next.scrollIntoView({ block: "center" });
  }
};

/* Marks: each key presses a button of the form that the page has without this script. */
const marks = document.getElementById("marks");
// What a button does: the class of the story, whether it has it then, and the opposite act with its label.
const ACTS_OF = {
  read: ["is-read", true, "unread", "Mark unread"],
  unread: ["is-read", false, "read", "Mark read"],
  save: ["is-saved", true, "unsave", "Remove from saved"],
  unsave: ["is-saved", false, "save", "Save"],
};

const show = (id, act) => {
  const [state, isSo, opposite, label] = ACTS_OF[act];
  for (const story of document.querySelectorAll(`[data-story="${id}"]`)) {
    story.classList.toggle(state, isSo);
    for (const button of story.querySelectorAll(`.marking [name="${act}"]`)) {
      button.name = opposite;
      button.textContent = label;
    }
  }
};

const buttonOf = (story, ...names) => [...(story?.querySelectorAll(".marking button") ?? [])]
  .find((button) => names.includes(button.name) && isShown(button));

const send = async (button) => {
  const { name, value } = button;
  const form = new FormData(marks);
  form.set(name, value);
  const answer = await fetch(marks.action, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
  if (answer.type !== "opaqueredirect") return location.reload(); // signed out, or the server began anew
  show(value, name);
};

if (marks) {
  marks.addEventListener("submit", (event) => {
    if (event.submitter.id === "all-read") return; // the page comes anew: of unread stories the next ones
    event.preventDefault();
    send(event.submitter);
  });
  // A list that the browser kept shows what was opened from it.
  document.addEventListener("click", (event) => {
    const story = event.target.closest(LINKS)?.closest(".story");
    if (story?.querySelector(".marking")) show(story.dataset.story, "read");
  });
  // To open a story is to read it, once its page is seen: not in a tab behind, and by no request but this.
  const open = () => document.visibilityState === "visible" && buttonOf(whole, "read")?.click();
  open();
  document.addEventListener("visibilitychange", open, { once: true });
}

const follow = (selector) => document.querySelector(selector)?.click();
const openOriginal = () => {
  const link = current()?.querySelector(ORIGINAL);
  if (!link) return;
  window.open(link.href, "_blank", "noopener,noreferrer");
  buttonOf(current(), "read")?.click();
};
const goBack = () => (whole && list.length ? location.assign(`${list[0]}#s-${whole.dataset.story}`) : follow(".masthead .name"));

const keys = document.getElementById("keys");
const ACTS = {
  j: () => (whole ? turn(1) : step(1)),
  k: () => (whole ? turn(-1) : step(-1)),
  o: () => current()?.querySelector(":is(h2, h3) a")?.click(),
  v: openOriginal,
  m: () => buttonOf(current(), "read", "unread")?.click(),
  s: () => buttonOf(current(), "save", "unsave")?.click(),
  A: () => follow("#all-read"),
  n: () => follow("a[rel=next]"),
  u: goBack,
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

const showKeys = document.getElementById("show-keys");
if (showKeys) {
  showKeys.hidden = false;
  showKeys.addEventListener("click", () => keys.showModal());
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
