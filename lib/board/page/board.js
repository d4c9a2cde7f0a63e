// The board's page. Everything that the server sends is text to it: it makes elements, and never HTML.

const API = new URL('api/', import.meta.url);
const POLL_MS = 1_000;
/** The server answers within five seconds, also when its queue does not. */
const ANSWER_MS = 8_000;
const JOBS_OF_A_PAGE = 25;
const LETTERS_OF_A_PAGE = 20;
const PARTS_OF_A_PAGE = 20;
/** A job of at most so many parts shows a cell for each of them: in a list, and on its own page. More are shown by state alone. */
const CELLS_OF_A_ROW = 40;
const CELLS_OF_A_PAGE = 100;
const TOAST_MS = 6_000;
const ENDED = ['completed', 'failed', 'cancelled'];
const STATES = [
  'waiting',
  'running',
  'interrupted',
  'pausing',
  'paused',
  'cancelling',
  'cancelled',
  'completed',
  'failed',
];

/** States of parts: those that ask for attention come first. */
const PART_STATES = [
  'failed',
  'cancelled',
  'cancelling',
  'completed',
  'running',
  'interrupted',
  'pausing',
  'paused',
  'waiting',
];

// ---------------------------------------------------------------------------------------------------------- elements

/** An element: attributes, listeners by `on…`, and children; a child that is a string is text. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

const byId = (id) => document.getElementById(id);

/** Leaves an element alone that says it already: a selection in it stays, and nothing is announced twice. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function put(element, name, value) {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

let toastTimer;
function toast(text) {
  say(byId('toast'), text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => say(byId('toast'), ''), TOAST_MS);
}

// ------------------------------------------------------------------------------------------------------------- words

const whole = new Intl.NumberFormat();
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const NOTHING = '–';

const share = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 });

const percentOf = ({ percent }) => (percent === undefined ? '' : share.format(percent / 100));

function rateOf(rate) {
  if (rate === undefined) return NOTHING;
  return `${rate >= 100 ? whole.format(Math.round(rate)) : fine.format(rate)}/s`;
}

function duration(ms) {
  if (ms === undefined) return NOTHING;
  if (ms > 0 && ms < 1_000) return `${Math.ceil(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return ms < 10_000 ? `${fine.format(ms / 1_000)} s` : `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min${seconds % 60 ? ` ${seconds % 60} s` : ''}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ''}`;
  return `${Math.floor(hours / 24)} d${hours % 24 ? ` ${hours % 24} h` : ''}`;
}

/** In the viewer's zone. */
function time(iso) {
  return h('time', { datetime: iso, title: iso }, moment.format(new Date(iso)));
}

const itemsOf = ({ processed, size }) =>
  size === undefined ? whole.format(processed) : `${whole.format(processed)} of ${whole.format(size)}`;

/** `[state, count]` of the states that parts of a job are in. */
const countsOf = ({ partStates = {} }) =>
  PART_STATES.map((state) => [state, partStates[state] ?? 0]).filter(([, count]) => count > 0);

const partsIn = (status) => countsOf(status).reduce((sum, [, count]) => sum + count, 0);

const partsText = (count) => `${whole.format(count)} ${count === 1 ? 'part' : 'parts'}`;

/** How a job is called in a list: a part by its number, which its id ends with. */
const labelOf = ({ id, part }) => (part ? `Part ${part.index}` : id);

const REASONS = {
  shutdown: 'its worker was shut down',
  maxRuntime: 'its run took as long as maxRuntimeMs allows',
  retryIn: 'it asked to be put back',
  throttle: 'its source is throttled',
  health: 'a health signal stopped it',
  rate: 'it waits for its rate limit',
  window: 'its window is closed',
  pause: 'it was paused',
  cancel: 'it was cancelled',
  lockLost: 'its worker lost the lock',
  bullmq: 'BullMQ put it back',
};

function interruptionText({ reason, detail }) {
  const words = REASONS[reason] ?? reason;
  if (!detail) return words;
  return detail.startsWith('by ') ? `${words} ${detail}` : `${words}: ${detail}`;
}

function requestText({ by, reason }) {
  return `${by ? ` by ${by}` : ''}${reason ? `: ${reason}` : ''}`;
}

/** Why the job is in its state, in a line. */
function whyOf(status) {
  const { state, request, failedReason, lastInterruption, worker, failures } = status;
  const again = failures > 0 ? `${failures} ${failures === 1 ? 'failure' : 'failures'} at this cursor` : '';
  switch (state) {
    case 'running':
      return again || (worker ? `on ${worker}` : '');
    case 'waiting':
      return 'for a worker';
    case 'interrupted':
      return again || (lastInterruption ? interruptionText(lastInterruption) : 'waits for its next run');
    case 'pausing':
    case 'paused':
    case 'cancelling':
      return request ? `asked${requestText(request)}` : '';
    case 'failed':
    case 'cancelled':
      return failedReason ?? '';
    default:
      return '';
  }
}

const can = {
  pause: ({ state }) => ['waiting', 'running', 'interrupted'].includes(state),
  resume: ({ state }) => ['paused', 'pausing', 'cancelling'].includes(state),
  cancel: ({ state }) => !ENDED.includes(state) && state !== 'cancelling',
  restart: ({ state }) => !['running', 'pausing'].includes(state),
  tune: ({ state }) => !ENDED.includes(state),
  redrive: ({ skipped }) => skipped > 0,
};

// ------------------------------------------------------------------------------------------------------------ server

const TOKEN = `iteration board token ${API.pathname}`;
const NAME = 'iteration board name';

class Refused extends Error {
  constructor(status, { message, needs, server } = {}) {
    super(Array.isArray(message) ? message.join(', ') : (message ?? `The server answered ${status}`));
    this.status = status;
    this.needs = needs;
    this.server = server;
  }
}

async function ask(path, { query = {}, body } = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  const token = sessionStorage.getItem(TOKEN);
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    cache: 'no-store',
    signal: body ? undefined : AbortSignal.timeout(ANSWER_MS),
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json', 'x-requested-with': 'board' }),
    },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json().catch(() => undefined);
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

