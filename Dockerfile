# The gateway's image: Node, the production dependencies, what was built, and nothing else.
#   docker build -t streamgate .
ARG NODE_IMAGE=node:24-bookworm-slim

# What decides the dependencies, alone: a change of the sources installs nothing anew.
FROM ${NODE_IMAGE} AS manifests
WORKDIR /app
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete \
 && find . -type d -empty -delete

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY --from=manifests /app .
RUN npm ci --ignore-scripts --loglevel=error
COPY . .
RUN npx tsc -b gateway/tsconfig.build.json && npm run build --workspace console

# Programs read neither types nor source maps.
FROM ${NODE_IMAGE} AS production
WORKDIR /app
COPY --from=manifests /app .
RUN npm ci --omit=dev --omit=optional --workspace gateway --ignore-scripts --loglevel=error \
 && npm run --silent sbom > sbom.cdx.json \
 && find node_modules -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.md' \) -delete
COPY --from=build /app/protocol/dist protocol/dist
COPY --from=build /app/adapter/dist adapter/dist
COPY --from=build /app/console/dist console/dist
COPY --from=build /app/gateway/dist gateway/dist
RUN rm package-lock.json .npmrc && find */dist -type f \( -name '*.d.ts' -o -name '*.map' \) -delete \
 && find . -mindepth 1 -maxdepth 1 -type d ! -name node_modules ! -name protocol ! -name adapter ! -name console ! -name gateway -exec rm -r {} +

FROM ${NODE_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="streamgate" \
      org.opencontainers.image.description="A horizontally scaled Socket.IO gateway" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=production /app .
USER 1000:1000
EXPOSE 3000 9464
# Node is the first process: the gateway handles signals itself and starts no others, so no init is needed.
ENTRYPOINT ["node"]
CMD ["--import", "./gateway/dist/start-tracing.js", "gateway/dist/main.js"]
