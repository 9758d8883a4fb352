import { Body, Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { type ConsoleSettings, type MadeToken, TokenRequest } from '@streamgate/protocol/console';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Request } from 'express';
import ipaddr from 'ipaddr.js';
import type { Config } from '../../config.js';
import { log } from '../../ops/log.js';
import { signToken } from './development-token.js';
import { CONFIG } from './needs.js';

/** What the console asks beside what every client may; there only while the console is served. */
@Controller('/console')
export class ConsoleController {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  @Get('/settings')
  settings(@Req() request: Request): ConsoleSettings {
    return { mode: this.config.mode, tokens: this.makesTokens && isFromHere(request) };
  }

  /** @throws GatewayError `not_found` where no tokens are made, `forbidden` for anybody elsewhere */
  @Post('/token')
  @HttpCode(200)
  async token(
    @Req() request: Request,
    @Body({ schema: TokenRequest }) { userId, roles }: TokenRequest,
  ): Promise<MadeToken> {
    if (!this.makesTokens) throw new GatewayError('not_found');
    if (!isFromHere(request)) throw new GatewayError('forbidden');
    log.info({ user: userId, roles }, 'development token made');
    return { token: await signToken(this.config, userId, roles) };
  }

  /** In development, where this node has the secret itself. */
  private get makesTokens(): boolean {
    return this.config.mode === 'development' && this.config.jwtSecret !== undefined;
  }
}

/** What proxies add, each some of these; one that adds nothing cannot be told from the page itself. */
const PROXIED = [
  'forwarded',
  'via',
  'x-real-ip',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
];

/**
 * Whether the page on this machine asks: the connection and the address in it are loopback (a name
 * that somebody points here is not), nothing was forwarded, and no other site's page sends it.
 */
function isFromHere({ socket, headers }: Request): boolean {
  const { host = '', origin } = headers;
  const name = /^(.*?)(:\d+)?$/.exec(host)?.[1]?.replace(/^\[(.*)\]$/, '$1') ?? '';
  return (
    isLoopback(socket.remoteAddress ?? '') &&
    (name === 'localhost' || isLoopback(name)) &&
    PROXIED.every((header) => headers[header] === undefined) &&
    (origin === undefined || origin === `http://${host}`)
  );
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}
