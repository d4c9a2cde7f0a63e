/** A bare BullMQ worker, without Nest. It reports its first job. */
import { Worker, type WorkerOptions } from 'bullmq';
import { config, send } from './message.js';
import type { NumbersConfig } from './numbers-worker.js';

const { place, queue } = config<NumbersConfig>();

new Worker(queue, async () => send('first'), place as WorkerOptions);
