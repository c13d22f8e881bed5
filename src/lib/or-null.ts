/**
 * Go's nil in an API answer: the types of the Docker API say "absent or a list" where dockerd sends
 * null, and its clients tell the two apart.
 */
export function orNull<T>(value: T | null | undefined): T {
  return (value ?? null) as T;
}
