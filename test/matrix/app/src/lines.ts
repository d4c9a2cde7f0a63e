import type { BuildContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
import { RecordingProcessor } from './recording.processor.js';

interface Line {
  id: string;
  name: string;
}

@IterativeProcessor({ queue: 'cell', name: 'lines' })
export class Lines extends RecordingProcessor {
  constructor(private readonly enumerators: EnumeratorBuilder) {
    super('lines');
  }

  @BuildEnumerator()
  build({ cursor }: BuildContext<object>) {
    return this.enumerators.csv.rows<Line>('lines.csv', { cursor, columns: true });
  }

  @EachIteration()
  async each(line: Line): Promise<void> {
    await this.record(Number(line.id));
  }
}
