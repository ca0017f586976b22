# Cryopod's three images. On an ordinary machine:
#   docker build --target controller --tag cryopod.dev/controller:dev .
#   docker build --target agent --tag cryopod.dev/agent:dev .
#   docker build --target init --tag cryopod.dev/init:dev .
#
# Three optional build secrets make it work behind a proxy or a package mirror; none of them ends in a layer:
#   --secret id=ca,src=FILE     a CA bundle (PEM) that npm and apt are to trust
#   --secret id=npmrc,src=FILE  npm settings (registry, tokens)
#   --secret id=apt,src=FILE    a sources.list for Debian trixie, used instead of the image's own
ARG NODE_IMAGE=docker.io/library/node:24-trixie-slim

FROM ${NODE_IMAGE} AS base
WORKDIR /app
ENV NODE_ENV=production

# Runtime packages. --ignore-scripts: better-sqlite3 brings its binaries, and npm would still try to compile it.
FROM base AS dependencies
COPY package.json package-lock.json .npmrc ./
# What Node never loads is dropped, most of it type declarations and source maps; sqlite's sources are only there for that compile.
RUN --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=npmrc,target=/root/.npmrc \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier --cache /tmp/npm \
    && rm -rf /tmp/npm node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
    && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -delete

# The compiler's packages are optional ones of its own, so nothing optional is omitted here.
FROM base AS build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=npmrc,target=/root/.npmrc \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --include=dev --ignore-scripts --no-audit --no-fund --no-update-notifier --cache /tmp/npm \
    && rm -rf /tmp/npm
COPY . .
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json

# The programs that are not TypeScript, because they run where there is nothing but a kernel: static, and small.
FROM base AS native
RUN --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=apt,mode=0444 \
    set --; \
    if [ -s /run/secrets/ca ]; then set -- "$@" -o Acquire::https::CAInfo=/run/secrets/ca; fi; \
    if [ -s /run/secrets/apt ]; then set -- "$@" -o Dir::Etc::SourceList=/run/secrets/apt -o Dir::Etc::SourceParts=/dev/null; fi; \
    apt-get "$@" update \
    && DEBIAN_FRONTEND=noninteractive apt-get "$@" install --yes --no-install-recommends gcc libc6-dev
COPY images/init images/enter ./
RUN for name in init enter remove keep-hostname; do gcc -O2 -std=gnu17 -Wall -Wextra -Werror -static -s -o "$name" "$name.c" || exit 1; done

# Copied into the control volume of a placeholder by its init container.
FROM scratch AS init
COPY --from=native /app/init /init
LABEL org.opencontainers.image.title="Cryopod init" \
      org.opencontainers.image.description="PID 1 of the containers that captured processes are restored into" \
      org.opencontainers.image.licenses="Apache-2.0"
# A pod that must not run as root and leaves the user to the image can have it as well.
USER 65532:65532
ENTRYPOINT ["/init"]

FROM base AS controller
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
LABEL org.opencontainers.image.title="Cryopod controller" \
      org.opencontainers.image.description="Turns checkpoint and snapshot requests into work orders for node agents" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
# Ten thousand objects pass through on a start: with a small young generation they do not make the heap grow to twice what stays.
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=4", "dist/controller/main.js"]
CMD []

FROM base AS agent
# Not the CRIU 4.1.1 of Debian stable: it cannot dump a network socket on Linux 6.16 and later (checkpoint-restore/criu issue 2705). 4.2 is in the
# suite that becomes the next stable. The wildcard admits Debian's rebuilds of it, never another CRIU. GNU tar is part of every Debian.
ARG CRIU_VERSION=4.2.1-*
ARG CRIU_SUITE=forky
# iproute2: ss asks the kernel whom a unix socket is connected to, /proc does not say. Named here and not in the script, whose content a builder's
# cache does not look at.
ARG PACKAGES=iproute2
# Further options for apt, such as -o Acquire::Check-Valid-Until=false for a mirror that stands still.
ARG APT_OPTIONS=""
RUN --mount=type=secret,id=ca,mode=0444 --mount=type=secret,id=apt,mode=0444 \
    --mount=type=bind,source=images/agent/install-criu.sh,target=/run/install-criu.sh \
    sh /run/install-criu.sh "${CRIU_VERSION}" "${CRIU_SUITE}" "${PACKAGES}" ${APT_OPTIONS}
RUN --mount=type=bind,source=images/agent/make-bundle.sh,target=/run/make-bundle.sh \
    sh /run/make-bundle.sh /usr/libexec/cryopod/bundle /usr/sbin/criu /usr/bin/tar
COPY --from=native /app/enter /usr/libexec/cryopod/
COPY --from=native /app/remove /app/keep-hostname /usr/libexec/cryopod/bundle/
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
LABEL org.opencontainers.image.title="Cryopod agent" \
      org.opencontainers.image.description="Checkpoints the pods of one node with CRIU" \
      org.opencontainers.image.licenses="Apache-2.0"
# glibc raises this limit at the first large block that is freed and keeps the next ones: the agent would stay as large as its last publish.
ENV MALLOC_MMAP_THRESHOLD_=131072
USER 0:0
ENTRYPOINT ["/usr/local/bin/node", "dist/agent/main.js"]
CMD []
