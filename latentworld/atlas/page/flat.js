// A window, in lattice units: x along rows (alpha), y along columns (beta, upwards).

class Flat {
  constructor(canvas) {
    this.canvas = canvas;
    this.window = atlas.window;
    this.lattice = unpack(atlas.lattice, Int32Array);
    this.stride = unpack(atlas.stride, Int32Array);
    this.tall = atlas.tile[1] / atlas.tile[0]; // a cell has the shape of its picture
    this.order = [...this.stride.keys()].sort((a, b) => this.stride[b] - this.stride[a]); // finer on coarser
    this.block = Math.max(...this.stride.subarray(0, 65536), 1);
    this.buckets = new Map();
    this.order.forEach((index) => this.blocks(index).forEach((key) => {
      if (!this.buckets.has(key)) this.buckets.set(key, []);
      this.buckets.get(key).push(index);
    }));
    this.field = document.createElement('canvas');
    this.refield();
    this.overview = document.createElement('canvas');
    this.view = {x: 0, y: 0, scale: 1};
  }

  refield() {
    [this.field.width, this.field.height] = atlas.field.size;
    this.fieldPixels = unpack(atlas.field.pixels, Uint8Array);
    this.painted = null;
  }

  blocks(index) {
    const half = this.stride[index] / 2, keys = [], at = (value) => Math.floor(value / this.block);
    const [x, y] = [this.lattice[2 * index], this.lattice[2 * index + 1]];
    for (let i = at(x - half); i <= at(x + half); i++) {
      for (let j = at(y - half); j <= at(y + half); j++) keys.push(`${i},${j}`);
    }
    return keys;
  }

  async ready(redraw) {
    if (atlas.tint) {
      this.tint = new Image();
      this.tint.src = atlas.tint;
      this.tint.decode().then(redraw, () => {});
    }
    await loadSheets(() => { this.paintOverview(); redraw(); });
  }

  paintOverview() {
    const {rows, columns} = this.window;
    this.fine = Math.min(atlas.tile[0], 2048 / Math.max(rows, columns * this.tall));
    [this.overview.width, this.overview.height] = [Math.ceil(rows * this.fine), Math.ceil(columns * this.fine * this.tall)];
    const context = this.overview.getContext('2d');
    this.order.forEach((index) => {
      const size = this.stride[index] * this.fine, x = (this.lattice[2 * index] + 0.5) * this.fine - size / 2;
      const y = this.overview.height - (this.lattice[2 * index + 1] + 0.5) * this.fine * this.tall - size * this.tall / 2;
      drawTile(context, index, x, y, size, size * this.tall);
    });
  }

  get whole() {
    const {width, height} = this.canvas.getBoundingClientRect(), {rows, columns} = this.window;
    return {x: (rows - 1) / 2 - (width < 600 ? 14 * rows / width : 0), y: (columns - 1) / 2,
      scale: Math.min((width - 84) / rows, (height - 62 - covered()) / (columns * this.tall)), rise: covered() / 2 - 4};
  }

  fit() { this.view = this.whole; }

  toScreen(x, y) {
    const {width, height} = this.canvas.getBoundingClientRect(), {scale, rise = 0} = this.view;
    return [width / 2 + (x - this.view.x) * scale, height / 2 - rise - (y - this.view.y) * scale * this.tall];
  }

  toLattice(px, py) {
    const {width, height} = this.canvas.getBoundingClientRect(), {scale, rise = 0} = this.view;
    return [this.view.x + (px - width / 2) / scale, this.view.y - (py - height / 2 + rise) / (scale * this.tall)];
  }

  screen(index) { return this.toScreen(this.lattice[2 * index], this.lattice[2 * index + 1]); }

  locate(px, py) {
    const [x, y] = this.toLattice(px, py), {rows, columns} = this.window;
    if (x < -0.5 || y < -0.5 || x > rows - 0.5 || y > columns - 0.5) return -1;
    const near = this.buckets.get(`${Math.floor(x / this.block)},${Math.floor(y / this.block)}`) || [];
    let found = -1;
    near.forEach((index) => { // in order: the last is the finest
      const half = this.stride[index] / 2;
      if (Math.abs(this.lattice[2 * index] - x) <= half && Math.abs(this.lattice[2 * index + 1] - y) <= half) found = index;
    });
    return found;
  }