// ----------------------------------------------------------------------------------------------------------- dialogs

let fieldNumber = 0;

function fieldOf({ name, label, hint, kind = 'text', value = '', options = [], ...attributes }) {
  const id = `field-${++fieldNumber}`;
  const described = hint && { 'aria-describedby': `${id}-hint` };
  const tag = { long: 'textarea', choice: 'select' }[kind] ?? 'input';
  const input = h(
    tag,
    {
      id,
      name,
      autocomplete: 'off',
      spellcheck: 'false',
      ...(tag === 'input' && { type: kind }),
      ...described,
      ...attributes,
    },
    ...options.map((option) => h('option', { value: option }, option)),
  );
  input.value = kind === 'choice' ? value || options[0] : value;
  return h('label', { for: id }, label, input, hint && h('span', { class: 'hint', id: `${id}-hint` }, hint));
}

/**
 * Asks for values, and does something with them. The dialog stays until that succeeds: what was wrong is said in it.
 * @returns whether it was done
 */
function dialog({ title, text, fields = [], action, danger = false, keep = 'Close', mayClose = true, run }) {
  return new Promise((resolve) => {
    const id = `dialog-${++fieldNumber}`;
    const wrong = h('p', { class: 'wrong', role: 'alert', hidden: true });
    const submit = h('button', { class: danger ? 'first danger' : 'first' }, action);
    const close = h('button', { type: 'button', onclick: () => element.close() }, keep);
    let done = false;
    const form = h(
      'form',
      {
        novalidate: true,
        onsubmit: async (event) => {
          event.preventDefault();
          if (submit.disabled) return;
          submit.disabled = true;
          try {
            await run(Object.fromEntries(new FormData(form)));
            done = true;
            element.close();
          } catch (error) {
            wrong.hidden = false;
            wrong.textContent = textOf(error);
          }
          submit.disabled = false;
        },
      },
      h('h2', { id }, title),
      text && h('p', { class: 'text' }, text),
      ...fields.map(fieldOf),
      wrong,
      h('div', { class: 'row-of-buttons' }, mayClose ? close : undefined, submit),
    );
    const element = h(
      'dialog',
      {
        'aria-labelledby': id,
        oncancel: (event) => mayClose || event.preventDefault(),
        onclose: () => {
          element.remove();
          resolve(done);
        },
      },
      form,
    );
    document.body.append(element);
    element.showModal();
    form.querySelector('input, textarea, select')?.focus();
  });
}

function textOf(error) {
  if (error instanceof Refused) return error.status === 503 ? `${error.message}. Try again later` : error.message;
  if (error instanceof SyntaxError) return `That is no JSON: ${error.message}`;
  return error instanceof TypeError ? 'No connection to the server' : error.message;
}

const nameField = () => ({
  name: 'by',
  label: 'Your name',
  hint: 'Kept with the job, so that others know whom to ask.',
  value: localStorage.getItem(NAME) ?? '',
  maxlength: 200,
});
const reasonField = { name: 'reason', label: 'Reason', hint: 'Shown with the job. Optional.', maxlength: 1_000 };

/** Who asks, and why; what is empty is left out. */
function asked({ by, reason }) {
  if (by !== undefined) localStorage.setItem(NAME, by);
  return { ...(by && { by }), ...(reason && { reason }) };
}

const jsonOf = (text) => (text.trim() === '' ? undefined : JSON.parse(text));

let askingForToken;
function askForToken(isWrong) {
  askingForToken ??= dialog({
    title: 'This board is protected',
    text: isWrong ? 'That token was wrong.' : 'Enter its token. It is kept until you close this tab.',
    fields: [{ name: 'token', label: 'Token', kind: 'password' }],
    action: 'Open the board',
    mayClose: false,
    run: async ({ token }) => {
      sessionStorage.setItem(TOKEN, token);
      try {
        await ask('queues');
      } catch (error) {
        if (error.needs === 'token') throw new Error('The token is wrong');
      }
    },
  }).finally(() => {
    askingForToken = undefined;
  });
  return askingForToken;
}

// ---------------------------------------------------------------------------------------------------------- controls

const placeOf = ({ queue, id }) => ({ queue, id });

async function change(action, status, { body = {}, text }) {
  const answer = await ask(action, { body: { ...placeOf(status), ...body } });
  toast(text);
  refreshNow();
  return answer;
}

/** What a control does to a job, and to the parts of one that has some. */
const forParts = ({ partStates }, text) => (partStates ? `${text} This holds for each of its parts.` : text);

