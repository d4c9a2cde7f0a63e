import { Logger, type Type } from '@nestjs/common';
import { MissingDependencyError } from '../iteration.errors.js';
import { loadOptional } from '../optional.package.js';
import type { ApiRoutes } from './api.routes.js';
import type { ResolvedBoardOptions } from './board.options.js';
import { ROUTES, type RouteDescription } from './openapi.routes.js';

type Swagger = typeof import('@nestjs/swagger');

/** Describes the routes for OpenAPI, where `@nestjs/swagger` is installed. The page and its files are left out. */
export async function describeRoutes(
  { api: controller, page }: { api: Type<ApiRoutes>; page: Type },
  { token }: Pick<ResolvedBoardOptions, 'token'>,
  load: () => Promise<Swagger> = () => import('@nestjs/swagger'),
): Promise<void> {
  try {
    const swagger = await loadOptional({ name: '@nestjs/swagger', feature: 'OpenAPI' }, load);
    swagger.ApiExcludeController()(page);
    swagger.ApiTags('iterations')(controller);
    if (token !== undefined) swagger.ApiBearerAuth()(controller);
    for (const [method, route] of Object.entries(ROUTES)) {
      describeRoute(swagger, { controller, method: method as keyof typeof ROUTES, route });
    }
  } catch (error) {
    if (error instanceof MissingDependencyError) return;
    new Logger('Iteration').warn(`OpenAPI cannot describe the board: ${(error as Error).message}`);
  }
}

/** A controller has routes of its own for its description: two boards share those that they inherit. */
function describeRoute(
  swagger: Swagger,
  { controller, method, route }: { controller: Type<ApiRoutes>; method: keyof ApiRoutes; route: RouteDescription },
): void {
  const { ApiBody, ApiHeader, ApiOperation, ApiQuery, ApiResponse } = swagger;
  const { summary, query, body, status = 200, answer } = route;
  const own = ownMethod(controller, method);
  const queries = Object.entries(query?.properties ?? {}).map(([name, schema]) =>
    ApiQuery({ name, required: query?.required?.includes(name) ?? false, schema }),
  );
  const bodies = body
    ? [
        ApiBody({ schema: body, required: true }),
        ApiHeader({
          name: 'x-requested-with',
          required: true,
          description: 'Any value: a page of another site cannot set it.',
        }),
      ]
    : [];
  const answers = [
    ApiResponse({ status, description: 'Done.', schema: answer }),
    ...Object.entries(ERRORS).map(([code, description]) => ApiResponse({ status: Number(code), description })),
  ];
  for (const decorate of [ApiOperation({ summary }), ...queries, ...bodies, ...answers]) {
    decorate(controller.prototype, method, own);
  }
}

const ERRORS = {
  400: 'An option or a cursor is wrong.',
  401: 'The token is missing or wrong.',
  403: 'A guard refuses, the board is read-only, or the request comes from another site.',
  404: 'There is no such job.',
  409: "The job's state does not allow it.",
  503: "The queue's server does not answer.",
};

function ownMethod(controller: Type<ApiRoutes>, method: keyof ApiRoutes): PropertyDescriptor {
  const inherited = controller.prototype[method] as unknown as (this: ApiRoutes, given: unknown) => unknown;
  const own = {
    [method](this: ApiRoutes, given: unknown) {
      return inherited.call(this, given);
    },
  }[method] as object;
  for (const key of Reflect.getMetadataKeys(inherited)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, inherited), own);
  }
  Object.defineProperty(controller.prototype, method, { value: own, configurable: true, writable: true });
  return Object.getOwnPropertyDescriptor(controller.prototype, method) as PropertyDescriptor;
}
