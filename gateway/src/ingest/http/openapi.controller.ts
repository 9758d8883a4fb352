import { Controller, Get } from '@nestjs/common';
import { openApiDocument } from './openapi.js';

/** The description of the REST door, open to everyone. */
@Controller()
export class OpenApiController {
  private readonly document = openApiDocument();

  @Get('/openapi.json')
  read(): unknown {
    return this.document;
  }
}
