// sentry.ts
import * as Sentry from '@sentry/nestjs';

// The first import of main.ts, which runs as: node --import @sentry/server-utils/orchestrion/import-hook main.js
Sentry.init({ dsn: process.env.SENTRY_DSN, tracesSampleRate: 1 });
