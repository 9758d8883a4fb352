import type { Principal } from '@streamgate/protocol/principal';

/** What the composition root provides to the REST door. */
export const CONFIG = Symbol('Config');
export const EXECUTOR = Symbol('Executor');
export const PRESENCE = Symbol('Presence');
export const VERIFY_TOKEN = Symbol('VerifyToken');

/** @throws GatewayError `authentication_failed`, `token_expired`, `jwks_unavailable` */
export type VerifyToken = (token: string) => Promise<Principal>;
