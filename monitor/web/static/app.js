/* What pages do beyond reading: follow what happens, and show a validation as it goes. */
"use strict";

const REFRESH_AFTER_MS = 700;
const REFRESH_AT_MOST_EVERY_MS = 3000;
const MOST_ROWS = 150;

const byId = (id) => document.getElementById(id);
const announce = (words) => { byId("announce").textContent = words; };

/* Live: an event has the region that it is about read again. */
let timer = null;
let lastRefresh = 0;
let asked = 0;
let shown = 0;

function rowsIn(region) {
  return region.querySelectorAll(".list > li:not(.more)").length;
}

function address(regions) {
  const url = new URL(window.location.href);
  url.searchParams.delete("done");
  const list = regions.find((region) => region.id === "found");
  if (list) {
    url.searchParams.delete("cursor");
    url.searchParams.set("limit", String(Math.min(Math.max(rowsIn(list), 50), MOST_ROWS)));
  }
  return url.pathname + url.search;
}

/* Nothing is taken from under the hands of somebody who is filling in a form. */
function isFree(region) {
  if (region.querySelector("details[open] form")) return false;
  const active = document.activeElement;
  return !region.contains(active) || !active.matches("input, select, textarea");
}

async function refresh() {
  timer = null;
  lastRefresh = Date.now();
  const regions = [...document.querySelectorAll("[data-live]")].filter(isFree);
  // Who has loaded many pieces keeps them, and their place among them.
  if (regions.some((region) => rowsIn(region) > MOST_ROWS)) {
    byId("live").textContent = "changed: reload";
    return;
  }
  if (regions.length === 0) return;
  asked += 1;
  const number = asked;
  let answer;
  try {
    answer = await fetch(address(regions), { headers: { Accept: "text/html" } });
  } catch {
    return; // The light says so, and all is read again once it is back.
  }
  if (answer.redirected || answer.status === 401) window.location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  // Two may be under way: the later one counts, whichever is answered first.
  if (number < shown) return;
  shown = number;
  const present = regions.map((region) => byId(region.id)).filter((region) => region && isFree(region));
  for (const region of present) replace(region, page.getElementById(region.id));
}

const FOCUSABLE = "a, button, summary";

function replace(region, fresh) {
  if (fresh === null || !region.isConnected) return;
  const place = [...region.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const words = place < 0 ? "" : document.activeElement.textContent;
  const isOpen = [...region.querySelectorAll("details")].map((one) => one.open);
  [...fresh.querySelectorAll("details")].forEach((one, at) => { one.open = isOpen[at] || false; });
  region.replaceWith(document.adoptNode(fresh));
  if (window.htmx) window.htmx.process(fresh);
  const same = [...fresh.querySelectorAll(FOCUSABLE)];
  const next = place < 0 ? null : [same[place], ...same].find((one) => one && one.textContent === words);
  if (next) next.focus({ preventScroll: true });
}

function schedule() {
  if (timer !== null) return;
  const since = Date.now() - lastRefresh;
  timer = setTimeout(refresh, Math.max(REFRESH_AFTER_MS, REFRESH_AT_MOST_EVERY_MS - since));
}

function isAbout(kind, facts) {
  return [...document.querySelectorAll("[data-live]")].some((region) => {
    if (kind === "reload") return true;
    if (!region.dataset.live.split(" ").includes(kind)) return false;
    return !region.dataset.name || !facts.name || facts.name === region.dataset.name;
  });
}

const AGAIN_AFTER_MS = 5000;

/* Lost: what a page shows is of no use any more once nothing answers, and must say so. */
let lostAt = null;
let lookTimer = null;

async function isThere() {
  try {
    const answer = await fetch(`${document.body.dataset.base}/healthz`, { cache: "no-store" });
    return answer.ok;
  } catch {
    return false;
  }
}

async function look() {
  clearTimeout(lookTimer);
  lookTimer = null;
  const isLost = !(await isThere());
  if (document.hidden) return;
  showLost(isLost);
  if (isLost) lookTimer = setTimeout(look, AGAIN_AFTER_MS);
}

function showLost(isLost) {
  const bar = byId("lost");
  if (!bar || isLost === (lostAt !== null)) return;
  lostAt = isLost ? new Date() : null;
  document.body.classList.toggle("is-lost", isLost);
  bar.hidden = !isLost;
  const at = isLost && lostAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  bar.textContent = isLost ? `Connection to connwatch lost at ${at}: what you see may be out of date.` : "";
  if (!isLost) schedule();
}

function follow() {
  const light = byId("live");
  if (!light || !document.querySelector("[data-live]") || !window.EventSource) return;
  let source = null;
  light.hidden = false;

  function lose() {
    delete light.dataset.on;
    light.dataset.lost = "1";
    light.textContent = "not live";
  }

  function leave() {
    if (source) source.close();
    source = null;
    lose();
  }

  function listen() {
    if (source || document.hidden) return;
    source = new EventSource(`${document.body.dataset.base}/api/v1/events`);
    source.onopen = () => {
      schedule(); // what changed between the page and the stream came with neither
      light.dataset.on = "1";
      delete light.dataset.lost;
      light.textContent = "live";
      showLost(false);
    };
    source.onerror = () => {
      lose();
      look();
      if (source.readyState !== EventSource.CLOSED) return;
      // An answer such as that of a proxy before a daemon that restarts: browsers give up on it.
      leave();
      schedule(); // it leads to the login if that has ended
      setTimeout(listen, AGAIN_AFTER_MS);
    };
    for (const kind of ["state", "alert", "sent", "notes", "reload"]) {
      source.addEventListener(kind, (event) => {
        const facts = JSON.parse(event.data);
        if (!isAbout(kind, facts)) return;
        if (kind === "state" && facts.state) announce(`${facts.name}: ${facts.state}`);
        schedule();
      });
    }
  }

  // Without TLS a browser opens six connections to us: tabs that nobody sees must not hold them.
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", listen);
  if (document.hidden) lose();
  listen();
}

/* Times count on without the server. */
const UNITS = [[86400, "day"], [3600, "hour"], [60, "min"], [1, "s"]];

function sayAgo(seconds) {
  if (seconds < 5) return "just now";
  const [length, word] = UNITS.find(([unit]) => seconds >= unit);
  const count = Math.floor(seconds / length);
  return `${count} ${word}${count > 1 && length >= 3600 ? "s" : ""} ago`;
}

function count() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    if (seconds >= 0) time.textContent = sayAgo(seconds);
  }
}

