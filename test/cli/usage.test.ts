import { describe, expect, it } from 'vitest';
import { called, command } from './command.js';

const COMMANDS = [
  'list',
  'status',
  'runs',
  'dead-letters',
  'pause',
  'resume',
  'cancel',
  'restart',
  'tune',
  'redrive',
  'migrate',
  'sql',
];

describe('the help of the command line', () => {
  it('the help lists every command and every exit code', async () => {
    const { code, out, err } = await command(['--help']);
    expect([code, err]).toEqual([0, '']);
    const listed = [...out.matchAll(/^ {2}([a-z-]+) \[options\]/gm)].map(([, name]) => name);
    expect(listed).toEqual(COMMANDS);
    expect([...out.matchAll(/^ {2}(\d) {2}\w/gm)].map(([, exit]) => exit)).toEqual(['0', '1', '2', '3']);
  });

  it('the help of each command has an example that names the command', async () => {
    const helps = await Promise.all(COMMANDS.map((name) => called([name, '--help'])));
    for (const [index, { code, out }] of helps.entries()) {
      expect(code).toBe(0);
      expect(out).toContain(`$ nestjs-iteration ${COMMANDS[index]}`);
    }
  });

  it('the command alone prints the help on stderr and exits with 2', async () => {
    const { code, out, err } = await command([]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: nestjs-iteration');
  });
});

describe('a wrong call of the command line', () => {
  const SERVER = ['-q', 'jobs', '--url', 'redis://127.0.0.1:1'];

  it.each<[readonly string[], string]>([
    [['lst'], "error: unknown command 'lst'\n(Did you mean list?)\n"],
    [['list'], "error: required option '-q, --queue <name>' not specified\n"],
    [
      ['list', '-q', 'jobs', '--url', 'mysql://root@localhost'],
      'error: The URL of the server must begin with redis://, rediss://, postgres:// or postgresql://\n',
    ],
    [
      ['list', '-q', 'a:b', '--url', 'redis://127.0.0.1:1'],
      "error: option '-q, --queue <name>' argument 'a:b' is invalid. A queue has a name, without \":\".\n",
    ],
    [['status', ...SERVER], "error: missing required argument 'id'\n"],
    [['pause', ...SERVER], 'error: Give a job id, or --all with --state, --name or --part-of\n'],
    [['pause', '1', '--all', ...SERVER], 'error: Give a job id or --all, not both\n'],
    [['cancel', '--all', ...SERVER], 'error: --all needs --state, --name or --part-of\n'],
    [
      ['cancel', '1', '--name', 'x', ...SERVER],
      'error: --state, --name and --part-of choose jobs for --all: add --all\n',
    ],
    [
      ['pause', '1', '--part-of', '2', ...SERVER],
      'error: --state, --name and --part-of choose jobs for --all: add --all\n',
    ],
    [
      ['restart', '--all', '--name', 'x', '--cursor', '1', ...SERVER],
      'error: --cursor is for one job, not for --all\n',
    ],
    [['tune', '1', ...SERVER], 'error: tune needs --concurrency, --rate or --batch-size\n'],
    [['sql', '--dialect', 'mysql', '--schema', 'x'], 'error: --schema is for PostgreSQL alone\n'],
  ])('%j exits with 2 and says what is wrong', async (args, message) => {
    expect(await called(args)).toEqual({ code: 2, out: '', err: message });
  });

  it.each<[readonly string[], string]>([
    [['list', '--state', 'runing', ...SERVER], 'The states are waiting, running, interrupted, '],
    [['list', '--limit', '0', ...SERVER], 'It is an integer of at least 1.'],
    [['restart', '1', '--cursor', '{', ...SERVER], 'A cursor is JSON, such as 1000, \'"key"\''],
    [['tune', '1', '--rate', 'fast', ...SERVER], 'It is a number above 0, or "none".'],
    [['tune', '1', '--concurrency', '1.5', ...SERVER], 'It is an integer of at least 1.'],
  ])('%j exits with 2 and says what the value may be', async (args, message) => {
    const { code, out, err } = await called(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  it('a command without a server says how to name it', async () => {
    const [list, migrate] = await Promise.all([command(['list', '-q', 'jobs']), command(['migrate'])]);
    expect(list).toEqual({
      code: 2,
      out: '',
      err: 'error: No server is named. Give --url redis://… or --url postgres://…, or set REDIS_URL or DATABASE_URL\n',
    });
    expect(migrate).toEqual({
      code: 2,
      out: '',
      err: 'error: migrate needs --url postgres://…, mysql://… or mariadb://…, or DATABASE_URL\n',
    });
  });

  it('--json prints the error as JSON on stderr', async () => {
    const { code, out, err } = await command(['list', '--json']);
    expect([code, out]).toEqual([2, '']);
    expect(JSON.parse(err)).toEqual({
      error: { name: 'CommanderError', message: "required option '-q, --queue <name>' not specified", exitCode: 2 },
    });
  });

  it('a control character of an argument is escaped', async () => {
    expect((await command(['\u001b[2J'])).err).toBe("error: unknown command '\\u{1b}[2J'\n");
  });
});

describe('a server that does not answer', () => {
  it.each(['redis', 'postgres'])(
    '%s: the command exits with 1 and names the server without its password',
    async (kind) => {
      const { code, out, err } = await command(['list', '-q', 'jobs', '--url', `${kind}://me:secret@127.0.0.1:1/0`]);
      expect([code, out]).toEqual([1, '']);
      expect(err).toBe(`error: ${kind}://127.0.0.1:1/0: connect ECONNREFUSED 127.0.0.1:1\n`);
    },
  );

  it('one that only DATABASE_URL names may be the wrong one: the error says how to name Redis', async () => {
    const { code, err } = await command(['list', '-q', 'jobs'], { DATABASE_URL: 'postgres://127.0.0.1:1/app' });
    expect(code).toBe(1);
    expect(err).toBe(
      'error: postgres://127.0.0.1:1/app: connect ECONNREFUSED 127.0.0.1:1. The server is that of DATABASE_URL: ' +
        'if the queues are in Redis, give --url redis://… or set REDIS_URL\n',
    );
  });
});
