import { Controller, Get, Headers, Res } from '@nestjs/common';
import type { Response } from 'express';
import { exposition } from './exposition.js';

@Controller('metrics')
export class MetricsController {
  /** OpenMetrics, with exemplars, for who asks for it; else the text format. */
  @Get()
  async scrape(@Headers('accept') accept: string, @Res() response: Response): Promise<void> {
    const { type, text } = await exposition.scrape(accept);
    response.set('Content-Type', type).send(text);
  }
}
