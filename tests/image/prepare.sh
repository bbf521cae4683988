# shellcheck shell=bash
# What has to be there before the image can be built and run: tools, a stand-in
# for the base image, and the project's dependencies. Sourced by `run`.

# Debian packages that bring the commands used here. netavark, iptables and
# uidmap are no commands of this script, but podman fails without them.
declare -A PACKAGE_OF=(
    [buildah]=buildah [podman]=podman [runc]=runc [debootstrap]=debootstrap
    [netavark]=netavark [iptables]=iptables [newuidmap]=uidmap
    [curl]=curl [jq]=jq [tar]=tar
)

# Sets: nothing. Installs the commands above where they are missing.
install_tools() {
    [[ $EUID -eq 0 ]] || die "has to run as root: it builds and runs containers without a daemon"
    # Where Debian puts what is not for every user's PATH.
    PATH=$PATH:/usr/sbin:/sbin:/usr/lib/podman
    local -a missing=()
    local command
    for command in "${!PACKAGE_OF[@]}"; do
        command -v "$command" >/dev/null || missing+=("${PACKAGE_OF[$command]}")
    done
    if ((${#missing[@]})); then
        command -v apt-get >/dev/null ||
            die "needs these Debian packages, and there is no apt-get to fetch them: ${missing[*]}"
        step "installing ${missing[*]}"
        quietly apt-get update
        DEBIAN_FRONTEND=noninteractive quietly \
            apt-get install -y --no-install-recommends ca-certificates "${missing[@]}"
        for command in "${!PACKAGE_OF[@]}"; do
            command -v "$command" >/dev/null || die "$command is still missing after installing ${PACKAGE_OF[$command]}"
        done
    fi
}

# Sets: BASE, the one image that the Dockerfile starts from (`scratch` aside),
# and from its tag, VERSION-CODENAME: RUST_WANTED and CODENAME. Read from the
# Dockerfile, so that a new Rust version is changed in one place.
read_base_name() {
    local -a bases
    mapfile -t bases < <(
        awk 'toupper($1) == "FROM" { if ($2 != "scratch" && !($2 in stage)) print $2; stage[$4] }' "$ROOT/Dockerfile" |
            sort -u
    )
    [[ ${#bases[@]} -eq 1 && ${bases[0]} =~ /rust:([0-9.]+)-([a-z]+)$ ]] ||
        die "knows how to make a stand-in for one rust:VERSION-CODENAME image, but the Dockerfile starts from: ${bases[*]}"
    BASE=${bases[0]}
    RUST_WANTED=${BASH_REMATCH[1]}
    CODENAME=${BASH_REMATCH[2]}
}

# Sets: SYSROOT (a toolchain of the version that the base image's name promises),
# HOST and MUSL (its own target, and the one the image is built for).
find_toolchain() {
    command -v rustc >/dev/null || die "needs a Rust toolchain $RUST_WANTED: it is copied into the stand-in for $BASE"
    local -a rustc=(rustc)
    # From / so that no rust-toolchain file decides.
    cd / || exit
    if ! rustc_is_wanted "${rustc[@]}"; then
        command -v rustup >/dev/null ||
            die "needs Rust $RUST_WANTED as $BASE has it, found $(rustc --version), and there is no rustup to get it"
        rustup run "$RUST_WANTED" rustc --version >/dev/null 2>&1 ||
            quietly rustup toolchain install "$RUST_WANTED" --profile minimal
        rustc=(rustup run "$RUST_WANTED" rustc)
        rustc_is_wanted "${rustc[@]}" || die "wants Rust $RUST_WANTED, got $("${rustc[@]}" --version)"
    fi
    SYSROOT=$("${rustc[@]}" --print sysroot)
    RUSTC_VERSION=$("${rustc[@]}" -vV)
    HOST=$(sed -n 's/^host: //p' <<<"$RUSTC_VERSION")
    MUSL=${HOST%%-*}-unknown-linux-musl
    local target
    # The last one is what the dashboard's page is compiled for.
    for target in "$MUSL" wasm32-unknown-unknown; do
        [[ ! -d $SYSROOT/lib/rustlib/$target ]] || continue
        command -v rustup >/dev/null || die "needs the target $target in $SYSROOT, and there is no rustup to add it"
        quietly rustup target add --toolchain "$(basename "$SYSROOT")" "$target"
    done
    cd "$ROOT" || exit
}

rustc_is_wanted() {
    [[ $("$@" --version) =~ ^rustc\ ([0-9.]+) && ${BASH_REMATCH[1]}. == "$RUST_WANTED".* ]]
}

# Makes BASE, unless the storage has it. The image made here carries a label that
# says what is in it, and is made anew when that is no longer what it should be.
# One without the label was pulled from a registry: it is the real thing, and
# better than a stand-in.
make_base_image() {
    local recipe found
    recipe=$(printf '%s\n' "$CODENAME" "$RUSTC_VERSION" "$HOST" "$MUSL" wasm32-unknown-unknown 'gcc libc6-dev' 1 | sha256sum | cut -c1-16)
    if podman image exists "$BASE"; then
        found=$(podman image inspect "$BASE" | jq -r '.[0].Labels["halcyon.stand-in"] // "pulled"')
        case $found in
            "$recipe" | pulled) return ;;
        esac
    fi
    step "making a stand-in for the image rust:$RUST_WANTED-$CODENAME"
    local rootfs=$WORK/rootfs
    quietly debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev \
        "$CODENAME" "$rootfs" "$(debian_mirror)"
    rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/* \
        "$rootfs"/usr/share/{doc,man,locale,info}/*

    # The official image has rustup's layout, and puts rustc on the PATH; for a
    # build only the latter matters. CARGO_HOME is the official one.
    local cargo_home=/usr/local/cargo
    mkdir -p "$rootfs$cargo_home"
    tar -C "$SYSROOT" -cf - \
        bin/cargo bin/rustc bin/rustdoc \
        --exclude='lib/rustlib/*' lib |
        tar -C "$rootfs$cargo_home" -xf -
    mkdir -p "$rootfs$cargo_home"/lib/rustlib
    local target
    for target in "$HOST" "$MUSL" wasm32-unknown-unknown; do
        cp -a "$SYSROOT/lib/rustlib/$target" "$rootfs$cargo_home/lib/rustlib/"
    done
    tar -C "$rootfs" -cf - . |
        quietly podman import \
            --change "ENV PATH=$cargo_home/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
            --change "ENV CARGO_HOME=$cargo_home" \
            --change "LABEL halcyon.stand-in=$recipe" \
            - "$BASE"
    remove_tree "$rootfs"
}

# The mirror this machine's apt takes Debian from.
debian_mirror() {
    local mirror
    mirror=$(known_mirrors)
    if [[ -z $mirror ]]; then
        quietly apt-get update
        mirror=$(known_mirrors)
    fi
    [[ -n $mirror ]] || die "finds no source of Debian $CODENAME in this machine's apt configuration"
    head -n 1 <<<"$mirror"
}

known_mirrors() {
    # shellcheck disable=SC2016 # apt-get expands it
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' "Codename: $CODENAME" 'Component: main' 'Label: Debian'
}

# Sets: BUILD_MOUNTS, what the builder sees of this machine while it builds, and
# what never becomes part of the image.
fetch_dependencies() {
    step "fetching the dependencies"
    # By cargo of the same toolchain, so that both agree on the cache's layout.
    # Afterwards the build needs no network.
    quietly env RUSTC="$SYSROOT/bin/rustc" "$SYSROOT/bin/cargo" fetch --locked --manifest-path "$ROOT/Cargo.toml"

    local cargo_home=${CARGO_HOME:-$HOME/.cargo} inside=/usr/local/cargo path
    BUILD_MOUNTS=()
    # config.toml: mirrors, which decide where in the registry cargo looks.
    for path in registry git config.toml config; do
        [[ ! -e $cargo_home/$path ]] || BUILD_MOUNTS+=(-v "$cargo_home/$path:$inside/$path:ro")
    done

    # For a machine behind a proxy with its own certificate authority.
    for path in "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}" /etc/ssl/certs/ca-certificates.crt; do
        if [[ -n $path && -f $path ]]; then
            BUILD_MOUNTS+=(-v "$path:/etc/ssl/certs/ca-certificates.crt:ro")
            break
        fi
    done
}

# build_image TAG [BUILD-ARG…]: builds the project's Dockerfile. Prints the id.
build_image() {
    local tag=$1 arg
    shift
    local -a args=()
    for arg in "$@"; do args+=(--build-arg "$arg"); done
    # chroot isolation: works inside a container, and where there is no systemd.
    # docker format: the OCI one has no HEALTHCHECK.
    # pull=never: the base image has an official name, but no registry is asked.
    quietly buildah build --layers --isolation chroot --format docker --pull=never \
        "${BUILD_MOUNTS[@]}" --build-arg CARGO_NET_OFFLINE=true "${args[@]}" \
        --iidfile "$WORK/iid" -t "$tag" "$ROOT"
    cat "$WORK/iid"
}
