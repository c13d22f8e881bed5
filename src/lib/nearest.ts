/** The candidate that one or two wrong letters lead away from; undefined when none is so near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const [near] = [...candidates]
    .map((name) => ({ name, distance: editDistance(name, word) }))
    .sort((a, b) => a.distance - b.distance);
  return near && near.distance <= 2 && near.distance < near.name.length - 1 ? near.name : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
