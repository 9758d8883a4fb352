import { type YAMLMap, isMap, isScalar, parseDocument } from 'yaml';

/** A row: a value, or a map of values that has a comment of its own and then no default. */
interface Row {
  readonly path: string;
  readonly fallback: string;
  readonly help: string;
}

/**
 * The tables of values, by section, as Markdown.
 * @param text values.yaml: `## Section` where one begins, a comment above each value; a map without
 *   comments inside is one value
 * @throws Error that names the values without a comment
 */
export function valueTables(text: string): string {
  const { contents } = parseDocument(text);
  if (!isMap(contents)) throw new Error('values.yaml is no map');
  const sections: { title: string; rows: Row[] }[] = [];
  for (const { key, value, comment } of entries(contents)) {
    const title = /^## (.+)$/m.exec(comment)?.[1];
    if (title !== undefined) sections.push({ title, rows: [] });
    sections.at(-1)?.rows.push(...rowsOf(key, value, comment));
  }
  const silent = sections.flatMap(({ rows }) => rows).filter(({ help }) => help === '');
  if (silent.length > 0)
    throw new Error(`values.yaml: no comment at ${silent.map(({ path }) => path).join(', ')}`);
  return sections
    .map(({ title, rows }) =>
      [
        `### ${title}`,
        '',
        '| value | default | |',
        '| --- | --- | --- |',
        ...rows.map(({ path, fallback, help }) => `| \`${path}\` | ${fallback} | ${help} |`),
      ].join('\n'),
    )
    .join('\n\n');
}

function rowsOf(path: string, value: unknown, comment: string): Row[] {
  // The last paragraph, without the title of a section; `|` would end the cell.
  const help = (comment.split('\n\n').at(-1) ?? '')
    .replace(/^## .+$/m, '')
    .replaceAll(/^# ?/gm, '')
    .trim()
    .replaceAll('\n', ' ')
    .replaceAll('|', '\\|');
  if (!isMap(value) || !isCommented(value)) {
    const json = isScalar(value) && value.value === '' ? '' : `\`${JSON.stringify(value)}\``;
    return [{ path, fallback: json.replaceAll('|', '\\|'), help }];
  }
  const inner = entries(value).flatMap((entry) =>
    rowsOf(`${path}.${entry.key}`, entry.value, entry.comment),
  );
  return help === '' ? inner : [{ path, fallback: '', help }, ...inner];
}

function isCommented(map: YAMLMap): boolean {
  return entries(map).some(
    ({ value, comment }) => comment !== '' || (isMap(value) && isCommented(value)),
  );
}

/** The comments as written; that of a map's first key is taken for the map's by the parser. */
function entries(map: YAMLMap): { key: string; value: unknown; comment: string }[] {
  return map.items.map(({ key, value }, index) => {
    const own = isScalar(key) ? key.commentBefore : undefined;
    const comment = own ?? (index === 0 ? map.commentBefore : undefined) ?? '';
    return { key: String(key), value, comment: comment.replaceAll(/^(?=.)/gm, '#') };
  });
}
