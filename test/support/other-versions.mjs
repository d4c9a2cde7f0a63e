// Each process of the tests loads this first when INSTEAD names packages (vitest.config.ts). Plain Node cannot load instead.ts.
import Module, { register } from 'node:module';

/** `bullmq=bullmq-5 typeorm=typeorm-0.3` */
const instead = Object.fromEntries((process.env.INSTEAD ?? '').split(' ').map((pair) => pair.split('=')));

const hooks = `
  const instead = ${JSON.stringify(instead)};
  export const resolve = (specifier, context, next) => next(instead[specifier] ?? specifier, context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) => resolveFilename(instead[request] ?? request, ...rest);
