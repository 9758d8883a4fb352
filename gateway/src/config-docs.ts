import { hidden, hiddenPassword } from './config-values.js';
import { SUBJECTS } from './config-variables.js';

/** The table of all variables as docs/configuration.md holds it; `make generate` writes it. */
export function renderConfigTable(): string {
  const sections = Object.entries(SUBJECTS).map(([subject, variables]) => {
    const rows = Object.entries(variables).map(([name, variable]) => {
      const secret = (variable.mask && SHOWN.get(variable.mask)) ?? '';
      const fallback = variable.default === undefined ? '' : `\`${variable.default}\``;
      return `| \`${name}\` | ${fallback} | ${sentence(variable.help)}${secret} |`;
    });
    return `## ${subject}\n\n| variable | default | |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return `${HEAD}\n${sections.join('\n')}`;
}

const SHOWN = new Map([
  [hidden, ' Secret: never printed.'],
  [hiddenPassword, ' Printed without its password.'],
]);

const HEAD = `# Configuration

<!-- Written by \`make generate\` from gateway/src/config-variables.ts. -->

A gateway is configured by environment variables and nothing else.

- Each can be given as \`<NAME>_FILE\` instead: the path of a file that holds the value, for mounted secrets.
- An empty value counts as none. Lists are separated by commas, flags are \`true\` or \`false\`.
- A wrong value or an unknown \`STREAMGATE_*\` name stops the start with one message that lists every fault.
- What Kubernetes injects for a Service called streamgate (\`STREAMGATE_PORT=tcp://…\`, \`STREAMGATE_SERVICE_*\`, \`STREAMGATE_PORT_*\`) is ignored.
- \`make config\` prints the effective values, secrets masked; in a container, \`node gateway/dist/config-print.js\` does.
- Production does not start without a key to check tokens with, or with a secret under 32 bytes.
`;

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
