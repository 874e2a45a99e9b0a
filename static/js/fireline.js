// What every page needs beyond htmx: times in the viewer's zone, "/" for search, toasts that go away,
// and fragments that say so when they are stale. Without this script every page still works.
"use strict";

(() => {
  const two = (n) => String(n).padStart(2, "0");
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const formats = {
    clock: (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`,
    exact: (d) => `${formats.clock(d)}.${String(d.getMilliseconds()).padStart(3, "0")}`,
    minute: (d) => `${two(d.getHours())}:${two(d.getMinutes())}`,
    day: (d) => `${d.getDate()} ${months[d.getMonth()]} ${d.getFullYear()}`,
    moment: (d) => {
      const year = d.getFullYear() === new Date().getFullYear() ? "" : ` ${d.getFullYear()}`;
      return `${d.getDate()} ${months[d.getMonth()]}${year}, ${formats.minute(d)}`;
    },
    recent: (d) => (d.toDateString() === new Date().toDateString() ? formats.minute(d) : formats.moment(d)),
  };

  function localTimes(root) {
    const times = root.querySelectorAll ? [...root.querySelectorAll("time[data-local]")] : [];
    if (root.matches && root.matches("time[data-local]")) times.push(root);
    for (const time of times) {
      const date = new Date(time.dateTime);
      if (!Number.isNaN(date.getTime())) time.textContent = formats[time.dataset.local](date);
    }
  }

  // Inputs for a time show and send the viewer's zone; the server fills them in UTC.
  function localInputs(root) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const input of root.querySelectorAll("input[data-utc]")) {
      const form = input.form;
      const field = form && form.querySelector("input[data-zone]");
      const date = new Date(`${input.value}Z`);
      if (!zone || !field || field.value !== "UTC" || Number.isNaN(date.getTime())) continue;
      const local = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${formats.clock(date)}`;
      input.value = date.getSeconds() ? local : local.slice(0, 16);
      field.value = zone;
      for (const name of form.querySelectorAll("[data-zone-name]")) name.textContent = zone;
    }
  }

  // A fragment that polls is wrapped in [data-live]. While its URL does not answer, the wrapper is marked and a note
  // inside it says since when; the next good answer replaces both.
  function markStale(event) {
    const live = event.target.closest && event.target.closest("[data-live]");
    if (!live) return;
    const failed = event.detail.xhr && event.detail.xhr.status;
    const why = failed ? `Fireline answered with an error (${failed})` : "Fireline has not answered since";
    live.dataset.stale = "";
    let note = live.querySelector(":scope > .stale-note");
    if (!note) {
      note = document.createElement("p");
      note.className = "stale-note";
      note.setAttribute("role", "status");
      live.prepend(note);
    }
    const asOf = live.dataset.goodAt ? `as of ${formats.clock(new Date(Number(live.dataset.goodAt)))}: ` : "";
    note.textContent = `${asOf}${why}. Trying again.`;
  }

  function markFresh(event) {
    const live = event.target.closest && event.target.closest("[data-live]");
    if (!live || !event.detail.successful) return;
    delete live.dataset.stale;
    live.dataset.goodAt = String(Date.now());
    live.querySelector(":scope > .stale-note")?.remove();
  }

  // What somebody opened stays open when its section arrives anew: folds are known by their ids.
  const opened = new Set();
  const foldsOf = (root) => (root && root.querySelectorAll ? [...root.querySelectorAll("details[id]")] : []);

  function keepFolds(event) {
    for (const fold of foldsOf(event.detail.target)) opened[fold.open ? "add" : "delete"](fold.id);
  }

  function reopenFolds(event) {
    for (const fold of foldsOf(event.detail.target)) fold.open = opened.has(fold.id);
  }

  function dismiss(event) {
    const button = event.target.closest("[data-dismiss]");
    if (button) button.closest(".toast").remove();
  }

  function shortcuts(event) {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      document.querySelector(".search input")?.focus();
    } else if (event.key === "Escape") {
      document.querySelectorAll(".nav details[open]").forEach((menu) => menu.removeAttribute("open"));
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    localTimes(document);
    localInputs(document);
    for (const live of document.querySelectorAll("[data-live]")) live.dataset.goodAt = String(Date.now());
  });
  document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt));
  document.addEventListener("htmx:oobBeforeSwap", keepFolds);
  document.addEventListener("htmx:oobAfterSwap", reopenFolds);
  document.addEventListener("htmx:oobAfterSwap", (event) => localTimes(event.detail.target));
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, markStale);
  document.addEventListener("htmx:afterRequest", markFresh);
  document.addEventListener("click", dismiss);
  document.addEventListener("keydown", shortcuts);
})();
