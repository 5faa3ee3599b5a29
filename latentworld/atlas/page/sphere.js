// The globe from outside; every pixel of it looks up the place that owns its direction.

class Sphere {
  constructor(canvas) {
    this.canvas = canvas;
    this.unit = unpack(atlas.unit, Float64Array);
    this.tint = atlas.tint && unpack(atlas.tint, Uint8Array);
    this.place = new Int32Array(12 * atlas.nside ** 2).fill(-1);
    unpack(atlas.pixel, Int32Array).forEach((pixel, index) => { this.place[pixel] = index; });
    this.horizon = unpack(atlas.horizon, Float64Array);
    this.cell = unpack(atlas.cell, Float64Array);
    this.half = 0.72 * Math.sqrt(4 * Math.PI / this.place.length); // of a picture, so that it covers its pixel
    this.texels = atlas.sheets.map(() => null);
    this.buffer = document.createElement('canvas');
    this.view = {at: atlas.middle, radius: 1};
  }

  async ready(redraw) {
    await loadSheets(() => {
      sheets.forEach((image, index) => {
        if (!image || this.texels[index]) return;
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        const context = canvas.getContext('2d', {willReadFrequently: true});
        context.drawImage(image, 0, 0);
        this.texels[index] = {width: canvas.width,
          pixels: new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer)};
      });
      redraw();
    });
  }

  get whole() {
    const {width, height} = this.canvas.getBoundingClientRect();
    return {at: this.view.at, radius: Math.min(width / 2 - 16, (height - covered()) / 2 - 24)};
  }

  fit() { this.view = this.whole; }

  get centre() {
    const {width, height} = this.canvas.getBoundingClientRect();
    return [width / 2, (height - covered()) / 2];
  }

  // East, north and outward at the middle of the view.
  get look() { return {axes: frame(this.view.at), centre: this.centre, radius: this.view.radius}; }

  toScreen(u) { return seen(this.look, u); }

  direction(px, py) { return under(this.look, px, py); }

  screen(index) { return this.toScreen(this.unit.subarray(3 * index, 3 * index + 3)); }

  locate(px, py) {
    const u = this.direction(px, py);
    return u ? this.place[pixelOf(atlas.nside, ...u)] : -1;
  }

  pan(dx, dy) {
    const turned = pulled(this.look, dx, dy);
    turned[2] = Math.max(-0.995, Math.min(0.995, turned[2])); // north stays up
    this.view.at = unitary(turned);
  }

  zoom(factor) {
    const whole = this.whole.radius;
    this.view.radius = Math.min(Math.max(this.view.radius * factor, whole * 0.6), Math.max(whole, 160 / this.half));
  }

  goal(site) { return {at: site.at, radius: Math.max(this.whole.radius * 1.6, Math.min(36 / this.half, this.whole.radius * 6))}; }

  between(from, to, t) {
    const at = [0, 1, 2].map((k) => from.at[k] * (1 - t) + to.at[k] * t);
    return {at: Math.hypot(...at) < 0.05 ? to.at : unitary(at), radius: from.radius * (to.radius / from.radius) ** t};
  }

  step(index, dx, dy) {
    const u = index < 0 ? this.view.at : this.unit.subarray(3 * index, 3 * index + 3), [east, north] = frame(u);
    for (let far = 0.5; far < 4; far += 0.25) {
      const next = [0, 1, 2].map((k) => u[k] + far * this.half * (dx * east[k] + dy * north[k]));
      const found = this.place[pixelOf(atlas.nside, ...unitary(next))];
      if (found >= 0 && found !== index) {
        this.view.at = unitary([...this.unit.subarray(3 * found, 3 * found + 3)]);
        return found;
      }
    }
    return index;
  }

  draw(context, state) {
    const {width, height} = this.canvas.getBoundingClientRect(), [cx, cy] = this.centre, {radius} = this.view;
    const ratio = Math.min(window.devicePixelRatio || 1, state.moving ? 0.75 : 1.5);
    this.buffer.width = Math.round(width * ratio);
    this.buffer.height = Math.round(height * ratio);
    this.shade(state, ratio);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.buffer, 0, 0, width, height);
    context.lineWidth = 1;
    context.strokeStyle = FAINT;
    context.beginPath();
    context.arc(cx, cy, radius, 0, 7);
    context.stroke();
    this.trace(context, this.horizon, 1.4, [0.1, 4.5]);
    this.trace(context, this.cell, 1.2, []);
    if (state.rifts) atlas.lines.forEach((line) => this.trace(context, line.path, 1.2, []));
    vertices(context, this.look, atlas.vertices);
    if (state.at >= 0) this.ring(context, state.at);
    if (state.rifts) {
      atlas.sites.forEach((site, k) => {
        const [x, y, depth] = this.toScreen(site.at);
        if (depth > 0) marker(context, x, y, k + 1);
      });
    }
  }

  shade(state, ratio) {
    const context = this.buffer.getContext('2d'), {width, height} = this.buffer;
    const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
    const [east, north, out] = this.look.axes, [cx, cy] = this.centre.map((value) => value * ratio);
    const radius = this.view.radius * ratio, colour = this.palette(state);
    const top = Math.max(0, Math.floor(cy - radius)), bottom = Math.min(height, Math.ceil(cy + radius));
    for (let j = top; j < bottom; j++) {
      const y = (cy - j - 0.5) / radius, reach = Math.sqrt(Math.max(0, 1 - y * y)) * radius;
      const right = Math.min(width, Math.floor(cx + reach));
      for (let i = Math.max(0, Math.ceil(cx - reach)); i < right; i++) {
        const x = (i + 0.5 - cx) / radius, depth = Math.sqrt(Math.max(0, 1 - x * x - y * y));
        const u0 = x * east[0] + y * north[0] + depth * out[0];
        const u1 = x * east[1] + y * north[1] + depth * out[1];
        const u2 = x * east[2] + y * north[2] + depth * out[2];
        const index = this.place[pixelOf(atlas.nside, u0, u1, u2)];
        pixels[j * width + i] = colour(index, u0, u1, u2, 0.5 + 0.5 * Math.sqrt(depth));
      }
    }
    context.putImageData(image, 0, 0);
  }

  // The colour of a direction owned by a place, under a light from the viewer's side.
  palette(state) {
    const opacity = Float32Array.from({length: 256}, (_, strength) => veil(strength, state.pictures || state.phases ? state.blend : 1));
    const tinted = state.pictures ? Math.min(1, 0.15 + 0.85 * state.blend) : 1;
    const bare = [1, 3, 5].map((at) => parseInt(RAISED.slice(at, at + 2), 16));
    const quiet = state.field ? Math.min(1, 2 * state.blend) : 0;
    return (index, u0, u1, u2, light) => {
      let [r, g, b] = bare;
      if (index >= 0) {
        if (state.pictures) {
          const texel = this.texel(index, u0, u1, u2), grey = (texel & 255) * 0.21 + (texel >> 8 & 255) * 0.72 + (texel >> 16 & 255) * 0.07;
          const keep = 1 - 0.45 * quiet, dim = 1 - 0.3 * quiet;
          r = dim * (keep * (texel & 255) + (1 - keep) * grey);
          g = dim * (keep * (texel >> 8 & 255) + (1 - keep) * grey);
          b = dim * (keep * (texel >> 16 & 255) + (1 - keep) * grey);
        }
        if (state.phases && this.tint) {
          r += tinted * (this.tint[3 * index] - r);
          g += tinted * (this.tint[3 * index + 1] - g);
          b += tinted * (this.tint[3 * index + 2] - b);
        }
        if (state.field && atlas.strength[index]) {
          const at = 3 * Math.round((atlas.strength[index] - 1) / 254 * 255), over = opacity[atlas.strength[index]];
          r += over * (atlas.glow[at] - r);
          g += over * (atlas.glow[at + 1] - g);
          b += over * (atlas.glow[at + 2] - b);
        }
      }
      return 0xff000000 | (b * light & 255) << 16 | (g * light & 255) << 8 | (r * light & 255);
    };
  }

  // The pixel of a place's picture that lies in a direction: pictures stand upright, north up.
  texel(index, u0, u1, u2) {
    const c0 = this.unit[3 * index], c1 = this.unit[3 * index + 1], c2 = this.unit[3 * index + 2];
    const ring = Math.hypot(c0, c1) || 1e-12, [width, height] = atlas.tile;
    const x = (u1 * c0 - u0 * c1) / ring, y = u2 * ring - (u0 * c0 + u1 * c1) * c2 / ring;
    const i = Math.max(0, Math.min(width - 1, Math.floor((0.5 + x / this.half / 2) * width)));
    const j = Math.max(0, Math.min(height - 1, Math.floor((0.5 - y / this.half / 2) * height)));
    const [across, down] = atlas.across, sheet = this.texels[Math.floor(index / (across * down))];
    if (!sheet) return 0;
    const on = index % (across * down);
    return sheet.pixels[(Math.floor(on / across) * height + j) * sheet.width + on % across * width + i];
  }

  trace(context, path, width, dashes) {
    const units = Array.from({length: path.length / 3}, (_, k) => path.subarray(3 * k, 3 * k + 3));
    nearSide(context, this.look, units);
    context.setLineDash(dashes);
    stroke(context, width);
    context.setLineDash([]);
  }

  ring(context, index) {
    const u = this.unit.subarray(3 * index, 3 * index + 3), [east, north] = frame(u), path = new Float64Array(3 * 49);
    const wide = Math.max(this.half, 7 / this.view.radius);
    for (let k = 0; k < 147; k++) {
      const turn = Math.floor(k / 3) / 48 * 2 * Math.PI, axis = k % 3;
      path[k] = u[axis] + wide * (Math.cos(turn) * east[axis] + Math.sin(turn) * north[axis]);
    }
    this.trace(context, path, 1.5, []);
  }
}

