// The reverse-diffusion engine: the present frame, taken apart into its denoising steps.

import {filled} from '/static/controls.js';
import {button, make, picture, sharp} from '/static/dom.js';
import {ACCENT, FAINT, FONT_TICKS, INK, RULE} from '/static/drawing.js';
import {brief} from '/static/scale.js';

const PLAYED = 260; // ms a step

export class Engine {
  constructor(link) {
    this.link = link;
    this.steps = [];
    this.at = 0;
    this.forward = false;
    this.build();
  }

  build() {
    this.ask = button('Take the present frame apart', () => this.take(), {class: 'wide primary', id: 'take-apart'});
    this.told = make('p.hint', {role: 'status'}, 'The U-Net predicts the noise in a latent and takes a part of it away, again and again, until a '
      + 'picture is left. Here is how the frame on the wall came to be.');
    const frame = (id, words) => make('figure', {}, make('canvas', {id, width: 128, height: 128, role: 'img', 'aria-label': words}), make('figcaption'));
    this.left = frame('engine-latent', 'the latent at this step');
    this.right = frame('engine-clean', 'the picture predicted at this step');
    this.slider = make('input', {type: 'range', min: 0, max: 1, step: 1, value: 0, id: 'engine-step', 'aria-label': 'denoising step'});
    this.slider.addEventListener('input', () => {
      this.stop();
      this.go(this.slider.valueAsNumber);
    });
    this.ends = make('p.ends', {}, make('span', {}, 'noise'), make('span', {}, 'picture'));
    this.ways = make('div.segments', {role: 'radiogroup', 'aria-label': 'direction'},
      button('Reverse: denoise', () => this.way(false), {role: 'radio', 'aria-checked': 'true'}),
      button('Forward: add noise', () => this.way(true), {role: 'radio', 'aria-checked': 'false', id: 'engine-forward'}));
    this.play = button('Play', () => (this.timer ? this.stop() : this.start()), {class: 'small', id: 'engine-play'});
    this.curve = make('canvas.curve', {role: 'img', 'aria-label': 'alpha bar over the steps'});
    this.code = make('pre.code', {id: 'engine-code'});
    this.strip = make('div.strip', {'aria-hidden': 'true'});
    this.body = make('div.engine', {hidden: true}, this.ways, make('div.pair', {}, this.left, this.right),
      make('div.line', {}, this.slider, this.play), this.ends, this.strip, this.code, this.curve);
    this.section = make('section.section', {id: 'engine'}, make('h2', {}, 'Reverse-diffusion engine'), this.told, this.ask, this.body);
    new ResizeObserver(() => this.graph()).observe(this.curve);
  }

  async take() {
    this.ask.disabled = true;
    this.ask.classList.add('busy');
    this.told.textContent = 'Denoising once more, a step at a time, while the show goes on …';
    try {
      await this.arrived(await this.link.ask('diffusion', {size: 256}));
    } catch (error) {
      this.told.textContent = error.message;
    }
    this.ask.disabled = false;
    this.ask.classList.remove('busy');
  }

  async arrived(answer) {
    const last = answer.steps.at(-1);
    const steps = await Promise.all(answer.steps.map(async (step) => ({time: step.time, alphaBar: step.alpha_bar,
      latent: await picture(step.latent), clean: await picture(step.clean), noised: await picture(step.noised)})));
    const latent = answer.latent0 && await picture(answer.latent0), clean = await picture(answer.picture ?? last.clean);
    this.steps = [...steps, {time: null, alphaBar: 1, latent: latent ?? steps.at(-1).latent, clean, noised: latent ?? steps.at(-1).noised}];
    this.told.textContent = `Frame ${answer.index} at α ${brief(answer.alpha)}, β ${brief(answer.beta)}, in ${steps.length} steps`
      + (answer.texts?.length ? `: ${answer.texts.map(([text]) => `“${text}”`).join(', ').slice(0, 160)}` : '');
    this.body.hidden = false;
    this.slider.max = steps.length;
    this.film();
    this.go(0);
    this.start();
  }

  film() { // what was predicted at some of the steps, side by side
    const count = Math.min(this.steps.length, 10);
    this.strip.replaceChildren(...Array.from({length: count}, (_, k) => {
      const at = Math.round(k * (this.steps.length - 1) / Math.max(count - 1, 1));
      const small = make('canvas', {width: 64, height: 64, onclick: () => { this.stop(); this.go(at); }});
      small.dataset.at = at;
      small.getContext('2d').drawImage(this.steps[at].clean, 0, 0, 64, 64);
      return small;
    }));
  }

