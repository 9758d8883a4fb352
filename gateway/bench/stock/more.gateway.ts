import { UsePipes, ValidationPipe } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { MessagePayload } from './payloads.js';

/** Seventeen more handlers, for thirty in all: what the gateway has once every document is served. */
@WebSocketGateway()
@UsePipes(new ValidationPipe())
export class MoreGateway {}

for (let number = 14; number <= 30; number++) {
  const name = `event-${number}`;
  const method = {
    value: (payload: MessagePayload) => ({ data: payload.message }),
    writable: true,
  };
  Object.defineProperty(MoreGateway.prototype, name, method);
  Reflect.defineMetadata('design:paramtypes', [MessagePayload], MoreGateway.prototype, name);
  MessageBody()(MoreGateway.prototype, name, 0);
  SubscribeMessage(name)(MoreGateway.prototype, name, method);
}
