//! The table of environment variables, from which `--help` and the reference page are made.

/// One environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What an unset one means, in words or as the value.
    pub default: &'static str,
    /// What it does, values and ranges included.
    pub meaning: &'static str,
}

const fn variable(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default,
        meaning,
    }
}

/// Those that decide where tenants go: what
/// [`RegionConfig`](super::RegionConfig), its report and an edge look up.
pub const REGION_VARIABLES: [&str; 11] = [
    "REGIONS",
    "REGION_WEIGHTS",
    "PRIMARY_REGION",
    "CURRENT_REGION",
    "FAILOVER_POLICY",
    "TENANT_STICKY",
    "TENANT_HASH_KEY",
    "TENANT_RULES_FILE",
    "HALCYON_TOPOLOGY",
    "REGION_ENDPOINTS",
    "HALCYON_DEPLOYMENT",
];

/// Every variable this version reads.
pub const VARIABLES: &[Variable] = &[
    variable(
        "FEATURE_MULTI_REGION",
        "false",
        "true or 1: readiness checks the regions, and the server probes them. Placement and the commands route, regions and failover do not depend on it",
    ),
    variable(
        "FEATURE_BLUE_GREEN",
        "unset",
        "true or 1: readiness checks the deploy role, and releases can be begun over the API. false or 0: kill switch, starting, raising and promoting a release are refused; rollback, pause, status and audit always work. Unset: the command line may release, and over the API none can be begun",
    ),
    variable(
        "HEALTH_PORT",
        "8086",
        "port of the health server on 0.0.0.0, 0 to 65535; 0 takes any free port",
    ),
    variable(
        "DASHBOARD_PORT",
        "8080",
        "port of the dashboard, 0 to 65535; 0 takes any free port",
    ),
    variable(
        "DASHBOARD_BIND",
        "127.0.0.1",
        "IP address the dashboard listens on; on one that is not loopback its API answers only who has a token, or everybody who reads where HALCYON_TOKENS_FILE says anonymous_reads",
    ),
    variable(
        "DASHBOARD_HOSTS",
        "localhost,127.0.0.1,[::1]",
        "host names the dashboard answers under, comma-separated, at most 64, without ports; a request for another one is refused",
    ),
    variable(
        "READINESS_TIMEOUT_MS",
        "400",
        "one deadline over all readiness checks together, 1 to 60000 ms",
    ),
    variable(
        "REQUIRED_ENVS",
        "empty",
        "comma-separated names of variables that must be set and not empty",
    ),
    variable(
        "READINESS_CHECKS",
        "empty",
        "dependencies that must answer, comma-separated: name=tcp://host:port (connects), name=http://… or name=https://… (2xx, redirects not followed)",
    ),
    variable(
        "REGIONS",
        "empty",
        "active regions in priority order, comma-separated, at most 1024; a name is 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit",
    ),
    variable(
        "REGION_WEIGHTS",
        "1 each",
        "weights of regions under rendezvous, comma-separated: us-east=2,us-west=1; 0 to 65535; a region of weight 0 comes behind all others that are allowed",
    ),
    variable(
        "PRIMARY_REGION",
        "empty",
        "the primary region; must be in REGIONS",
    ),
    variable(
        "CURRENT_REGION",
        "PRIMARY_REGION",
        "the region of this instance",
    ),
    variable(
        "FAILOVER_POLICY",
        "ordered",
        "where tenants go when their region is down: ordered (all to the next of REGIONS), round_robin (spread over those that are up) or rendezvous (each by its own order). Anything else falls back to ordered with a warning",
    ),
    variable(
        "TENANT_STICKY",
        "primary",
        "hash: by SipHash of the tenant id over REGIONS; rendezvous: by weighted rendezvous, which moves the fewest tenants when regions come and go. Anything else routes to the primary",
    ),
    variable(
        "TENANT_HASH_KEY",
        "32 zeros",
        "key of the tenant hash, 32 hex digits; makes placement unguessable where tenants choose their ids",
    ),
    variable(
        "TENANT_RULES_FILE",
        "none",
        "JSON file of rules for single tenants: residency, pins, slots",
    ),
    variable(
        "HALCYON_TOPOLOGY",
        "none",
        "TOML file with the name, weight and addresses of each region; REGIONS, REGION_WEIGHTS and REGION_ENDPOINTS outrank it",
    ),
    variable(
        "REGION_ENDPOINTS",
        "none",
        "health endpoints by name, comma-separated: us-east=http://10.0.0.1:8086,us-west=…",
    ),
    variable(
        "DEPLOY_RBAC_ROLE",
        "empty",
        "role of a command line user: Deployer and Admin may release",
    ),
    variable(
        "DEPLOY_USER",
        "USER, else unknown",
        "the user of an audit record",
    ),
    variable("BUILD_VERSION", "dev", "build metadata shown by /__meta"),
    variable("GIT_SHA", "unknown", "build metadata shown by /__meta"),
    variable("BUILD_DATE", "unknown", "build metadata shown by /__meta"),
    variable("HALCYON_STORE", "file:logs", "the journal: file:DIR"),
    variable(
        "HALCYON_DEPLOYMENT",
        "default",
        "the deployment that routing tables are for, named like a region; an edge takes no other's",
    ),
    variable(
        "HALCYON_SERVER",
        "none",
        "command line: http(s) address of a control plane; release, status, promote, pause, resume and rollback then ask it instead of the journal of this machine; drain, forbid, undrain, freeze and unfreeze need it",
    ),
    variable(
        "HALCYON_TOKEN_FILE",
        "none",
        "command line: file with the token shown to HALCYON_SERVER, and nowhere else",
    ),
    variable(
        "HALCYON_TOKENS_FILE",
        "none",
        "TOML file of who may do what with the control API, as `halcyon token new` writes it; read again when it changes. Without one the API changes nothing for anybody",
    ),
    variable(
        "STEP_HOOK",
        "none",
        "server: command, or http(s) address, that makes each change in each region, for releases begun over the API; as --on-step of `halcyon release`",
    ),
    variable(
        "HALCYON_SIGNING_KEY_FILE",
        "none",
        "Ed25519 key of `halcyon keygen` (PKCS#8, PEM) that signs routing tables",
    ),
    variable(
        "EDGE_BIND",
        "127.0.0.1",
        "IP address the embedded edge listens on",
    ),
    variable(
        "EDGE_PORT",
        "8000",
        "port of the embedded edge, 0 to 65535; 0 takes any free port",
    ),
    variable(
        "EDGE_REUSE_PORT",
        "false",
        "true or 1: other edges of the same user that are set so too may listen on the same address and port (SO_REUSEPORT), for a restart without a gap; this one listens when it has a table",
    ),
    variable(
        "EDGE_TABLE",
        "none",
        "the routing table of the embedded edge: the path of a file, which is watched, or an http(s) address, which is asked",
    ),
    variable(
        "EDGE_STATE_DIR",
        "none",
        "directory in which the embedded edge keeps its last good table over a restart, so that it begins with it and never takes an older one",
    ),
    variable(
        "EDGE_BREAKER",
        "true",
        "false or 0: the embedded edge passes over no region because of failures it has seen itself",
    ),
    variable(
        "TENANT_FROM",
        "header:x-tenant",
        "where an edge finds the tenant of a request: header:NAME; host:.example.com, the one label before that domain; path:N, a segment of the path, 1 to 9, percent-decoded",
    ),
    variable(
        "TABLE_KEYS",
        "none",
        "public keys of `halcyon keygen`, comma-separated, at most 16; an edge takes only tables with a good signature of one of them",
    ),
    variable(
        "TABLE_TOKEN",
        "none",
        "bearer token an edge sends to the table's address and to that of EDGE_TELEMETRY, and nowhere else",
    ),
    variable(
        "EDGE_TELEMETRY",
        "beside the table",
        "http(s) address that the embedded edge sends what it has counted to, or off; unset it is the control plane whose /api/v1/table is EDGE_TABLE, and nobody where the table is from elsewhere",
    ),
    variable(
        "EDGE_TELEMETRY_MS",
        "10000",
        "how often it does, give or take a fifth, 100 to 60000 ms",
    ),
    variable(
        "TABLE_REFRESH_MS",
        "10000",
        "how often an edge asks for the table, give or take a fifth, 100 to 3600000 ms; the embedded edge waits so long for the next one (30 s at most) where the server lets it, and has it at once; a file is looked at every 500 ms at least",
    ),
    variable(
        "TABLE_TIMEOUT_MS",
        "5000",
        "how long the answer with a table may take, 10 to 25000 ms",
    ),
    variable(
        "UPSTREAM_TIMEOUT_MS",
        "10000",
        "how long an upstream may take until its answer begins, 10 to 600000 ms; an upload may take as long as it moves",
    ),
    variable(
        "UPSTREAM_IDLE_MS",
        "75000",
        "how long an upstream's answer may pause once it has begun, 10 to 3600000 ms",
    ),
    variable(
        "PROBE_INTERVAL_MS",
        "1000",
        "how often each region is probed, by the monitor and while a step bakes, 10 to 3600000 ms; the monitor's probes come up to a tenth earlier or later",
    ),
    variable(
        "PROBE_TIMEOUT_MS",
        "500",
        "how long one probe of a region may take, 1 to 60000 ms",
    ),
    variable(
        "PROBE_NETWORKS",
        "none",
        "networks the monitor may ask in where the host of a region's endpoint is a name, comma-separated, at most 64: 10.0.0.0/8,fd00::/8, or single addresses. A name that has a loopback or private address in none of them is not asked; localhost may be loopback, and an endpoint whose host is an IP address needs no entry. Link-local addresses and the metadata services of clouds are never asked",
    ),
    variable(
        "PROBE_FALL",
        "3",
        "failed probes in a row after which the monitor takes a region out, 1 to 100; a leaky counter takes out one that loses a fifth of them, too",
    ),
    variable(
        "PROBE_RISE",
        "2",
        "good probes in a row after which the monitor brings a region back, 1 to 100",
    ),
    variable(
        "FAILBACK_HOLD_MS",
        "10000",
        "how long these have to go on before, 0 to 3600000 ms",
    ),
    variable(
        "DRAIN_MS",
        "5000",
        "how long /ready is 503 after SIGTERM before the listener closes, 0 to 3600000 ms",
    ),
    variable("LOG_FORMAT", "text", "text or json: log lines on stderr"),
    variable(
        "RUST_LOG",
        "info",
        "log filter: error, warn, info, debug, trace, or per module",
    ),
    variable("NO_COLOR", "unset", "set to anything: no colour"),
];
