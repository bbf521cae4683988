# shellcheck shell=bash disable=SC2034,SC2153 # `run` uses CHECKS, sets STAMPED, PLAIN
# What the image is, and what it does when it runs. Sourced by `run`, which sets
# STAMPED (the image built with STAMPS) and PLAIN (without).

STAMPS=(BUILD_VERSION=7.8.9-image-test GIT_SHA=0123456789abcdef0123456789abcdef01234567 BUILD_DATE=2001-02-03T04:05:06Z)
CHECKS=(
    check_contents
    check_configuration
    check_stamps
    check_healthy_when_locked_down
    check_defaults
    check_dependency_lost
    check_required_variable_missing
    check_bad_configuration
    check_drain
    check_readme_commands
)
PASSED=0

# As little as a container can be given.
LOCKED_DOWN=(--read-only --cap-drop=all --security-opt no-new-privileges --memory 64m --pids-limit 64)

# ----------------------------------------------------------------- helpers ---

# check SENTENCE COMMAND…: one check. The command says what it saw, which is
# shown if it fails, with the last words of every container of this run.
check() {
    local sentence=$1 seen container
    shift
    if seen=$("$@" 2>&1); then
        PASSED=$((PASSED + 1))
        printf 'ok - %s\n' "$sentence"
        return
    fi
    printf 'not ok - %s\n' "$sentence"
    printf '  ran: %s\n' "$*" >&2
    printf '%s\n' "$seen" | tail -n 40 | sed 's/^/  saw: /' >&2
    for container in $(podman ps -aq --filter "name=^$RUN_NAME-"); do
        podman inspect --format '  {{.Name}}: {{.State.Status}}, exit code {{.State.ExitCode}}' "$container"
        podman logs --tail 20 "$container" 2>&1 | sed 's/^/    /'
    done >&2
    printf 'image: %d passed, 1 failed\n' "$PASSED"
    exit 1
}

# within SECONDS COMMAND…: tries until the command succeeds or the time is over.
within() {
    local end=$((SECONDS + $1)) seen
    shift
    until seen=$("$@" 2>&1); do
        if ((SECONDS >= end)); then
            printf '%s\n' "$seen"
            return 1
        fi
        sleep 0.1
    done
    printf '%s\n' "$seen"
}

# same WANTED SEEN
same() {
    printf 'wanted %s\nfound  %s\n' "$1" "$2"
    [[ $1 == "$2" ]]
}

# Prints a TCP port that no socket of this machine has, outside the range from
# which the kernel hands out ports by itself.
free_port() {
    local port hex
    while :; do
        port=$((20000 + RANDOM % 12000))
        printf -v hex ':%04X ' "$port"
        if ! grep -qis "$hex" /proc/net/tcp /proc/net/tcp6; then
            echo "$port"
            return
        fi
    done
}

# start NAME IMAGE OPTION…: a container of this run.
start() {
    local name=$1 image=$2
    shift 2
    # runc: crun refuses hybrid cgroups. The limits: podman's defaults are above
    # what a container may be allowed. No interval: podman has nothing to
    # schedule it with where systemd is not running, so `probe` does it.
    quietly podman --runtime runc run -d --name "$RUN_NAME-$name" \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --health-interval=disable \
        "$@" "$image"
}

# start_on PORT NAME OPTION…: the stamped image, locked down, on the host's network.
start_on() {
    local port=$1 name=$2
    shift 2
    start "$name" "$STAMPED" "${LOCKED_DOWN[@]}" --network host -e "HEALTH_PORT=$port" -e DASHBOARD_PORT=0 "$@"
}

# stop NAME…: for a container that is not needed any more.
stop() {
    local name
    for name; do quietly podman rm -f -t 0 "$RUN_NAME-$name"; done
}

# Runs the image's HEALTHCHECK once: exit 0 if the container is healthy, else 1.
probe() { podman healthcheck run "$RUN_NAME-$1"; }

# The verdict of the orchestrator, after the probes so far.
verdict() { podman inspect "$RUN_NAME-$1" | jq -r '.[0].State | (.Health // .Healthcheck).Status'; }

# One probe is not yet a verdict: as many as --retries asks for, after the grace
# of --start-period, have to fail.
turns_unhealthy() {
    local code=0
    probe "$1" || code=$?
    echo "healthcheck: exit $code"
    # Anything but 1, and podman could not ask.
    ((code == 1)) || return 1
    same unhealthy "$(verdict "$1")"
}

