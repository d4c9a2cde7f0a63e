import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { IterationService } from '../../lib/index.js';
import { describeQueues, type Queues, type TestApp } from '../support/app.js';
import { type BoardAppOptions, startBoard } from '../support/board.js';
import { SCENE, SCENE_PROCESSORS, sceneProcessor } from '../support/board.scene.js';
import { hasChromium, launchChromium, seriousFindings } from '../support/chromium.js';
import { Lateness } from '../support/lateness.js';
import { OwnRedis } from '../support/own-redis.js';
import { wordsProcessor } from '../support/parted.js';
import { freePort } from '../support/ports.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const IMG = '<img src=x onerror="window.hacked=1">';
const SLOW = { size: 100_000 };

describe.runIf(hasChromium())('the page of the board', () => {
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  /** What a page reported: errors, and what its policy refused. */
  let reports: string[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    expect(reports.filter((report) => !/Failed to load resource|ERR_CONNECTION/.test(report))).toEqual([]);
    reports = [];
  });
  afterAll(() => browser?.close());

  async function open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1240, height: 860 }, ...options });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => reports.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') reports.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  describeQueues('with a web process and a worker', ['redis'], (queues) => {
    const start = starter(queues);
    const Steady = sceneProcessor('steady', { itemsPerSecond: 100 });
    const startWorker = () => queues.start({ processors: [Steady], queues: ['maintenance'] });

    async function startBoth(): Promise<{ web: Web; worker: TestApp }> {
      const web = await start({ processors: [Steady], iteration: { workers: false } });
      return { web, worker: await startWorker() };
    }

    it('bars move, with percent, rate, time left and state', async () => {
      const { web } = await startBoth();
      await web.iterations.enqueue(Steady, { size: 2_000 }, { jobId: 'mine' });
      const page = await open(web.board);
      const row = page.locator('.job', { hasText: 'mine' });
      const bar = row.getByRole('progressbar', { name: 'Progress of mine' });
      const percent = async () => Number(await bar.getAttribute('aria-valuenow'));
      await until('the bar has begun', async () => (await percent()) > 0);
      const first = await percent();
      const width = async () => (await bar.locator('i').boundingBox())?.width ?? 0;
      const firstWidth = await width();
      await until('the bar has moved', async () => (await percent()) >= first + 3 && (await width()) > firstWidth);
      await until('the rate is shown', async () => /^\d+(\.\d)?\/s$/.test(await row.locator('.rate').innerText()));
      await until('the time left is shown', async () => /\d+ (s|min)/.test(await row.locator('.eta').innerText()));
      expect(await row.locator('.pill').innerText()).toBe('running');
      expect(await row.innerText()).toMatch(/of 2,000/);
    });

    it('pause stops a job within 2 s, and survives a restart of the worker; resume carries on; cancel ends it', async () => {
      const { web, worker } = await startBoth();
      const job = { queue: 'maintenance', id: 'mine' };
      await web.iterations.enqueue(Steady, SLOW, { jobId: 'mine' });
      const page = await open(`${web.board}#/?queue=maintenance&id=mine`);
      const state = page.locator('.title .pill');
      await until('it runs', async () => (await state.innerText()) === 'running');

      await page.getByRole('button', { name: 'Pause', exact: true }).click();
      await page.getByLabel('Reason').fill('the database is slow');
      await page.getByLabel('Your name').fill('anna');
      const lateness = new Lateness();
      await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
      await until('its worker has stopped', async () => (await web.iterations.status(job)).state === 'paused');
      lateness.expectWithin(2_000, 'R28');
      await until('the page says so', async () => (await state.innerText()) === 'paused');
      expect(await page.locator('.why-line').innerText()).toBe('asked by anna: the database is slow');

      const { processed } = await web.iterations.status(job);
      await worker.close();
      const next = await startWorker();
      await web.iterations.enqueue(Steady, { size: 1 }, { jobId: 'other' });
      await until('the new worker has run another job', async () => {
        return (await web.iterations.status({ queue: 'maintenance', id: 'other' })).state === 'completed';
      });
      expect(await web.iterations.status(job)).toMatchObject({ state: 'paused', processed });

      await page.getByRole('button', { name: 'Resume', exact: true }).click();
      await until('it carries on', async () => (await web.iterations.status(job)).processed > processed);
      await until('the page says so', async () => (await state.innerText()) === 'running');
      const runs = page.getByRole('region', { name: 'Runs' });
      await until('both runs are shown', async () => (await runs.locator('tbody tr').count()) === 2);
      expect(await runs.innerText()).toMatch(/it was paused/);

      await page.getByRole('button', { name: 'Cancel', exact: true }).click();
      expect(await page.getByRole('dialog').innerText()).toMatch(/It ends as failed/);
      await page.getByRole('button', { name: 'Keep it' }).click();
      expect((await web.iterations.status(job)).state).toBe('running');
      await page.getByRole('button', { name: 'Cancel', exact: true }).click();
      await page.getByLabel('Reason').fill('wrong list');
      await page.getByRole('button', { name: 'Cancel the job' }).click();
      await until('the page says so', async () => (await state.innerText()) === 'cancelled');
      expect(await page.locator('.why-line').innerText()).toBe('The job was cancelled by anna: wrong list');
      const requests = await page.getByRole('region', { name: 'Requests' }).locator('tbody tr').allInnerTexts();
      expect(requests.map((text) => text.split('\t')[0])).toEqual(['cancel', 'resume', 'pause']);
      await next.close();
    });

    it('tune changes the rate of a running job', async () => {
      const { web } = await startBoth();
      await web.iterations.enqueue(Steady, SLOW, { jobId: 'mine' });
      const page = await open(`${web.board}#/?queue=maintenance&id=mine`);
      const rate = async () => {
        const { itemsPerSecond } = await web.iterations.status({ queue: 'maintenance', id: 'mine' });
        return itemsPerSecond ?? 0;
      };
      await until('it runs at its rate', async () => (await rate()) > 50);
      expect(await rate()).toBeLessThan(150);
      await page.getByRole('button', { name: 'Tune' }).click();
      await page.getByLabel('Items a second').fill('2000');
      await page.getByRole('button', { name: 'Apply' }).click();
      await until('it runs faster', async () => (await rate()) > 300);
      const settings = page.locator('.cursor + .values');
      await until('the setting is shown', async () => (await settings.innerText()).includes('2,000'));
      const shown = page.locator('.facts div', { hasText: 'Rate' }).first().locator('dd');
      await until(
        'the rate is shown',
        async () => Number.parseInt((await shown.innerText()).replace(',', ''), 10) > 300,
      );
    });

    it('enqueues a job, and restarts it after a cursor', async () => {
      const { web } = await startBoth();
      const page = await open(web.board);
      await page.getByRole('button', { name: 'Enqueue' }).click();
      await page.getByLabel('Data').fill('{ "size": ');
      await page.getByLabel('Job id').fill('new');
      const submit = page.getByRole('dialog').getByRole('button', { name: 'Enqueue' });
      await submit.click();
      expect(await page.getByRole('alert').innerText()).toMatch(/That is no JSON/);
      await page.getByLabel('Data').fill('{ "size": 5 }');
      await submit.click();
      const state = page.locator('.title .pill');
      await until('it is completed', async () => (await state.innerText()) === 'completed');
      await page.getByRole('button', { name: 'Restart' }).click();
      await page.getByLabel('After the cursor').fill('2');
      await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click();
      const runs = page.getByRole('region', { name: 'Runs' }).locator('tbody tr');
      await until('its run after the cursor is shown', async () => {
        return (await runs.first().innerText()).includes('complete') && /\t2\t/.test(await runs.first().innerText());
      });
      expect((await web.iterations.status({ queue: 'maintenance', id: 'new' })).processed).toBe(2);
    });
  });

  describeQueues('with one process', ['redis'], (queues) => {
    const start = starter(queues);

    it('a dead letter is read and re-driven', async () => {
      const bad = new Set('bd');
      const { type } = storyProcessor(
        {
          each: (letter) => {
            if (bad.has(letter)) throw new Error(`bad ${letter}`);
          },
        },
        { queue: 'maintenance', itemFailure: { then: 'skip', backoffMs: 0 } },
      );
      const web = await start({ processors: [type] });
      await web.iterations.enqueue(type, { letters: 'abcde' }, { jobId: 'mine' });
      const page = await open(`${web.board}#/?queue=maintenance&id=mine`);
      const letters = page.locator('.letters > li');
      await until('both letters are shown', async () => (await letters.count()) === 2);
      expect(await letters.first().innerText()).toMatch(/"b"[\s\S]*bad b/);
      await letters.first().locator('summary').click();
      expect(await letters.first().locator('.inside').innerText()).toMatch(/Cursor\s+1\s+After\s+0[\s\S]*at .*each/);
      bad.clear();
      await page.getByRole('button', { name: 'Re-drive' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Re-drive' }).click();
      await until('the page shows the new job', async () => !(await page.locator('h1').innerText()).includes('mine'));
      await until('it is completed', async () => (await page.locator('.title .pill').innerText()) === 'completed');
      await page.goto(`${web.board}#/?queue=maintenance&id=mine`);
      await until('no letter is left', async () => (await page.getByText('None.').count()) === 1);
    });

    it('asks for the token, refuses a wrong one, and keeps the right one in the tab', async () => {
      const web = await start({ board: { token: 'right' } });
      const page = await open(web.board);
      const field = page.getByLabel('Token');
      await field.fill('wrong');
      await page.getByRole('button', { name: 'Open the board' }).click();
      await until('it is refused', async () => (await page.getByRole('alert').innerText()) === 'The token is wrong');
      expect(await page.locator('.job').count()).toBe(0);
      await field.fill('right');
      await field.press('Enter');
      await until('the board is open', async () => (await page.locator('#connection').innerText()) === 'Live');
      await page.reload();
      await until('it is open again', async () => (await page.locator('#connection').innerText()) === 'Live');
      expect(await page.getByRole('dialog').count()).toBe(0);
      expect(page.url()).not.toContain('right');
    });

    it('refuses forms and requests of another site', async () => {
      const { type } = storyProcessor({}, { queue: 'maintenance' });
      const web = await start({ processors: [type], iteration: { workers: false } });
      const job = { queue: 'maintenance', id: 'mine' };
      await web.iterations.enqueue(type, {}, { jobId: 'mine' });
      const action = `${web.board}/api/cancel`;
      const evil = await site(`
        <form id="fields" method="post" action="${action}"><input name="queue" value="maintenance"><input name="id" value="mine"></form>
        <form id="json" method="post" action="${action}" enctype="text/plain"><input name='{"queue":"maintenance","id":"mine","reason":"' value='"}'></form>`);
      for (const form of ['fields', 'json']) {
        const page = await open(evil.url);
        const answered = page.waitForResponse(action);
        await page.evaluate(`document.getElementById('${form}').submit()`);
        const response = await answered;
        expect(response.status(), form).toBe(403);
        expect((await response.request().allHeaders())['sec-fetch-site'], form).toBe('cross-site');
      }
      const page = await open(evil.url);
      const sent = `fetch('${action}', { method: 'POST', mode: 'MODE', headers: HEADERS, body: '${JSON.stringify(job)}' }).then((r) => r.type, () => 'refused')`;
      const withMode = (mode: string, headers: object) =>
        page.evaluate(sent.replace('MODE', mode).replace('HEADERS', JSON.stringify(headers)));
      expect(await withMode('no-cors', {})).toBe('refused');
      const json = { 'content-type': 'application/json', 'x-requested-with': 'x' };
      expect(await withMode('cors', json)).toBe('refused');
      expect(await web.iterations.requests(job)).toEqual([]);
      reports = reports.filter((report) => !report.includes('CORS policy'));
      await evil.close();
    });

    it('what is hostile is text: names, ids, cursors, reasons, errors and dead letters', async () => {
      const { type } = storyProcessor(
        {
          build: ({ cursor }) =>
            cursor === null
              ? [
                  [IMG, IMG],
                  [`${IMG}2`, `${IMG}2`],
                ]
              : [],
          each: (letter, { job }) => {
            throw new Error(`${letter} ${job.id}`);
          },
        },
        { queue: 'maintenance', name: IMG, itemFailure: { then: 'skip', limit: 1, backoffMs: 0 } },
      );
      const { type: waiting } = storyProcessor({}, { queue: 'maintenance', name: `${IMG}waiting` });
      const web = await start({ processors: [type, waiting] });
      await web.iterations.enqueue(waiting, {}, { jobId: `${IMG}/%2F?#..`, delay: 1_000_000 });
      await web.iterations.pause({ queue: 'maintenance', id: `${IMG}/%2F?#..` }, { by: IMG, reason: `${IMG} reason` });
      await web.iterations.enqueue(type, {}, { jobId: IMG });
      const page = await open(web.board);
      await until('both jobs are shown', async () => (await page.locator('.job').count()) === 2);
      await until('one has failed', async () => (await page.locator('.job[data-state=failed]').count()) === 1);
      const list = await page.locator('.jobs').innerText();
      expect(list).toContain(`${IMG}waiting`);
      expect(list).toContain(`asked by ${IMG}: ${IMG} reason`);
      expect(list).toContain(`and one more failed: ${IMG}2`);

      await page.getByRole('link', { name: `${IMG}/%2F?#..` }).click();
      await until('the odd id is open', async () => (await page.locator('h1').innerText()) === `${IMG}/%2F?#..`);
      await until('it is shown', async () => (await page.locator('.title .pill').innerText()) === 'paused');
      await page.getByRole('link', { name: 'All jobs of maintenance' }).click();
      await page.getByRole('link', { name: IMG, exact: true }).click();
      await until('its letter is shown', async () => (await page.locator('.letters > li').count()) === 1);
      await page.locator('.letters summary').click();
      const shown = await page.locator('main').innerText();
      expect(shown).toContain(JSON.stringify(IMG));
      expect(shown).toContain(`${IMG} ${IMG}`);
      expect(await page.locator('img').count()).toBe(0);
      expect(await page.evaluate('window.hacked')).toBeUndefined();
    });

    it('everything can be done with the keyboard, and the focus is seen and stays', async () => {
      const { type } = storyProcessor({}, { queue: 'maintenance' });
      const web = await start({ processors: [type], iteration: { workers: false } });
      const job = { queue: 'maintenance', id: 'mine' };
      await web.iterations.enqueue(type, {}, { jobId: 'mine' });
      const page = await open(web.board);
      await until('the job is shown', async () => (await page.locator('.job').count()) === 1);
      const focus = () =>
        page.evaluate(
          `(() => { const { tagName, id, textContent } = document.activeElement; return tagName + (id && '#' + id) + ' ' + textContent.trim().slice(0, 40); })()`,
        );
      const tabTo = async (what: RegExp) => {
        for (let tab = 0; tab < 30 && !what.test(String(await focus())); tab++) {
          await page.keyboard.press('Tab');
          const { outline, display } = (await page.evaluate(
            `(() => { const s = getComputedStyle(document.activeElement), a = getComputedStyle(document.activeElement, '::after'); return { outline: [s.outlineStyle, a.outlineStyle].join(' '), display: s.display }; })()`,
          )) as { outline: string; display: string };
          if (display !== 'none') expect(outline, String(await focus())).toMatch(/solid|auto/);
        }
        expect(await focus()).toMatch(what);
      };
      await page.keyboard.press('Tab');
      expect(await focus()).toMatch(/Skip to the jobs/);
      await page.keyboard.press('Enter');
      expect(await focus()).toMatch(/^MAIN#main/);
      await tabTo(/^A mine/);
      await page.keyboard.press('Enter');
      await until('the job is open', async () => (await page.locator('.title .pill').innerText()) === 'waiting');
      await tabTo(/^BUTTON Pause/);
      await page.keyboard.press('Enter');
      await until('the first field has the focus', async () => /^INPUT/.test(String(await focus())));
      await page.keyboard.press('Escape');
      await until('the focus is back', async () => /^BUTTON Pause/.test(String(await focus())));
      await page.keyboard.press('Enter');
      await page.keyboard.type('by keyboard');
      await page.keyboard.press('Enter');
      await until('it is paused', async () => (await page.locator('.title .pill').innerText()) === 'paused');
      expect((await web.iterations.status(job)).request?.reason).toBe('by keyboard');
      await tabTo(/^BUTTON Resume/);
      await page.keyboard.press('Space');
      await until('it waits again', async () => (await page.locator('.title .pill').innerText()) === 'waiting');
      expect(await focus()).toMatch(/^BUTTON Pause/);
    });

    it('pages through a list, filters it, and acts on all matching jobs', async () => {
      const [one, other] = [
        storyProcessor({}, { queue: 'maintenance' }),
        storyProcessor({}, { queue: 'maintenance', name: 'other' }),
      ];
      const web = await start({ processors: [one.type, other.type], iteration: { workers: false } });
      for (let index = 0; index < 30; index++) await web.iterations.enqueue(one.type, {}, { jobId: `one-${index}` });
      for (let index = 0; index < 3; index++) await web.iterations.enqueue(other.type, {}, { jobId: `other-${index}` });
      const page = await open(web.board);
      const rows = page.locator('.job');
      const range = page.locator('.pager span').first();
      await until('the first page is shown', async () => (await range.innerText()) === '1 to 25');
      expect(await rows.count()).toBe(25);
      await page.getByRole('button', { name: 'Next' }).press('Enter');
      await until('the second page is shown', async () => (await range.innerText()) === '26 to 33');
      expect(await rows.count()).toBe(8);
      await page.goBack();
      await until('the first page is back', async () => (await range.innerText()) === '1 to 25');

      const name = page.getByLabel('Name');
      await name.fill('other');
      await name.press('Enter');
      await until('the others are shown', async () => (await rows.count()) === 3);
      expect(await page.evaluate('document.activeElement.dataset.keep')).toBe('name');
      await page.getByRole('button', { name: 'All matching jobs' }).click();
      await page.getByLabel('Your name').fill('anna');
      await page.getByRole('button', { name: 'Do it for all' }).click();
      await until('they are paused', async () => (await page.locator('.job[data-state=paused]').count()) === 3);
      expect(await page.locator('#toast').innerText()).toBe('pause: 3 done, 0 refused');
      await page.getByLabel('State').selectOption('paused');
      await name.fill('');
      await name.press('Enter');
      await until('all paused ones are shown', async () => (await range.innerText()) === '1 to 3');
      expect(await web.iterations.requests({ queue: 'maintenance', id: 'one-0' })).toEqual([]);
      await page.getByLabel('Job', { exact: true }).fill('one-7');
      await page.getByLabel('Job', { exact: true }).press('Enter');
      await until('the job is open', async () => (await page.locator('h1').innerText()) === 'one-7');
      await page.goto(`${web.board}#/?queue=maintenance&id=none`);
      await until('it says that there is none', async () =>
        (await page.locator('.card.empty').innerText()).includes('has no job "none"'),
      );
    });

    it('readOnly shows no control', async () => {
      const { type } = storyProcessor({}, { queue: 'maintenance' });
      const web = await start({ board: { access: 'public', readOnly: true }, processors: [type] });
      await web.iterations.enqueue(type, {}, { jobId: 'mine' });
      const page = await open(web.board);
      await until('the job is completed', async () => (await page.locator('.job[data-state=completed]').count()) === 1);
      expect(await page.locator('#connection').innerText()).toBe('Live, read-only');
      expect(await page.locator('button:visible').count()).toBe(0);
      await page.getByRole('link', { name: 'mine' }).click();
      await until('the job is open', async () => (await page.locator('.title .pill').innerText()) === 'completed');
      expect(await page.locator('button:visible').count()).toBe(0);
    });

    it('shows times in the zone of its viewer', async () => {
      const { type } = storyProcessor({}, { queue: 'maintenance' });
      const web = await start({ processors: [type] });
      await web.iterations.enqueue(type, {}, { jobId: 'mine' });
      const texts = [];
      for (const timezoneId of ['Asia/Tokyo', 'America/Los_Angeles']) {
        const page = await open(`${web.board}#/?queue=maintenance&id=mine`, { timezoneId });
        const time = page.getByRole('region', { name: 'Runs' }).locator('time');
        await until('the run is shown', async () => (await time.count()) === 1);
        const at = new Date((await time.getAttribute('datetime')) as string);
        const format = new Intl.DateTimeFormat('en-GB', {
          dateStyle: 'medium',
          timeStyle: 'medium',
          timeZone: timezoneId,
        });
        expect(await time.innerText()).toBe(format.format(at));
        texts.push(await time.innerText());
      }
      expect(new Set(texts).size).toBe(2);
    });

    it('says that the server is away, and comes back by itself', async () => {
      const port = await freePort();
      const first = await start({ port });
      const page = await open(first.board);
      const connection = page.locator('#connection');
      await until('it is live', async () => (await connection.innerText()) === 'Live');
      await first.close();
      await until(
        'it says so',
        async () => (await connection.innerText()) === 'No connection to the server; trying again',
      );
      await start({ port });
      await until('it is back', async () => (await connection.innerText()) === 'Live');
    });
  });

  describeQueues('with a job in parts', ['redis'], (queues) => {
    const start = starter(queues);

    /** A job of so many parts on two slots: some fail with a hostile error, two are held, those before these complete. */
    async function startParted(count: number, { failing = [1], held = [2, 5] } = {}) {
      const { type, script } = wordsProcessor(
        {
          each: async (letter, context) => {
            if (letter === 'x') throw new Error(`${IMG} bad row`);
            if (letter === 'h') await until('the run is asked to stop', () => context.interruption !== undefined);
          },
        },
        { queue: 'maintenance', worker: { concurrency: 2 } },
      );
      const web = await start({ processors: [type] });
      const wordOf = (index: number) => (failing.includes(index) ? 'abx' : held.includes(index) ? 'abhd' : 'abcd');
      const words = Array.from({ length: count }, (_, index) => wordOf(index));
      const job = { queue: 'maintenance', id: `${IMG} all` };
      await web.iterations.enqueue(type, { parts: words }, { jobId: job.id });
      await until('two parts are held', async () => {
        const { partStates, state } = await web.iterations.status(job);
        return state === 'running' && partStates?.running === 2 && partStates.failed === failing.length;
      });
      return { web, job, script };
    }

    it('R29: a job in parts is one row with a strip; its page finds the failed part, which leads back', async () => {
      const { web, job } = await startParted(12);
      const page = await open(web.board);
      const row = page.locator('.job');
      const counts = '12 parts: 1 failed, 3 completed, 2 running, 6 waiting';
      await until('the strip is shown', async () => (await page.getByRole('img', { name: counts }).count()) === 1);
      expect(await row.count()).toBe(1);
      expect(await row.locator('.strip i').count()).toBe(12);
      expect(await row.locator('.parts-line').innerText()).toMatch(/^12 parts\s+1 failed$/);
      await row.getByRole('link', { name: job.id }).click();

      const cells = page.locator('.cells li');
      await until('each part has a cell', async () => (await cells.count()) === 12);
      expect(await cells.nth(1).textContent()).toBe('Part 1, failed');
      const section = page.getByRole('region', { name: 'Parts' });
      const parts = section.locator('.job');
      expect(await parts.count()).toBe(12);
      const colours = (await page.evaluate(
        `[...document.querySelectorAll('.part .job .pill')].map((pill) => [pill.textContent, getComputedStyle(pill).color])`,
      )) as [string, string][];
      expect(new Map(colours).size).toBe(4);
      expect(new Set(colours.map(([, colour]) => colour)).size).toBe(4);
      const failed = section.getByRole('button', { name: 'failed 1' });
      await failed.click();
      await until('one part is left', async () => (await parts.count()) === 1);
      expect(await failed.getAttribute('aria-pressed')).toBe('true');
      expect(await parts.locator('.why').innerText()).toBe(`${IMG} bad row`);
      await section.getByRole('link', { name: 'Part 1' }).filter({ hasNotText: ',' }).click();

      const whole = page.locator('.part-of');
      await until('the part is open', async () => (await whole.innerText()) === `Part 1 of ${job.id}`);
      expect(await page.locator('.title .pill').innerText()).toBe('failed');
      expect(await page.locator('.cursor').innerText()).toBe('1');
      expect(await page.getByRole('region', { name: 'Runs' }).locator('tbody tr').count()).toBe(1);
      expect(await page.getByRole('region', { name: 'Parts' }).count()).toBe(0);
      await page.goBack();
      await until('the failed part is still chosen', async () => (await parts.count()) === 1);
      await page.goForward();
      await whole.getByRole('link', { name: job.id }).click();
      await until('all parts are shown', async () => (await parts.count()) === 12);
      expect(await page.evaluate('window.hacked')).toBeUndefined();
      expect(await page.locator('main img').count()).toBe(0);
    });

    it('R28: the controls of a job in parts act on all of it; with the keyboard a cell opens its part', async () => {
      const { web, job, script } = await startParted(12);
      const page = await open(`${web.board}#/?${new URLSearchParams(job)}`);
      await until('each part has a cell', async () => (await page.locator('.cells li').count()) === 12);
      await page.getByRole('button', { name: 'Pause', exact: true }).first().click();
      const dialog = page.getByRole('dialog');
      expect(await dialog.innerText()).toMatch(/This holds for each of its parts/);
      await dialog.getByRole('button', { name: 'Pause' }).click();
      const section = page.getByRole('region', { name: 'Parts' });
      await until('all parts that have not ended are paused', async () => {
        return (await section.locator('.job[data-state=paused]').count()) === 8;
      });
      expect((await web.iterations.status(job)).partStates).toEqual({ completed: 3, failed: 1, paused: 8 });

      const focused = () => page.evaluate('document.activeElement.textContent');
      await page.locator('.cells a').first().focus();
      for (const key of ['ArrowRight', 'ArrowRight', 'ArrowLeft', 'End', 'ArrowRight', 'Home', 'ArrowRight'])
        await page.keyboard.press(key);
      expect(await focused()).toBe('Part 1, failed');
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('all 12');
      await page.keyboard.press('Shift+Tab');
      expect(await focused()).toBe('Part 1, failed');
      await page.keyboard.press('Enter');
      await until('its page is open', async () => (await page.locator('.part-of').count()) === 1);

      script.each = undefined;
      await page.goto(`${web.board}#/?${new URLSearchParams(job)}`);
      await page.locator('.title').getByRole('button', { name: 'Resume', exact: true }).click();
      await until('the job has ended', async () => (await page.locator('.title .pill').innerText()) === 'failed');
      expect((await web.iterations.status(job)).partStates).toEqual({ completed: 11, failed: 1 });
    });

    it('a job of 1,500 parts has a strip by state and pages of parts, and costs the list one row', async () => {
      const { web, job } = await startParted(1_500);
      const page = await open(web.board);
      await until('its row is shown', async () => (await page.locator('.job .strip i').count()) === 4);
      expect(await page.locator('.job').count()).toBe(1);
      await page.getByRole('link', { name: job.id }).click();
      const section = page.getByRole('region', { name: 'Parts' });
      await until('a page of parts is shown', async () => (await section.locator('.job').count()) === 20);
      expect(await section.locator('.cells li').count()).toBe(0);
      const strip = section.getByRole('img', {
        name: /^1,500 parts: 1 failed, 3 completed, 2 running, 1,494 waiting$/,
      });
      expect(await strip.locator('i').count()).toBe(4);
      expect((await strip.locator('[data-state=failed]').boundingBox())?.width).toBeGreaterThanOrEqual(3);
      await section.getByRole('button', { name: 'Next' }).click();
      await until('the next page is shown', async () =>
        (await section.locator('.pager').innerText()).includes('21 to 40'),
      );
      await section.getByRole('button', { name: 'running 2' }).click();
      await until('the running ones are shown', async () => (await section.locator('.job').count()) === 2);
      expect(await section.locator('.pager').isVisible()).toBe(false);
    });

    it('axe-core finds nothing serious in the parts of a job, light, dark and on a phone', async () => {
      // axe-core judges the contrast of texts of two characters and more.
      const { web, job } = await startParted(60, { failing: [1, 11], held: [13, 20] });
      const pictures = process.env.BOARD_PICTURES;
      for (const [name, options] of Object.entries(LOOKS)) {
        const page = await open(web.board, options);
        await until('its row is shown', async () => (await page.locator('.job .strip').count()) === 1);
        const check = async (what: string, fullPage = false) => {
          expect(await seriousFindings(page), `${what}, ${name}`).toEqual([]);
          expect(await isTooWide(page), `${what}, ${name}`).toBe(false);
          const path = join(pictures ?? '', `${name}-parts-${what}.png`);
          if (pictures) await page.screenshot({ path, animations: 'disabled', fullPage });
        };
        await check('list');
        await page.getByRole('link', { name: job.id }).click();
        await until('each part has a cell', async () => (await page.locator('.cells li').count()) === 60);
        await check('job', true);
        await page.locator('.cells a').nth(1).click();
        await until('the part is open', async () => await page.locator('.part-of').isVisible());
        await check('part', true);
      }
    });
  });

  it.runIf(process.env.REDIS_URL)('says that Redis is away, and comes back by itself', async () => {
    const redis = await OwnRedis.start();
    const place = { connection: { host: '127.0.0.1', port: redis.port } };
    const { app, url } = await startBoard({ place, board: { access: 'public' }, iteration: { workers: false } });
    const page = await open(`${url}/iterations`);
    const connection = page.locator('#connection');
    await until('it is live', async () => (await connection.innerText()) === 'Live');
    await redis.stop();
    await until('it says so', async () => (await connection.innerText()) === 'No connection to Redis; trying again');
    await redis.start();
    await until('it is back', async () => (await connection.innerText()) === 'Live');
    await app.close();
    await redis.remove();
  });

  describeQueues('with a job of each kind', ['redis'], (queues) => {
    const start = starter(queues);

    it('axe-core finds nothing serious: list, job and dialogs, light, dark and on a phone', async () => {
      const web = await start({
        processors: Object.values(SCENE_PROCESSORS),
        iteration: { worker: { concurrency: 5 } },
      });
      for (const { id, name, data, ask, until: goal } of SCENE) {
        const job = { queue: 'maintenance', id };
        await web.iterations.enqueue(SCENE_PROCESSORS[name] as Type<unknown>, data, { jobId: id });
        const asked = { by: 'anna', reason: ask === 'pause' ? 'search is slow this morning' : 'the list was wrong' };
        if (ask) {
          await until(`${id} has begun`, async () => (await web.iterations.status(job)).processed >= goal.processed);
          await web.iterations[ask](job, asked);
        }
        await until(`${id} is ${goal.state}`, async () => {
          const status = await web.iterations.status(job);
          return status.state === goal.state && status.processed >= goal.processed;
        });
      }
      const waiting = SCENE_PROCESSORS['notify-users'] as Type<unknown>;
      await web.iterations.enqueue(waiting, { size: 48_000 }, { jobId: 'notify-2026-12', delay: 3_600_000 });

      const pictures = process.env.BOARD_PICTURES;
      for (const [name, options] of Object.entries(LOOKS)) {
        const page = await open(web.board, options);
        await until('all jobs are shown', async () => (await page.locator('.job').count()) === SCENE.length + 1);
        expect(await seriousFindings(page), `list, ${name}`).toEqual([]);
        expect(await isTooWide(page), `list, ${name}`).toBe(false);
        if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' });

        await page.getByRole('link', { name: 'import-orders-shop-91' }).click();
        await until('its letters are shown', async () => (await page.locator('.letters li').count()) > 2);
        await page.locator('.letters summary').first().click();
        expect(await seriousFindings(page), `job, ${name}`).toEqual([]);
        expect(await isTooWide(page), `job, ${name}`).toBe(false);
        if (pictures)
          await page.screenshot({ path: join(pictures, `${name}-job.png`), animations: 'disabled', fullPage: true });

        await page.getByRole('button', { name: 'Tune' }).click();
        expect(await seriousFindings(page), `dialog, ${name}`).toEqual([]);
        if (pictures) await page.screenshot({ path: join(pictures, `${name}-dialog.png`), animations: 'disabled' });
      }
    });
  });
});

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  board: { colorScheme: 'light', viewport: { width: 1120, height: 830 } },
  'board-dark': { colorScheme: 'dark', viewport: { width: 1120, height: 830 } },
  'board-phone': { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};

/** Whether the page itself scrolls sideways. */
async function isTooWide(page: Page): Promise<boolean> {
  return (await page.evaluate(
    'document.documentElement.scrollWidth > document.documentElement.clientWidth',
  )) as boolean;
}

interface Web {
  readonly board: string;
  readonly iterations: IterationService;
  readonly close: () => Promise<void>;
}

/** Starts boards that are closed when their test ends. */
function starter(queues: Queues) {
  const apps = new Set<INestApplication>();
  afterEach(async () => {
    await Promise.all([...apps].map((app) => app.close()));
    apps.clear();
  });
  return async ({ board = { access: 'public' }, ...options }: Partial<BoardAppOptions>): Promise<Web> => {
    const { app, url } = await startBoard({ place: queues.place, board, queues: ['maintenance'], ...options });
    apps.add(app);
    const close = async () => {
      apps.delete(app);
      await app.close();
    };
    return { board: `${url}/iterations`, iterations: app.get(IterationService), close };
  };
}

/** A page of another site: localhost is not 127.0.0.1. */
async function site(html: string): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const server: Server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><link rel="icon" href="data:,">${html}`);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://localhost:${port}/`, close };
}
