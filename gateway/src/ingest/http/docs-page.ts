import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { contentSecurityPolicy } from 'helmet';
import type { Request, Response } from 'express';

/**
 * Swagger UI's own page asks for this file: point it at our document instead of its demo, and keep
 * the address of the document from its validator on the internet.
 */
const INITIALIZER = `window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    persistAuthorization: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: 'StandaloneLayout',
  });
};
`;

/** The interactive page at `/docs`, from node_modules: no internet, no inline script. */
export function serveDocsPage(app: NestExpressApplication): void {
  const files = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  app.use(
    '/docs',
    contentSecurityPolicy({
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        frameAncestors: ["'none'"],
      },
    }),
  );
  app.use('/docs/swagger-initializer.js', (_request: Request, response: Response) => {
    response.type('text/javascript').send(INITIALIZER);
  });
  app.useStaticAssets(files, { prefix: '/docs' });
}
