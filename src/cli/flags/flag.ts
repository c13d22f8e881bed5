/** The kinds of flag and the type of the value each yields. */
export interface FlagKinds {
  bool: boolean;
  string: string;
  /** May be given several times. */
  list: string[];
  /** `key=value`, several times; the last of a key wins. */
  map: Record<string, string>;
  int: number;
  uint: number;
  uint16: number;
  /** CPUs with at most nine decimals, in billionths. */
  decimal: number;
  /** Go's syntax (`1m30s`), in nanoseconds. */
  duration: number;
  /** A size with a unit (`64m`), in bytes. */
  bytes: number;
  /** As `bytes`, and -1 for no limit. */
  swap: number;
}

/** One flag of a command. */
export interface Flag {
  type: keyof FlagKinds;
  help: string;
  short?: string;
  /** What help shows for the value; the type's name if absent. */
  placeholder?: string;
  /** As it would be typed. */
  default?: string;
  /** What help shows as the default where it is not `default`. */
  shownDefault?: string;
  /** Other, hidden, names of the same flag. */
  aliases?: readonly string[];
  hidden?: boolean;
  /** Checks one value as typed and returns it normalized; throws an Error with the reason. */
  check?: (value: string) => string;
  /** Fixed values, or the kind of thing, that shell completion offers. */
  completes?: readonly string[] | "file" | "container" | "network" | "image";
}

/** Flags by their long names. */
export type FlagTable = Readonly<Record<string, Flag>>;

/** The values of a table's flags. */
export type Values<T extends FlagTable> = { [K in keyof T]: FlagKinds[T[K]["type"]] };
