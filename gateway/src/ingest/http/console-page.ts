import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Response } from 'express';
import { contentSecurityPolicy } from 'helmet';

/** The console at `/console`: files that its build made, from this node alone, no inline script. */
export function serveConsole(app: NestExpressApplication): void {
  const require = createRequire(import.meta.url);
  const files = join(dirname(require.resolve('@streamgate/console/package.json')), 'dist/page');
  app.use(
    '/console',
    contentSecurityPolicy({
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        // Browsers that know it refuse every sink that would turn text into markup.
        requireTrustedTypesFor: ["'script'"],
      },
    }),
  );
  app.useStaticAssets(files, { prefix: '/console', setHeaders: cacheFor });
}

/** What is built has its content's hash in its name; the page that names them is asked for again. */
function cacheFor(response: Response, path: string): void {
  const hashed = path.includes(`${sep}assets${sep}`);
  response.set('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
}
