// Weights of concept words and the place of their mixture, either way.

// Where the mixture stands: [x, y] of places [[x, y]] with weights.
export function mixture(places, weights) {
  const whole = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  return [0, 1].map((k) => places.reduce((sum, place, i) => sum + weights[i] * place[k], 0) / whole);
}

// Weights 0..1 of words at `places` that bring a mixture, whose rest stands at `rest` with weight 1, as near to `goal`
// as can be; of all that do, those nearest to `before`. Least squares with bounds, by coordinate descent:
// (rest + sum w p) / (1 + sum w) = goal is linear in w: sum w (p - goal) = goal - rest.
export function weightsFor(goal, rest, places, before) {
  const reach = Math.max(...[rest, ...places].map((place) => Math.hypot(place[0] - goal[0], place[1] - goal[1])), 1e-9);
  const rows = places.map((place) => [(place[0] - goal[0]) / reach, (place[1] - goal[1]) / reach]);
  const left = [(goal[0] - rest[0]) / reach, (goal[1] - rest[1]) / reach], faithful = 1e-4;
  const weights = [...before];
  weights.forEach((weight, i) => { left[0] -= weight * rows[i][0]; left[1] -= weight * rows[i][1]; });
  for (let pass = 0; pass < 400; pass++) {
    let moved = 0;
    rows.forEach((row, i) => {
      const steep = row[0] ** 2 + row[1] ** 2 + faithful;
      const best = weights[i] + (row[0] * left[0] + row[1] * left[1] + faithful * (before[i] - weights[i])) / steep;
      const next = Math.min(Math.max(best, 0), 1), step = next - weights[i];
      weights[i] = next;
      left[0] -= step * row[0];
      left[1] -= step * row[1];
      moved = Math.max(moved, Math.abs(step));
    });
    if (moved < 1e-6) break;
  }
  return weights;
}
