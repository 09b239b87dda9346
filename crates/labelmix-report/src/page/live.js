// The page, live: what the server says of the sweep, and its results when there are new ones.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const strip = byId("live");
  let version = strip.dataset.version;
  let updated = "";

  function list(place, title, entries) {
    const made = byId(place);
    made.hidden = entries.length === 0;
    if (made.hidden) return;
    (made.querySelector("summary") ?? {}).textContent = title;
    const items = entries.map(([text, hint]) => {
      const item = document.createElement("li");
      item.textContent = text;
      if (hint) {
        const help = document.createElement("span");
        help.className = "hint";
        help.textContent = `hint: ${hint}`;
        item.append(help);
      }
      return item;
    });
    (made.querySelector("ul") ?? made).replaceChildren(...items);
  }

  function say(place, text) {
    // A text that stays is not read out again.
    if (byId(place).textContent !== text) byId(place).textContent = text;
  }

  function show({ progress, results, notes, looked }) {
    strip.classList.remove("lost");
    say("live-progress", progress ? Seen.inWords(progress) : looked ? "The store does not say what the study consists of" : "Looking at the store …");
    byId("live-bar").hidden = !progress;
    if (progress) {
      byId("live-bar").max = Math.max(1, progress.stages);
      byId("live-bar").value = progress.finished;
      const of = (in_all, shown, what) => (shown < in_all ? `${in_all} ${what}, of which ${shown} are shown` : `${in_all} ${what}`);
      list("live-running", of(progress.running_in_all, progress.running.length, "running"), progress.running.map(({ stage, holder }) => [holder ? `${stage} (${holder})` : stage]));
      list("live-failed", of(progress.failed_in_all, progress.failed.length, "failed"), progress.failed.map(({ stage, log, help }) => [`${stage}: ${log.join(": ")}`, help]));
    }
    const { state, read, of_runs } = results;
    const doing = { reading: `reading runs (${read} of ${of_runs}) … `, computing: "computing … ", current: "" }[state];
    const known = results.version ? `Results of ${results.runs} ${results.runs === 1 ? "run" : "runs"}${updated}. ` : "";
    say("live-results", (known + doing).trim());
    list("live-notes", "", notes.map((note) => [note]));
  }

  async function look() {
    const { value: seen } = await Seen.ask("status.json");
    if (seen.results.version && seen.results.version !== version) {
      const { value: data, version: taken } = await Seen.ask("data.json");
      window.labelmix.load(data);
      updated = `, updated ${new Date().toLocaleTimeString()}`;
      version = taken;
    }
    show(seen);
    if (!seen.looked || !seen.results.version) return Seen.LOOK_SOON;
    const { progress } = seen;
    return progress && progress.running_in_all + progress.waiting === 0 && seen.results.state === "current" ? Seen.LOOK_RARELY : Seen.LOOK_EVERY;
  }

  function lost(why) {
    strip.classList.add("lost");
    say("live-results", `${why}; what is shown is what it said last`);
  }

  Seen.watch(look, lost);
})();
