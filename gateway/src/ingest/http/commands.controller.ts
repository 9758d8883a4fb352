import { Body, Controller, Headers, Inject } from '@nestjs/common';
import { commandOfFields } from '@streamgate/protocol/command-fields';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import { OPERATIONS, type AnswerOf, type BodyOf } from '@streamgate/protocol/rest';
import type { Executor, Item } from '../execute.js';
import { EXECUTOR } from './needs.js';
import { Route } from './route.js';
import { Caller } from './token-guard.js';

/** REST of the whole contract: `/v1/commands`. */
@Controller()
export class CommandsController {
  constructor(@Inject(EXECUTOR) private readonly executor: Executor) {}

  @Route(OPERATIONS.command)
  async command(
    @Caller() principal: Principal,
    @Headers('idempotency-key') key: string | undefined,
    @Body({ schema: OPERATIONS.command.body }) body: BodyOf<'command'>,
  ): Promise<AnswerOf<'command'>> {
    const items = [itemOf(body, principal, key)];
    const [outcome] = await this.executor.executeBatch(items, { door: 'http', principal });
    if (outcome instanceof GatewayError) throw outcome;
    return outcome!;
  }

  @Route(OPERATIONS.commands)
  async commands(
    @Caller() principal: Principal,
    @Headers('idempotency-key') key: string | undefined,
    @Body({ schema: OPERATIONS.commands.body }) { commands }: BodyOf<'commands'>,
  ): Promise<AnswerOf<'commands'>> {
    const items = commands.map((fields, index) =>
      itemOf(fields, principal, key === undefined ? undefined : `${key}#${index}`),
    );
    const outcomes = await this.executor.executeBatch(items, { door: 'http', principal });
    return {
      outcomes: outcomes.map((outcome) =>
        outcome instanceof GatewayError ? { error: outcome.toBody() } : outcome,
      ),
    };
  }
}

/**
 * A command, or why it is none.
 * @param key the id of a command that has none of its own
 */
function itemOf(
  fields: Record<string, unknown>,
  { userId }: Principal,
  key: string | undefined,
): Item | GatewayError {
  const { id = key, source = userId } = fields;
  try {
    const input = commandOfFields(id === undefined ? fields : { ...fields, id, source });
    return { input, wantSessions: true };
  } catch (thrown) {
    return toGatewayError(thrown);
  }
}
