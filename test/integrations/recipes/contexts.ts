// contexts.ts
import { ClsServiceManager } from 'nestjs-cls';
import type { AroundRun } from 'nestjs-iteration';
import { Store, storage } from 'nestjs-pino/storage.js';
import type { Logger } from 'pino';

/** A context of nestjs-cls for each run: `IterationModule.forRoot({ aroundRun: runInCls })`. */
export const runInCls: AroundRun = ({ job }, next) => {
  const cls = ClsServiceManager.getClsService();
  return cls.run(async () => {
    cls.set('tenant', job.data.tenant);
    await next();
  });
};

/**
 * Every line that is logged in a run, by a handler or by the library, names its job: `aroundRun: logWithJob(logger)`,
 * with the logger of `LoggerModule.forRoot({ pinoHttp: { logger } })`.
 */
export function logWithJob(logger: Logger): AroundRun {
  return ({ job, run }, next) =>
    storage.run(new Store(logger.child({ job: job.id, run })), async () => {
      await next();
    });
}
