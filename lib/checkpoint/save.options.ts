/** What a checkpoint is saved with, in the same step. */
export interface SaveOptions {
  /** The job is about to be delayed, and must then go after the others of its priority (R6). */
  readonly yields?: boolean | undefined;
  /** Lines that are added to those of the job's last runs. */
  readonly history?: string | undefined;
}
