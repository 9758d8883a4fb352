{{/* Every variable that is no secret and has a value of its own, by name; docs/configuration.md tells what they do. */}}
{{- define "streamgate.config" -}}
{{- with .Values }}
STREAMGATE_MODE: {{ .mode }}
STREAMGATE_HTTP_PORT: 3000
STREAMGATE_MANAGEMENT_PORT: 9464
STREAMGATE_LOG_LEVEL: {{ .logLevel }}
STREAMGATE_CONSOLE: {{ ternary "on" "off" .console.enabled | quote }}

STREAMGATE_JWT_JWKS_URL: {{ .jwt.jwksUrl | quote }}
STREAMGATE_JWT_ISSUER: {{ .jwt.issuer | quote }}
STREAMGATE_JWT_AUDIENCE: {{ .jwt.audience | quote }}
STREAMGATE_JWT_USER_CLAIM: {{ join "," .jwt.userClaim | quote }}
STREAMGATE_JWT_USERNAME_CLAIM: {{ join "," .jwt.usernameClaim | quote }}
STREAMGATE_JWT_ROLES_CLAIM: {{ join "," .jwt.rolesClaim | quote }}
STREAMGATE_JWT_LEEWAY_SECONDS: {{ int64 .jwt.leewaySeconds }}
STREAMGATE_TOKEN_GRACE_SECONDS: {{ int64 .jwt.graceSeconds }}

STREAMGATE_REDIS_PREFIX: {{ .redis.prefix | quote }}
STREAMGATE_BACKPLANE: {{ .backplane | quote }}
STREAMGATE_REDIS_TIMEOUT_MS: {{ int64 .redis.timeoutMs }}
STREAMGATE_READY_WITHOUT_REDIS: {{ .redis.readyWithoutRedis }}

STREAMGATE_CORS_ORIGINS: {{ join "," .cors.origins | quote }}
STREAMGATE_EMIT_ROLES: {{ join "," .roles.emit | quote }}
STREAMGATE_PRESENCE_ROLES: {{ join "," .roles.presence | quote }}
STREAMGATE_ROOM_RULES: {{ with .rooms.rules }}{{ toJson . | quote }}{{ else }}""{{ end }}

STREAMGATE_MAX_SESSIONS: {{ int64 .limits.maxSessions }}
STREAMGATE_MAX_SESSIONS_PER_USER: {{ int64 .limits.maxSessionsPerUser }}
STREAMGATE_MAX_SESSIONS_PER_ADDRESS: {{ int64 .limits.maxSessionsPerAddress }}
STREAMGATE_CONNECTS_PER_SECOND: {{ int64 .limits.connectsPerSecond }}
STREAMGATE_ROOMS_PER_SESSION: {{ int64 .limits.roomsPerSession }}
STREAMGATE_EVENTS_PER_SECOND: {{ int64 .limits.eventsPerSecond }}
STREAMGATE_EVENTS_BURST: {{ int64 .limits.eventsBurst }}
STREAMGATE_BYTES_PER_SECOND: {{ int64 .limits.bytesPerSecond }}
STREAMGATE_MAX_PAYLOAD_BYTES: {{ int64 .limits.maxPayloadBytes }}
STREAMGATE_MAX_BUFFERED_BYTES: {{ int64 .limits.maxBufferedBytes }}
STREAMGATE_TRUSTED_PROXIES: {{ join "," .trustedProxies | quote }}

STREAMGATE_PING_INTERVAL_MS: {{ int64 .ping.intervalMs }}
STREAMGATE_PING_TIMEOUT_MS: {{ int64 .ping.timeoutMs }}
STREAMGATE_CONNECT_TIMEOUT_MS: {{ int64 .connectTimeoutMs }}
STREAMGATE_PER_MESSAGE_DEFLATE: {{ .perMessageDeflate }}
STREAMGATE_DRAIN_SECONDS: {{ int64 .drain.seconds }}
STREAMGATE_DRAIN_NOTICE: {{ .drain.notice }}
STREAMGATE_RECOVERY_SECONDS: {{ int64 .recovery.seconds }}
STREAMGATE_OFFLINE_SECONDS: {{ int64 .presence.offlineSeconds }}
STREAMGATE_ANNOUNCE_MAX_USERS: {{ int64 .presence.announceMaxUsers }}

STREAMGATE_STREAM_PARTITIONS: {{ int64 .doors.stream.partitions }}
STREAMGATE_IDEMPOTENCY_SECONDS: {{ int64 .doors.idempotencySeconds }}
STREAMGATE_COMMAND_MAX_BYTES: {{ int64 .doors.commandMaxBytes }}
{{- with .doors.tcp }}
{{- if .enabled }}
STREAMGATE_TCP_PORT: {{ int64 .port }}
STREAMGATE_TCP_HOST: 0.0.0.0
{{- end }}
{{- end }}
{{- with .doors.kafka }}
{{- if .enabled }}
STREAMGATE_KAFKA_BROKERS: {{ join "," .brokers | quote }}
STREAMGATE_KAFKA_TOPIC_PREFIX: {{ .topicPrefix | quote }}
STREAMGATE_KAFKA_TLS: {{ .tls }}
STREAMGATE_KAFKA_CA: {{ .ca | quote }}
STREAMGATE_KAFKA_SASL_MECHANISM: {{ .sasl.mechanism | quote }}
STREAMGATE_KAFKA_SASL_USERNAME: {{ .sasl.username | quote }}
{{- end }}
{{- end }}
STREAMGATE_EVENTS_OUT: {{ join "," .eventsOut.types | quote }}
STREAMGATE_EVENTS_OUT_LENGTH: {{ int64 .eventsOut.length }}

STREAMGATE_CHAT: {{ ternary "on" "off" .chat.enabled | quote }}
STREAMGATE_DATABASE_POOL: {{ int64 .database.pool }}

STREAMGATE_AUTH_ERROR_EVENT: {{ .compatibility.authErrorEvent }}
STREAMGATE_ALLOW_EIO3: {{ .compatibility.allowEio3 }}
{{- end }}
{{- end }}
