import type { Attachment } from '@streamgate/protocol/chat';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Config } from '../config.js';

/** What an operator lets pass. */
export type AttachmentRules = Pick<
  Config,
  'chatAttachmentSchemes' | 'chatAttachmentTypes' | 'chatAttachmentMaxBytes'
>;

/**
 * The bytes lie elsewhere and are never looked at: what the message says of them is.
 * @throws GatewayError `attachment_refused`
 */
export function checkAttachment({ url, mime, size }: Attachment, rules: AttachmentRules): void {
  const parsed = URL.parse(url);
  if (!parsed || !rules.chatAttachmentSchemes.includes(parsed.protocol.slice(0, -1)))
    throw refused(`its URL must be ${rules.chatAttachmentSchemes.join(' or ')}`);
  if (parsed.username || parsed.password) throw refused('its URL must not hold a password');
  if (!rules.chatAttachmentTypes.some((type) => type === mime || isWithin(type, mime)))
    throw refused('its type is not allowed');
  if (size > rules.chatAttachmentMaxBytes)
    throw refused(`it may have ${rules.chatAttachmentMaxBytes} bytes`);
}

/** `image/*` is every image. */
function isWithin(type: string, mime: string): boolean {
  return type.endsWith('/*') && mime.startsWith(type.slice(0, -1));
}

function refused(why: string): GatewayError {
  return new GatewayError('attachment_refused', `The attachment is not allowed: ${why}`);
}
