// The page: from the sliders to the model to the figures, and from a mark to its runs.
"use strict";

(() => {
  const { element, count, dollars, percent, points: inPercent } = Charts;
  const byId = (id) => document.getElementById(id);
  const rows = ({ fields, rows }) => rows.map((row) => Object.fromEntries(fields.map((field, place) => [field, row[place]])));

  // What is shown: the data as it is embedded, and what is prepared of it.
  let data, model, runs, stages, runsOf, intervals, mapDrawn;

  function take(given) {
    data = given;
    model = Model.prepare(data);
    runs = rows(data.runs);
    stages = rows(data.stages);
    for (const run of runs) run.name ??= `${data.methods[run.method]}_w${run.weak}_g${run.gold}_s${run.seed}`;
    runsOf = new Map();
    runs.forEach((run, place) => {
      const key = `${run.method} ${run.weak} ${run.gold}`;
      if (runsOf.has(key)) runsOf.get(key).push(place);
      else runsOf.set(key, [place]);
    });
    intervals = model.observed.length <= 600 ? Array.from(model.observed.keys(), (point) => Model.pointInterval(model, point)) : null;
    Purchases.take({ model, intervals, keyOf, describe, open: openPoint });
    mapDrawn = undefined;
  }

  const purchased = (weak, gold) =>
    [[weak, "weak"], [gold, "gold"]].filter(([labels]) => labels > 0).map(([labels, kind]) => `${count(labels)} ${kind}`).join(" + ") || "no label";
  const several = (number, one) => `${count(number)} ${one}${number === 1 ? "" : "s"}`;

  function html(name, content, attributes = {}) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (Array.isArray(content)) made.append(...content);
    else if (content !== undefined) made.textContent = content;
    return made;
  }

  // What the person has set.
  const state = { weak: 1, gold: 1, budget: 1, method: 0 };
  let initial = { ...state };
  const controls = {
    weak: { input: byId("weak-price"), slider: byId("weak-slider") },
    gold: { input: byId("gold-price"), slider: byId("gold-slider") },
    budget: { input: byId("budget"), slider: byId("budget-slider") },
  };

  function setRanges() {
    const { prices, budgets } = data;
    const largest = Math.max(...budgets, 10 * prices.gold);
    const smallest = Math.min(...budgets, largest);
    controls.weak.range = [prices.weak / 30, prices.weak * 30];
    controls.gold.range = [prices.gold / 30, prices.gold * 30];
    controls.budget.range = [smallest / 4, largest * 4];
    initial = { weak: prices.weak, gold: prices.gold, budget: budgets[Math.floor(budgets.length / 2)] ?? largest, method: 0 };
    byId("method").replaceChildren(...data.methods.map((method, place) => html("option", method, { value: place })));
    byId("method").closest(".control").querySelector("label").hidden = byId("method").hidden = data.methods.length < 2;
  }

  const rounded = (usd) => Number(usd.toPrecision(3));
  const toSlider = ([low, high], value) => Math.round((1000 * Math.log(value / low)) / Math.log(high / low));
  const fromSlider = ([low, high], place) => rounded(low * (high / low) ** (place / 1000));

  function showControls(except) {
    for (const [name, control] of Object.entries(controls)) {
      if (control.input !== except) control.input.value = state[name];
      if (control.slider !== except) control.slider.value = toSlider(control.range, state[name]);
      control.slider.setAttribute("aria-valuetext", dollars(state[name]));
    }
  }

  let waiting = false;
  function changed(except) {
    showControls(except);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      update();
    });
  }

  for (const [name, control] of Object.entries(controls)) {
    control.slider.addEventListener("input", () => {
      state[name] = fromSlider(control.range, Number(control.slider.value));
      changed(control.slider);
    });
    control.input.addEventListener("input", () => {
      const value = Number(control.input.value);
      if (!(value > 0 && Number.isFinite(value))) return;
      state[name] = value;
      changed(control.input);
    });
    control.input.addEventListener("change", () => showControls());
  }
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    Object.assign(state, initial);
    byId("method").value = 0;
    changed();
  });
  byId("method").addEventListener("change", () => {
    state.method = Number(byId("method").value);
    changed();
  });

  // The latest answers, for the tests and for the console.
  const answers = { state, update };
  window.labelmix = answers;

  const charts = ["cost-back", "split-chart", "regime-chart", "map-chart"].map(byId);

  function update() {
    Charts.measure(charts);
    const prices = { weak: state.weak, gold: state.gold };
    const cost = Model.costs(model.points, prices);
    const surface = model.surfaces.find((surface) => surface.method === state.method);
    answers.cost = cost;
    answers.frontier = Model.frontier(cost, model.observed);
    answers.best = Model.bestWithin(model, cost, state.budget, state.method);
    answers.regimes = Model.regimes(model, cost, state.budget, state.method);
    answers.split = surface ? Model.bestSplit(surface, prices, state.budget) : null;
    const best = answers.split?.best;
    answers.rate = best && best.weak + best.gold > 0 ? Model.exchangeRate(surface, best.weak, best.gold) : null;
    decision();
    costChart();
    splitChart();
    regimeChart();
    mapChart();
  }

  function figureOf(place, main, note) {
    byId(place).replaceChildren(main, html("small", note));
  }

  function decision() {
    const { split, rate, best } = answers;
    const ratio = state.gold / state.weak;
    if (split) {
      const { best: chosen, fractions } = split;
      byId("sentence").textContent = chosen.weak + chosen.gold === 0
        ? `${dollars(state.budget)} does not pay for a label at these prices.`
        : `For ${dollars(state.budget)}, buy ${purchased(chosen.weak, chosen.gold)} labels.`;
      figureOf("expected", inPercent(chosen.mean), `${inPercent(chosen.low)} to ${inPercent(chosen.high)}`);
      figureOf("share", percent(chosen.fraction), `${percent(fractions.low)} to ${percent(fractions.high)} may be best`);
    } else {
      byId("sentence").textContent = "Too few allocations were measured to say what a budget is best spent on.";
      figureOf("expected", "–", "needs four measured allocations");
      figureOf("share", "–", "");
    }
    const weakLabels = (rate) => (rate === null ? "any number of" : rate >= 10 ? count(rate) : rate.toFixed(1));
    if (rate) figureOf("rate", `${weakLabels(rate.median)} weak ones`, `${weakLabels(rate.low)} to ${weakLabels(rate.high)}; it costs ${weakLabels(ratio)}`);
    else figureOf("rate", "–", `it costs ${weakLabels(ratio)} weak ones`);
    if (best >= 0) figureOf("measured", inPercent(model.observed[best]), `${purchased(model.points.weak[best], model.points.gold[best])} for ${dollars(answers.cost[best])}`);
    else figureOf("measured", "–", "no run costs so little");

    const cautions = [];
    if (answers.regimes) {
      const leading = answers.regimes.indexOf(Math.max(...answers.regimes));
      const sure = answers.regimes[leading] >= Model.VERDICT_PROBABILITY;
      cautions.push(`The runs within this budget say “${Model.REGIMES[leading]}” with probability ${answers.regimes[leading].toFixed(2)}${sure ? "." : ": undecided."}`);
    }
    if (split && split.extrapolation > 2) cautions.push(`The split has ${split.extrapolation.toFixed(1)} times the labels that were measured: it is extrapolated.`);
    byId("caution").textContent = [...cautions, ...data.warnings.map((warning) => `${warning}.`)].join(" ");
  }

  // --- Cost against accuracy ---

  const keyOf = (point) => `${data.methods[model.points.method[point]]} ${model.points.weak[point]} ${model.points.gold[point]}`;

  function costChart() {
    const { cost } = answers;
    answers.band = Model.band(model, cost);
    Purchases.draw({ prices: state, budget: state.budget, cost, frontier: answers.frontier, band: answers.band });
  }

  function describe(point) {
    const [weak, gold, method] = [model.points.weak[point], model.points.gold[point], model.points.method[point]];
    const seeds = runsOf.get(`${method} ${weak} ${gold}`)?.length ?? 0;
    const reach = intervals ? ` (${inPercent(intervals[point].low)} to ${inPercent(intervals[point].high)})` : "";
    return `${data.methods[method]}\n${purchased(weak, gold)}\n${dollars(answers.cost[point])}\n${inPercent(model.observed[point])}${reach}\n${several(seeds, "run")}`;
  }

  function openPoint(point) {
    const places = runsOf.get(`${model.points.method[point]} ${model.points.weak[point]} ${model.points.gold[point]}`);
    if (places) location.hash = `run=${encodeURIComponent(runs[places[0]].name)}`;
  }

  // --- The other figures ---

  function splitChart() {
    const svg = byId("split-chart");
    const box = Charts.frame(svg, 290);
    if (!answers.split) return;
    const { splits, best } = answers.split;
    const { range, ticks } = Charts.accuracyRange(splits.flatMap((split) => [split.low, split.high]));
    const x = Charts.linear([0, 1], [box.left, box.right], [0, 0.2, 0.4, 0.6, 0.8, 1], (tick) => `${Math.round(100 * tick)}%`);
    const y = Charts.linear(range, [box.bottom, box.top], ticks, (tick) => `${Math.round(100 * tick)}%`);
    Charts.axes(svg, box, x, y, "Share of the budget for weak labels", "Expected accuracy");
    const side = (end) => splits.map((split) => [x.at(split.fraction), y.at(split[end])]);
    svg.append(element("path", { class: "band", d: `${Charts.line([...side("high"), ...side("low").reverse()])}Z` }));
    svg.append(element("path", { class: "line", d: Charts.line(side("mean")) }));
    svg.append(element("circle", { class: "dot", cx: x.at(best.fraction), cy: y.at(best.mean), r: 5 }));
  }

  const CLASSES = ["weak", "mixed", "gold"];

  function regimeChart() {
    const svg = byId("regime-chart");
    const box = Charts.frame(svg, 290, 44);
    const budgets = [...new Set([...data.budgets.slice(-9), state.budget])].sort((a, b) => a - b);
    const y = Charts.linear([0, 1], [box.bottom, box.top], [0, 0.5, 0.9, 1], (tick) => tick.toFixed(1));
    const x = { at: () => 0, ticks: [], label: String };
    Charts.axes(svg, box, x, y, "Budget", "Probability of being best");
    const width = (box.right - box.left) / budgets.length;
    answers.regimesByBudget = budgets.map((budget) => [budget, budget === state.budget ? answers.regimes : Model.regimes(model, answers.cost, budget, state.method)]);
    answers.regimesByBudget.forEach(([budget, probabilities], place) => {
      const left = box.left + place * width + width * 0.12;
      const middle = left + width * 0.38;
      let from = 0;
      (probabilities ?? []).forEach((probability, regime) => {
        const [top, bottom] = [y.at(from + probability), y.at(from)];
        svg.append(element("rect", { class: CLASSES[regime], x: left, y: top, width: width * 0.76, height: Math.max(0, bottom - top) }));
        if (bottom - top > 16 && width > 34) svg.append(element("text", { class: "in-bar", x: middle, y: (top + bottom) / 2 + 4 }, probability.toFixed(2)));
        from += probability;
      });
      const here = budget === state.budget ? "▾" : "";
      if (here) svg.append(element("text", { x: middle, y: box.top - 3, "text-anchor": "middle" }, here));
      if (width > 36 || place % 2 === 0) svg.append(element("text", { x: middle, y: box.bottom + 16, "text-anchor": "middle" }, dollars(budget)));
    });
  }

  function mapChart() {
    const svg = byId("map-chart");
    const map = data.maps.find((map) => map.method === state.method);
    const wanted = `${state.method} ${Charts.widthOf(svg)}`;
    if (mapDrawn?.wanted !== wanted) mapDrawn = { wanted, ...drawMap(svg, map) };
    if (!map) return;
    const { x, y, box, cross } = mapDrawn;
    const clamp = (value, [from, to]) => Math.min(Math.max(value, Math.min(from, to)), Math.max(from, to));
    const at = [clamp(x.at(state.budget / state.gold), [box.left, box.right]), clamp(y.at(state.weak / state.gold), [box.bottom, box.top])];
    cross.setAttribute("d", `M${at[0] - 8} ${at[1]}h16M${at[0]} ${at[1] - 8}v16`);
  }

  // Everything of the map but the place of its cross, which alone moves with the sliders.
  function drawMap(svg, map) {
    const box = Charts.frame(svg, map ? 330 : 60);
    if (!map) return {};
    const half = (list) => Math.sqrt(list[1] / list[0]);
    const ends = (list) => [list[0] / half(list), list[list.length - 1] * half(list)];
    const x = Charts.logarithmic(ends(map.budgets), [box.left, box.right], count);
    const y = Charts.logarithmic(ends(map.ratios), [box.bottom, box.top], (ratio) => String(ratio));
    const pattern = element("pattern", { id: "stripes", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    pattern.append(element("rect", { width: 2, height: 6, fill: "var(--paper)" }));
    const definitions = element("defs");
    definitions.append(pattern);
    svg.append(definitions);
    map.budgets.forEach((budget, column) => {
      map.ratios.forEach((ratio, row) => {
        const place = column * map.ratios.length + row;
        const chances = [map.all_weak[place], map.mixed[place], map.all_gold[place]];
        const leading = chances.indexOf(Math.max(...chances));
        const [left, right] = [x.at(budget / half(map.budgets)), x.at(budget * half(map.budgets))];
        const [bottom, top] = [y.at(ratio / half(map.ratios)), y.at(ratio * half(map.ratios))];
        const cell = { x: left, y: top, width: right - left + 0.5, height: bottom - top + 0.5 };
        const strength = 0.2 + 0.8 * Math.min(1, Math.max(0, (chances[leading] - 33) / 57));
        svg.append(element("rect", { ...cell, class: CLASSES[leading], "fill-opacity": strength.toFixed(2) }));
        if (map.far[place]) svg.append(element("rect", { ...cell, fill: "url(#stripes)" }));
      });
    });
    Charts.axes(svg, box, x, y, "Budget in gold labels", "Weak price in gold labels");
    const cross = element("path", { class: "cross" });
    svg.append(cross);
    return { x, y, box, cross };
  }

  function keys() {
    const swatch = (attributes) => {
      const svg = element("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" });
      svg.append(element("path", attributes));
      return svg;
    };
    const entry = (attributes, text) => html("span", [swatch(attributes), document.createTextNode(text)]);
    const shares = [[1, "all weak"], [0.5, "half"], [0, "all gold"]].map(([share, text]) => entry({ d: Charts.shape(0), fill: Charts.shareColour(share) }, text));
    const methods = data.methods.length > 1 ? data.methods.map((method, place) => entry({ d: Charts.shape(place), fill: "currentColor" }, method)) : [];
    byId("cost-key").replaceChildren(html("span", "Colour: share spent on weak labels."), ...shares, ...methods, html("span", "Line: frontier, band 95%. Dotted: the budget."));
    byId("regime-key").replaceChildren(...Model.REGIMES.map((name, regime) => entry({ d: "M-6-6H6V6H-6Z", class: CLASSES[regime] }, name)));
  }

  // --- Runs ---

  const COLUMNS = [
    ["run", (run) => run.name], ["weak", (run) => run.weak], ["gold", (run) => run.gold],
    ["cost", (run) => run.weak * state.weak + run.gold * state.gold], ["accuracy", (run) => run.accuracy], ["AUROC", (run) => run.auroc ?? 0],
  ];
  const PAGE = 50;
  const listing = { by: 4, falling: true, page: 0 };

  function runsTable() {
    const last = Math.max(0, Math.ceil(runs.length / PAGE) - 1);
    listing.page = Math.min(listing.page, last);
    const value = COLUMNS[listing.by][1];
    const order = runs.map((run, place) => [value(run), place]);
    order.sort(([a, i], [b, j]) => (a < b ? -1 : a > b ? 1 : 0) * (listing.falling ? -1 : 1) || i - j);
    const head = html("tr", COLUMNS.map(([name], column) => {
      const sort = listing.by === column ? (listing.falling ? "descending" : "ascending") : "none";
      const button = html("button", name + (sort === "none" ? "" : listing.falling ? " ▾" : " ▴"), { type: "button", "data-key": `column ${name}` });
      button.addEventListener("click", () => {
        Object.assign(listing, { by: column, falling: listing.by === column ? !listing.falling : column > 0, page: 0 });
        runsTable();
      });
      return html("th", [button], { scope: "col", "aria-sort": sort });
    }));
    byId("runs").tHead.replaceChildren(head);
    const shown = order.slice(listing.page * PAGE, (listing.page + 1) * PAGE);
    byId("runs").tBodies[0].replaceChildren(...shown.map(([, place]) => {
      const run = runs[place];
      const open = html("button", run.name, { type: "button", class: "link", "data-key": `run ${run.name}` });
      open.addEventListener("click", () => (location.hash = `run=${encodeURIComponent(run.name)}`));
      const cells = [count(run.weak), count(run.gold), dollars(COLUMNS[3][1](run)), `${inPercent(run.accuracy)} (${inPercent(run.low)} to ${inPercent(run.high)})`, run.auroc === null ? "–" : run.auroc.toFixed(3)];
      return html("tr", [html("td", [open]), ...cells.map((cell) => html("td", cell))]);
    }));
    const turn = (text, page) => {
      const button = html("button", text, { type: "button", "data-key": text });
      button.disabled = page < 0 || page > last;
      button.addEventListener("click", () => {
        listing.page = page;
        runsTable();
      });
      return button;
    };
    byId("pages").replaceChildren(...(last > 0 ? [turn("Earlier", listing.page - 1), html("span", `Page ${listing.page + 1} of ${last + 1}`), turn("Later", listing.page + 1)] : []));
  }

  const terms = (pairs) => html("dl", pairs.map(([term, said]) => html("div", [html("dt", term), html("dd", said, { dir: "auto" })])));

  function openRun(name) {
    const section = byId("run");
    const run = runs.find((run) => run.name === name);
    section.hidden = !run;
    if (!run) return;
    const heading = html("h2", run.name, { id: "run-heading", dir: "auto" });
    const close = html("button", "Close", { type: "button" });
    close.addEventListener("click", () => {
      history.pushState(null, "", location.pathname + location.search);
      section.hidden = true;
      Purchases.focus();
    });
    const others = runsOf.get(`${run.method} ${run.weak} ${run.gold}`).map((place) => {
      const other = runs[place];
      const button = html("button", `seed ${other.seed}`, { type: "button" });
      button.disabled = other === run;
      button.addEventListener("click", () => (location.hash = `run=${encodeURIComponent(other.name)}`));
      return button;
    });
    const parts = [heading, html("div", [...others, close], { class: "row" })];
    parts.push(terms([
      ["Method", data.methods[run.method]], ["Model", data.models[run.model]], ["Labels", purchased(run.weak, run.gold)],
      ["Cost at these prices", dollars(run.weak * state.weak + run.gold * state.gold)],
      ["Test accuracy", `${inPercent(run.accuracy)} (${inPercent(run.low)} to ${inPercent(run.high)})`],
      ["AUROC", run.auroc === null ? "–" : run.auroc.toFixed(3)],
    ]));
    if (run.uses.length) {
      const head = html("tr", ["labels", "used for", "looked at", "paid", "at these prices"].map((name) => html("th", name, { scope: "col" })));
      const lines = run.uses.map(([kind, purpose, looked, paid]) => html("tr", [kind, purpose, count(looked), count(paid), dollars(paid * state[kind])].map((cell) => html("td", cell))));
      parts.push(html("h3", "What it bought"), html("div", [html("table", [html("thead", [head]), html("tbody", lines)])], { class: "scroll" }));
    }
    parts.push(...stagesOf(run), ...mistakesOf(run), ...disputesOf(run));
    section.replaceChildren(...parts);
    section.querySelectorAll("svg[data-stage]").forEach((svg) => curveChart(svg, stages[svg.dataset.stage]));
    section.focus({ preventScroll: true });
    section.scrollIntoView({ block: "start" });
  }

  function stagesOf(run) {
    const figures = run.stages.map((place, order) => {
      const stage = stages[place];
      const stopped = stage.stop_reason ? `, ended by ${stage.stop_reason.replaceAll("-", " ")}` : "";
      const trained = stage.steps
        ? `${count(stage.n_train)} trained on, ${count(stage.n_validation)} validated on; ${count(stage.steps)} steps${stopped}; checkpoint of step ${count(stage.best_step)}; rate ${stage.learning_rate}, batch ${stage.batch_size}`
        : "nothing was trained";
      const thinned = stage.curve.length < stage.evaluations ? ` ${stage.curve.length} of ${stage.evaluations} evaluations are shown.` : "";
      const figure = html("figure", [html("figcaption", `Stage ${order + 1}: ${count(stage.count)} ${stage.labels} labels`)]);
      if (stage.curve.length > 1) figure.append(element("svg", { "data-stage": place, role: "img", "aria-label": "Validation AUROC and loss over training steps" }));
      figure.append(html("p", `${trained}; test accuracy ${inPercent(stage.accuracy)}.${thinned}`, { class: "key" }));
      return figure;
    });
    return figures.length ? [html("h3", "How it learned"), html("div", figures, { class: "curves" })] : [];
  }

  function curveChart(svg, stage) {
    const box = Charts.frame(svg, 210);
    const steps = stage.curve.map(([step]) => step);
    const last = Math.max(1, ...steps);
    const ranked = stage.curve.filter(([, , , auroc]) => auroc !== null);
    const values = ranked.length > 1 ? ranked.map(([, , , auroc]) => auroc) : stage.curve.map(([, , loss]) => loss);
    const { range, ticks } = Charts.accuracyRange(values);
    const x = Charts.linear([0, last], [box.left, box.right], [0, Math.round(last / 2), last], count);
    const y = Charts.linear([range[0], Math.max(range[1], ...values)], [box.bottom, box.top], ticks, (tick) => tick.toFixed(2));
    Charts.axes(svg, box, x, y, "Steps", ranked.length > 1 ? "Validation AUROC" : "Validation loss");
    const places = ranked.length > 1 ? ranked.map(([step, , , auroc]) => [x.at(step), y.at(auroc)]) : stage.curve.map(([step, , loss]) => [x.at(step), y.at(loss)]);
    svg.append(element("path", { class: "line", d: Charts.line(places) }));
    svg.append(element("line", { class: "here", x1: x.at(stage.best_step), x2: x.at(stage.best_step), y1: box.top, y2: box.bottom }));
  }

  const says = (label) => (label === null ? "unknown" : label ? "1" : "0");

  function textItem(place, remark) {
    const { text, characters } = data.texts[place];
    const cut = characters ? ` The text has ${count(characters)} characters, the first of which are shown.` : "";
    return html("li", [html("span", characters ? `${text} …` : text, { class: "text", dir: "auto" }), html("span", remark + cut, { class: "said" })]);
  }

  function mistakesOf(run) {
    if (!run.wrong_in_all) return [];
    const items = run.wrong.map(([place, score]) => {
      const { gold, weak } = data.texts[place];
      const labeler = weak === null ? "" : `, the weak label ${weak}`;
      return textItem(place, `Gold says ${says(gold)}${labeler}; this classifier says ${score > 0 ? 1 : 0} (log-odds ${score}).`);
    });
    const some = items.length < run.wrong_in_all ? `, the ${several(items.length, "most confident mistake")}` : "";
    return [html("h3", `Test texts it got wrong: ${count(run.wrong_in_all)} of ${count(data.n_test)}${some}`), html("ol", items, { class: "texts" })];
  }

  function disputesOf(run) {
    if (!data.disputed_in_all || !run.on_disputed) return [];
    const items = data.disputed.map((place, order) => {
      const { gold, weak } = data.texts[place];
      const said = run.on_disputed[order] === "1";
      return textItem(place, `Gold says ${says(gold)}, the weak label ${weak}; this classifier says ${says(said)}, with ${said === gold ? "gold" : "weak"}.`);
    });
    return [html("h3", `Where weak and gold labels differ: it sides with gold on ${count(run.with_gold)} of ${several(data.disputed_in_all, "test text")}`), html("ol", items, { class: "texts" })];
  }

  function route() {
    const [, name] = /^#run=(.*)$/.exec(location.hash) ?? [];
    openRun(name === undefined ? undefined : decodeURIComponent(name));
  }

  // --- The whole ---

  const dark = matchMedia("(prefers-color-scheme: dark)");
  function theme(name) {
    document.documentElement.dataset.theme = name;
    byId("theme").textContent = name === "dark" ? "Light" : "Dark";
    byId("theme").setAttribute("aria-label", name === "dark" ? "Light colours" : "Dark colours");
    Purchases.paint();
  }
  theme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

  function about() {
    byId("study").textContent = data.study;
    const quality = data.weak_label_accuracy === null ? "" : ` Weak labels are right ${inPercent(data.weak_label_accuracy)} of the time.`;
    const tested = data.n_test ? `, tested on ${several(data.n_test, "text")}` : "";
    byId("about").textContent = `${several(runs.length, "run")} of ${several(data.methods.length, "method")}${tested}.${quality}`;
  }

  // Shows data: that of the file, or later what a server has new. What the person set, opened, and is at stays.
  function load(given) {
    const before = data;
    const method = before?.methods[state.method];
    const held = document.activeElement;
    take(given);
    setRanges();
    // Without a budget nothing was shown that a person could have set.
    if (!before?.budgets.length) for (const name of ["weak", "gold", "budget"]) {
      if (!before || state[name] === answers.initial[name]) state[name] = initial[name];
    }
    answers.initial = initial;
    state.method = Math.max(0, data.methods.indexOf(method));
    byId("method").value = state.method;
    Purchases.hideTip();
    about();
    keys();
    showControls(held);
    update();
    runsTable();
    if (byId("run").hidden) route();
    if (held?.dataset.key && !held.isConnected) {
      [...document.querySelectorAll("[data-key]")].find((made) => made.dataset.key === held.dataset.key)?.focus({ preventScroll: true });
    }
  }

  answers.load = load;
  load(JSON.parse(byId("data").textContent));
  addEventListener("hashchange", route);
  let settling = 0;
  addEventListener("resize", () => {
    clearTimeout(settling);
    settling = setTimeout(update, 100);
  });
})();
