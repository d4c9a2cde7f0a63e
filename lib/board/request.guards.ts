import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
  UnauthorizedException,
} from '@nestjs/common';
import { BOARD_OPTIONS, type ResolvedBoardOptions } from './board.options.js';

/** What Express's and Fastify's requests have in common. */
interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Compares the token, where the board has one. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(@Inject(BOARD_OPTIONS) private readonly options: ResolvedBoardOptions) {}

  canActivate(context: ExecutionContext): boolean {
    const { token } = this.options;
    if (token === undefined) return true;
    const given = /^Bearer (.+)$/i.exec(headerOf(context, 'authorization'))?.[1];
    if (given !== undefined && timingSafeEqual(digestOf(given), digestOf(token))) return true;
    throw new UnauthorizedException({
      statusCode: 401,
      message: given === undefined ? 'The board needs its token' : 'The token is wrong',
      needs: 'token',
    });
  }
}

/**
 * Refuses a change that the board's own page did not send. The page of another site can neither set the header nor send JSON
 * without asking first, and its browser says where it comes from.
 */
@Injectable()
export class ChangeGuard implements CanActivate {
  constructor(@Inject(BOARD_OPTIONS) private readonly options: ResolvedBoardOptions) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<HttpRequest>().method !== 'POST') return true;
    if (this.options.readOnly) throw new ForbiddenException('The board is read-only');
    if (!/^application\/json\b/i.test(headerOf(context, 'content-type'))) {
      throw new ForbiddenException('Send JSON, with the content type application/json');
    }
    if (headerOf(context, 'x-requested-with') === '') {
      throw new ForbiddenException('Send the header x-requested-with, with any value');
    }
    if (!isSameOrigin(context)) throw new ForbiddenException('The request comes from another site');
    return true;
  }
}

/** A browser sends `sec-fetch-site` to secure origins, and `origin` to others. Other clients send neither. */
function isSameOrigin(context: ExecutionContext): boolean {
  const site = headerOf(context, 'sec-fetch-site');
  if (site !== '') return site === 'same-origin';
  const origin = headerOf(context, 'origin');
  return origin === '' || hostOf(origin) === headerOf(context, 'host').toLowerCase();
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function headerOf(context: ExecutionContext, name: string): string {
  return String(context.switchToHttp().getRequest<HttpRequest>().headers[name] ?? '');
}

/** Digests have one length, whatever the length of the token. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