const controls = {
  pause: (status) =>
    dialog({
      title: `Pause ${status.id}`,
      text: forParts(status, 'It stops before its next item, holds no worker, and waits until it is resumed.'),
      fields: [reasonField, nameField()],
      action: 'Pause',
      run: (values) => change('pause', status, { body: asked(values), text: `${status.id} is paused` }),
    }),
  resume: async (status) => {
    try {
      const by = localStorage.getItem(NAME);
      await change('resume', status, { body: by ? { by } : {}, text: `${status.id} is resumed` });
    } catch (error) {
      toast(textOf(error));
    }
  },
  cancel: (status) =>
    dialog({
      title: `Cancel ${status.id}?`,
      text: forParts(status, 'It ends as failed, after its cancel hooks. What it has handled stays handled.'),
      fields: [reasonField, nameField()],
      action: 'Cancel the job',
      keep: 'Keep it',
      danger: true,
      run: (values) => change('cancel', status, { body: asked(values), text: `${status.id} is cancelled` }),
    }),
  restart: (status) =>
    dialog({
      title: `Restart ${status.id}`,
      text: 'It starts anew, and counts from zero again. Items that it has handled may be handled again.',
      fields: [
        {
          name: 'cursor',
          label: 'After the cursor',
          hint: 'JSON. Empty: where the job began. null: the beginning of the source.',
          kind: 'long',
        },
      ],
      action: 'Restart',
      danger: true,
      run: ({ cursor }) =>
        change('restart', status, { body: { cursor: jsonOf(cursor) }, text: `${status.id} starts anew` }),
    }),
  tune: (status) => {
    const { settings } = status;
    const number = { kind: 'number', inputmode: 'decimal', step: 'any', min: 0 };
    return dialog({
      title: `Tune ${status.id}`,
      text: forParts(
        status,
        'In force within two seconds, and for all its later runs. What is left as it is does not change.',
      ),
      fields: [
        {
          ...number,
          name: 'itemsPerSecond',
          label: 'Items a second',
          hint: 'Empty: no limit.',
          value: settings.itemsPerSecond ?? '',
        },
        { ...number, name: 'itemConcurrency', label: 'Items at a time', step: 1, value: settings.itemConcurrency },
        {
          ...number,
          name: 'batchSize',
          label: 'Batch size',
          step: 1,
          hint: 'Of a source of batches.',
          value: settings.batchSize ?? '',
        },
      ],
      action: 'Apply',
      run: (values) => {
        const changed = Object.entries(values)
          .map(([name, text]) => [name, text === '' ? null : Number(text)])
          .filter(([name, value]) => value !== (settings[name] ?? null))
          .filter(([name, value]) => value !== null || name === 'itemsPerSecond');
        if (changed.length === 0) throw new Error('Nothing was changed');
        return change('tune', status, { body: Object.fromEntries(changed), text: `${status.id} is tuned` });
      },
    });
  },
  redrive: (status) =>
    dialog({
      title: `Re-drive the dead letters of ${status.id}`,
      text: 'A new job looks for each of their items, and handles it again. A letter is removed when its item succeeds.',
      action: 'Re-drive',
      run: async () => {
        const { id } = await change('redrive', status, { text: 'The dead letters are re-driven' });
        location.hash = hashOf({ queue: status.queue, id });
      },
    }),
};

const LABELS = {
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel',
  restart: 'Restart',
  tune: 'Tune',
  redrive: 'Re-drive',
};

/** A button that stays where it is, and keeps the focus, when its job does not allow it for now. */
function controlButton(action, { statusOf, small = false, label = LABELS[action] }) {
  const isDanger = action === 'cancel' || action === 'restart';
  const button = h(
    'button',
    {
      type: 'button',
      class: [small && 'small', isDanger && 'danger'].filter(Boolean).join(' ') || undefined,
      onclick: () => {
        if (button.getAttribute('aria-disabled') !== 'true') controls[action](statusOf());
      },
    },
    label,
  );
  return button;
}

function enqueue({ name, processors }) {
  return dialog({
    title: `Enqueue a job in ${name}`,
    fields: [
      { name: 'name', label: 'Processor', kind: 'choice', options: processors },
      { name: 'data', label: 'Data', kind: 'long', value: '{}', hint: 'JSON.' },
      { name: 'jobId', label: 'Job id', hint: 'A job of the same id is not added twice. Empty: BullMQ makes one.' },
      {
        name: 'canary',
        label: 'Canary',
        kind: 'number',
        min: 1,
        step: 1,
        hint: 'Pause after so many items. Empty: do not.',
      },
    ],
    action: 'Enqueue',
    run: async ({ canary, data, jobId, name: processor }) => {
      const body = {
        queue: name,
        name: processor,
        data: jsonOf(data),
        ...(jobId && { jobId }),
        ...(canary && { canary: Number(canary) }),
      };
      const { id } = await ask('enqueue', { body });
      toast(`${id} is enqueued`);
      location.hash = hashOf({ queue: name, id });
    },
  });
}

function bulk({ queue, state, name }) {
  const chosen = [state && `in the state ${state}`, name && `named ${name}`].filter(Boolean).join(', ');
  return dialog({
    title: 'All matching jobs',
    text: `Every job of ${queue}${chosen ? `, ${chosen}` : ''}: also those that this page does not show.`,
    fields: [
      { name: 'action', label: 'Action', kind: 'choice', options: ['pause', 'resume', 'cancel', 'restart'] },
      reasonField,
      nameField(),
    ],
    action: 'Do it for all',
    danger: true,
    run: async ({ action, ...values }) => {
      const filter = { queue, ...(state && { states: [state] }), ...(name && { name }) };
      const { done, refused } = await ask('bulk', { body: { ...filter, action, ...asked(values) } });
      toast(`${action}: ${whole.format(done)} done, ${whole.format(refused)} refused`);
      refreshNow();
    },
  });
}

// ------------------------------------------------------------------------------------------------------------- views

