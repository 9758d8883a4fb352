/** JSON as it travels. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The part of JSON Schema that the protocol's schemas use. */
export interface Schema {
  readonly type?: 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array' | 'null';
  readonly enum?: readonly Json[];
  readonly const?: Json;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** An event that a client may send, as the page has it from its build. */
export interface ClientEvent {
  readonly namespace: string;
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Who receives it. */
  readonly recipients: string;
  readonly example: Json;
  readonly schema: Schema;
}
