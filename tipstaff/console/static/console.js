// What a page needs a script for: logging in by an address, hearing of changes, and a grant that cannot be
// clicked by accident. Without it the pages work, and are loaded again by hand.
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

// The page is loaded again as a whole: nothing that a caller wrote is ever made into markup here.
function reload() {
  if (isWriting()) return;
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

function listen(live) {
  let source = null;
  const open = () => {
    source = new EventSource("/events");
    // Also what has changed between this page and its stream.
    source.addEventListener("open", () => look(live));
    source.addEventListener("change", () => look(live));
    source.addEventListener("error", () => {
      // One stream too many: then the page looks by itself.
      if (source && source.readyState === EventSource.CLOSED) setInterval(() => look(live), POLL_MS);
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { source.close(); source = null; }
    else if (!document.hidden && !source) { open(); }
  });
  if (!document.hidden) open();
}

logIn();
slowDown();
restore();
const content = document.getElementById("content");
if (content && content.dataset.live) listen(content.dataset.live);