  way(forward) {
    this.forward = forward;
    [...this.ways.children].forEach((part, k) => part.setAttribute('aria-checked', String((k === 1) === forward)));
    this.go(this.at);
  }

  start() {
    this.stop();
    const end = this.steps.length - 1;
    if (this.at === (this.forward ? 0 : end)) this.go(this.forward ? end : 0);
    this.play.textContent = 'Stop';
    this.timer = setInterval(() => {
      const next = this.at + (this.forward ? -1 : 1);
      if (next < 0 || next > end) return this.stop();
      this.go(next);
    }, Math.max(60, Math.min(PLAYED, 6000 / this.steps.length)));
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = 'Play';
  }

  go(at) {
    if (!this.steps.length) return;
    this.at = at;
    this.slider.value = at;
    filled(this.slider, at / (this.steps.length - 1));
    const step = this.steps[at], done = step.time === null;
    this.paint(this.left, this.forward ? step.noised : step.latent, this.forward ? (done ? 'x₀, the finished latent' : 'x₀ with noise put back on')
      : done ? 'x₀, the finished latent' : 'xₜ, the latent');
    this.paint(this.right, this.forward ? this.steps.at(-1).clean : step.clean, this.forward ? 'the picture it is destroyed from'
      : done ? 'the picture' : 'the picture predicted from it');
    this.slider.setAttribute('aria-valuetext', `step ${at} of ${this.steps.length - 1}`);
    for (const small of this.strip.children) small.classList.toggle('past', Number(small.dataset.at) <= at);
    this.write(step, at);
    this.graph();
  }

  paint(figure, image, words) {
    const canvas = figure.firstChild, context = canvas.getContext('2d');
    if (canvas.width !== image.width || canvas.height !== image.height) [canvas.width, canvas.height] = [image.width, image.height];
    context.drawImage(image, 0, 0);
    figure.lastChild.textContent = words;
  }

  write(step, at) { // the pseudo-code, with what its letters are at this very step
    const count = this.steps.length - 1, comment = (text) => make('i', {}, `  # ${text}`);
    const t = step.time === null ? '0' : String(Math.round(step.time));
    const bar = step.alphaBar.toFixed(4), noise = Math.sqrt(1 - step.alphaBar).toFixed(3), signal = Math.sqrt(step.alphaBar).toFixed(3);
    const lines = this.forward ? [
      ['/* forward diffusion */'], ['ε = randn_like(x_0)'],
      [make('mark', {}, 'x_t = √ᾱ·x_0 + √(1−ᾱ)·ε'), comment(`t = ${t}: ${signal}·x_0 + ${noise}·ε`)],
    ] : [
      ['/* U-Net denoising loop */'],
      [at < count ? make('mark', {}, `for t in reversed(timesteps):`) : 'for t in reversed(timesteps):', comment(`step ${Math.min(at + 1, count)} of ${count}, t = ${t}`)],
      ['    noise_pred = unet(x_t, t, prompt_embeds)', comment(`√(1−ᾱ) = ${noise}`)],
      ['    x_t = remove_noise(x_t, noise_pred)', comment(`ᾱ = ${bar}`)],
    ];
    this.code.replaceChildren(...lines.flatMap((line) => [...line, '\n']));
    this.code.dataset.time = t;
    this.code.dataset.alphaBar = bar;
  }

  graph() { // how much of the picture is kept, over the steps
    if (!this.steps.length || !this.curve.clientWidth) return;
    const {context, width, height} = sharp(this.curve), count = this.steps.length - 1;
    const place = (k, share) => [8 + (width - 16) * k / count, height - 8 - (height - 22) * share];
    const trace = (of, colour) => {
      context.strokeStyle = colour;
      context.lineWidth = 1.5;
      context.beginPath();
      this.steps.forEach((step, k) => context.lineTo(...place(k, of(step))));
      context.stroke();
    };
    context.fillStyle = RULE;
    context.fillRect(8, height - 8, width - 16, 1);
    trace((step) => Math.sqrt(1 - step.alphaBar), FAINT);
    trace((step) => Math.sqrt(step.alphaBar), INK);
    context.font = FONT_TICKS;
    context.fillStyle = FAINT;
    context.fillText('√(1−ᾱ)  noise', 10, 11);
    context.fillStyle = INK;
    context.textAlign = 'right';
    context.fillText('√ᾱ  picture', width - 10, 11);
    context.textAlign = 'left';
    context.fillStyle = ACCENT;
    for (const share of [Math.sqrt(this.steps[this.at].alphaBar), Math.sqrt(1 - this.steps[this.at].alphaBar)]) {
      context.beginPath();
      context.arc(...place(this.at, share), 4, 0, 7);
      context.fill();
    }
  }
}
