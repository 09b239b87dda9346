// The studies of a store, with how far they are.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => (document.documentElement.dataset.theme = dark.matches ? "dark" : "light");
  theme();
  dark.addEventListener("change", theme);

  function entry({ study, progress, problem }) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `study/${encodeURIComponent(study)}/`;
    link.textContent = study;
    const said = document.createElement("span");
    said.textContent = progress ? Seen.inWords(progress) : problem ?? "the store does not say what it consists of";
    item.append(link);
    if (progress) {
      const bar = document.createElement("progress");
      bar.max = Math.max(1, progress.stages);
      bar.value = progress.finished;
      bar.setAttribute("aria-label", "Stages done");
      item.append(bar);
    }
    item.append(said);
    return item;
  }

  async function look() {
    const { value: seen } = await Seen.ask("studies.json");
    const about = seen.problem ?? (seen.looked ? seen.store : "Looking at the store …");
    if (byId("about").textContent !== about) byId("about").textContent = about;
    const none = seen.looked && seen.studies.length === 0 ? [Object.assign(document.createElement("li"), { textContent: "No study has been swept into this store yet." })] : [];
    const focused = document.activeElement?.getAttribute("href");
    byId("studies").replaceChildren(...seen.studies.map(entry), ...none);
    if (focused) [...document.querySelectorAll("#studies a")].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
    return seen.looked ? Seen.LOOK_EVERY : Seen.LOOK_SOON;
  }

  Seen.watch(look, (why) => (byId("about").textContent = `${why}; what is shown is what it said last`));
})();
