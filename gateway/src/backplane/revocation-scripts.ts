import { REVOKE_TOKENS } from './registry-lua.js';

/** What the registry's scripts know of revoked tokens; times in milliseconds since the epoch. */
export const REVOCATION = `
local function is_revoked(id, issued)
  local upto = redis.call('HGET', REVOKED_ISSUED, id)
  if not upto or tonumber(issued) > tonumber(upto) then return false end
  return tonumber(redis.call('ZSCORE', REVOKED, id)) > now_ms()
end
`;

/** issued up to, seconds, user ids. */
export const REVOKE = `${REVOKE_TOKENS}
revoke_tokens(ARGV[1], ARGV[2], { unpack(ARGV, 3) })
return 1
`;

/** cursor. The next one, then user, issued up to, until. */
export const REVOCATIONS = `
local page = redis.call('HSCAN', REVOKED_ISSUED, ARGV[1], 'COUNT', 1000)
local answer = { page[1] }
for index = 1, #page[2], 2 do
  local id, issued = page[2][index], page[2][index + 1]
  table.insert(answer, { id, issued, redis.call('ZSCORE', REVOKED, id) })
end
return answer
`;

/** namespace, user ids. Sessions of all of them. */
export const SESSIONS = `
local sum = 0
for index = 2, #ARGV do sum = sum + sessions_of(user_key(ARGV[1], ARGV[index])) end
return sum
`;
