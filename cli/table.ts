/** Text from an artifact, made harmless: a terminal would obey the control characters in a name. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');

/** Rows in columns under a heading, as kubectl prints them; a line feed ends each. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, ...rows].map((row) => row.map(printable));
  const widths = heading.map((_, column) =>
    Math.max(...lines.map((row) => row[column]?.length ?? 0)),
  );
  return lines
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** JSON for other programs, two spaces deep. */
export const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
