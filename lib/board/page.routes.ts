import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get, Header, Req, UseGuards } from '@nestjs/common';
import { AccessGuard } from './access.guard.js';

/** The page, its style and its script: files beside this one, read once. */
@Controller()
@UseGuards(AccessGuard)
export class PageRoutes {
  readonly #html = fileOf('index.html');
  readonly #style = fileOf('style.css');
  readonly #script = fileOf('board.js');

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  page(@Req() request: { readonly url: string; readonly originalUrl?: string }): string {
    return this.#html.replaceAll('{{folder}}', folderOf(request.originalUrl ?? request.url));
  }

  @Get('style.css')
  @Header('content-type', 'text/css; charset=utf-8')
  style(): string {
    return this.#style;
  }

  @Get('board.js')
  @Header('content-type', 'text/javascript; charset=utf-8')
  script(): string {
    return this.#script;
  }
}

/**
 * Where the page's files are, relative to the page: it may be under any prefix, also one of a proxy that the application does
 * not know. Of `/admin/iterations` it is `./iterations/`, and of `/admin/iterations/` it is `./`.
 */
function folderOf(url: string): string {
  const last = /([^/?#]*)(?:[?#]|$)/.exec(url.replace(/[?#].*$/, ''))?.[1] ?? '';
  return last === '' ? './' : `./${last.replace(/[^\w.~%-]/g, encodeURIComponent)}/`;
}

/** The package's code is CommonJS, where a module knows its folder. */
function fileOf(name: string): string {
  return readFileSync(join(__dirname, 'page', name), 'utf8');
}
