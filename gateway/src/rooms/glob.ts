/**
 * Matches a pattern in which `*` stands for any text, an empty one too; each `*` but the last takes
 * as little as it can. No regular expression, so no pattern can make it slow.
 * @returns what each `*` stood for, undefined when the text does not match
 */
export function matchGlob(pattern: string, text: string): string[] | undefined {
  const [head = '', ...parts] = pattern.split('*');
  const tail = parts.pop();
  if (tail === undefined) return text === pattern ? [] : undefined;
  if (!text.startsWith(head)) return undefined;

  const stars: string[] = [];
  let from = head.length;
  for (const part of parts) {
    const found = text.indexOf(part, from);
    if (found < 0) return undefined;
    stars.push(text.slice(from, found));
    from = found + part.length;
  }
  const end = text.length - tail.length;
  if (end < from || !text.endsWith(tail)) return undefined;
  stars.push(text.slice(from, end));
  return stars;
}
