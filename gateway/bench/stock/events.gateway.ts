import { UsePipes, ValidationPipe } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from '@nestjs/websockets';
import { Server, Socket } from 'socket.io';
import { authenticate, type User, verify } from './authentication.js';
import {
  MessagePayload,
  PagePayload,
  PingPayload,
  RoomMessagePayload,
  RoomPayload,
  SendMessagePayload,
  TokenPayload,
  TypingPayload,
} from './payloads.js';

const secret = process.env.BENCH_JWT_SECRET ?? '';

/**
 * The thirteen client events of our `/` namespace as one would write them with Nest's documentation at
 * hand: one decorated method each, class-validator payloads, the ack is what the method returns. An
 * event that ours answers with a reply event as well is answered with it here too.
 */
@WebSocketGateway()
@UsePipes(new ValidationPipe({ exceptionFactory: (errors) => new WsException(errors) }))
export class EventsGateway implements OnGatewayInit, OnGatewayConnection, OnGatewayDisconnect {
  @WebSocketServer() readonly server!: Server;
  private readonly online = new Map<
    string,
    { user: User; sessions: number; connectedAt: string }
  >();

  afterInit(server: Server): void {
    server.use(authenticate(secret));
  }

  handleConnection(client: Socket): void {
    const user = client.data.user as User;
    const timestamp = new Date().toISOString();
    const entry = this.online.get(user.id);
    if (entry) entry.sessions++;
    else this.online.set(user.id, { user, sessions: 1, connectedAt: timestamp });
    void client.join([`user:${user.id}`, ...user.roles.map((role) => `role:${role}`)]);
    client.emit('connected', {
      message: 'Successfully connected to WebSocket',
      userId: user.id,
      socketId: client.id,
      user,
      timestamp,
      recovered: client.recovered,
    });
  }

  handleDisconnect(client: Socket): void {
    const user = client.data.user as User;
    const entry = this.online.get(user.id);
    if (entry && --entry.sessions === 0) this.online.delete(user.id);
  }

  @SubscribeMessage('ping')
  ping(@MessageBody() data: PingPayload, @ConnectedSocket() client: Socket) {
    return reply(client, 'pong', { timestamp: new Date().toISOString(), data });
  }

  @SubscribeMessage('message')
  message(@MessageBody() payload: MessagePayload, @ConnectedSocket() client: Socket) {
    return reply(client, 'messageReceived', {
      success: true,
      message: 'Message received by server',
      data: { receivedMessage: payload.message, timestamp: new Date().toISOString() },
    });
  }

  @SubscribeMessage('get-active-users')
  activeUsers(@MessageBody() page: PagePayload, @ConnectedSocket() client: Socket) {
    return reply(client, 'active-users', { users: this.page(page), count: this.online.size });
  }

  @SubscribeMessage('get-users-stats')
  usersStats(@MessageBody() page: PagePayload, @ConnectedSocket() client: Socket) {
    return reply(client, 'users-stats', {
      totalUsers: this.online.size,
      connectionTimes: this.page(page),
    });
  }

  @SubscribeMessage('send-message')
  sendMessage(@MessageBody() payload: SendMessagePayload, @ConnectedSocket() client: Socket) {
    const { message, to } = payload;
    const sent = { from: client.data.user, message, timestamp: new Date().toISOString() };
    if (to) this.server.to(`user:${to}`).emit('private-message', sent);
    else this.server.emit('broadcast-message', sent);
    return delivered;
  }

  @SubscribeMessage('join-room')
  async joinRoom(@MessageBody() { room }: RoomPayload, @ConnectedSocket() client: Socket) {
    await client.join(room);
    client.to(room).emit('user-joined-room', {
      user: client.data.user,
      room,
      timestamp: new Date().toISOString(),
    });
    return reply(client, 'joined-room', { room, message: `Joined room ${room}` });
  }

  @SubscribeMessage('join_room')
  joinRoomToo(@MessageBody() payload: RoomPayload, @ConnectedSocket() client: Socket) {
    return this.joinRoom(payload, client);
  }

  @SubscribeMessage('leave-room')
  async leaveRoom(@MessageBody() { room }: RoomPayload, @ConnectedSocket() client: Socket) {
    await client.leave(room);
    client.to(room).emit('user-left-room', {
      user: client.data.user,
      room,
      timestamp: new Date().toISOString(),
    });
    return reply(client, 'left-room', { room, message: `Left room ${room}` });
  }

  @SubscribeMessage('leave_room')
  leaveRoomToo(@MessageBody() payload: RoomPayload, @ConnectedSocket() client: Socket) {
    return this.leaveRoom(payload, client);
  }

  @SubscribeMessage('room-message')
  roomMessage(@MessageBody() payload: RoomMessagePayload, @ConnectedSocket() client: Socket) {
    const { room, message } = payload;
    inRoom(client, room);
    this.server.to(room).emit('room-message', {
      from: client.data.user,
      message,
      timestamp: new Date().toISOString(),
      room,
    });
    return delivered;
  }

  @SubscribeMessage('typing_start')
  typingStart(@MessageBody() payload: TypingPayload, @ConnectedSocket() client: Socket) {
    return this.typing(payload, client, true);
  }

  @SubscribeMessage('typing_stop')
  typingStop(@MessageBody() payload: TypingPayload, @ConnectedSocket() client: Socket) {
    return this.typing(payload, client, false);
  }

  @SubscribeMessage('refresh-token')
  async refreshToken(@MessageBody() { token }: TokenPayload, @ConnectedSocket() client: Socket) {
    client.data.user = await verify(token, new TextEncoder().encode(secret));
    return reply(client, 'token-refreshed', { expiresAt: null });
  }

  private typing({ room, discussionId }: TypingPayload, client: Socket, isTyping: boolean) {
    inRoom(client, room);
    const { id: userId, username } = client.data.user as User;
    const typing = (client.data.typing ??= new Set()) as Set<string>;
    if (typing.has(room) !== isTyping) {
      if (isTyping) typing.add(room);
      else typing.delete(room);
      client.to(room).emit('typing_indicator', { room, discussionId, userId, username, isTyping });
    }
    return delivered;
  }

  private page({ limit = 100 }: PagePayload) {
    return [...this.online.values()].slice(0, limit);
  }
}

const delivered = { data: { scope: 'cluster' } };

function reply(client: Socket, event: string, data: object) {
  client.emit(event, data);
  return { data };
}

function inRoom(client: Socket, room: string): void {
  if (!client.rooms.has(room)) throw new WsException('Join the room first');
}