# answers PORT PATH STATUS [JQ-FILTER]
answers() {
    local body=$WORK/body status
    status=$(curl -sS --noproxy '*' --max-time 5 -o "$body" -w '%{http_code}' "http://127.0.0.1:$1$2")
    printf 'status %s\n' "$status"
    cat "$body"
    [[ $status == "$3" ]] && jq -e "${4:-.}" "$body" >/dev/null
}

# ended_with NAME CODE
ended_with() { same "exited $2" "$(podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$RUN_NAME-$1")"; }

logs_say() {
    podman logs "$RUN_NAME-$1" 2>&1 | tee "$WORK/logs"
    grep -q "$2" "$WORK/logs"
}

# ------------------------------------------------------------------ checks ---

check_contents() {
    local listing=$WORK/listing root size
    # The image itself: an export of a container would have podman's additions.
    root=$(podman image mount "$STAMPED")
    find "$root" -mindepth 1 -printf '%y %U:%G %m /%P\n' | sort -k 4 >"$listing"
    podman image unmount "$STAMPED" >/dev/null

    check "the image holds one file, the binary, which root owns and nobody else may write, and no shell" \
        same 'f 0:0 755 /halcyon' "$(grep -v '^d' "$listing")"
    check "and one directory that is not root's: the working directory, for the journal" \
        same 'd 65532:65532 755 /var/lib/halcyon' "$(grep '^d' "$listing" | grep -v '^d 0:0 755 ')"
    size=$(podman image inspect --format '{{.Size}}' "$STAMPED")
    check "the image is smaller than 64 MiB: $((size / 1024)) KiB" test "$size" -lt $((64 * 1024 * 1024))
}

check_configuration() {
    local config=$WORK/config
    podman image inspect "$STAMPED" | jq '.[0]' >"$config"
    check "the user is a number, not root" is_set "$config" .Config.User '"65532:65532"'
    check "the working directory is there for the journal" is_set "$config" .Config.WorkingDir '"/var/lib/halcyon"'
    check "no anonymous volume hides where the journal goes" is_set "$config" '.Config.Volumes // {}' '{}'
    check "all ports are declared" is_set "$config" '.Config.ExposedPorts | keys' '["8000/tcp","8080/tcp","8086/tcp"]'
    check "it is stopped by SIGTERM" is_set "$config" '.Config.StopSignal | sub("^15$"; "SIGTERM")' '"SIGTERM"'
    check "it starts the server" is_set "$config" '[.Config.Entrypoint, .Config.Cmd]' '[["/halcyon"],["serve"]]'
    check "the health check is the program itself, every 10 s" is_set "$config" '.HealthCheck // .Healthcheck // .Config.Healthcheck' \
        '{"Test":["CMD","/halcyon","healthcheck"],"StartPeriod":5000000000,"Interval":10000000000,"Timeout":3000000000,"Retries":3}'
    check "the labels say what it is" is_set "$config" \
        '.Labels | [."org.opencontainers.image.title", ."org.opencontainers.image.licenses", (."org.opencontainers.image.description" | length > 0)]' \
        '["halcyon","MIT OR Apache-2.0",true]'
}

# is_set FILE JQ-FILTER JSON: compared as values, whatever the order of keys.
is_set() { same "$(jq -cS . <<<"$3")" "$(jq -cS "$2" "$1")"; }

