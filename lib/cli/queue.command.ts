import { type Command, InvalidArgumentError, Option } from 'commander';
import { ITERATION_STATES, type IterationService, type IterationState } from '../control/index.js';
import { type QueuePlace, withIterations } from './connection.js';
import type { Output, Print } from './output.js';

/** The options of every command that works on a queue. */
export interface QueueOptions extends QueuePlace {
  readonly json?: boolean;
}

/** What {@link filtered} adds. */
export interface FilterOptions {
  readonly state?: readonly IterationState[];
  readonly name?: string;
  readonly partOf?: string;
}

interface QueueCommand<Options> {
  /** Its arguments, such as `status <id>`. */
  readonly usage: string;
  readonly does: string;
  readonly examples: readonly string[];
  /** Before a server is asked. @throws UsageError */
  readonly check?: (id: string | undefined, options: Options) => void;
  /** Without an id in the arguments, that of the job is empty. */
  readonly run: (
    iterations: IterationService,
    job: { readonly queue: string; readonly id: string },
    options: Options,
  ) => Promise<Output>;
}

/** Adds a command that works on a queue. */
export function addQueueCommand<Options extends QueueOptions>(
  program: Command,
  print: Print,
  { check, does, examples, run, usage }: QueueCommand<Options>,
): Command {
  const command = program
    .command(usage)
    .description(does)
    .addOption(new Option('-q, --queue <name>', 'the queue of the jobs').argParser(queueName).makeOptionMandatory(true))
    .option('--url <url>', 'redis://, rediss:// or postgres:// (default: REDIS_URL, else DATABASE_URL)')
    .option('--prefix <prefix>', 'the prefix of the queues in Redis (default: bull)')
    .option('--schema <schema>', 'the schema of the queues in PostgreSQL (default: bullmq)')
    .option('--json', 'print JSON, errors included')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ nestjs-iteration ${example}`).join('\n')}`);
  return command.action(async () => {
    const options = command.opts<Options>();
    const [id] = command.args;
    check?.(id, options);
    const job = { queue: options.queue, id: id ?? '' };
    print(await withIterations(options, (iterations) => run(iterations, job, options)), options);
  });
}

/** Adds the options that choose jobs. */
export function filtered(command: Command): Command {
  return command
    .option('--state <states>', `only jobs in these states, by commas: ${ITERATION_STATES.join(', ')}`, statesOf)
    .option('--name <name>', 'only jobs of this name')
    .option('--part-of <id>', 'only the parts of this job (default: only jobs that are not parts)');
}

function statesOf(text: string): readonly IterationState[] {
  const states = text.split(',').map((state) => state.trim());
  const isState = (state: string): state is IterationState => (ITERATION_STATES as readonly string[]).includes(state);
  if (states.every(isState)) return states;
  throw new InvalidArgumentError(`The states are ${ITERATION_STATES.join(', ')}.`);
}

function queueName(text: string): string {
  if (text && !text.includes(':')) return text;
  throw new InvalidArgumentError('A queue has a name, without ":".');
}

/** Parses the value of an option: an integer of at least 1. */
export function countOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is an integer of at least 1.');
}