  pan(dx, dy) {
    const {rows, columns} = this.window, {scale} = this.view;
    this.view.x = Math.min(rows, Math.max(-1, this.view.x - dx / scale));
    this.view.y = Math.min(columns, Math.max(-1, this.view.y + dy / (scale * this.tall)));
  }

  zoom(factor, px, py) {
    const [x, y] = this.toLattice(px, py), whole = this.whole.scale;
    this.view.scale = Math.min(Math.max(this.view.scale * factor, whole * 0.6), Math.max(whole * 4, 420));
    const [sx, sy] = this.toScreen(x, y);
    this.pan(px - sx, py - sy);
  }

  // The view a site is flown to.
  goal(site) {
    const {width, height} = this.canvas.getBoundingClientRect(), scale = Math.max(this.whole.scale, 90);
    const inside = (value, count, sight) => (count < sight ? (count - 1) / 2 :
      Math.min(count - 0.5 - sight / 2, Math.max(sight / 2 - 0.5, value)));
    const x = inside(site.at[0], this.window.rows, (width - 90) / scale);
    const y = inside(site.at[1], this.window.columns, (height - covered() - 60) / (scale * this.tall));
    return {x, y, scale, rise: covered() / 2 - 4};
  }

  between(from, to, t) {
    const near = (a, b) => a + (b - a) * t;
    return {x: near(from.x, to.x), y: near(from.y, to.y), rise: near(from.rise || 0, to.rise || 0),
      scale: from.scale * (to.scale / from.scale) ** t};
  }

  step(index, dx, dy) {
    const [x, y] = index < 0 ? [0, 0] : [this.lattice[2 * index], this.lattice[2 * index + 1]];
    const reach = index < 0 ? 0 : this.stride[index] / 2;
    for (let far = reach + 0.5; far < reach + 3 * this.block; far++) {
      const next = this.locate(...this.toScreen(x + dx * far, y + dy * far));
      if (next >= 0 && next !== index) return next;
    }
    return index;
  }

