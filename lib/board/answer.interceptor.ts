import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  Injectable,
  type NestInterceptor,
  ServiceUnavailableException,
} from '@nestjs/common';
import { catchError, type Observable, throwError, timeout } from 'rxjs';
import { isOutage } from '../interruption/index.js';
import { IterationError } from '../iteration.errors.js';
import { BoardQueues } from './board.queues.js';

/** BullMQ waits for an absent Redis without limit. A change may take longer: `restart` waits for a worker. */
const READ_MS = 5_000;
const CHANGE_MS = 20_000;

/** Answers errors of the library with their status and message, and an absent queue server with 503. */
@Injectable()
export class AnswerInterceptor implements NestInterceptor {
  constructor(private readonly queues: BoardQueues) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { body, method, query } = context
      .switchToHttp()
      .getRequest<Record<string, { queue?: unknown } | undefined>>();
    const absent = () => unavailable(this.queues.serverOf(query?.queue ?? body?.queue));
    const isChange = (method as unknown) === 'POST';
    const answer = next.handle();
    // A bulk change of many jobs takes as long as it takes.
    const inTime = context.getHandler().name === 'bulk' ? answer : answer.pipe(within(isChange, absent));
    return inTime.pipe(catchError((error) => throwError(() => (isOutage(error) ? absent() : httpError(error)))));
  }
}

function within(isChange: boolean, absent: () => Error) {
  return timeout<unknown, Observable<never>>({
    first: isChange ? CHANGE_MS : READ_MS,
    with: () => throwError(absent),
  });
}

function unavailable(server: string): ServiceUnavailableException {
  return new ServiceUnavailableException({ statusCode: 503, message: `${server} does not answer`, server });
}

function httpError(error: unknown): unknown {
  const { statusCode } = error as { statusCode?: number };
  if (!(error instanceof IterationError) || statusCode === undefined) return error;
  return new HttpException({ statusCode, message: error.message, error: error.name }, statusCode, { cause: error });
}
