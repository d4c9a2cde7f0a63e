import { Injectable, type LoggerService } from '@nestjs/common';
import { Terminal } from './terminal.js';

/** Prints Nest's log above the progress bars: the library's lines about each run, and every warning and error. */
@Injectable()
export class TerminalLogger implements LoggerService {
  constructor(private readonly terminal: Terminal) {}

  log(message: unknown, context?: string): void {
    if (context === 'Iteration') this.terminal.log(withoutFingerprint(String(message)));
  }

  warn(message: unknown): void {
    this.terminal.log(`WARN ${withoutFingerprint(String(message))}`);
  }

  error(message: unknown, ...[stack]: unknown[]): void {
    this.terminal.log(`ERROR ${stack ?? message}`);
  }
}

/** Shortens the cursor of a CSV, which also has the file's fingerprint, to its row. */
function withoutFingerprint(message: string): string {
  return message.replace(/\{[^{}]*"row":(\d+)[^{}]*(\}|…)/, 'row $1');
}
