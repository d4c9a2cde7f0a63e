// bull-board.module.ts
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { BullBoardModule } from '@bull-board/nestjs';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Who opens the board can delete jobs: it asks for a user, who may be anybody, and for the password BOARD_PASSWORD. */
function onlyOperators(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  const [, credentials = ''] = (request.headers.authorization ?? '').split('Basic ');
  const given = Buffer.from(credentials, 'base64')
    .toString()
    .replace(/^[^:]*:/, '');
  const password = process.env.BOARD_PASSWORD;
  if (password && timingSafeEqual(digest(given), digest(password))) next();
  else response.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end();
}

@Module({
  imports: [
    BullModule.registerQueue({ name: 'maintenance' }),
    BullBoardModule.forRoot({ route: '/queues', adapter: ExpressAdapter, middleware: onlyOperators }),
    BullBoardModule.forFeature({ name: 'maintenance', adapter: BullMQAdapter }),
  ],
})
export class QueueBoardModule {}
