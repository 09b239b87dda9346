// How the page draws: scales, axes, marks, as SVG.
"use strict";

const Charts = (() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";

  function element(name, attributes = {}, text) {
    const made = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  const count = (labels) => Math.round(labels).toLocaleString("en-US");

  function dollars(usd) {
    if (usd >= 1000 || Number.isInteger(usd)) return `$${Math.round(usd).toLocaleString("en-US")}`;
    return usd >= 0.1 ? `$${usd.toFixed(2)}` : `$${Number(usd.toPrecision(2))}`;
  }

  const percent = (share) => `${(100 * share).toFixed(share > 0.005 && share < 0.1 ? 1 : 0)}%`;
  const points = (accuracy) => `${(100 * accuracy).toFixed(1)}%`;

  // A scale from values to places, with its ticks.
  function linear([low, high], [from, to], ticks, label) {
    const at = (value) => from + ((value - low) / (high - low)) * (to - from);
    return { at, ticks, label, from, to };
  }

  // With `zero`, 0 stands left of a break.
  function logarithmic([low, high], [axisFrom, to], label, zero = false) {
    const from = zero ? axisFrom + 0.12 * (to - axisFrom) : axisFrom;
    const at = (value) => (value > 0 ? from + (Math.log(value / low) / Math.log(high / low)) * (to - from) : axisFrom + 0.03 * (to - axisFrom));
    const room = Math.max(2, Math.floor(Math.abs(to - from) / 52));
    let ticks = [];
    for (const factors of [[1, 2, 5], [1, 3], [1]]) {
      ticks = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
        for (const factor of factors) {
          const tick = Number((factor * 10 ** power).toPrecision(1));
          if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
        }
      }
      if (ticks.length <= room) break;
    }
    const broken = zero ? axisFrom + 0.09 * (to - axisFrom) : undefined;
    return { at, ticks: zero ? [0, ...ticks] : ticks, label, from: axisFrom, to, broken };
  }

  // Round ticks of accuracies, at most eight, and the range that they span.
  function accuracyRange(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(high >= low)) [low, high] = [0.5, 1];
    const step = [0.01, 0.02, 0.05, 0.1].find((step) => (high - low) / step <= 6) ?? 0.2;
    const first = Math.max(0, Math.floor(low / step + 1e-9));
    const last = Math.min(Math.round(1 / step), Math.max(first + 1, Math.ceil(high / step - 1e-9)));
    const ticks = [];
    for (let tick = first; tick <= last; tick++) ticks.push(tick * step);
    return { range: [first * step, last * step], ticks };
  }

  // Widths of charts in pixels. To ask for one between drawing makes the browser lay out the page each time, so they are
  // measured together before.
  const widths = new WeakMap();
  const measure = (charts) => charts.forEach((svg) => widths.set(svg, svg.clientWidth));
  const widthOf = (svg) => widths.get(svg) ?? svg.clientWidth;

  // Empties a chart, gives it a size in pixels, and says where the axes go.
  function frame(svg, height, left = 52) {
    const width = Math.max(280, Math.round(widthOf(svg) || 600));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.replaceChildren();
    return { width, height, left, right: width - 14, top: 14, bottom: height - 42 };
  }

  function axes(svg, box, x, y, xTitle, yTitle) {
    for (const tick of x.ticks) {
      const at = x.at(tick);
      svg.append(element("line", { class: "grid", x1: at, x2: at, y1: box.top, y2: box.bottom }));
      svg.append(element("text", { x: at, y: box.bottom + 16, "text-anchor": "middle" }, x.label(tick)));
    }
    for (const tick of y.ticks) {
      const at = y.at(tick);
      svg.append(element("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }));
      svg.append(element("text", { x: box.left - 6, y: at + 4, "text-anchor": "end" }, y.label(tick)));
    }
    svg.append(element("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
    svg.append(element("line", { class: "axis", x1: box.left, x2: box.left, y1: box.top, y2: box.bottom }));
    if (x.broken) svg.append(element("path", { class: "axis", d: `M${x.broken - 5} ${box.bottom + 6}l6-12m3 0l-6 12` }));
    const middle = (box.left + box.right) / 2;
    svg.append(element("text", { class: "title", x: middle, y: box.bottom + 35, "text-anchor": "middle" }, xTitle));
    if (yTitle) {
      const at = (box.top + box.bottom) / 2;
      const turned = { class: "title", "text-anchor": "middle", transform: `translate(13 ${at}) rotate(-90)` };
      svg.append(element("text", turned, yTitle));
    }
  }

  const line = (places) => places.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

  // The shapes of methods, about the origin, in the order of the figures for print.
  const SHAPES = [
    "M5.5 0A5.5 5.5 0 1 1-5.5 0A5.5 5.5 0 1 1 5.5 0Z",
    "M-5-5H5V5H-5Z",
    "M0-6.5L6 5H-6Z",
    "M0-7L7 0L0 7L-7 0Z",
    "M0 6.5L6-5H-6Z",
    "M-6.5 0L5-6V6Z",
    "M6.5 0L-5-6V6Z",
    "M-2.5-5.5H2.5L6 0L2.5 5.5H-2.5L-6 0Z",
  ];
  const shape = (method) => SHAPES[method % SHAPES.length];

  // Gold over mauve to blue, as in the figures for print.
  function shareColour(share) {
    const scale = [[230, 159, 0], [204, 121, 167], [0, 114, 178]];
    const at = Math.min(1, Math.max(0, share)) * 2;
    const [from, to] = at < 1 ? [scale[0], scale[1]] : [scale[1], scale[2]];
    const part = at < 1 ? at : at - 1;
    return `rgb(${from.map((channel, index) => Math.round(channel + part * (to[index] - channel))).join(" ")})`;
  }

  return {
    element, count, dollars, percent, points, linear, logarithmic, accuracyRange, measure, widthOf, frame, axes, line, shape, shareColour,
  };
})();
