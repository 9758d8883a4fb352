import {
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
} from 'class-validator';

/** The payloads of our client events as class-validator classes, the way Nest's documentation shows. */

export class PagePayload {
  @IsOptional() @IsInt() @Min(1) @Max(1000) limit?: number;
  @IsOptional() @IsString() @MaxLength(1000) cursor?: string;
}

export class PingPayload {
  @IsOptional() @IsObject() data?: object;
}

export class MessagePayload {
  @IsString() message!: string;
}

export class SendMessagePayload {
  @IsString() @MinLength(1) @MaxLength(10_000) message!: string;
  @IsOptional() @IsString() @MinLength(1) @MaxLength(200) to?: string;
}

export class RoomPayload {
  @IsString() @MinLength(1) @MaxLength(200) room!: string;
}

export class RoomMessagePayload extends RoomPayload {
  @IsString() @MinLength(1) @MaxLength(10_000) message!: string;
}

export class TypingPayload extends RoomPayload {
  @IsOptional() @IsString() @MaxLength(200) discussionId?: string;
}

export class TokenPayload {
  @IsString() @MinLength(1) @MaxLength(16_384) token!: string;
}
