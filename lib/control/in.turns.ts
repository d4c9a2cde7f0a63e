/** Jobs that are asked, or looked at, at a time. */
const AT_A_TIME = 100;

/** Asks for each, a few at a time. */
export async function inTurns<T>(ids: readonly string[], ask: (id: string) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (let start = 0; start < ids.length; start += AT_A_TIME) {
    const page = ids.slice(start, start + AT_A_TIME);
    answers.push(...(await Promise.all(page.map((id) => ask(id)))));
  }
  return answers;
}
