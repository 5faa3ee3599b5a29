// Made from the types by `python -m installation.ports.deck.reference`; a test keeps it in step.

// What a deck is told: the fields of a message by its kind.
export const LETTERS = {
  hello: ['you', 'version', 'table', 'meanings', 'values', 'bases', 'atlas', 'track', 'status', 'lists'],
  news: ['changes', 'track', 'bases', 'lists', 'atlas', 'status', 'moving'],
  answer: ['id', 'answer', 'fault'],
  refused: ['text'],
};

// What a deck says: the fields of a message by what it does.
export const COMMANDS = {
  set: ['name', 'value'],
  fade: ['name', 'x'],
  release: ['name'],
  press: ['name', 'value'],
  ask: ['id', 'what', 'texts', 'numbers', 'steps', 'size'],
  cancel: ['id'],
  subscribe: ['ticks', 'status', 'moving'],
};

// A row of the track: where a column is.
export const COLUMN = {index: 0, alpha: 1, beta: 2, front: 3, x: 4, y: 5, z: 6, radius: 7, rate: 8, step: 9};

// How the renderer may be.
export const STATES = ['loading', 'running', 'hung', 'restarting', 'safe', 'loop'];

export const LONGEST = 2000; // characters of a text
export const NAME = /^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$/; // of a snapshot