function frame(out) {
  const flat = Math.hypot(out[0], out[1]);
  const east = flat > 1e-9 ? [-out[1] / flat, out[0] / flat, 0] : [0, 1, 0];
  const north = [out[1] * east[2] - out[2] * east[1], out[2] * east[0] - out[0] * east[2], out[0] * east[1] - out[1] * east[0]];
  return [east, north, out];
}

// HEALPix's pixel of a direction, ring order: Gorski et al. 2005, section 5.
function pixelOf(nside, x, y, z) {
  const high = Math.abs(z), quarter = (Math.atan2(y, x) / (Math.PI / 2) + 4) % 4;
  if (high <= 2 / 3) {
    const rising = nside * (0.5 + quarter), falling = nside * z * 0.75;
    const up = Math.floor(rising - falling), down = Math.floor(rising + falling), ring = nside + 1 + up - down;
    const along = Math.floor((up + down - nside + 1 + (1 - (ring & 1))) / 2);
    return 2 * nside * (nside - 1) + (ring - 1) * 4 * nside + (along + 4 * nside) % (4 * nside);
  }
  const part = quarter - Math.floor(quarter), size = nside * Math.sqrt(3 * (1 - high));
  const up = Math.min(nside - 1, Math.floor(part * size)), down = Math.min(nside - 1, Math.floor((1 - part) * size));
  const ring = up + down + 1, along = Math.floor(quarter * ring) % (4 * ring);
  return z > 0 ? 2 * ring * (ring - 1) + along : 12 * nside * nside - 2 * ring * (ring + 1) + along;
}
