import { type Breach, type JobStory, type World, waitedMs } from './story.js';

/**
 * How long a process may take to end after SIGTERM: the default deadline of a shutdown, and the reports to BullMQ after
 * it.
 */
const EXIT_MS = 30_000;

/**
 * R5, R18: BullMQ counted an attempt for each error that a handler threw, and the last; none for kills and
 * interruptions.
 */
export function usesNoAttempts({ id, attemptsMade, rows, runs }: JobStory): Breach[] {
  const errors = runs.reduce((sum, run) => sum + run.errors.length, 0);
  if (attemptsMade <= errors + 1) return [];
  const message = `BullMQ counted ${attemptsMade} attempts; handlers threw ${errors} times`;
  return [{ rule: 'R5, R18', job: id, message, evidence: rows.slice(-5) }];
}

/** R14, R15: a process ends after SIGTERM, by itself and in time, and never otherwise. */
export function endsOnSignal(world: World): Breach[] {
  return [...world.workers].flatMap(([name, { exit, killedAt, termedAt }]) => {
    if (!exit || killedAt !== undefined) return [];
    const wasForced = exit.signal === 'SIGKILL';
    // a process that was not ready at the very end is killed without a record
    if (termedAt === undefined) {
      if (wasForced) return [];
    } else {
      const waited = waitedMs(world, name, { from: termedAt, to: exit.at });
      if (!wasForced && exit.at - termedAt <= EXIT_MS + waited) return [];
    }
    const message = termedAt === undefined ? 'ended without a signal' : 'did not end in time after SIGTERM';
    const how = `code ${exit.code}, signal ${exit.signal}`;
    return [{ rule: 'R15, R21', job: '', message: `worker ${name} ${message} (${how})`, evidence: [] }];
  });
}
