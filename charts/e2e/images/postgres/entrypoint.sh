# What the official image does with POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and PGDATA.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  umask 077
  mkdir -p "$PGDATA"
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile /tmp/password --encoding UTF8 --locale C.UTF-8 \
    --auth-host scram-sha-256 --auth-local trust >/dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  # Nobody from outside comes before the database is there.
  pg_ctl --pgdata "$PGDATA" --options "-c listen_addresses=" --wait start >/dev/null
  createdb --username "$POSTGRES_USER" --maintenance-db postgres "$POSTGRES_DB"
  pg_ctl --pgdata "$PGDATA" --mode fast --wait stop >/dev/null
fi
exec postgres -D "$PGDATA" -c listen_addresses='*'
