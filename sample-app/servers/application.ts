import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule, AppWithBoardModule } from '../app.module.js';
import { TerminalLogger } from '../terminal/terminal.logger.js';

/** The running application, and the address of its board. */
export interface Started {
  readonly app: INestApplicationContext;
  readonly board: string | undefined;
}

/** Starts the application, with its board or without it. Port 0: any that is free. */
export async function startApplication({ board, port }: { board: boolean; port: number }): Promise<Started> {
  if (!board) {
    const app = await NestFactory.createApplicationContext(AppModule, { bufferLogs: true });
    app.enableShutdownHooks();
    app.useLogger(app.get(TerminalLogger));
    return { app, board: undefined };
  }
  const app = await NestFactory.create(AppWithBoardModule, { bufferLogs: true, forceCloseConnections: true });
  app.enableShutdownHooks();
  app.useLogger(app.get(TerminalLogger));
  await app.listen(port, '127.0.0.1');
  return { app, board: `${await app.getUrl()}/iterations` };
}
