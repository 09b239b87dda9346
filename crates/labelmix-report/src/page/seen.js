// What a server says of a sweep, in words, and how it is asked. Shared by the live page and the list of studies.
"use strict";

const Seen = (() => {
  const LOOK_EVERY = 2000;
  const LOOK_SOON = 300;
  const LOOK_RARELY = 10000;
  const count = (number) => number.toLocaleString("en-US");

  // As `labelmix status` says it.
  function inWords({ runs, finished_runs, stages, finished, running_in_all, waiting, failed_in_all, blocked, seconds_left }) {
    const parts = [`${count(finished_runs)} of ${count(runs)} runs; stages: ${count(finished)} of ${count(stages)} done`];
    for (const [number, what] of [[running_in_all, "running"], [waiting, "waiting"], [failed_in_all, "failed"], [blocked, "behind a failed one"]]) {
      if (number > 0) parts.push(`${count(number)} ${what}`);
    }
    const left = seconds_left === null ? "" : `; about ${duration(seconds_left)} left`;
    const nobody = running_in_all === 0 && waiting > 0 ? "; nobody is at it" : "";
    return parts.join(", ") + left + nobody;
  }

  function duration(seconds) {
    for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
      if (seconds >= 1.5 * length) return `${Math.round(seconds / length)} ${unit}s`;
    }
    return `${Math.max(1, Math.round(seconds))} ${seconds < 1.5 ? "second" : "seconds"}`;
  }

  async function ask(address) {
    const answer = await fetch(address, { cache: "no-store", credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(30000) });
    if (answer.status === 401) throw new Error("the server asks for its token: open the address that it printed");
    if (!answer.ok) throw new Error(`the server says ${answer.status}`);
    return { value: await answer.json(), version: answer.headers.get("etag")?.replaceAll('"', "") };
  }

  // Asks again and again, and not while nobody sees it. `look` says how soon to ask next.
  function watch(look, lost) {
    let timer = 0;
    let asking = false;
    async function once() {
      clearTimeout(timer);
      if (document.hidden || asking) return;
      asking = true;
      let next = LOOK_RARELY;
      try {
        next = await look();
      } catch (error) {
        const silent = error instanceof TypeError || error.name === "TimeoutError" || error.name === "AbortError";
        lost(silent ? "the server does not answer" : error.message);
        next = 2 * LOOK_EVERY;
      }
      asking = false;
      timer = setTimeout(once, next);
    }
    document.addEventListener("visibilitychange", once);
    once();
  }

  return { inWords, ask, watch, LOOK_EVERY, LOOK_SOON, LOOK_RARELY };
})();
