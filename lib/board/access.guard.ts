import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { ContextIdFactory, HttpAdapterHost, ModuleRef } from '@nestjs/core';
import { lastValueFrom } from 'rxjs';
import { BOARD_OPTIONS, type ResolvedBoardOptions } from './board.options.js';

/** Of every response, also of one that a later guard refuses. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

type FindGuard = (request: object) => Promise<CanActivate>;

/** Asks the guards of the board's options, in their order. */
@Injectable()
export class AccessGuard implements CanActivate, OnModuleInit {
  #guards: readonly FindGuard[] = [];

  constructor(
    @Inject(BOARD_OPTIONS) private readonly options: ResolvedBoardOptions,
    private readonly moduleRef: ModuleRef,
    private readonly adapters: HttpAdapterHost,
  ) {}

  async onModuleInit(): Promise<void> {
    this.#guards = await Promise.all(this.options.guards.map((type) => this.#finder(type)));
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const response: unknown = http.getResponse();
    for (const [name, value] of Object.entries(HEADERS)) this.adapters.httpAdapter.setHeader(response, name, value);
    for (const find of this.#guards) {
      const guard = await find(http.getRequest());
      const verdict = await guard.canActivate(context);
      if (!(typeof verdict === 'boolean' ? verdict : await lastValueFrom(verdict))) return false;
    }
    return true;
  }

  /** A guard that a module provides is that one, also when it is request-scoped. */
  async #finder(type: Type<CanActivate>): Promise<FindGuard> {
    if (this.#isProvided(type)) {
      return (request) =>
        this.moduleRef.resolve(type, ContextIdFactory.getByRequest(request as never), { strict: false });
    }
    const guard = await this.moduleRef.create(type);
    return async () => guard;
  }

  #isProvided(type: Type<CanActivate>): boolean {
    try {
      return Boolean(this.moduleRef.introspect(type));
    } catch {
      return false;
    }
  }
}
