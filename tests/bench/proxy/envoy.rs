//! Envoy as it is, and with the filter.

use std::path::Path;

use halcyon_wasm_build::{build_envoy, workspace};
use tempfile::TempDir;

use super::load;
use super::peers::{Server, Upstream, on_core, table};

/// Sends everything to the upstream.
pub(super) fn plain(binary: &Path, upstream: &Upstream) -> Server {
    let route = "{cluster: c}";
    start(binary, upstream, &|_| String::new(), route, "")
}

/// Decides for each request and finds its cluster, as the template has it.
pub(super) fn with_the_filter(binary: &Path, upstream: &Upstream) -> Server {
    let module =
        build_envoy(&workspace().join("target/wasm")).unwrap_or_else(|why| panic!("{why}"));
    let table = table(upstream.port());
    let vm = |dir: &Path| {
        let file = dir.join("halcyon_envoy.wasm");
        std::fs::write(&file, &module).expect("it is written");
        let file = file.display();
        format!(
            "{{vm_id: halcyon, runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: {file}}}}}}}"
        )
    };
    let filter = |dir: &Path| {
        let vm = vm(dir);
        format!(
            r#"
          - name: halcyon
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                root_id: edge
                vm_config: {vm}
                configuration:
                  "@type": type.googleapis.com/google.protobuf.StringValue
                  value: '{{"TABLE": {table}}}'"#
        )
    };
    let action = r#"{name: c, typed_config: {"@type": type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction, cluster: c}}"#;
    let (one, other) = (
        format!("http://127.0.0.1:{}", upstream.port()),
        format!("http://localhost:{}", upstream.port()),
    );
    let route = format!(
        r#"{{timeout: 0s, retry_policy: {{num_retries: 1, per_try_timeout: 10s, refresh_cluster_on_retry: true}}, inline_cluster_specifier_plugin: {{extension: {{name: halcyon, typed_config: {{"@type": type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier, cluster_matcher: {{matcher_tree: {{input: {{name: cluster, typed_config: {{"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-halcyon-cluster}}}}, exact_match_map: {{map: {{"{one}": {{action: {action}}}, "{other}": {{action: {action}}}}}}}}}}}}}}}}}}}"#
    );
    start(binary, upstream, &filter, &route, "halcyon")
}

/// `filter` is what stands before the router, `of_clusters` the VM of the one in front of each cluster.
fn start(
    binary: &Path,
    upstream: &Upstream,
    filter: &dyn Fn(&Path) -> String,
    route: &str,
    of_clusters: &str,
) -> Server {
    let (dir, port) = (TempDir::new().expect("a directory"), load::free_port());
    let address =
        |port: u16| format!("{{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}");
    let filter = filter(dir.path());
    let pool = match of_clusters {
        "" => String::new(),
        vm => {
            let file = dir.path().join("halcyon_envoy.wasm");
            let file = file.display();
            format!(
                r#"
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http_protocol_options: {{}}}}
        http_filters:
        - name: halcyon
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
            config: {{root_id: cluster, vm_config: {{vm_id: {vm}, runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: {file}}}}}}}}}
        - name: envoy.filters.http.upstream_codec
          typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec}}"#
            )
        }
    };
    let configuration = format!(
        r#"static_resources:
  listeners:
  - address: {}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: e
          route_config: {{virtual_hosts: [{{name: v, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {route}}}]}}]}}
          http_filters:{filter}
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, suppress_envoy_headers: true}}
  clusters:
  - name: c
    type: STATIC{pool}
    load_assignment: {{cluster_name: c, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {}}}}}]}}]}}
"#,
        address(port),
        address(upstream.port())
    );
    std::fs::write(dir.path().join("e.yaml"), configuration).expect("it is written");
    let mut command = on_core("0", binary);
    command.arg("-c").arg(dir.path().join("e.yaml"));
    command.args(["--concurrency", "1", "--disable-hot-restart"]);
    Server::start(command, port, dir)
}
