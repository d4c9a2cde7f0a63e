import { request as httpRequest } from 'node:http';
import { getQueueToken } from '@nestjs/bullmq';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  Module,
  type Type,
} from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Queue } from 'bullmq';
import { of } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BoardOptions, IterationBoardModule } from '../../lib/board/index.js';
import { describeRoutes } from '../../lib/board/openapi.js';
import { ITERATION_STATES } from '../../lib/control/status.js';
import { InvalidOptionsError, IterationService } from '../../lib/index.js';
import { BACKENDS, describeQueues, type Queues } from '../support/app.js';
import { type BoardAppOptions, PLATFORMS, type Platform, startBoard } from '../support/board.js';
import { OwnRedis } from '../support/own-redis.js';
import { wordsProcessor } from '../support/parted.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const TOKEN = 'open sesame';
const ODD_IDS = [
  'a/b',
  'a%2Fb',
  '100%',
  '?x=1&y',
  '#top',
  '..',
  '../../etc',
  'ü 漢字 🚀',
  '<img src=x onerror=alert(1)>',
  '"\'`',
  ' ',
];

/** A board and a client of it. */
class Client {
  constructor(
    readonly app: INestApplication,
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  get iterations(): IterationService {
    return this.app.get(IterationService);
  }

  get queue(): Queue {
    return this.app.get<Queue>(getQueueToken('jobs'), { strict: false });
  }

  get(path: string, query: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Answer> {
    return answerOf(fetch(this.#urlOf(path, query), { headers: { ...this.headers, ...headers } }));
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const all = { 'content-type': 'application/json', 'x-requested-with': 'test', ...this.headers, ...headers };
    return answerOf(fetch(this.#urlOf(path, {}), { method: 'POST', headers: all, body: JSON.stringify(body) }));
  }

  #urlOf(path: string, query: Record<string, string>): string {
    return `${this.url}/iterations${path}?${new URLSearchParams(query)}`;
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  readonly json: any;
}

async function answerOf(sent: Promise<Response>): Promise<Answer> {
  const { status, headers, ...response } = await sent.then(async (answer) => ({
    status: answer.status,
    headers: answer.headers,
    text: await answer.text(),
  }));
  const isJson = headers.get('content-type')?.startsWith('application/json');
  return { status, headers, text: response.text, json: isJson ? JSON.parse(response.text) : undefined };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe.each(PLATFORMS)('the board on %s', (platform: Platform) => {
  describeQueues('the API', BACKENDS, (queues) => {
    const start = starter(queues, platform);

    it('lists the queues with their processors, and a page of jobs with a filter', async () => {
      const [story, other] = [storyProcessor(), storyProcessor({}, { name: 'other' })];
      const board = await start({
        processors: [story.type, other.type],
        iteration: { workers: false },
        queues: ['jobs', 'empty'],
      });
      for (let index = 0; index < 5; index++)
        await board.iterations.enqueue(story.type, {}, { jobId: `story-${index}` });
      await board.iterations.enqueue(other.type, {}, { jobId: 'other-0' });

      const { json: all } = await board.get('/api/queues');
      expect(all.readOnly).toBe(false);
      expect(all.queues).toMatchObject([
        { name: 'empty', processors: [] },
        { name: 'jobs', processors: ['story', 'other'], counts: { waiting: 6 } },
      ]);

      const first = await board.get('/api/jobs', { queue: 'jobs', name: 'story', limit: '3' });
      const second = await board.get('/api/jobs', { queue: 'jobs', name: 'story', limit: '3', start: '3' });
      expect([first.json.next, second.json.next]).toEqual([3, null]);
      const ids = [...first.json.jobs, ...second.json.jobs].map(({ id }: { id: string }) => id);
      expect(ids.toSorted()).toEqual([0, 1, 2, 3, 4].map((index) => `story-${index}`));
      const waiting = await board.get('/api/jobs', { queue: 'jobs', state: 'running,waiting', limit: '200' });
      expect(waiting.json.jobs).toHaveLength(6);
      const paused = await board.get('/api/jobs', { queue: 'jobs', state: 'paused' });
      expect(paused.json).toEqual({ jobs: [], next: null });
    });

    it('controls a job from its start to its end, and shows its runs and requests', async () => {
      const hold = new Hold('b');
      const { type, story } = storyProcessor({
        each: (letter, context) => (story.includes('b') ? undefined : hold.each(letter, context)),
      });
      const board = await start({ processors: [type] });
      const added = await board.post('/api/enqueue', {
        queue: 'jobs',
        name: 'story',
        data: { letters: 'abcd' },
        jobId: 'mine',
      });
      expect([added.status, added.json]).toEqual([201, { queue: 'jobs', id: 'mine', name: 'story' }]);
      const job = { queue: 'jobs', id: 'mine' };

      await hold.reached;
      const paused = await board.post('/api/pause', { ...job, by: 'anna', reason: 'look' });
      expect([paused.status, paused.json.state]).toEqual([200, 'pausing']);
      await until('the job is paused', async () => (await board.get('/api/job', job)).json.status.state === 'paused');
      const tuned = await board.post('/api/tune', { ...job, itemsPerSecond: 1_000 });
      expect(tuned.json.settings.itemsPerSecond).toBe(1_000);
      expect((await board.post('/api/resume', { ...job, by: 'ben' })).status).toBe(200);
      await until('it is completed', async () => (await board.get('/api/job', job)).json.status.state === 'completed');

      const { runs, requests, status } = (await board.get('/api/job', job)).json;
      expect(status).toMatchObject({ processed: 4, percent: 100, cursor: 3 });
      expect(runs).toMatchObject([
        { run: 1, items: 2, outcome: 'interrupt', interruption: { reason: 'pause' } },
        { run: 2, items: 2, outcome: 'complete' },
      ]);
      expect(requests).toMatchObject([
        { type: 'pause', by: 'anna', reason: 'look' },
        { type: 'tune', settings: { itemsPerSecond: 1_000 } },
        { type: 'resume', by: 'ben' },
      ]);

      story.length = 0;
      expect((await board.post('/api/restart', { ...job, cursor: 1 })).status).toBe(200);
      await until('it is completed again', () => story.includes('end complete'));
      expect(story.filter((event) => event.length === 1)).toEqual(['c', 'd']);
    });

    it('cancels a job, and answers with the status and message of an error', async () => {
      const { type } = storyProcessor();
      const board = await start({ processors: [type], iteration: { workers: false } });
      const job = { queue: 'jobs', id: 'mine' };
      expect(await board.post('/api/pause', job)).toMatchObject({
        status: 404,
        json: {
          statusCode: 404,
          error: 'JobNotFoundError',
          message: expect.stringContaining('Queue "jobs" has no job "mine"'),
        },
      });
      await board.iterations.enqueue(type, {}, { jobId: 'mine' });
      const cancelled = await board.post('/api/cancel', { ...job, reason: 'wrong data' });
      expect(cancelled.json).toMatchObject({ state: 'cancelling', request: { reason: 'wrong data' } });
      for (const [path, body, status, message] of [
        ['/api/redrive', job, 409, 'has no dead letters: there is nothing to redrive'],
        ['/api/tune', job, 400, 'tune: it has no settings'],
        ['/api/tune', { ...job, itemsPerSecond: -1 }, 400, 'option "itemsPerSecond" is -1'],
        ['/api/pause', { ...job, reson: 'x' }, 400, 'pause: unknown option "reson". Did you mean "reason"?'],
        ['/api/pause', { queue: 'jobs' }, 400, 'pause: option "id" is undefined'],
        ['/api/pause', [job], 400, 'pause: the options are'],
        ['/api/pause', { queue: 'elsewhere', id: '1' }, 400, 'The queue "elsewhere" is not registered'],
        ['/api/enqueue', { queue: 'jobs', name: 'unknown' }, 404, 'This process has no processor "unknown"'],
        ['/api/enqueue', { queue: 'jobs', name: 'story', jobId: '7' }, 400, 'option "jobId" is "7"'],
        ['/api/enqueue', { queue: 'jobs', name: 'story', canary: 0 }, 400, 'option "canary" is 0'],
        ['/api/bulk', { queue: 'jobs', action: 'delete' }, 400, 'option "action" is "delete"'],
      ] as const) {
        const answer = await board.post(path, body);
        expect([answer.status, answer.json.message], path).toEqual([status, expect.stringContaining(message)]);
      }
      const wrong = ['limit=0', 'limit=201', 'start=-1', 'start=x', 'state=gone', 'page=1', 'name=a&name=b'];
      for (const query of wrong) {
        const answer = await answerOf(fetch(`${board.url}/iterations/api/jobs?queue=jobs&${query}`));
        expect([answer.status, answer.json.error], query).toEqual([400, 'InvalidOptionsError']);
      }
    });

    it('pages through dead letters, and re-drives them', async () => {
      const bad = new Set('acd');
      const { type } = storyProcessor(
        {
          each: (letter) => {
            if (bad.has(letter)) throw new Error(`bad ${letter}`);
          },
        },
        { itemFailure: { then: 'skip', backoffMs: 0 } },
      );
      const board = await start({ processors: [type] });
      const job = { queue: 'jobs', id: 'mine' };
      await board.iterations.enqueue(type, { letters: 'abcde' }, { jobId: 'mine' });
      await until('it is completed', async () => (await board.get('/api/job', job)).json.status.state === 'completed');
      const first = (await board.get('/api/dead-letters', { ...job, limit: '2' })).json;
      const second = (await board.get('/api/dead-letters', { ...job, limit: '2', start: '2' })).json;
      expect([first.next, second.next]).toEqual([2, null]);
      expect([...first.letters, ...second.letters]).toMatchObject([
        { summary: '"a"', cursor: 0, error: { message: 'bad a' } },
        { summary: '"c"', cursor: 2, error: { message: 'bad c' } },
        { summary: '"d"', cursor: 3, error: { message: 'bad d' } },
      ]);
      bad.clear();
      const redriven = await board.post('/api/redrive', job);
      expect([redriven.status, redriven.json]).toEqual([201, { queue: 'jobs', id: expect.any(String), name: 'story' }]);
      await until(
        'no letter is left',
        async () => (await board.get('/api/dead-letters', job)).json.letters.length === 0,
      );
    });

    it('asks the same of every job that a filter chooses', async () => {
      const { type } = storyProcessor();
      const board = await start({ processors: [type], iteration: { workers: false } });
      for (let index = 0; index < 30; index++) await board.iterations.enqueue(type, {}, { jobId: `job-${index}` });
      const body = { queue: 'jobs', action: 'pause', states: ['waiting'], by: 'anna' };
      expect((await board.post('/api/bulk', body)).json).toEqual({ done: 30, refused: 0, errors: [] });
      const { jobs } = (await board.get('/api/jobs', { queue: 'jobs', state: 'paused', limit: '200' })).json;
      expect(jobs).toHaveLength(30);
    });

    it('R29: a job in parts is one job of the list, and partOf lists its parts in pages, by state', async () => {
      const { type } = wordsProcessor({
        each: async (letter, context) => {
          if (letter === 'x') throw new Error('bad row');
          if (letter === 'h') await until('the run is asked to stop', () => context.interruption !== undefined);
        },
      });
      const board = await start({ processors: [type] });
      const job = { queue: 'jobs', id: 'a/b' };
      await board.iterations.enqueue(type, { parts: ['ab', 'x', 'hi', 'hi'] }, { jobId: job.id });
      await until('two parts are held, and the others have ended', async () => {
        const { partStates, state } = await board.iterations.status(job);
        return state === 'running' && partStates?.running === 2 && partStates.completed && partStates.failed;
      });
      const { json: all } = await board.get('/api/jobs', { queue: 'jobs' });
      expect(all).toMatchObject({
        jobs: [{ id: job.id, state: 'running', partStates: { running: 2, completed: 1, failed: 1 } }],
        next: null,
      });
      const parts = (query: Record<string, string>) =>
        board.get('/api/jobs', { queue: 'jobs', partOf: job.id, ...query });
      const [first, second] = [await parts({ limit: '3' }), await parts({ limit: '3', start: '3' })];
      expect([first.json.next, second.json.next]).toEqual([3, null]);
      const places = [...first.json.jobs, ...second.json.jobs].map(({ part }) => part);
      expect(places).toEqual([0, 1, 2, 3].map((index) => ({ of: job.id, index })));
      const [failed] = (await parts({ state: 'failed' })).json.jobs;
      expect(failed).toMatchObject({ failedReason: 'bad row', part: { index: 1 } });
      expect((await board.get('/api/job', { queue: 'jobs', id: failed.id })).json.status).toEqual(failed);
      expect((await board.get('/api/jobs', { queue: 'jobs', partOf: 'nobody' })).status).toBe(404);
      const asked = { queue: 'jobs', action: 'cancel', partOf: job.id, states: ['running'] };
      expect((await board.post('/api/bulk', asked)).json).toEqual({ done: 2, refused: 0, errors: [] });
      await until('the job has failed', async () => (await board.get('/api/job', job)).json.status.state === 'failed');
    });

    it('a job id may have any character', async () => {
      const { type } = storyProcessor();
      const board = await start({ processors: [type], iteration: { workers: false } });
      for (const id of ODD_IDS) {
        const job = { queue: 'jobs', id };
        expect((await board.post('/api/enqueue', { ...job, id: undefined, jobId: id, name: 'story' })).json.id).toBe(
          id,
        );
        expect((await board.post('/api/pause', job)).json, id).toMatchObject({ id, state: 'paused' });
        expect((await board.get('/api/job', job)).json.status, id).toMatchObject({ id, state: 'paused' });
        expect((await board.get('/api/dead-letters', job)).json, id).toEqual({ letters: [], next: null });
      }
    });
  });

  describeQueues('who may do what', ['redis'], (queues) => {
    const start = starter(queues, platform);

    it('serves the page and its files under any prefix, with a strict policy', async () => {
      const board = await start({ prepare: (app) => app.setGlobalPrefix('admin') });
      const page = await answerOf(fetch(`${board.url}/admin/iterations`));
      expect(page.headers.get('content-type')).toMatch(/^text\/html/);
      expect(page.text).toContain('src="./iterations/board.js"');
      expect(page.text).not.toMatch(/\{\{|<style|style=|<script(?![^>]*src=)|\son\w+=/);
      expect(Object.fromEntries(page.headers)).toMatchObject({
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
      for (const [file, type] of [
        ['style.css', 'text/css'],
        ['board.js', 'text/javascript'],
      ] as const) {
        const answer = await answerOf(fetch(`${board.url}/admin/iterations/${file}`));
        expect([answer.status, answer.headers.get('content-type')], file).toEqual([200, `${type}; charset=utf-8`]);
      }
      expect((await answerOf(fetch(`${board.url}/admin/iterations/api/queues`))).status).toBe(200);
    });

    it('the page offers every state of a job as a filter', async () => {
      const board = await start({ board: { access: 'public' } });
      const { text } = await answerOf(fetch(`${board.url}/iterations/board.js`));
      const [, states = ''] = /^const STATES = \[([^\]]*)\]/m.exec(text) ?? [];
      expect(states.match(/\w+/g)).toEqual([...ITERATION_STATES]);
      const [, partStates = ''] = /^const PART_STATES = \[([^\]]*)\]/m.exec(text) ?? [];
      expect(partStates.match(/\w+/g)?.toSorted()).toEqual([...ITERATION_STATES].toSorted());
    });

    it('a token protects the API, and the page that asks for it is open', async () => {
      const board = await start({ board: { token: TOKEN } });
      expect((await board.get('')).status).toBe(200);
      for (const headers of [{}, bearer('wrong'), { authorization: 'Basic x' }, bearer(`${TOKEN}x`)]) {
        const answer = await board.get('/api/queues', {}, headers as Record<string, string>);
        expect([answer.status, answer.json.needs, answer.headers.get('x-content-type-options')]).toEqual([
          401,
          'token',
          'nosniff',
        ]);
      }
      const job = { queue: 'jobs', id: 'none' };
      expect((await board.get('/api/queues', {}, bearer(TOKEN))).status).toBe(200);
      expect((await board.post('/api/pause', job)).status).toBe(401);
      expect((await board.post('/api/pause', job, bearer(TOKEN))).status).toBe(404);
    });

    it('guards are asked for every route, also those of another module, and an observable', async () => {
      @Injectable()
      class Door {
        open = false;
      }
      @Injectable()
      class DoorGuard implements CanActivate {
        constructor(private readonly door: Door) {}
        canActivate = () => of(this.door.open);
      }
      class MethodGuard implements CanActivate {
        async canActivate(context: ExecutionContext) {
          return context.switchToHttp().getRequest().headers['x-deny'] === undefined;
        }
      }
      @Module({ providers: [Door, DoorGuard] })
      class DoorModule {}
      const board = await start({ board: { guards: [DoorGuard, MethodGuard] }, imports: [DoorModule] });
      const paths = ['', '/board.js', '/style.css', '/api/queues'];
      for (const path of paths) expect((await board.get(path)).status, path).toBe(403);
      board.app.get(Door, { strict: false }).open = true;
      for (const path of paths) expect((await board.get(path)).status, path).toBe(200);
      expect((await board.get('', {}, { 'x-deny': '1' })).status).toBe(403);
    });

    it('refuses every change that the page itself did not send', async () => {
      const { type } = storyProcessor();
      const board = await start({ processors: [type], iteration: { workers: false } });
      await board.iterations.enqueue(type, {}, { jobId: 'mine' });
      const job = { queue: 'jobs', id: 'mine' };
      const attempts: readonly Record<string, string>[] = [
        { 'content-type': 'text/plain' },
        { 'content-type': 'application/x-www-form-urlencoded' },
        { 'x-requested-with': '' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'none' },
        { origin: 'https://evil.example' },
        { origin: 'null' },
      ];
      for (const action of ['pause', 'resume', 'cancel', 'restart', 'tune', 'redrive', 'enqueue', 'bulk']) {
        for (const headers of attempts) {
          const { status } = await raw(`${board.url}/iterations/api/${action}`, job, headers);
          expect(status, `${action} ${JSON.stringify(headers)}`).toBe(403);
        }
        expect((await board.get(`/api/${action}`, job)).status, action).toBe(404);
      }
      expect(await board.iterations.requests(job)).toEqual([]);
      const own = { 'sec-fetch-site': 'same-origin', origin: new URL(board.url).origin };
      expect((await raw(`${board.url}/iterations/api/pause`, job, own)).status).toBe(200);
      expect((await raw(`${board.url}/iterations/api/pause`, job, { origin: own.origin })).status).toBe(200);
    });

    it('readOnly shows everything and refuses every change', async () => {
      const { type } = storyProcessor();
      const board = await start({
        board: { access: 'public', readOnly: true },
        processors: [type],
        iteration: { workers: false },
      });
      await board.iterations.enqueue(type, {}, { jobId: 'mine' });
      expect((await board.get('/api/queues')).json.readOnly).toBe(true);
      expect((await board.get('/api/jobs', { queue: 'jobs' })).json.jobs).toHaveLength(1);
      for (const action of ['pause', 'resume', 'cancel', 'restart', 'tune', 'redrive', 'enqueue', 'bulk']) {
        const { status, json } = await board.post(`/api/${action}`, { queue: 'jobs', id: 'mine' });
        expect([status, json.message], action).toEqual([403, 'The board is read-only']);
      }
    });

    it('refuses to start unprotected, and names a wrong option', async () => {
      const refused = (options: unknown) => {
        try {
          IterationBoardModule.forRoot(options as BoardOptions);
        } catch (error) {
          return error instanceof InvalidOptionsError && error.message;
        }
        return undefined;
      };
      expect(refused({})).toMatch(/nothing protects the board/);
      expect(refused({ guards: [] })).toMatch(/nothing protects the board/);
      expect(refused(undefined)).toMatch(/the options are undefined/);
      expect(refused({ tokn: 'x' })).toBe('IterationBoardModule: unknown option "tokn". Did you mean "token"?');
      expect(refused({ token: '' })).toMatch(/option "token" is ""/);
      expect(refused({ token: '✓' })).toMatch(/a string of printable ASCII characters/);
      expect(refused({ access: 'open' })).toMatch(/it must be 'protected' or 'public'/);
      expect(refused({ token: 'x', path: '/' })).toMatch(/option "path" is "\/"/);
      expect(refused({ token: 'x', guards: ['x'] })).toMatch(/an array of guard classes/);
      expect(refused({ access: 'public' })).toBeUndefined();
      const late = IterationBoardModule.forRootAsync({ useFactory: () => ({}) });
      await expect(start({ board: late })).rejects.toThrow('nothing protects the board');
    });

    it('forRootAsync takes the path and the protection from other providers; two boards do not meet', async () => {
      const late = IterationBoardModule.forRootAsync({
        useFactory: async () => ({ path: '/ops/jobs/', token: 'late' }),
      });
      const board = await start({
        board: late,
        imports: [IterationBoardModule.forRoot({ access: 'public', path: 'open' })],
      });
      expect((await answerOf(fetch(`${board.url}/ops/jobs`))).text).toContain('./jobs/board.js');
      expect((await answerOf(fetch(`${board.url}/ops/jobs/api/queues`))).status).toBe(401);
      expect((await answerOf(fetch(`${board.url}/open/api/queues`))).status).toBe(200);
      expect((await board.get('/api/queues')).status).toBe(404);
    });

    it("Nest's own filter answers an error of the library with its status and message", async () => {
      @Controller('own')
      class OwnController {
        constructor(private readonly iterations: IterationService) {}
        @Get() status() {
          return this.iterations.status({ queue: 'jobs', id: 'none' });
        }
      }
      @Module({ controllers: [OwnController] })
      class OwnModule {}
      const board = await start({ imports: [OwnModule] });
      const { status, json } = await answerOf(fetch(`${board.url}/own`));
      expect([status, json.message]).toEqual([404, expect.stringContaining('Queue "jobs" has no job "none"')]);
    });

    it('OpenAPI has every route with its parameters and schemas', async () => {
      const board = await start({ board: { token: 'x' } });
      const document = SwaggerModule.createDocument(board.app, new DocumentBuilder().addBearerAuth().build());
      const { paths } = document;
      expect(Object.keys(paths).toSorted()).toEqual(
        [
          'bulk',
          'cancel',
          'dead-letters',
          'enqueue',
          'job',
          'jobs',
          'pause',
          'queues',
          'redrive',
          'restart',
          'resume',
          'tune',
        ].map((name) => `/iterations/api/${name}`),
      );
      const jobs = document.paths['/iterations/api/jobs']?.get;
      expect(jobs?.parameters?.map((parameter) => 'name' in parameter && [parameter.name, parameter.required])).toEqual(
        [
          ['queue', true],
          ['state', false],
          ['name', false],
          ['olderThanMs', false],
          ['partOf', false],
          ['start', false],
          ['limit', false],
        ],
      );
      const pause = document.paths['/iterations/api/pause']?.post;
      expect(pause?.requestBody).toMatchObject({
        content: {
          'application/json': {
            schema: { properties: { queue: {}, id: {}, by: {}, reason: {} }, required: ['queue', 'id'] },
          },
        },
      });
      expect(pause?.responses['200']).toMatchObject({
        content: {
          'application/json': {
            schema: {
              properties: {
                state: { enum: expect.arrayContaining(['paused']) },
                partStates: { additionalProperties: { type: 'integer' } },
                part: { properties: { of: { type: 'string' }, index: { type: 'integer' } }, required: ['of', 'index'] },
              },
            },
          },
        },
      });
      expect(Object.keys(pause?.responses ?? {})).toEqual(
        expect.arrayContaining(['400', '401', '403', '404', '409', '503']),
      );
      expect(pause?.security).toEqual([{ bearer: [] }]);
      expect(JSON.stringify(paths)).not.toContain('undefined');
    });

    it('works where @nestjs/swagger is not installed', async () => {
      const missing = Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
      await describeRoutes({ api: class {} as Type, page: class {} }, { token: undefined }, () =>
        Promise.reject(missing),
      );
    });
  });

  describeQueues('many jobs', ['redis'], (queues) => {
    const start = starter(queues, platform);

    it('pages through 10,000 jobs, each listed once', async () => {
      const board = await start({ iteration: { workers: false } });
      const jobs = Array.from({ length: 10_000 }, (_, index) => ({
        name: 'story',
        data: {},
        opts: { jobId: `job-${index}` },
      }));
      await board.queue.addBulk(jobs);
      const first = await board.get('/api/jobs', { queue: 'jobs', limit: '200' });
      expect([first.json.jobs.length, first.json.next]).toEqual([200, 200]);
      const last = await board.get('/api/jobs', { queue: 'jobs', start: '9900', limit: '200' });
      expect([last.json.jobs.length, last.json.next]).toEqual([100, null]);
      const none = await board.get('/api/jobs', { queue: 'jobs', state: 'failed' });
      expect(none.json).toEqual({ jobs: [], next: null });
    });
  });

  describe.runIf(process.env.REDIS_URL)('a Redis that is away', () => {
    let redis: OwnRedis;
    beforeAll(async () => {
      redis = await OwnRedis.start();
    });
    afterAll(() => redis.remove());

    it('is answered with 503 that names it, and the board comes back by itself', async () => {
      const { app, url } = await startBoard({
        platform,
        place: { connection: { host: '127.0.0.1', port: redis.port } },
        board: { access: 'public' },
        iteration: { workers: false },
      });
      const board = new Client(app, url);
      expect((await board.get('/api/queues')).status).toBe(200);
      await redis.stop();
      expect(await board.get('/api/jobs', { queue: 'jobs' })).toMatchObject({
        status: 503,
        json: { message: 'Redis does not answer', server: 'Redis' },
      });
      expect((await board.get('')).status).toBe(200);
      await redis.start();
      await until('it answers', async () => (await board.get('/api/jobs', { queue: 'jobs' })).status === 200);
      await app.close();
    });
  });
});

/** Starts boards that are closed when their test ends. */
function starter(queues: Queues, platform: Platform) {
  const apps: INestApplication[] = [];
  afterEach(async () => void (await Promise.all(apps.splice(0).map((app) => app.close()))));
  return async ({ board = { access: 'public' }, ...options }: Partial<BoardAppOptions>): Promise<Client> => {
    const { app, url } = await startBoard({ platform, place: queues.place, board, ...options });
    apps.push(app);
    return new Client(app, url);
  };
}

/** A POST whose headers are all the caller's: `fetch` does not set those that a browser sets. */
function raw(url: string, body: unknown, headers: Record<string, string>): Promise<{ status: number | undefined }> {
  return new Promise((resolve, reject) => {
    const all = { 'content-type': 'application/json', 'x-requested-with': 'test', ...headers };
    const sent = httpRequest(url, { method: 'POST', headers: all }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode }));
    });
    sent.on('error', reject);
    sent.end(
      headers['content-type']?.includes('form') ? new URLSearchParams(body as never).toString() : JSON.stringify(body),
    );
  });
}
