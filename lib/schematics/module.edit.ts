import { createRequire } from 'node:module';
import { join } from 'node:path';
import { importLine, type Tree, textOf } from './tree.js';

/** The part of `@nestjs/schematics` that is used. A project that `nest new` made has it. */
interface NestSchematics {
  readonly MetadataManager: new (content: string) => { insert(metadata: string, symbol: string): string | undefined };
  readonly ModuleFinder: new (tree: Tree) => { find(options: { path: string }): string | null };
}

/** One change of a module: an expression that is added to its metadata, and the names that it needs. */
interface Addition {
  readonly metadata: 'imports' | 'providers';
  readonly expression: string;
  readonly names: readonly string[];
  readonly from: string;
}

/** Changes the modules of a project. Undefined: `@nestjs/schematics` is not there, so its user must do it by hand. */
export class ModuleEdit {
  static of(tree: Tree): ModuleEdit | undefined {
    try {
      const required = createRequire(join(process.cwd(), 'package.json'))('@nestjs/schematics') as NestSchematics;
      return new ModuleEdit(tree, required);
    } catch {
      return undefined;
    }
  }

  private constructor(
    private readonly tree: Tree,
    private readonly schematics: NestSchematics,
  ) {}

  /** The module that is the nearest to this folder, a path from the project's root `/`. */
  nearest(folder: string): string | undefined {
    return new this.schematics.ModuleFinder(this.tree).find({ path: folder }) ?? undefined;
  }

  add(module: string, { expression, from, metadata, names }: Addition): void {
    const text = textOf(this.tree, module);
    const inserted = new this.schematics.MetadataManager(text).insert(metadata, expression) ?? text;
    this.tree.overwrite(module, withImport(inserted, names, from));
  }
}

/** The line comes after the last import. */
function withImport(text: string, names: readonly string[], from: string): string {
  const imports = [...text.matchAll(/^import \{([^}]*)\} from ['"]([^'"]+)['"]/gm)];
  const known = imports.flatMap(([, some = '', of]) => (of === from ? some.split(',').map((name) => name.trim()) : []));
  const missing = names.filter((name) => !known.includes(name));
  if (missing.length === 0) return text;
  const lines = text.split('\n');
  const last = lines.findLastIndex((each) => /^\} from ['"]|^import .* from ['"]/.test(each));
  lines.splice(last + 1, 0, importLine(missing.join(', '), from));
  return lines.join('\n');
}
