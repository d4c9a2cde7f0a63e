/** The kind and version of a MariaDB or MySQL server, from its `VERSION()`. */
export interface ServerVersion {
  readonly isMariaDb: boolean;
  /** As one number: 5.7.44 is 5.7. */
  readonly number: number;
}

/** Reads `10.11.19-MariaDB-log` and `8.0.36-0ubuntu0`. */
export function serverVersion(text: string): ServerVersion {
  const [, major = '0', minor = '0'] = /^(?:5\.5\.5-)?(\d+)\.(\d+)/.exec(text) ?? [];
  return { isMariaDb: /mariadb/i.test(text), number: Number(major) + Number(minor) / 100 };
}
