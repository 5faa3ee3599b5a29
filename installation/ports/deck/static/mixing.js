// Weights of concept words and the place of their mixture, either way.

const FAITHFUL = 1e-4; // how much staying near the weights before counts

// Where the mixture stands: [x, y] of places [[x, y]] with weights.
export function mixture(places, weights) {
  const whole = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  return [0, 1].map((k) => places.reduce((sum, place, i) => sum + weights[i] * place[k], 0) / whole);
}

// Weights 0..1 of words at `places` that bring a mixture, whose rest stands at `rest` with weight 1, as near to `goal`
// as can be; of all that do, those nearest to `before`. Gauss-Newton on the distance, with bounds: the mixture m moves by
// (p - m) / (1 + sum w) with the weight of a word at p.
export function weightsFor(goal, rest, places, before) {
  const reach = Math.max(...places.map((place) => Math.hypot(place[0] - rest[0], place[1] - rest[1])), 1e-9);
  const stands = (weights) => mixture([rest, ...places], [1, ...weights]);
  const cost = (weights) => {
    const at = stands(weights);
    return ((at[0] - goal[0]) ** 2 + (at[1] - goal[1]) ** 2) / reach ** 2
      + FAITHFUL * weights.reduce((sum, weight, i) => sum + (weight - before[i]) ** 2, 0);
  };
  let weights = [...before];
  for (let round = 0; round < 40; round++) {
    const at = stands(weights), whole = 1 + weights.reduce((sum, weight) => sum + weight, 0);
    const rows = places.map((place) => [0, 1].map((k) => (place[k] - at[k]) / whole / reach));
    const wanted = descend(rows, [0, 1].map((k) => (goal[k] - at[k]) / reach), weights, before);
    let share = 1, next = wanted;
    while (share > 1e-3 && cost(next) > cost(weights)) { // too far along a line that bends
      share /= 2;
      next = weights.map((weight, i) => weight + share * (wanted[i] - weight));
    }
    const moved = Math.max(...next.map((weight, i) => Math.abs(weight - weights[i])));
    if (cost(next) < cost(weights)) weights = next;
    if (moved < 1e-5 || share <= 1e-3) break;
  }
  return weights;
}

// Least squares within 0..1 by coordinate descent: what is `left` of the way, by rows for a unit of each weight.
function descend(rows, left, from, before) {
  const weights = [...from], rest = [...left];
  for (let pass = 0; pass < 60; pass++) {
    let moved = 0;
    rows.forEach((row, i) => {
      const steep = row[0] ** 2 + row[1] ** 2 + FAITHFUL;
      const best = weights[i] + (row[0] * rest[0] + row[1] * rest[1] + FAITHFUL * (before[i] - weights[i])) / steep;
      const step = Math.min(Math.max(best, 0), 1) - weights[i];
      weights[i] += step;
      rest[0] -= step * row[0];
      rest[1] -= step * row[1];
      moved = Math.max(moved, Math.abs(step));
    });
    if (moved < 1e-6) break;
  }
  return weights;
}