/* Clock times: in the zone of whoever reads, UTC shows on hover. */
const ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;
const FORM = {
  year: "numeric", month: "short", day: "numeric", hourCycle: "h23",
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
};
/* Each knows the abbreviations of its own part of the world: others are "GMT+1" to it. */
const FORMATS = ["en-US", "en-GB", "en-AU", "en-IN"].map((one) => new Intl.DateTimeFormat(one, FORM));

function partsOf(at, format) {
  return Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
}

function abbreviate(at) {
  const names = FORMATS.map((format) => partsOf(at, format).timeZoneName);
  const known = names.find((name) => !/^(GMT|UTC)[+\u2212-]/.test(name));
  return known || names[0].replace("GMT", "UTC");
}

function sayClock(at, isExact) {
  const { year, month, day, hour, minute, second } = partsOf(at, FORMATS[0]);
  const isThisYear = year === partsOf(new Date(), FORMATS[0]).year;
  const clock = isExact ? `${hour}:${minute}:${second}` : `${hour}:${minute}`;
  return `${month} ${day}${isThisYear ? "" : `, ${year}`}, ${clock} ${abbreviate(at)}`;
}

function sayAxis(at, form) {
  const { month, day, hour, minute, second } = partsOf(at, FORMATS[0]);
  if (form === "day") return `${month} ${day}`;
  return form === "second" ? `${hour}:${minute}:${second}` : `${hour}:${minute}`;
}

function localize(element) {
  const { clock, axis, words, at } = element.dataset;
  const instant = new Date(at || element.dateTime);
  if (Number.isNaN(instant.getTime())) return;
  if (clock) element.textContent = sayClock(instant, clock === "second");
  else if (axis) element.textContent = sayAxis(instant, axis);
  else if (words) element.textContent = words.replace("{}", sayClock(instant, false));
}

const TIMES = "time[data-clock], [data-at]";

function localizeIn(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  if (node.matches(TIMES)) localize(node);
  node.querySelectorAll(TIMES).forEach(localize);
}

/* Whatever brings a piece of a page, its times are put right before it is painted. */
function followTimes() {
  localizeIn(document.body);
  const zone = byId("zone");
  if (zone) zone.textContent = ZONE;
  new MutationObserver((changes) => {
    for (const change of changes) change.addedNodes.forEach(localizeIn);
  }).observe(document.body, { childList: true, subtree: true });
}

/* Validation: the steps arrive one by one. */
async function showSteps(form, panel) {
  const button = form.querySelector("button");
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  panel.hidden = false;
  panel.innerHTML = '<h2>Validation</h2><p class="busy">Checking …</p>';
  announce("Validating");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-Only-Steps": "1", Accept: "text/html" },
      body: new URLSearchParams(new FormData(form)),
    });
    await pour(answer, panel);
    const verdict = panel.querySelector("#verdict p");
    announce(verdict ? verdict.textContent : "Validation finished");
  } catch {
    panel.innerHTML = '<h2>Validation</h2><p class="bad">connwatch does not respond. Is it running?</p>';
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
    button.focus();
  }
}

async function pour(answer, panel) {
  if (!answer.ok) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const said = page.querySelector("main p:nth-of-type(2)");
    panel.innerHTML = '<h2>Validation</h2><p class="bad"></p>';
    panel.lastChild.textContent = said ? said.textContent : `Validation failed (${answer.status}).`;
    return;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (value) text += value;
    panel.innerHTML = `<h2>Validation</h2>${text}${done ? "" : '<p class="busy">Checking …</p>'}`;
    if (done) return;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const panel = form.dataset.steps && document.querySelector(form.dataset.steps);
  if (!panel) return;
  event.preventDefault();
  showSteps(form, panel);
});

/* Busy: a page that calls a service takes its time, and must not be sent twice. */
document.addEventListener("submit", (event) => {
  const { busy } = event.target.dataset;
  if (!busy || event.defaultPrevented) return;
  if (event.target.dataset.sent) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "1";
  const button = event.submitter;
  if (button) {
    button.setAttribute("aria-busy", "true");
    button.textContent = busy;
  }
  announce(busy);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.addEventListener("htmx:responseError", (event) => {
  announce(`The monitor answered with an error (${event.detail.xhr.status}).`);
});

/* A page that came of something that counts once goes by another address from then on. */
const { base, address: better } = document.body.dataset;
if (better) history.replaceState(null, "", base + better);

followTimes();
follow();
setInterval(count, 10000);

/* What is shown once can be copied at a press, where the browser allows that. */
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const field = document.querySelector(button.dataset.copy);
    field.select();
    await navigator.clipboard.writeText(field.value);
    announce("Copied");
    button.textContent = "Copied";
  });
}
