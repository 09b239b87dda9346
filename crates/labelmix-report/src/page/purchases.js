// What labels cost and what they buy: the chart with a mark for every purchase. Up to some hundreds of marks are elements of
// the document; of thousands only those that somebody is at are, and those on the frontier, and the others are painted.
"use strict";

const Purchases = (() => {
  const { element } = Charts;
  const MANY = 600;
  const SPRITE = 18;
  const COLOURS = 40;
  // Within so many pixels a pointer means a mark.
  const NEAR = 9;
  // One over the other: axes and band; painted marks; intervals, marks, and marks on the frontier.
  const [back, canvas, svg, tip] = ["cost-back", "cost-marks", "cost-chart", "tip"].map((id) => document.getElementById(id));
  const [reaches, others, ringed] = [0, 1, 2].map(() => element("g"));
  svg.append(reaches, others, ringed);

  // What is shown; its marks, { point, key, x, y, colour, on, made }, by rising cost; the one that the keyboard is at, and the
  // one under the pointer.
  let shown, marks = [], of, focused, hovered, placed, box;
  const areMany = () => marks.length > MANY;

  // Takes { model, intervals, keyOf, describe, open }: the last three are functions of a point.
  function take(given) {
    const key = focused?.key;
    shown = given;
    const { observed } = shown.model;
    marks = Array.from(observed.keys(), (point) => ({ point, key: shown.keyOf(point) }));
    of = new Map(marks.map((mark) => [mark.point, mark]));
    for (const group of [reaches, others, ringed]) group.replaceChildren();
    [placed, focused, hovered] = [];
    if (!areMany()) marks.forEach(make);
    focus(marks.find((mark) => mark.key === key));
  }

  // --- Marks as elements ---

  function make(mark) {
    if (mark.made) return mark.made;
    const { point, key } = mark;
    const shape = Charts.shape(shown.model.points.method[point]);
    mark.made = element("path", { class: "mark", d: shape, role: "button", tabindex: -1, "data-point": point, "data-key": key });
    others.append(mark.made);
    if (mark.x !== undefined) place(mark);
    return mark.made;
  }

  // Of many, only those that somebody is at stay elements.
  function release(mark) {
    if (!areMany() || !mark?.made || mark.on || mark === focused || mark === hovered) return;
    mark.made.remove();
    mark.made = undefined;
  }

  function place({ point, made, x, y, colour }) {
    made.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    made.setAttribute("fill", Charts.shareColour(colour / COLOURS));
    made.setAttribute("aria-label", shown.describe(point).replaceAll("\n", ", "));
  }

  // The one mark that the tabulator reaches.
  function focus(mark) {
    const before = focused;
    focused = mark;
    before?.made?.setAttribute("tabindex", -1);
    release(before);
    if (mark) make(mark).setAttribute("tabindex", 0);
  }

  function hover(mark) {
    if (mark === hovered) return;
    const before = hovered;
    hovered = mark;
    release(before);
    if (mark) make(mark);
  }

  // --- Drawing ---

  function draw({ prices, budget, cost, frontier, band }) {
    const { model, intervals } = shown;
    box = Charts.frame(back, Math.min(430, Math.max(300, Charts.widthOf(back) * 0.5)));
    for (const name of ["viewBox", "height"]) svg.setAttribute(name, back.getAttribute(name));
    if (marks.length === 0) return;
    const costs = marks.map(({ point }) => cost[point]);
    const low = Math.min(...costs.filter((cost) => cost > 0), budget) / 1.25;
    const high = Math.max(...costs, budget) * 1.25;
    const { range, ticks } = Charts.accuracyRange(intervals ? intervals.flatMap(({ low, high }) => [low, high]) : model.observed);
    const x = Charts.logarithmic([low, high], [box.left, box.right], Charts.dollars, costs.includes(0));
    const y = Charts.linear(range, [box.bottom, box.top], ticks, (tick) => `${Math.round(100 * tick)}%`);
    const inRange = (accuracy) => y.at(Math.min(range[1], Math.max(range[0], accuracy)));
    Charts.axes(back, box, x, y, "Cost of the labels", "Test accuracy");

    const side = (end) => band.flatMap((step, place) => {
      const until = x.at(band[place + 1]?.cost ?? high);
      return [[x.at(step.cost), inRange(step[end])], [until, inRange(step[end])]];
    });
    back.append(element("path", { class: "band", d: `${Charts.line([...side("high"), ...side("low").reverse()])}Z` }));
    const steps = frontier.flatMap((point, place) => {
      const until = x.at(place + 1 < frontier.length ? cost[frontier[place + 1]] : high);
      return [[x.at(cost[point]), y.at(model.observed[point])], [until, y.at(model.observed[point])]];
    });
    back.append(element("path", { class: "frontier", d: Charts.line(steps) }));
    const at = x.at(budget);
    back.append(element("line", { class: "here", x1: at, x2: at, y1: box.top, y2: box.bottom }));

    const wanted = [prices.weak, prices.gold, low, high, box.right, box.bottom, window.devicePixelRatio].join();
    if (wanted === placed) return;
    placed = wanted;
    move(prices, cost, x, y);
    ring(new Set(frontier));
    if (intervals) reach(inRange);
    paint();
  }

  function move(prices, cost, x, y) {
    const { points, observed } = shown.model;
    for (const mark of marks) {
      const { point } = mark;
      [mark.x, mark.y] = [x.at(cost[point]), y.at(observed[point])];
      mark.colour = cost[point] > 0 ? Math.round((COLOURS * points.weak[point] * prices.weak) / cost[point]) : 0;
      if (mark.made) place(mark);
    }
    marks.sort((a, b) => cost[a.point] - cost[b.point]);
    if (!focused) focus(marks[0]);
  }

  // Marks on the frontier lie over the others.
  function ring(frontier) {
    for (const mark of marks) {
      const on = frontier.has(mark.point);
      if (on === (mark.on ?? false)) continue;
      mark.on = on;
      make(mark).classList.toggle("on", on);
      (on ? ringed : others).append(mark.made);
      release(mark);
    }
  }

  function reach(inRange) {
    reaches.replaceChildren(...marks.map(({ point, x }) => {
      const { low, high } = shown.intervals[point];
      return element("line", { class: "reach", x1: x, x2: x, y1: inRange(low), y2: inRange(high) });
    }));
  }

  // Paints the marks that are not on the frontier if they are many.
  function paint() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = areMany() ? [box.width * ratio, box.height * ratio].map(Math.round) : [0, 0];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    if (!areMany()) return;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const sprites = spritesFor(ratio);
    const { method } = shown.model.points;
    for (const { point, x, y, colour, on } of marks) {
      if (!on) context.drawImage(sprites(method[point], colour), Math.round((x - SPRITE / 2) * ratio), Math.round((y - SPRITE / 2) * ratio));
    }
  }

  // Pictures of marks, each painted once for the theme that is shown.
  let pictures = {};
  function spritesFor(ratio) {
    const kind = `${document.documentElement.dataset.theme} ${ratio}`;
    if (pictures.kind !== kind) {
      const rim = getComputedStyle(document.documentElement).getPropertyValue("--paper");
      pictures = { kind, rim, made: new Map() };
    }
    const { rim, made } = pictures;
    return (method, colour) => {
      const key = method * (COLOURS + 1) + colour;
      if (!made.has(key)) made.set(key, picture(method, colour, rim, ratio));
      return made.get(key);
    };
  }

  function picture(method, colour, rim, ratio) {
    const made = document.createElement("canvas");
    made.width = made.height = Math.ceil(SPRITE * ratio);
    const context = made.getContext("2d");
    context.scale(ratio, ratio);
    context.translate(SPRITE / 2, SPRITE / 2);
    const shape = new Path2D(Charts.shape(method));
    context.fillStyle = Charts.shareColour(colour / COLOURS);
    context.strokeStyle = rim;
    context.fill(shape);
    context.stroke(shape);
    return made;
  }

  // --- At a mark ---

  function showTip(mark) {
    tip.textContent = shown.describe(mark.point);
    tip.hidden = false;
    const at = mark.made.getBoundingClientRect();
    const width = tip.offsetWidth;
    tip.style.left = `${Math.min(Math.max(4, at.left + 16), innerWidth - width - 4)}px`;
    tip.style.top = `${Math.max(4, at.top - tip.offsetHeight - 6)}px`;
  }
  const hideTip = () => (tip.hidden = true);

  // The mark of an event: its element, or the nearest that is painted.
  function markOf(event) {
    const made = event.target.closest?.(".mark");
    if (made) return of.get(Number(made.dataset.point));
    if (!areMany() || event.clientX === undefined) return undefined;
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let [nearest, least] = [undefined, NEAR];
    for (const mark of marks) {
      const distance = Math.hypot(mark.x - x, mark.y - y);
      if (distance < least) [nearest, least] = [mark, distance];
    }
    return nearest;
  }

  function pointed(event) {
    const mark = markOf(event);
    hover(mark);
    if (mark) showTip(mark);
    else hideTip();
  }

  function open(mark) {
    hideTip();
    shown.open(mark.point);
  }

  svg.addEventListener("pointerover", pointed);
  svg.addEventListener("pointermove", (event) => areMany() && pointed(event));
  svg.addEventListener("pointerout", hideTip);
  svg.addEventListener("pointerleave", () => hover(undefined));
  svg.addEventListener("focusin", (event) => {
    const mark = markOf(event);
    focus(mark);
    showTip(mark);
  });
  svg.addEventListener("focusout", hideTip);
  svg.addEventListener("click", (event) => {
    const mark = markOf(event);
    if (mark) open(mark);
  });
  svg.addEventListener("keydown", (event) => {
    const mark = markOf(event);
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -marks.length, End: marks.length }[event.key];
    if (step) {
      event.preventDefault();
      const next = marks[Math.min(marks.length - 1, Math.max(0, marks.indexOf(mark) + step))];
      make(next).focus();
      // A window that is not in front tells of no focus.
      focus(next);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open(mark);
    } else if (event.key === "Escape") hideTip();
  });

  return { take, draw, paint: () => box && paint(), hideTip, focus: () => focused?.made.focus() };
})();
