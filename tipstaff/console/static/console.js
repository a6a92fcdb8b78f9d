// What a page needs a script for: logging in by an address, hearing of changes, keys, and a grant that cannot
// be clicked by accident. Without it the pages work, and are loaded again by hand.
"use strict";

const SLOW_MS = 500;
const POLL_MS = 2000;

function logIn() {
  const form = document.getElementById("login");
  const secret = new URLSearchParams(location.hash.slice(1)).get("t");
  if (!form || !secret) return;
  document.getElementById("secret").value = secret;
  history.replaceState(null, "", location.pathname);
  form.submit();
}

// A list that moves under the pointer must not turn a click on Refuse into one on Grant.
function slowDown() {
  for (const button of document.querySelectorAll("button[data-slow]")) {
    button.disabled = true;
    setTimeout(() => { button.disabled = false; }, SLOW_MS);
  }
}

function isWriting() {
  const fields = [...document.querySelectorAll("textarea, input[name=confirm]")];
  return fields.some((field) => field.value !== field.defaultValue);
}

// A page that somebody is leaving by a click must not be loaded again, which would undo the click.
let isLeaving = false;
addEventListener("beforeunload", () => { isLeaving = true; });
addEventListener("pageshow", () => { isLeaving = false; });

// The page is loaded again as a whole: nothing that a caller wrote is ever made into markup here.
function reload() {
  if (isLeaving || isWriting()) return;
  if (document.activeElement && document.activeElement.id) {
    sessionStorage.setItem("focus", document.activeElement.id);
  }
  sessionStorage.setItem("scroll", String(scrollY));
  location.reload();
}

function restore() {
  const focused = document.getElementById(sessionStorage.getItem("focus") || "");
  if (focused) focused.focus({ preventScroll: true });
  scrollTo(0, Number(sessionStorage.getItem("scroll") || 0));
  sessionStorage.removeItem("focus");
  sessionStorage.removeItem("scroll");
}

// What the page shows, as one word; another word means that it is old.
async function isOld(live) {
  try {
    const answer = await fetch(location.pathname);
    const word = /data-live="([^"]*)"/.exec(await answer.text());
    return answer.status !== 200 || !word || word[1] !== live;
  } catch {
    return false; // the console is away, and the page may stay as it is
  }
}

async function look(live) {
  if (!document.hidden && await isOld(live)) reload();
}

// Calls `heard` when something of this kind has changed, and once the stream is open; closed while nobody looks.
function listen(kind, heard) {
  let source = null;
  const open = () => {
    source = new EventSource(`/events/${kind}`);
    // Also what has changed between this page and its stream.
    source.addEventListener("open", heard);
    source.addEventListener(kind, heard);
    source.addEventListener("error", () => {
      // One stream too many: then the page looks by itself.
      if (source && source.readyState === EventSource.CLOSED) setInterval(heard, POLL_MS);
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { source.close(); source = null; }
    else if (!document.hidden && !source) { open(); }
  });
  if (!document.hidden) open();
}

// A part of the page that is shown anew while people look on, unless they are at it. The browser itself reads the
// new page as a document: no text becomes markup by this script.
function follow(region) {
  const pause = document.getElementById("pause");
  let isPaused = false, isAsking = false, isDue = false, timer = 0, askedAt = 0;
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      pause.textContent = isPaused ? "Go on" : "Pause";
      if (!isPaused) ask();
    });
  }
  const isInUse = () => region.matches(":hover") || region.contains(document.activeElement)
    || region.querySelector("details[open]") !== null || !getSelection().isCollapsed;
  const ask = () => {
    if (isPaused || document.hidden) return;
    if (isAsking || isInUse()) { isDue = true; return; }
    const wait = askedAt + Number(region.dataset.every) - Date.now();
    if (wait > 0) {
      if (!timer) timer = setTimeout(() => { timer = 0; ask(); }, wait);
      return;
    }
    isAsking = true; isDue = false; askedAt = Date.now();
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.addEventListener("loadend", () => {
      isAsking = false;
      const fresh = request.status === 200 && request.response && request.response.getElementById("live");
      if (!fresh) return;
      if (isInUse() || isPaused) {
        isDue = true;
        return;
      }
      region.replaceChildren(...document.importNode(fresh, true).childNodes);
      if (isDue) ask(); // something has changed since the page was asked for
    });
    request.send();
  };
  for (const event of ["mouseleave", "focusout", "toggle"]) {
    region.addEventListener(event, () => { if (isDue) { isDue = false; setTimeout(ask, 100); } }, true);
  }
  listen("decisions", ask);
}

// g, then a letter, opens a page; not while somebody writes.
function keys() {
  const pages = { a: "/", d: "/decisions", s: "/servers", l: "/limits", p: "/policy", u: "/audit" };
  let isLed = false;
  document.addEventListener("keydown", (event) => {
    const isText = event.target.closest("input, textarea, select");
    if (isText || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isLed && pages[event.key]) location.assign(pages[event.key]);
    isLed = event.key === "g";
  });
}

logIn();
slowDown();
restore();
keys();
const content = document.getElementById("content");
const live = content && content.dataset.live;
if (live) listen("approvals", () => look(live));
const region = document.getElementById("live");
if (region) follow(region);