check_stamps() {
    local labels='.[0].Labels | [."org.opencontainers.image.version", ."org.opencontainers.image.revision", ."org.opencontainers.image.created"]'
    local stamped plain
    stamped=$(podman image inspect "$STAMPED" | jq -c "$labels")
    plain=$(podman image inspect "$PLAIN" | jq -c "$labels")
    check "the labels carry the build arguments" \
        same "$(printf '%s\n' "${STAMPS[@]#*=}" | jq -ncR '[inputs]')" "$stamped"
    check "without build arguments they say dev and unknown" same '["dev","unknown","unknown"]' "$plain"
    check "build arguments do not make another binary" \
        same "$(binary_layer "$PLAIN")" "$(binary_layer "$STAMPED")"
}

# The second one: the first is what the binary replaces.
binary_layer() { podman image inspect "$1" | jq -r '.[0].RootFS.Layers[1]'; }

check_healthy_when_locked_down() {
    local port
    port=$(free_port)
    start_on "$port" locked
    check "locked down (read-only, no capabilities, 64 MiB, 64 processes) it becomes healthy" within 20 probe locked
    check "and podman's verdict is healthy" same healthy "$(verdict locked)"
    check "/ready answers 200, ready" answers "$port" /ready 200 '.status == "ready"'
    check "/health answers 200, healthy" answers "$port" /health 200 '.status == "healthy" and .checks.process == "up"'
    check "/__meta shows the build arguments" answers "$port" /__meta 200 \
        "$(printf '[.version, .git_sha, .build_date] == %s' "$(printf '%s\n' "${STAMPS[@]#*=}" | jq -ncR '[inputs]')")"
    stop locked
}

check_defaults() {
    # A network of its own, in which only loopback is up: no port can be taken.
    start defaults "$PLAIN" --network none --read-only -v "$RUN_NAME-journal:/var/lib/halcyon"
    check "with nothing set it becomes healthy, on the port that the image sets" within 20 probe defaults
    check "a new volume for the journal belongs to its user" \
        same 65532:65532 "$(stat -c %u:%g "$(podman volume inspect --format '{{.Mountpoint}}' "$RUN_NAME-journal")")"
    stop defaults
    quietly podman volume rm "$RUN_NAME-journal"
}

check_dependency_lost() {
    local port dependency
    dependency=$(free_port)
    start_on "$dependency" dependency
    check "a first container listens" within 20 answers "$dependency" /health 200
    port=$(free_port)
    start_on "$port" dependent -e "READINESS_CHECKS=db=tcp://127.0.0.1:$dependency"
    check "one that depends on it becomes healthy" within 20 probe dependent
    stop dependency
    check "it turns unhealthy when the first one is gone" within 20 turns_unhealthy dependent
    check "/ready answers 503 and names the dependency" \
        answers "$port" /ready 503 '.status == "not_ready" and .checks.dependencies.db.ok == false'
    check "/health still answers 200: it is alive, and a restart would not help" answers "$port" /health 200
    stop dependent
}

check_required_variable_missing() {
    local port
    port=$(free_port)
    start_on "$port" incomplete -e REQUIRED_ENVS=HALCYON_IMAGE_TEST_NEVER_SET
    check "with a required variable missing it starts" within 20 answers "$port" /health 200
    check "but is unhealthy" within 20 turns_unhealthy incomplete
    check "/ready names the variable" \
        answers "$port" /ready 503 '.checks.required_envs.missing == ["HALCYON_IMAGE_TEST_NEVER_SET"]'
    stop incomplete
}

check_bad_configuration() {
    start_on 65536 misconfigured
    check "an impossible HEALTH_PORT ends it with exit code 2" within 20 ended_with misconfigured 2
    check "and a message with the variable and its value" logs_say misconfigured 'HEALTH_PORT.*65536'
    stop misconfigured
}

check_drain() {
    local port stopping code
    port=$(free_port)
    start_on "$port" draining -e DRAIN_MS=1500
    check "before it is stopped it is ready" within 20 answers "$port" /ready 200
    podman stop -t 20 "$RUN_NAME-draining" >"$WORK/stop" 2>&1 &
    stopping=$!
    check "while it is stopping, /ready answers 503, draining" \
        within 5 answers "$port" /ready 503 '[.. | strings] | any(. == "draining")'
    code=0
    wait "$stopping" || code=$?
    check "podman stop succeeds" same 0 "$code"
    check "and it ended by itself, with exit code 0, not killed (137)" ended_with draining 0
    stop draining
}

# The README's docker commands as they stand there, with podman for docker and the image built above
# for the one they build.
check_readme_commands() {
    local commands
    commands=$(sed -n 's/^docker .*/&/p' "$ROOT/README.md")
    check 'the README says how to build and how to run the image' \
        same $'docker build -t halcyon .\ndocker run --rm halcyon demo' "$commands"
    check 'the demo of the README plays to its end in a container' readme_demo
}

readme_demo() {
    local said
    said=$(podman --runtime runc run --rm --name "$RUN_NAME-readme" --network host \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$PLAIN" demo 2>&1) || {
        printf '%s\n' "$said"
        return 1
    }
    grep -F 'Done in' <<<"$said"
}