/** Where the viewer is: `#/?queue=…&state=…` is a list, and with an `id` it is a job. */
const place = () => Object.fromEntries(new URLSearchParams(location.hash.replace(/^#\/?\??/, '')));

function hashOf(parts) {
  const given = Object.entries(parts).filter(([, value]) => value);
  return `#/?${new URLSearchParams(given)}`;
}

/** What the server said last of its queues. */
let known = { readOnly: true, queues: [] };

function showQueues(current) {
  const links = known.queues.map(({ name, counts }) => {
    const busy = (counts.active ?? 0) + (counts.waiting ?? 0) + (counts.prioritized ?? 0) + (counts.delayed ?? 0);
    const count = h(
      'span',
      { class: 'number', title: `${busy} ${busy === 1 ? 'job' : 'jobs'} active, waiting or delayed` },
      whole.format(busy),
    );
    return h(
      'a',
      { href: hashOf({ queue: name }), 'aria-current': name === current ? 'true' : undefined },
      name,
      count,
    );
  });
  const nav = byId('queues');
  const shown = links.map((link) => link.outerHTML).join('');
  if (nav.dataset.shown === shown) return;
  const focused = [...nav.children].indexOf(document.activeElement);
  nav.dataset.shown = shown;
  nav.replaceChildren(...links);
  nav.children[focused]?.focus();
}

/** The rows of a list. A job keeps its row, so that the focus and a selection in it stay. */
class JobRows {
  #rows = new Map();

  constructor(list) {
    this.list = list;
  }

  show(jobs) {
    const rows = jobs.map((status) => {
      const row = this.#rows.get(status.id) ?? newRow(status);
      this.#rows.set(status.id, row);
      row.show(status);
      return row.element;
    });
    const gone = [...this.list.children].filter((row) => !rows.includes(row));
    for (const row of gone) row.remove();
    for (const [index, row] of rows.entries()) {
      if (this.list.children[index] !== row) this.list.insertBefore(row, this.list.children[index] ?? null);
    }
    this.#rows = new Map(jobs.map(({ id }) => [id, this.#rows.get(id)]));
  }
}

class ListView {
  constructor(at) {
    this.at = at;
    this.queue = at.queue;
    this.start = Number(at.start ?? 0);
    document.title = `${this.queue ?? 'No queue'} · Iterations`;
    this.heading = h('h1', {}, this.queue ?? 'No queue is registered');
    this.list = h('ul', { class: 'jobs', 'aria-label': `Jobs of ${this.queue}` });
    this.rows = new JobRows(this.list);
    this.empty = h('p', { class: 'empty', hidden: true });
    this.range = h('span', { class: 'number' });
    this.back = h(
      'button',
      { type: 'button', class: 'small', 'data-keep': 'back', onclick: () => this.#page(-1) },
      'Previous',
    );
    this.next = h(
      'button',
      { type: 'button', class: 'small', 'data-keep': 'next', onclick: () => this.#page(1) },
      'Next',
    );
    this.enqueue = h('button', { type: 'button', class: 'first', onclick: () => enqueue(this.#own()) }, 'Enqueue');
    this.bulk = h('button', { type: 'button', onclick: () => bulk(this.at) }, 'All matching jobs');
    const head = ['Job', 'State', 'Progress', 'Rate', 'Left', ''].map((text, index) =>
      h('span', index === 3 || index === 4 ? { class: 'right' } : {}, text),
    );
    this.element = h(
      'div',
      {},
      this.heading,
      this.#tools(),
      h('div', { class: 'card' }, h('div', { class: 'head', 'aria-hidden': 'true' }, ...head), this.list, this.empty),
      h('div', { class: 'pager' }, this.range, h('div', { class: 'row-of-buttons' }, this.back, this.next)),
    );
  }

  async load() {
    if (!this.queue) return undefined;
    const { state, name } = this.at;
    return ask('jobs', { query: { queue: this.queue, state, name, start: this.start, limit: JOBS_OF_A_PAGE } });
  }

  show(answer) {
    const { jobs, next } = answer ?? { jobs: [], next: null };
    this.rows.show(jobs);
    this.empty.hidden = jobs.length > 0;
    say(this.empty, this.at.state || this.at.name ? 'No job matches.' : 'No jobs.');
    const first = this.start + 1;
    say(this.range, jobs.length > 0 ? `${whole.format(first)} to ${whole.format(this.start + jobs.length)}` : '');
    this.next.hidden = next === null;
    this.back.hidden = this.start === 0;
    this.enqueue.hidden = known.readOnly || !this.#own()?.processors.length;
    this.bulk.hidden = known.readOnly || !this.queue;
  }

  #own() {
    return known.queues.find(({ name }) => name === this.queue);
  }

  #tools() {
    const filter = (change) => {
      location.hash = hashOf({ ...this.at, start: undefined, ...change });
    };
    const state = h(
      'select',
      { 'data-keep': 'state', onchange: () => filter({ state: state.value }) },
      h('option', { value: '' }, 'All states'),
      ...STATES.map((each) => h('option', { value: each }, each)),
    );
    state.value = this.at.state ?? '';
    const name = h('input', {
      type: 'search',
      'data-keep': 'name',
      placeholder: 'Any',
      onchange: () => filter({ name: name.value }),
    });
    name.value = this.at.name ?? '';
    const open = () => {
      if (id.value) location.hash = hashOf({ queue: this.queue, id: id.value });
    };
    const id = h('input', { type: 'search', placeholder: 'Open by id', onchange: open });
    return h(
      'div',
      { class: 'bar-of-tools' },
      h('label', { class: 'narrow' }, 'State', state),
      h('label', { class: 'narrow' }, 'Name', name),
      h('label', { class: 'narrow' }, 'Job', id),
      h('div', { class: 'row-of-buttons end' }, this.bulk, this.enqueue),
    );
  }

  #page(step) {
    const start = Math.max(0, this.start + step * JOBS_OF_A_PAGE);
    location.hash = hashOf({ ...this.at, start: start || undefined });
  }
}

function newRow({ queue, id, part }) {
  let status;
  const label = labelOf({ id, part });
  const name = h('span', { class: 'name' });
  const pill = h('span', { class: 'pill' });
  const why = h('div', { class: 'why' });
  const bar = newBar(`Progress of ${label}`);
  const parts = newPartsLine();
  const percent = h('b', { class: 'number' });
  const amount = h('span', { class: 'number' });
  const rate = h('span', { class: 'right rate number' });
  const eta = h('span', { class: 'right eta number' });
  const actions = ['pause', 'resume'];
  const buttons = actions.map((action) => {
    const button = controlButton(action, { statusOf: () => status, small: true });
    button.append(h('span', { class: 'unseen' }, ` ${label}`));
    return button;
  });
  const element = h(
    'li',
    { class: 'job' },
    h('div', { class: 'what' }, h('a', { class: 'id', href: hashOf({ queue, id }) }, label), name),
    h('div', { class: 'how' }, pill, why),
    h('div', { class: 'done' }, bar.element, h('div', { class: 'amount' }, percent, amount), parts.element),
    rate,
    eta,
    ...buttons,
  );
  const show = (next) => {
    status = next;
    put(element, 'data-state', status.state);
    say(name, part ? '' : status.name);
    say(pill, status.state);
    say(why, whyOf(status));
    put(why, 'title', whyOf(status) || undefined);
    bar.show(status);
    parts.show(status);
    say(percent, percentOf(status));
    say(amount, itemsOf(status));
    say(rate, status.state === 'running' ? rateOf(status.itemsPerSecond) : '');
    say(eta, ENDED.includes(status.state) || status.etaMs === undefined ? '' : duration(status.etaMs));
    showOne(
      buttons,
      actions.map((action) => !known.readOnly && can[action](status)),
    );
  };
  return { element, show };
}

/** Hides all but one of some buttons that replace each other; the focus stays. */
function showOne(buttons, shown) {
  const focused = buttons.find((button) => button === document.activeElement);
  for (const [index, button] of buttons.entries()) button.hidden = !shown[index];
  if (focused?.hidden) buttons.find(({ hidden }) => !hidden)?.focus();
}

function newBar(label, isTall = false) {
  const fill = h('i');
  const element = h(
    'div',
    {
      class: isTall ? 'track tall' : 'track',
      role: 'progressbar',
      'aria-label': label,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
    },
    fill,
  );
  const show = ({ percent, processed, state }) => {
    const isKnown = percent !== undefined;
    element.classList.toggle('unknown', !isKnown && state === 'running');
    put(element, 'aria-valuenow', isKnown ? Math.floor(percent) : undefined);
    put(element, 'aria-valuetext', isKnown ? undefined : `${whole.format(processed)} items, of an unknown number`);
    fill.style.width = isKnown ? `${percent}%` : '';
  };
  return { element, show };
}

/** A bar with a cell for each part of a job, or for each state when there are many. It is named by its counts. */
function newStrip(most) {
  const element = h('div', { class: 'strip', role: 'img' });
  const show = (status) => {
    const counts = countsOf(status);
    const words = counts.map(([state, count]) => `${whole.format(count)} ${state}`).join(', ');
    const name = `${partsText(partsIn(status))}: ${words}`;
    if (element.getAttribute('aria-label') === name) return;
    put(element, 'aria-label', name);
    const cells =
      partsIn(status) <= most
        ? counts.flatMap(([state, count]) => Array.from({ length: count }, () => [state, 1]))
        : counts;
    element.replaceChildren(
      ...cells.map(([state, count]) => {
        const cell = h('i', { 'data-state': state });
        cell.style.flexGrow = count;
        return cell;
      }),
    );
  };
  return { element, show };
}

/** The parts of a job, in its row. */
function newPartsLine() {
  const strip = newStrip(CELLS_OF_A_ROW);
  const count = h('span', { class: 'number' });
  const failed = h('span', { class: 'failed number' });
  const element = h('div', { class: 'parts-line', hidden: true }, strip.element, h('div', {}, count, failed));
  const show = (status) => {
    const { partStates } = status;
    element.hidden = partStates === undefined;
    if (element.hidden) return;
    strip.show(status);
    say(count, partsText(partsIn(status)));
    say(failed, partStates.failed ? `${whole.format(partStates.failed)} failed` : '');
  };
  return { element, show };
}

/** A cell for each part of a job, which opens it. One of them is in the order of tabs; arrows lead to the others. */
class PartCells {
  #cells = [];

  constructor(at) {
    this.at = at;
    this.element = h('ul', { class: 'cells', 'aria-label': 'Each part', onkeydown: (event) => this.#move(event) });
  }

  /** @param parts Those that are there. Others were not added yet. */
  show(count, parts) {
    while (this.#cells.length > count) this.#cells.pop().item.remove();
    while (this.#cells.length < count) this.#cells.push(this.#newCell(this.#cells.length));
    const byIndex = new Map(parts.map((status) => [status.part.index, status]));
    for (const [index, { link, state }] of this.#cells.entries()) {
      const status = byIndex.get(index);
      const shown = status?.state ?? 'waiting';
      put(link, 'href', status && hashOf({ queue: this.at.queue, id: status.id }));
      put(link, 'data-state', shown);
      put(link, 'title', `Part ${index}, ${shown}`);
      say(state, `, ${shown}`);
    }
    const [first, ...others] = this.#links();
    if (first && ![first, ...others].some((link) => link.tabIndex === 0)) put(first, 'tabindex', 0);
  }

  #newCell(index) {
    const state = h('span', { class: 'unseen' });
    const link = h('a', { tabindex: '-1' }, h('span', { class: 'unseen' }, 'Part '), String(index), state);
    link.addEventListener('focus', () => {
      for (const each of this.#links()) put(each, 'tabindex', each === link ? 0 : -1);
    });
    const item = h('li', {}, link);
    this.element.append(item);
    return { item, link, state };
  }

  #links() {
    return this.#cells.map(({ link }) => link).filter((link) => link.hasAttribute('href'));
  }

  #move(event) {
    const links = this.#links();
    const at = links.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (at < 0 || !links[to]) return;
    event.preventDefault();
    links[to].focus();
  }
}

/** The parts of a job: all of them in a strip, and a list of those in a state. */
class PartsView {
  constructor(at) {
    this.at = at;
    this.state = STATES.includes(at.parts) ? at.parts : '';
    this.start = Number(at.start ?? 0) || 0;
    this.strip = newStrip(0);
    this.cells = new PartCells(at);
    this.list = h('ul', { class: 'jobs', 'aria-label': 'Parts' });
    this.rows = new JobRows(this.list);
    this.none = h('p', { class: 'soft', hidden: true });
    this.filters = ['', ...PART_STATES].map((state) => {
      const text = h('span', {});
      const onclick = () => this.#go({ state, start: 0 });
      const button = h('button', { type: 'button', class: 'small', 'data-state': state || undefined, onclick }, text);
      return { state, text, button };
    });
    this.filter = h('div', { class: 'filters', role: 'group', 'aria-label': 'Parts by state' });
    this.filter.append(...this.filters.map(({ button }) => button));
    const page = (step, text) => {
      const onclick = () => this.#go({ start: Math.max(0, this.start + step * PARTS_OF_A_PAGE) });
      return h('button', { type: 'button', class: 'small', onclick }, text);
    };
    this.range = h('span', { class: 'number' });
    this.back = page(-1, 'Previous');
    this.next = page(1, 'Next');
    this.pager = h('div', { class: 'pager' }, this.range, h('div', { class: 'row-of-buttons' }, this.back, this.next));
    this.element = h(
      'section',
      { class: 'card part wide', hidden: true, 'aria-label': 'Parts' },
      h('h2', {}, 'Parts'),
      this.strip.element,
      this.cells.element,
      this.filter,
      this.list,
      this.none,
      this.pager,
    );
  }

  /** A completed job has no states of its parts, since they were removed, but for those that had failed. */
  async load(status) {
    const { queue, id, part, partStates, state } = status;
    if (!partStates && (part || state !== 'completed')) return undefined;
    const query = { queue, partOf: id };
    const hasCells = partStates !== undefined && partsIn(status) <= CELLS_OF_A_PAGE;
    const [page, all] = await Promise.all([
      ask('jobs', { query: { ...query, state: this.state, start: this.start, limit: PARTS_OF_A_PAGE } }),
      hasCells ? ask('jobs', { query: { ...query, limit: CELLS_OF_A_PAGE } }) : undefined,
    ]);
    return { page, all };
  }

  show(status, parts) {
    const { partStates } = status;
    const { page: { jobs, next } = { jobs: [], next: null }, all } = parts ?? {};
    this.element.hidden = !partStates && jobs.length === 0;
    if (this.element.hidden) return;
    const count = partsIn(status);
    this.strip.element.hidden = all !== undefined || !partStates;
    this.cells.element.hidden = all === undefined;
    if (all) this.cells.show(count, all.jobs);
    else this.strip.show(status);
    this.filter.hidden = !partStates;
    for (const { state, text, button } of this.filters) {
      const number = state ? (partStates?.[state] ?? 0) : count;
      say(text, `${state || 'all'} ${whole.format(number)}`);
      put(button, 'aria-pressed', state === this.state);
      button.hidden = state !== '' && state !== this.state && number === 0;
    }
    this.rows.show(jobs);
    this.none.hidden = jobs.length > 0;
    say(this.none, this.state ? `No part is ${this.state}.` : 'No part was added yet.');
    say(this.range, `${whole.format(this.start + 1)} to ${whole.format(this.start + jobs.length)}`);
    this.pager.hidden = next === null && this.start === 0;
    this.range.hidden = jobs.length === 0;
    this.next.hidden = next === null;
    this.back.hidden = this.start === 0;
  }

  /** The address says what is shown, so that the way back from a part leads there. */
  #go(to) {
    Object.assign(this, to);
    const { queue, id } = this.at;
    const { state, start } = this;
    history.replaceState(history.state, '', hashOf({ queue, id, parts: state, start }));
    viewHash = location.hash;
    refreshNow();
  }
}

class JobView {
  #status;
  #lettersStart = 0;
  #lettersOf;
  #shown = {};

  constructor(at) {
    this.at = at;
    document.title = `${at.id} · Iterations`;
    this.pill = h('span', { class: 'pill' });
    this.name = h('span', {});
    this.whole = h('span', { class: 'part-of', hidden: true });
    this.why = h('span', { class: 'why-line' });
    this.bar = newBar(`Progress of ${at.id}`, true);
    this.percent = h('b', { class: 'number' });
    this.amount = h('span', { class: 'soft number' });
    this.facts = Object.fromEntries(
      ['Rate', 'Rate overall', 'Left', 'Run', 'Interruptions', 'Skipped', 'Failures here', 'Worker'].map((name) => [
        name,
        h('dd', { class: 'number' }),
      ]),
    );
    this.cursor = h('pre', { class: 'cursor', tabindex: '0', 'aria-label': 'Cursor' });
    this.settings = h('dl', { class: 'values' });
    const actions = Object.keys(LABELS).filter((action) => action !== 'redrive');
    this.buttons = Object.fromEntries(
      actions.map((action) => [action, controlButton(action, { statusOf: () => this.#status })]),
    );
    this.redrive = controlButton('redrive', { statusOf: () => this.#status, small: true });
    this.redrive.hidden = true;
    this.times = newTimes();
    this.runs = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Runs' });
    this.requests = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Requests' });
    this.letters = h('div', {});
    this.parts = new PartsView(at);
    this.body = h('div', { hidden: true }, ...this.#parts());
    this.missing = h('p', { class: 'card empty', hidden: true });
    this.element = h(
      'div',
      {},
      h(
        'a',
        { class: 'back', href: hashOf({ queue: at.queue }) },
        h('span', { 'aria-hidden': 'true' }, '←'),
        `All jobs of ${at.queue}`,
      ),
      this.body,
      this.missing,
    );
  }

  async load() {
    try {
      const answer = await ask('job', { query: placeOf(this.at) });
      return { ...answer, parts: await this.parts.load(answer.status) };
    } catch (error) {
      if (error.status === 404 || error.status === 400) return { missing: textOf(error) };
      throw error;
    }
  }

  show({ status, runs, requests, parts, missing }) {
    this.body.hidden = missing !== undefined;
    this.missing.hidden = missing === undefined;
    if (missing !== undefined) return say(this.missing, missing);
    const before = this.#status?.state;
    this.#status = status;
    if (before && before !== status.state) toast(`${status.id} is ${status.state}`);
    put(this.body, 'data-state', status.state);
    say(this.pill, status.state);
    say(this.name, status.name);
    say(this.why, whyOf(status));
    this.#ifChanged('whole', status.part, () => this.#showWhole(status));
    this.bar.show(status);
    this.parts.show(status, parts);
    say(this.percent, percentOf(status));
    say(this.amount, `${itemsOf(status)} items`);
    this.times.show(status);
    this.#showFacts(status);
    this.#showButtons(status);
    this.#ifChanged('settings', status.settings, () => this.#showSettings(status));
    this.#ifChanged('runs', runs, () => this.runs.replaceChildren(runsTable(runs)));
    this.#ifChanged('requests', requests, () => this.requests.replaceChildren(requestsTable(requests)));
    this.#ifChanged('letters', [status.skipped, status.state], () => this.#loadLetters());
    return undefined;
  }

  #parts() {
    const facts = Object.entries(this.facts).map(([name, value]) => h('div', {}, h('dt', {}, name), value));
    return [
      h(
        'div',
        { class: 'title' },
        h('div', {}, h('h1', {}, this.at.id), h('div', { class: 'under' }, this.pill, this.name, this.whole, this.why)),
        h('div', { class: 'row-of-buttons' }, ...Object.values(this.buttons)),
      ),
      h(
        'section',
        { class: 'card progress', 'aria-label': 'Progress' },
        h('div', { class: 'percent' }, this.percent, this.amount),
        this.bar.element,
        h('dl', { class: 'facts' }, ...facts),
      ),
      this.parts.element,
      h(
        'div',
        { class: 'pair' },
        h('section', { class: 'card part' }, h('h2', {}, 'Where its time goes'), this.times.element),
        h('section', { class: 'card part' }, h('h2', {}, 'Cursor and settings'), this.cursor, this.settings),
      ),
      h('section', { class: 'card part wide' }, h('h2', {}, 'Runs'), this.runs),
      h('section', { class: 'card part wide' }, h('h2', {}, 'Requests'), this.requests),
      h(
        'section',
        { class: 'card part wide' },
        h('div', { class: 'part-head' }, h('h2', {}, 'Dead letters'), this.redrive),
        this.letters,
      ),
    ];
  }

  /** The way from a part to its job. */
  #showWhole({ queue, part }) {
    this.whole.hidden = part === undefined;
    if (part) {
      const link = h('a', { href: hashOf({ queue, id: part.of }) }, part.of);
      this.whole.replaceChildren(`Part ${part.index} of `, link);
    }
  }

  #showButtons(status) {
    const { pause, resume, ...others } = this.buttons;
    for (const button of Object.values(others)) button.hidden = known.readOnly;
    showOne([pause, resume], known.readOnly ? [false, false] : [!can.resume(status), can.resume(status)]);
    for (const [action, button] of Object.entries(this.buttons)) {
      put(button, 'aria-disabled', can[action](status) ? undefined : 'true');
    }
  }

  #showFacts(status) {
    const { state, etaMs } = status;
    const isOver = ENDED.includes(state);
    const until = state === 'running' && etaMs > 60_000 ? `, until ${clock.format(Date.now() + etaMs)}` : '';
    say(this.facts.Rate, state === 'running' ? rateOf(status.itemsPerSecond) : NOTHING);
    say(this.facts['Rate overall'], rateOf(status.overallItemsPerSecond));
    say(this.facts.Left, isOver ? NOTHING : duration(etaMs) + until);
    say(this.facts.Run, whole.format(status.run));
    say(this.facts.Interruptions, whole.format(status.interruptions));
    say(this.facts.Skipped, whole.format(status.skipped));
    say(this.facts['Failures here'], whole.format(status.failures));
    say(this.facts.Worker, status.worker ?? NOTHING);
    say(this.cursor, JSON.stringify(status.cursor, undefined, 1));
  }

  #showSettings({ settings: { itemConcurrency, itemsPerSecond, batchSize } }) {
    const rows = [
      ['Items at a time', whole.format(itemConcurrency)],
      ['Items a second', itemsPerSecond === undefined ? 'no limit' : fine.format(itemsPerSecond)],
      ['Batch size', batchSize === undefined ? undefined : whole.format(batchSize)],
    ].filter(([, value]) => value !== undefined);
    this.settings.replaceChildren(...rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
  }

  async #loadLetters(start = this.#lettersStart) {
    this.#lettersStart = start;
    try {
      const { letters, next } = await ask('dead-letters', {
        query: { ...placeOf(this.at), start, limit: LETTERS_OF_A_PAGE },
      });
      this.redrive.hidden = known.readOnly || letters.length === 0;
      const key = JSON.stringify([letters, next]);
      if (this.#lettersOf === key) return;
      this.#lettersOf = key;
      this.letters.replaceChildren(...this.#letterParts(letters, next));
    } catch {
      this.#shown.letters = undefined; // again, with the next answer
    }
  }

  #letterParts(letters, next) {
    const page = (start, text) =>
      h('button', { type: 'button', class: 'small', onclick: () => this.#loadLetters(start) }, text);
    if (letters.length === 0 && this.#lettersStart === 0) return [h('p', { class: 'soft' }, 'None.')];
    const start = this.#lettersStart;
    const back = start > 0 ? page(Math.max(0, start - LETTERS_OF_A_PAGE), 'Previous') : undefined;
    const forth = next === null ? undefined : page(next, 'Next');
    const range = `${whole.format(start + 1)} to ${whole.format(start + letters.length)}`;
    return [
      h('ul', { class: 'letters' }, ...letters.map(letterItem)),
      h('div', { class: 'pager' }, h('span', {}, range), h('div', { class: 'row-of-buttons' }, back, forth)),
    ];
  }

  #ifChanged(name, value, update) {
    const text = JSON.stringify(value);
    if (this.#shown[name] === text) return;
    this.#shown[name] = text;
    update();
  }
}

/** The bar of reading, handling and the rest, with its figures. */
function newTimes() {
  const kinds = [
    ['reading', 'Reading the source'],
    ['handling', 'Handling items'],
    ['other', 'Everything else'],
  ].map(([kind, label]) => ({
    kind,
    label,
    part: h('i', { class: kind }),
    value: h('span', { class: 'number' }),
    portion: h('span', { class: 'share number' }),
  }));
  const bar = h('div', { class: 'split', role: 'img' }, ...kinds.map(({ part }) => part));
  const legend = kinds.map(({ kind, label, value, portion }) =>
    h('li', {}, h('i', { class: kind }), label, value, portion),
  );
  const element = h('div', {}, bar, h('ul', { class: 'legend' }, ...legend));
  const show = ({ runtimeMs, readingMs, handlingMs }) => {
    const times = { reading: readingMs, handling: handlingMs, other: Math.max(0, runtimeMs - readingMs - handlingMs) };
    const sum = times.reading + times.handling + times.other;
    for (const { kind, part, value, portion } of kinds) {
      part.style.flexGrow = times[kind];
      part.hidden = times[kind] === 0;
      say(value, duration(times[kind]));
      say(portion, sum > 0 ? share.format(Math.round((100 * times[kind]) / sum) / 100) : NOTHING);
    }
    const words = kinds.map(({ kind, label }) => `${label}: ${duration(times[kind])}`).join(', ');
    put(bar, 'aria-label', `Of ${duration(sum)} of running. ${words}`);
  };
  return { element, show };
}

function table(names, rows, empty) {
  if (rows.length === 0) return h('p', { class: 'soft' }, empty);
  const head = names.map((name) => h('th', { scope: 'col' }, name));
  return h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows));
}

function runsTable(runs) {
  const rows = runs
    .toReversed()
    .map(({ run, worker, startedAt, endedAt, items, outcome, interruption }) =>
      h(
        'tr',
        {},
        h('td', { class: 'number' }, whole.format(run)),
        h('td', {}, time(startedAt)),
        h('td', { class: 'when number' }, endedAt ? duration(Date.parse(endedAt) - Date.parse(startedAt)) : NOTHING),
        h('td', { class: 'number' }, whole.format(items)),
        h('td', {}, h('span', { class: 'pill', 'data-state': outcome ?? 'running' }, outcome ?? 'running')),
        h('td', { class: 'why' }, interruption ? interruptionText(interruption) : ''),
        h('td', { class: 'mono' }, worker),
      ),
    );
  return table(['Run', 'Started', 'Took', 'Items', 'Ended as', 'Why', 'Worker'], rows, 'It has not run yet.');
}

function requestsTable(requests) {
  const rows = requests.toReversed().map(({ type, at, by, reason, cursor, settings }) => {
    const what = [
      reason,
      cursor !== undefined && `after ${JSON.stringify(cursor)}`,
      settings &&
        Object.entries(settings)
          .map(([name, value]) => `${name} ${value ?? 'without limit'}`)
          .join(', '),
    ];
    return h(
      'tr',
      {},
      h('td', {}, type),
      h('td', {}, time(at)),
      h('td', {}, by ?? NOTHING),
      h('td', { class: 'why' }, what.filter(Boolean).join(', ')),
    );
  });
  return table(['Request', 'When', 'By', 'Why'], rows, 'Nobody has asked anything of it.');
}

function letterItem({ summary, error, cursor, before, at, tries }) {
  const item = summary || JSON.stringify(cursor);
  const failure = error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
  const values = {
    Item: h('code', {}, item),
    Error: failure,
    Cursor: h('code', {}, JSON.stringify(cursor)),
    After: h('code', {}, JSON.stringify(before)),
    Tries: whole.format(tries),
  };
  const rows = Object.entries(values).flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]);
  return h(
    'li',
    {},
    h(
      'details',
      {},
      h(
        'summary',
        {},
        h('span', { class: 'item mono' }, item),
        h('span', { class: 'error' }, failure),
        h('span', { class: 'soft' }, time(at)),
      ),
      h(
        'div',
        { class: 'inside' },
        h('dl', { class: 'values' }, ...rows),
        error.stack && h('pre', { tabindex: '0', role: 'region', 'aria-label': 'Stack of the error' }, error.stack),
      ),
    ),
  );
}

// -------------------------------------------------------------------------------------------------------------- loop

let view;
let viewHash;
let isDue = false;
let wake = () => {};

function refreshNow() {
  isDue = true;
  wake();
}

function connected() {
  byId('connection').classList.remove('away');
  say(byId('connection'), known.readOnly ? 'Live, read-only' : 'Live');
}

function disconnected(error) {
  const where = error.status === 503 ? (error.server ?? 'the queue') : 'the server';
  const isAway = !(error instanceof Refused) || error.status >= 500;
  byId('connection').classList.add('away');
  say(byId('connection'), isAway ? `No connection to ${where}; trying again` : `${textOf(error)}; trying again`);
}

/** Shows where the viewer went. The focus moves there too, to the same filter if it was in one, but not when the page opens. */
function follow() {
  const at = place();
  const queue = at.queue ?? known.queues[0]?.name;
  if (view && viewHash === location.hash && view.at.queue === queue) return;
  const isFirst = view === undefined;
  const kept = document.activeElement?.dataset.keep;
  view = at.id ? new JobView({ ...at, queue }) : new ListView({ ...at, queue });
  viewHash = location.hash;
  byId('main').replaceChildren(view.element);
  const again = kept && view.element.querySelector(`[data-keep="${kept}"]`);
  if (again) again.focus();
  else if (!isFirst) byId('main').focus();
}

async function refresh() {
  known = await ask('queues');
  follow();
  const current = view;
  showQueues(current.at.queue);
  const answer = await current.load();
  if (current === view) current.show(answer);
}

/** The next refresh, when its time has come and the page is looked at; or at once, when something was done. */
function nextTurn(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => document.hidden || resolve(), isDue ? 0 : ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

async function live() {
  for (;;) {
    const began = performance.now();
    isDue = false;
    try {
      await refresh();
      connected();
    } catch (error) {
      if (error.needs === 'token') {
        await askForToken(sessionStorage.getItem(TOKEN) !== null);
        continue;
      }
      disconnected(error);
    }
    // A list that takes the server long is asked for less often.
    await nextTurn(Math.max(POLL_MS, 3 * (performance.now() - began)));
  }
}

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').focus();
});
addEventListener('hashchange', () => {
  if (known.queues.length > 0) follow();
  refreshNow();
});
document.addEventListener('visibilitychange', () => document.hidden || refreshNow());
void live();
