// What the page computes when a price or the budget moves. No document, no drawing: numbers in, numbers out, so that a
// test can hold every function against the Rust one that it repeats (named above each).
"use strict";

const Model = (() => {
  // The shares of a budget for weak labels that are tried: labelmix_econ::splits.
  const FRACTIONS = [
    0, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.95, 0.975, 0.99, 1,
  ];
  const MINIMUM_GAIN = 0.002;
  const SIMILAR_COST = 0.05;
  const LEAST_DEVIATION = 0.005;
  const VERDICT_PROBABILITY = 0.9;
  const REGIMES = ["all weak", "mixed", "all gold"];

  // Numbers as they are embedded: 32-bit floats, the lowest byte first, in base64.
  function floats(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    if (new Uint8Array(Uint32Array.of(1).buffer)[0] === 1) return new Float32Array(bytes.buffer);
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 4 }, (_, place) => view.getFloat32(4 * place, true));
  }

  // Takes the lists of the embedded data apart once.
  function prepare(data) {
    const points = data.points;
    const observed = Float64Array.from(points.accuracy);
    const count = observed.length;
    const resamples = { count: data.resamples.count, level: data.resamples.level, points: count };
    resamples.values = floats(data.resamples.values);
    const noise = new Float64Array(count);
    for (let number = 0; number < resamples.count; number++) {
      for (let point = 0; point < count; point++) {
        noise[point] += (resamples.values[number * count + point] - observed[point]) ** 2 / resamples.count;
      }
    }
    const surfaces = data.surfaces.map((surface) => ({
      ...surface,
      parts: surface.parts.map((part) => ({
        ...part,
        members: floats(part.members),
        waves: floats(part.waves),
        positions: floats(part.positions),
        wave_weights: floats(part.wave_weights),
        corrections: floats(part.corrections),
      })),
    }));
    return { points, observed, noise, resamples, surfaces };
  }

  // labelmix_econ::Prices::cost_usd of every point.
  function costs(points, prices) {
    return Float64Array.from(points.weak, (weak, point) => weak * prices.weak + points.gold[point] * prices.gold);
  }

  const within = (cost, budget) => cost <= budget * (1 + 1e-9);

  function byCost(cost) {
    return Array.from(cost.keys()).sort((a, b) => cost[a] - cost[b] || a - b);
  }

  // labelmix_econ::pareto_frontier: places of points, by rising cost.
  function frontier(cost, accuracy) {
    const order = byCost(cost);
    const members = [];
    let best = -Infinity;
    order.forEach((point, place) => {
      if (!(accuracy[point] > best + MINIMUM_GAIN)) return;
      const slack = SIMILAR_COST * cost[point];
      for (let left = place; left >= 0 && cost[point] - cost[order[left]] <= slack; left--) {
        if (accuracy[order[left]] > accuracy[point]) return;
      }
      for (let right = place; right < order.length && cost[order[right]] - cost[point] <= slack; right++) {
        if (accuracy[order[right]] > accuracy[point]) return;
      }
      best = accuracy[point];
      members.push(point);
    });
    return members;
  }

  // labelmix_stats::percentile_interval; sorts the values.
  function interval(values, level) {
    values.sort();
    const quantile = (share) => {
      const place = share * (values.length - 1);
      const low = Math.floor(place);
      const high = Math.min(low + 1, values.length - 1);
      return values[low] + (place - low) * (values[high] - values[low]);
    };
    const tail = (1 - level) / 2;
    return { low: quantile(tail), high: quantile(1 - tail) };
  }

  // labelmix_econ::UncertainFrontier::band: a step for each distinct cost. Most purchases raise no resample's best, and then
  // the step before says what there is.
  function band(model, cost) {
    const { resamples, observed } = model;
    const order = byCost(cost);
    const highest = new Float64Array(resamples.count).fill(-Infinity);
    const steps = [];
    let [measured, risen, reach] = [-Infinity, true, undefined];
    order.forEach((point, place) => {
      measured = Math.max(measured, observed[point]);
      for (let number = 0; number < resamples.count; number++) {
        const drawn = resamples.values[number * resamples.points + point];
        if (drawn > highest[number]) {
          highest[number] = drawn;
          risen = true;
        }
      }
      if (cost[order[place + 1]] <= cost[point]) return;
      if (risen) reach = { mean: meanOf(highest), ...interval(highest.slice(), resamples.level) };
      risen = false;
      const optimism = Math.max(0, reach.mean - measured);
      steps.push({ cost: cost[point], accuracy: measured, low: reach.low - 2 * optimism, high: reach.high - 2 * optimism });
    });
    return steps;
  }

  // The interval of one point's accuracy: labelmix_econ::Resamples::interval.
  function pointInterval(model, point) {
    const { resamples } = model;
    const drawn = Float64Array.from({ length: resamples.count }, (_, number) => resamples.values[number * resamples.points + point]);
    return interval(drawn, resamples.level);
  }

  // labelmix_econ::best_split of what costs no more than the budget; -1 where nothing does.
  function bestWithin(model, cost, budget, method) {
    const { points, observed } = model;
    let best = -1;
    for (let point = 0; point < observed.length; point++) {
      if (points.method[point] !== method || !within(cost[point], budget)) continue;
      const order =
        best < 0
          ? 1
          : observed[point] - observed[best] || cost[best] - cost[point] || points.weak[best] - points.weak[point];
      if (order > 0) best = point;
    }
    return best;
  }

  // What a regime's representatives achieve: labelmix_econ::standing.
  function standing(model, candidates) {
    const { resamples, observed, noise } = model;
    if (candidates.length === 0) return null;
    const least = LEAST_DEVIATION * LEAST_DEVIATION;
    let weights = 0;
    let mean = 0;
    for (const point of candidates) {
      weights += 1 / (noise[point] + least);
      mean += observed[point] / (noise[point] + least);
    }
    mean /= weights;
    let spread = 0;
    for (const point of candidates) spread += ((observed[point] - mean) ** 2 - noise[point]) / candidates.length;
    spread = Math.max(spread, least);
    const believed = candidates.map((point) => spread / (spread + 2 * noise[point]));
    const chosen = new Float64Array(candidates.length);
    const share = 0.5 / resamples.count;
    let accuracy = 0;
    for (let number = 0; number < resamples.count; number++) {
      const row = number * resamples.points;
      for (const sign of [1, -1]) {
        let best = 0;
        let highest = -Infinity;
        for (let place = 0; place < candidates.length; place++) {
          const point = candidates[place];
          const shown = observed[point] + sign * (resamples.values[row + point] - observed[point]);
          const expected = mean + believed[place] * (shown - mean);
          if (expected > highest) {
            highest = expected;
            best = place;
          }
        }
        const point = candidates[best];
        accuracy += share * (observed[point] - sign * (resamples.values[row + point] - observed[point]));
        chosen[best] += share;
      }
    }
    const representatives = candidates.map((point, place) => [point, chosen[place]]).filter(([, often]) => often > 0);
    return { accuracy, representatives };
  }

  // labelmix_econ::regime: how probable it is that the budget is best spent on weak labels, both, or gold. Null where no
  // run of the method costs so little.
  function regimes(model, cost, budget, method) {
    const { points, resamples, observed } = model;
    const candidates = [[], [], []];
    for (let point = 0; point < observed.length; point++) {
      const [weak, gold] = [points.weak[point], points.gold[point]];
      if (points.method[point] !== method || weak + gold === 0 || !within(cost[point], budget)) continue;
      candidates[gold === 0 ? 0 : weak === 0 ? 2 : 1].push(point);
    }
    if (candidates.every((list) => list.length === 0)) return null;
    const standings = candidates.map((list) => standing(model, list));
    const wins = [0, 0, 0];
    for (let number = 0; number < resamples.count; number++) {
      const row = number * resamples.points;
      const achieved = standings.map((regime) => {
        if (!regime) return -Infinity;
        let sum = regime.accuracy;
        for (const [point, share] of regime.representatives) sum += share * (resamples.values[row + point] - observed[point]);
        return sum;
      });
      const best = Math.max(...achieved);
      const winners = achieved.map((value) => value >= best - 1e-12);
      const share = 1 / winners.filter(Boolean).length;
      winners.forEach((won, regime) => (wins[regime] += won ? share : 0));
    }
    return wins.map((won) => won / resamples.count);
  }

  const logistic = (x) => 1 / (1 + Math.exp(-x));

  const FAMILIES = {
    // labelmix_econ::surface::hill: c, c·r, ln kw, hw, ln kg, hg, κ.
    ceilings(start, p, at, weak, gold) {
      const taughtByWeak = logistic(p[at + 3] * (Math.log(weak) - p[at + 2]));
      const taughtByGold = logistic(p[at + 5] * (Math.log(gold) - p[at + 4] + p[at + 6] * taughtByWeak));
      const fromWeak = p[at + 1] * taughtByWeak;
      return start + fromWeak + (p[at] - fromWeak) * taughtByGold;
    },
    // labelmix_econ::surface::substitution: c, ω, u, l, β.
    substitution(start, p, at, weak, gold) {
      const effective = gold + (p[at + 1] * weak) / (1 + weak / p[at + 2]);
      return start + p[at] * (1 - Math.exp(-p[at + 4] * Math.log1p(effective / p[at + 3])));
    },
  };
  const PARAMETERS = { ceilings: 7, substitution: 5 };

  // labelmix_econ::Surface::accuracy_draws.
  function accuracyDraws(surface, weak, gold) {
    const draws = [];
    const here = [Math.log1p(weak), Math.log1p(gold)];
    for (const part of surface.parts) {
      const waves = [];
      const scale = part.amplitude * Math.sqrt(2 / (part.waves.length / 3));
      for (let wave = 0; wave < part.waves.length; wave += 3) {
        const angle = part.waves[wave] * here[0] + part.waves[wave + 1] * here[1] + part.waves[wave + 2];
        waves.push(scale * Math.cos(angle));
      }
      if (part.trend[0] > 0) waves.push(part.trend[0], part.trend[1] * here[0], part.trend[2] * here[1]);
      const kernel = [];
      for (let place = 0; place < part.positions.length; place += 2) {
        const there = [part.positions[place], part.positions[place + 1]];
        const distance = ((here[0] - there[0]) / part.lengths[0]) ** 2 + ((here[1] - there[1]) / part.lengths[1]) ** 2;
        const straight =
          part.trend[0] ** 2 + part.trend[1] ** 2 * here[0] * there[0] + part.trend[2] ** 2 * here[1] * there[1];
        kernel.push(part.amplitude ** 2 * Math.exp(-0.5 * distance) + straight);
      }
      const family = FAMILIES[part.family];
      for (let draw = 0; draw < part.draws; draw++) {
        let accuracy = family ? family(part.start, part.members, draw * PARAMETERS[part.family], weak, gold) : part.middle;
        const wavesAt = draw * waves.length;
        for (let wave = 0; wave < waves.length; wave++) accuracy += waves[wave] * part.wave_weights[wavesAt + wave];
        const correctionsAt = draw * kernel.length;
        for (let k = 0; k < kernel.length; k++) accuracy += kernel[k] * part.corrections[correctionsAt + k];
        draws.push(Math.min(1, Math.max(0, accuracy)));
      }
    }
    return Float64Array.from(draws);
  }

  const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  const wholeLabels = (money, price) => Math.floor((money / price) * (1 + 1e-9));

  // labelmix_econ::allocation_for.
  function allocation(budget, fraction, prices) {
    const gold = wholeLabels((1 - fraction) * budget, prices.gold);
    const weak = fraction > 0 ? Math.max(0, wholeLabels(budget - gold * prices.gold, prices.weak)) : 0;
    return { weak, gold };
  }

  // The split of the least expected squared regret, of those that no other outdoes in both kinds of labels.
  function leastRegret(splits) {
    const outdoes = (a, b) => a !== b && a.weak >= b.weak && a.gold >= b.gold;
    const choices = splits.filter((split) => !splits.some((other) => outdoes(other, split)));
    const losses = choices.map(() => 0);
    for (let draw = 0; draw < splits[0].draws.length; draw++) {
      const highest = Math.max(...choices.map((choice) => choice.draws[draw]));
      choices.forEach((choice, place) => (losses[place] += (highest - choice.draws[draw]) ** 2));
    }
    return choices[losses.indexOf(Math.min(...losses))];
  }

  // labelmix_econ::expansion_path, one step of it: the best split of a budget, and what every split is expected to give.
  function bestSplit(surface, prices, budget) {
    const splits = [];
    for (const fraction of FRACTIONS) {
      const { weak, gold } = allocation(budget, fraction, prices);
      const last = splits[splits.length - 1];
      if (last && last.weak === weak && last.gold === gold) continue;
      const draws = accuracyDraws(surface, weak, gold);
      splits.push({ fraction, weak, gold, draws, mean: meanOf(draws) });
    }
    const best = leastRegret(splits);
    const fractions = Float64Array.from(best.draws, (_, draw) => {
      return splits.reduce((best, split) => (split.draws[draw] > best.draws[draw] ? split : best)).fraction;
    });
    for (const split of splits) Object.assign(split, interval(split.draws.slice(), surface.level));
    const times = (asked, measured) => (asked <= 0 ? 0 : asked / measured);
    const extrapolation = Math.max(times(best.weak, surface.largest[0]), times(best.gold, surface.largest[1]));
    return { splits, best, fractions: interval(fractions, surface.level), extrapolation };
  }

  // labelmix_econ::marginal_values(…).weak_per_gold: how many weak labels gain as much as one gold label, after these.
  function exchangeRate(surface, weak, gold) {
    const [stepWeak, stepGold] = [Math.max(1, 0.02 * weak), Math.max(1, 0.02 * gold)];
    const here = accuracyDraws(surface, weak, gold);
    const moreWeak = accuracyDraws(surface, weak + stepWeak, gold);
    const moreGold = accuracyDraws(surface, weak, gold + stepGold);
    const rates = here.map((accuracy, draw) => {
      const [byWeak, byGold] = [(moreWeak[draw] - accuracy) / stepWeak, (moreGold[draw] - accuracy) / stepGold];
      return byGold <= 0 ? 0 : byWeak <= 0 ? Infinity : byGold / byWeak;
    });
    rates.sort();
    const quantile = (share) => {
      const value = rates[Math.round(share * (rates.length - 1))];
      return Number.isFinite(value) ? value : null;
    };
    const tail = (1 - surface.level) / 2;
    return { median: quantile(0.5), low: quantile(tail), high: quantile(1 - tail) };
  }

  return {
    REGIMES, VERDICT_PROBABILITY, prepare, costs, frontier, band, pointInterval, bestWithin, regimes, accuracyDraws,
    allocation, bestSplit, exchangeRate,
  };
})();

if (typeof module !== "undefined") module.exports = Model;
