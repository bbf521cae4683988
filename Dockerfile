# The container image: one static binary on an empty file system.
#
#   docker build -t halcyon \
#     --build-arg BUILD_VERSION=… --build-arg GIT_SHA=… --build-arg BUILD_DATE=… .
#
# Plain Dockerfile syntax only, so that docker, podman and buildah all build it.
# With podman or buildah add `--format docker`: the OCI format has no place for
# a HEALTHCHECK and drops it without a word.

# ---------------------------------------------------------------- sources ----
# Two trees out of one context. COPY --from is cached by content, so a change
# of a source file leaves the dependencies below alone, and a change of a test
# leaves the program alone.
FROM docker.io/library/rust:1.95-bookworm AS sources
WORKDIR /context
COPY . .
# /skeleton: all that cargo wants to see before it compiles dependencies, which
#   is every manifest of the workspace, the lock file, and a file for each target
#   that is found by its place. The stand-ins define `main` so that they are good
#   for a library, a program and a build script alike, and have a doc comment
#   because the workspace may deny its absence.
# /program: the real sources. The tests are no part of the program, but their
#   manifest is part of the workspace; they stay stand-ins.
# Times are set to one value because they would count as content.
RUN set -eu; \
    cp -R . /skeleton; \
    cp -R . /program; \
    find /skeleton -type f ! -name Cargo.toml ! -path /skeleton/Cargo.lock \
        ! -name build.rs ! -path '/skeleton/*/src/lib.rs' ! -path '/skeleton/*/src/main.rs' \
        ! -path '/skeleton/*/src/bin/*.rs' ! -path '/skeleton/*/tests/*.rs' \
        ! -path '/skeleton/*/benches/*.rs' ! -path '/skeleton/*/examples/*.rs' \
        -delete; \
    find /skeleton -type d -empty -delete; \
    find /skeleton -mindepth 2 -name Cargo.toml -exec sh -c \
        'for manifest; do cd "${manifest%/*}"; [ -e src/main.rs ] || { mkdir -p src; : > src/lib.rs; }; done' sh {} +; \
    printf '%s\n' '//! Stand-in.' '#![allow(dead_code)]' 'fn main() {}' > /stand-in.rs; \
    find /skeleton -name '*.rs' -exec sh -c 'for file; do cp /stand-in.rs "$file"; done' sh {} +; \
    rm -rf /program/tests; \
    if [ -d /skeleton/tests ]; then cp -R /skeleton/tests /program/tests; fi; \
    find /skeleton /program -exec touch -h -d @0 {} +

# ---------------------------------------------------------------- builder ----
FROM docker.io/library/rust:1.95-bookworm AS builder

# ring compiles C. For musl its build script looks for a musl cross compiler
# that the base image does not have; plain gcc does, as ring needs no C library.
ENV CC_x86_64_unknown_linux_musl=gcc \
    CC_aarch64_unknown_linux_musl=gcc

# `--build-arg CARGO_NET_OFFLINE=true` builds without network, given a filled
# cargo registry mounted at /usr/local/cargo/registry.
ARG CARGO_NET_OFFLINE=false

# Set by the builder to the architecture of the image; the classic docker
# builder leaves it empty. The compiler runs on the architecture it compiles for
# (emulated, if need be): the base image has no cross compiler for C.
ARG TARGETARCH
RUN set -eu; \
    case "${TARGETARCH:-$(uname -m)}" in \
        amd64 | x86_64) cpu=x86_64 ;; \
        arm64 | aarch64) cpu=aarch64 ;; \
        *) echo "TARGETARCH=$TARGETARCH is not supported: amd64 or arm64" >&2; exit 1 ;; \
    esac; \
    if [ "$cpu" != "$(uname -m)" ]; then \
        echo "TARGETARCH=$TARGETARCH, but this builder runs on $(uname -m): use --platform linux/$TARGETARCH" >&2; \
        exit 1; \
    fi; \
    target=$cpu-unknown-linux-musl; \
    for needed in "$target" wasm32-unknown-unknown; do \
        if command -v rustup >/dev/null && [ ! -d "$(rustc --print target-libdir --target "$needed")" ]; then \
            rustup target add "$needed"; \
        fi; \
    done; \
    echo "$target" > /target

WORKDIR /build
COPY --from=sources /skeleton/ ./
RUN cargo build --release --locked -p halcyon --target "$(cat /target)"

# cargo decides by time whether a crate changed, and would take the stand-ins,
# compiled just now, for newer than the sources.
COPY --from=sources /program/ ./
RUN set -eu; \
    find . -path ./target -prune -o -name '*.rs' -exec touch {} +; \
    cargo build --release --locked -p halcyon --target "$(cat /target)"; \
    mkdir -p /out/empty /out/lib/halcyon; \
    cp "target/$(cat /target)/release/halcyon" /out/halcyon

# Build metadata stands below everything that is slow to make, and reaches the
# program by its environment, so that a new commit id compiles nothing.
ARG BUILD_VERSION=dev
ARG GIT_SHA=unknown
ARG BUILD_DATE=unknown
RUN echo "$BUILD_VERSION $GIT_SHA $BUILD_DATE" > /out/stamp

# ------------------------------------------------------------------ image ----
# No shell, no libc, no CA files (the program brings its roots), no /etc/passwd:
# nothing to use for whoever gets in, nothing to patch but the program.
FROM scratch

# buildah and podman take LABEL and ENV from their cache even when a build
# argument in them has another value, and the image would carry the version of an
# earlier build. They do look at the content that is copied: a few bytes which
# depend on the arguments, and which the binary replaces.
COPY --from=builder /out/stamp /halcyon
COPY --from=builder /out/halcyon /halcyon

# The journal's default is `file:logs`, relative to the working directory, which
# is the one directory here that is not root's: a copy of nothing makes its
# parents first, because some builders give the parents they have to make to the
# owner of the copy. A new named volume mounted here takes over the owner.
# Not declared a VOLUME: every container would get an anonymous one, and a
# journal that is the audit log would seem kept while it dies with the container.
# Without one, a read-only container refuses to write until a volume is mounted.
COPY --from=builder /out/empty/ /var/lib/
COPY --from=builder --chown=65532:65532 /out/lib/ /var/lib/
WORKDIR /var/lib/halcyon

# By number: there is no /etc/passwd, and Kubernetes' runAsNonRoot needs one.
USER 65532:65532

ARG BUILD_VERSION=dev
ARG GIT_SHA=unknown
ARG BUILD_DATE=unknown
LABEL org.opencontainers.image.title="halcyon" \
      org.opencontainers.image.description="Routes every tenant to its region and takes every release through blue/green canaries, on all regions, safely" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="$BUILD_VERSION" \
      org.opencontainers.image.revision="$GIT_SHA" \
      org.opencontainers.image.created="$BUILD_DATE"
ENV BUILD_VERSION=$BUILD_VERSION \
    GIT_SHA=$GIT_SHA \
    BUILD_DATE=$BUILD_DATE \
    HEALTH_PORT=8086 \
    DASHBOARD_BIND=0.0.0.0 \
    EDGE_BIND=0.0.0.0

EXPOSE 8000 8080 8086
STOPSIGNAL SIGTERM

# The program is its own probe, as there is no curl in here: it asks /ready on
# loopback at HEALTH_PORT.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/halcyon", "healthcheck"]

ENTRYPOINT ["/halcyon"]
CMD ["serve"]
