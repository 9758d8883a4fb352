import { StandardSchemaValidationPipe } from '@nestjs/common';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Problem } from '@streamgate/protocol/rest';

/** A request that its schema refuses; says where and why, never with the value. */
export class InvalidRequest extends GatewayError {
  constructor(readonly errors: NonNullable<Problem['errors']>) {
    super('invalid_payload');
  }
}

/** Validates bodies, queries and path parameters with the schema beside the parameter. */
export class SchemaPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({
      exceptionFactory: (issues) =>
        new InvalidRequest(
          issues.map(({ path = [], message }) => ({ path: dotted(path), message })),
        ),
    });
  }

  /** Stock deletes keys such as `constructor`, recursively; what a service sends arrives as sent. */
  protected override stripProtoKeys(): void {}
}

function dotted(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  return path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
}