  draw(context, state) {
    const {rows, columns} = this.window;
    const [left, bottom] = this.toScreen(-0.5, -0.5), [right, top] = this.toScreen(rows - 0.5, columns - 0.5);
    const box = [left, top, right - left, bottom - top];
    context.fillStyle = RAISED;
    context.fillRect(...box);
    if (state.pictures) this.drawPictures(context, state, box);
    const over = state.pictures ? state.blend : 1;
    if (state.phases && this.tint?.complete) {
      context.globalAlpha = state.pictures ? Math.min(1, 0.15 + 0.85 * over) : 1;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.tint, ...box);
      context.globalAlpha = 1;
    }
    if (state.field) {
      this.paintField(state.phases && !state.pictures ? 0.5 : over);
      context.imageSmoothingEnabled = !atlas.whole || state.pictures || state.phases;
      context.drawImage(this.field, ...box);
    }
    context.imageSmoothingEnabled = true;
    if (state.metric && atlas.metric) drawMetric(context, this);
    if (state.rifts) this.drawLines(context);
    this.drawRulers(context, box);
    if (state.at >= 0) this.ring(context, state.at);
    if (state.rifts) atlas.sites.forEach((site, k) => marker(context, ...this.toScreen(...site.at), k + 1));
  }

  drawPictures(context, state, box) {
    const {width, height} = this.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    const large = this.view.scale * ratio > (this.fine || 0) * 1.15;
    const [x0, y0] = this.toLattice(0, height), [x1, y1] = this.toLattice(width, 0);
    const seen = !large ? [] : this.order.filter((index) => {
      const half = this.stride[index] / 2, x = this.lattice[2 * index], y = this.lattice[2 * index + 1];
      return x + half > x0 && x - half < x1 && y + half > y0 && y - half < y1;
    });
    context.save();
    context.beginPath();
    context.rect(...box);
    context.clip();
    context.imageSmoothingQuality = 'high';
    if (large && seen.length < 4000) {
      seen.forEach((index) => {
        const size = this.stride[index] * this.view.scale, [x, y] = this.screen(index);
        drawTile(context, index, x - size / 2, y - size * this.tall / 2, size + 0.5, size * this.tall + 0.5);
      });
    } else if (this.overview.width) context.drawImage(this.overview, ...box);
    const over = Math.min(1, 2 * state.blend);
    if (state.field && over > 0) { // quiet below a glow
      context.globalCompositeOperation = 'saturation';
      context.globalAlpha = 0.45 * over;
      context.fillStyle = GROUND;
      context.fillRect(...box);
      context.globalCompositeOperation = 'source-over';
      context.globalAlpha = 0.3 * over;
      context.fillStyle = GROUND;
      context.fillRect(...box);
    }
    context.restore();
  }

  paintField(blend) {
    if (this.painted === blend) return;
    this.painted = blend;
    const context = this.field.getContext('2d'), image = context.createImageData(...atlas.field.size);
    const opacity = Uint8ClampedArray.from({length: 256}, (_, strength) => 255 * veil(strength, blend));
    this.fieldPixels.forEach((strength, k) => {
      const colour = 3 * Math.round((strength - 1) / 254 * 255);
      if (strength) image.data.set(atlas.glow.subarray(colour, colour + 3), 4 * k);
      image.data[4 * k + 3] = opacity[strength];
    });
    context.putImageData(image, 0, 0);
  }

  drawLines(context) {
    const strongest = Math.max(...atlas.lines.map((line) => line.strength), 1e-300);
    atlas.lines.forEach((line) => {
      context.beginPath();
      for (let k = 0; k < line.path.length; k += 2) context.lineTo(...this.toScreen(line.path[k], line.path[k + 1]));
      stroke(context, 0.7 + 1.6 * Math.sqrt(line.strength / strongest));
    });
  }

  // Alpha below and beta at the left, wherever the map is moved to.
  drawRulers(context, [left, top, width, height]) {
    const size = this.canvas.getBoundingClientRect();
    const low = Math.min(Math.max(top + height, 40), size.height - covered() - 24), beside = Math.max(left, 46);
    context.font = FONT_WORDS;
    context.fillStyle = FAINT;
    context.strokeStyle = FAINT;
    const {alpha, beta, rows, columns} = this.window, view = [...this.toLattice(0, size.height), ...this.toLattice(size.width, 0)];
    ruler(alpha, rows, view[0], view[2], Math.max(4, size.width / 140)).forEach(([spot, words]) => {
      const [x] = this.toScreen(spot, 0);
      if (x < left - 1 || x > left + width + 1) return;
      context.textAlign = 'center';
      outlined(context, words, x, low + 17);
    });
    ruler(beta, columns, view[1], view[3], Math.max(4, size.height / 110)).forEach(([spot, words]) => {
      const y = this.toScreen(0, spot)[1];
      if (y < top - 1 || y > top + height + 1 || y > low - 4) return;
      context.textAlign = 'right';
      outlined(context, words, beside - 8, y + 4);
    });
    context.fillStyle = INK;
    context.font = FONT_NAMES;
    context.textAlign = 'left';
    outlined(context, 'α', Math.min(left + width + 8, size.width - 16), low + 17);
    context.textAlign = 'right';
    outlined(context, 'β', beside - 8, Math.max(top - 8, 18));
  }

  ring(context, index) {
    const size = this.stride[index] * this.view.scale, [x, y] = this.screen(index);
    context.lineWidth = 3.5;
    context.strokeStyle = GROUND;
    context.strokeRect(x - size / 2, y - size * this.tall / 2, size, size * this.tall);
    context.lineWidth = 1.5;
    context.strokeStyle = INK;
    context.strokeRect(x - size / 2, y - size * this.tall / 2, size, size * this.tall);
  }
}

// Pleasant values in sight on one axis, as [lattice spot, words]; deep in a zoom, as offsets from the middle.
function ruler([low, high], count, from, to, many) {
  const width = high - low, middle = low + width / 2, deep = width < 1e-3 * Math.max(Math.abs(low), Math.abs(high));
  const value = (spot) => (spot / (count - 1) - 0.5) * width + (deep ? 0 : middle);
  return steps(value(Math.max(from, -0.5)), value(Math.min(to, count - 0.5)), many).map((tick) => [
    ((tick - (deep ? 0 : middle)) / width + 0.5) * (count - 1), (deep && tick > 0 ? '+' : '') + brief(tick, 6)]);
}

function stroke(context, width) {
  context.lineJoin = context.lineCap = 'round';
  context.lineWidth = width + 2;
  context.strokeStyle = `${GROUND}8c`;
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = INK;
  context.stroke();
}

function marker(context, x, y, number) {
  context.beginPath();
  context.arc(x, y, 9, 0, 7);
  context.fillStyle = ACCENT;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = GROUND;
  context.stroke();
  context.fillStyle = GROUND;
  context.font = FONT_NUMBERS;
  context.textAlign = 'center';
  context.fillText(String(number), x, y + 4);
}
