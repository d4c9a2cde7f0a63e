import type { BuildContext, IterationContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
import { iterate } from 'nestjs-iteration/testing';

/** In Jest, objects that structuredClone has made are of another realm. */
@IterativeProcessor('jobs')
class Counts {
  seen: unknown;

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return new EnumeratorBuilder().nested(
      [
        (at) => new EnumeratorBuilder().array(['ab', 'c'], at),
        (word, at) => new EnumeratorBuilder().array([...word], at),
      ],
      { cursor },
    );
  }

  @EachIteration()
  each(letter: string, context: IterationContext<unknown, never, { letters: string[] } | null>) {
    context.state = { letters: [...(context.state?.letters ?? []), letter] };
    this.seen = context.state;
  }
}

it('keeps state and cursors that are objects over several runs', async () => {
  const processor = new Counts();
  const { error, runs } = await iterate(processor, { interruptAfter: 1 });
  expect(error).toBeUndefined();
  expect([processor.seen, runs.length]).toEqual([{ letters: ['a', 'b', 'c'] }, 3]);
});
