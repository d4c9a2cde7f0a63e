/** All tries in place have failed, or the item killed too many processes. */
export class Failed {
  constructor(
    readonly error: Error,
    readonly tries: number,
  ) {}
}
