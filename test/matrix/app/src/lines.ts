import type { BuildContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor, OnIteration } from 'nestjs-iteration';
import { handle } from './handle.js';

interface Line {
  id: string;
  name: string;
}

@IterativeProcessor({ queue: 'cell', name: 'lines' })
export class Lines {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext<object>) {
    return this.enumerators.csv.rows<Line>('lines.csv', { cursor, columns: true });
  }

  @EachIteration()
  async each(line: Line): Promise<void> {
    await handle('lines', Number(line.id));
  }

  @OnIteration('start')
  start(): void {
    console.log('lines start');
  }

  @OnIteration('resume')
  resume(): void {
    console.log('lines resume');
  }

  @OnIteration('complete')
  complete(): void {
    console.log('lines complete');
  }
}
