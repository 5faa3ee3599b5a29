// The newest picture, over a line of its own; each one is acknowledged when it has been drawn.

import {$} from '/static/dom.js';
import {OUT_BLACKOUT, OUT_FREEZE, OUT_TESTCARD} from '/static/names.js';

export class Preview {
  constructor(link) {
    this.canvas = $('preview');
    this.link = link;
    this.again = 0;
    link.on('line', (open) => { if (open) this.open(); });
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
    for (const kind of ['values', 'status']) link.on(kind, () => this.badge());
  }

  open() {
    clearTimeout(this.again);
    if (document.hidden || (this.socket && this.socket.readyState <= WebSocket.OPEN)) return;
    const socket = this.socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/preview`);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', (event) => this.draw(event.data, socket));
    socket.addEventListener('close', () => {
      if (socket === this.socket && this.link.connected) this.again = setTimeout(() => this.open(), 1500);
    });
  }

  close() {
    this.socket?.close();
    this.socket = null;
  }

  async draw(data, socket) {
    try {
      const image = await createImageBitmap(new Blob([data.slice(8)], {type: 'image/jpeg'})), {canvas} = this;
      if (canvas.width !== image.width || canvas.height !== image.height) [canvas.width, canvas.height] = [image.width, image.height];
      canvas.getContext('2d').drawImage(image, 0, 0);
      image.close();
      canvas.dataset.frame = new DataView(data).getBigInt64(0);
    } catch { /* a picture that cannot be read is passed over */ }
    if (socket.readyState === WebSocket.OPEN) socket.send('ok');
  }

  badge() {
    const {link} = this, words = [];
    if (link.shownValue(OUT_BLACKOUT)) words.push('the wall is black');
    else if (link.shownValue(OUT_TESTCARD)) words.push('the wall shows the test card');
    else if (link.shownValue(OUT_FREEZE)) words.push('the wall is frozen');
    $('badge').textContent = words.join(', ');
    $('badge').hidden = !words.length;
  }
}
