/** What the parts of a job share: a text beside the checkpoint of the job that is split. */
export interface SharedStore {
  /** The text, and the time of the backend in milliseconds since 1970: clocks of machines differ. */
  shared(id: string): Promise<{ readonly text: string | undefined; readonly now: number }>;

  /**
   * Writes the text, if it still is the expected one.
   *
   * @returns `changed` when another part was faster, `gone` when there is no such job: nothing was written.
   */
  replaceShared(id: string, expected: string | undefined, next: string): Promise<'replaced' | 'changed' | 'gone'>;
}
