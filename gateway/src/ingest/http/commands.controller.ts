import { Body, Controller, Headers, Inject } from '@nestjs/common';
import { commandOfFields } from '@streamgate/protocol/command-fields';
import type { CommandInput } from '@streamgate/protocol/commands';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import { OPERATIONS, type AnswerOf, type BodyOf } from '@streamgate/protocol/rest';
import type { Executor } from '../execute.js';
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
    const command = commandOf(body, principal, key);
    return this.executor.execute(command, { door: 'http', principal }, true);
  }

  @Route(OPERATIONS.commands)
  async commands(
    @Caller() principal: Principal,
    @Headers('idempotency-key') key: string | undefined,
    @Body({ schema: OPERATIONS.commands.body }) { commands }: BodyOf<'commands'>,
  ): Promise<AnswerOf<'commands'>> {
    const inputs = commands.map((fields, index) => {
      try {
        const own = key === undefined ? undefined : `${key}#${index}`;
        return { input: commandOf(fields, principal, own), wantSessions: true };
      } catch (thrown) {
        return toGatewayError(thrown);
      }
    });
    const outcomes = await this.executor.executeBatch(inputs, { door: 'http', principal });
    return {
      outcomes: outcomes.map((outcome) =>
        outcome instanceof GatewayError ? { error: outcome.toBody() } : outcome,
      ),
    };
  }
}

/**
 * @param key the id of a command that has none of its own
 * @throws GatewayError as `commandOfFields`
 */
function commandOf(
  fields: Record<string, unknown>,
  { userId }: Principal,
  key: string | undefined,
): CommandInput {
  const { id = key, source = userId } = fields;
  if (id === undefined) return commandOfFields(fields);
  return commandOfFields({ ...fields, id, source });
}
