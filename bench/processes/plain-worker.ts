/** A bare BullMQ worker, without Nest; tells of its first job. */
import { Worker, type WorkerOptions } from 'bullmq';
import type { NumbersConfig } from './numbers-worker.js';
import { config, tell } from './tell.js';

const { place, queue } = config<NumbersConfig>();

new Worker(queue, async () => tell('first'), place as WorkerOptions);
