import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Post,
  Put,
  UseGuards,
} from '@nestjs/common';
import { z } from 'zod';
import { AdminGuard } from './admin-guard.js';
import type { DrainStatus, ShedStatus } from './drain-control.js';
import { LOG_LEVELS, log } from './log.js';
import type { ManagementNeeds } from './needs.js';
import { NEEDS } from './needs.js';

const DAY_SECONDS = 86_400;

/** An object of these fields and no other: a misspelt one must not mean the default. */
function fields<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? `only ${names} is known here` : undefined),
  });
}

const DrainBody = fields({ seconds: z.int().min(0).max(DAY_SECONDS).optional() }).default({});
const ShedBody = fields({
  sessions: z.int().min(1).optional(),
  percent: z.number().gt(0).max(100).optional(),
  seconds: z.int().min(1).max(DAY_SECONDS),
}).refine(
  ({ sessions, percent }) => (sessions === undefined) !== (percent === undefined),
  'give sessions or percent',
);
const LevelBody = fields({ level: z.enum(LOG_LEVELS) });
type LevelBody = z.infer<typeof LevelBody>;

/** What an operator may ask of this node. */
@Controller('admin')
@UseGuards(AdminGuard)
export class AdminController {
  constructor(@Inject(NEEDS) private readonly needs: ManagementNeeds) {}

  @Post('drain')
  @HttpCode(202)
  startDrain(@Body({ schema: DrainBody }) body: object): DrainStatus {
    return this.needs.drain.start(body);
  }

  @Get('drain')
  drainStatus(): DrainStatus {
    return this.needs.drain.status();
  }

  @Delete('drain')
  abortDrain(): DrainStatus {
    return this.needs.drain.abort();
  }

  @Post('shed')
  @HttpCode(202)
  shed(@Body({ schema: ShedBody }) body: { seconds: number }): ShedStatus {
    return this.needs.drain.shed(body);
  }

  @Get('log-level')
  logLevel(): LevelBody {
    return { level: log.level as LevelBody['level'] };
  }

  @Put('log-level')
  setLogLevel(@Body({ schema: LevelBody }) { level }: LevelBody): LevelBody {
    log.level = level;
    return { level };
  }
}
