//! A control plane whose page is open in Chromium.

use halcyon_tests::browser::Browser;
use halcyon_tests::process::Serving;
use halcyon_tests::region::Region;
use halcyon_tests::store::Store;
use serde_json::{Value, json};

const NAMES: [&str; 3] = ["us-east", "us-west", "eu-west"];

/// A browser, and a control plane with three regions.
pub(crate) struct World {
    pub(crate) browser: Browser,
    pub(crate) regions: Vec<Region>,
    pub(crate) store: Store,
    pub(crate) server: Serving,
    variables: Vec<(String, String)>,
}

impl World {
    /// `None` where there is no Chromium.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// One with other variables, too.
    pub(crate) fn with(more: &[(&str, &str)]) -> Option<Self> {
        let browser = Browser::start()?;
        let store = Store::new();
        let tokens = store.dir().join("tokens.toml").display().to_string();
        for role in ["Viewer", "Edge", "Deployer", "Admin"] {
            let arguments = [
                "token",
                "new",
                "--tokens-file",
                &tokens,
                "--user",
                role,
                "--role",
                role,
            ];
            let secret = store.run(&arguments).exits(0).stdout;
            std::fs::write(store.dir().join(role), secret.trim()).unwrap();
        }
        let regions: Vec<Region> = NAMES.iter().map(|_| Region::ready()).collect();
        let endpoints = NAMES.iter().zip(&regions);
        let endpoints = endpoints.map(|(name, region)| format!("{name}=http://{}", region.at()));
        let endpoints = endpoints.collect::<Vec<_>>().join(",");
        let logs = format!("file:{}", store.logs().display());
        let names = NAMES.join(",");
        let mut variables = vec![
            ("REGIONS", names.as_str()),
            ("PRIMARY_REGION", "us-east"),
            ("TENANT_STICKY", "hash"),
            ("FEATURE_MULTI_REGION", "true"),
            ("FEATURE_BLUE_GREEN", "true"),
            ("REGION_ENDPOINTS", &endpoints),
            ("PROBE_INTERVAL_MS", "50"),
            ("FAILBACK_HOLD_MS", "300"),
            ("DRAIN_MS", "0"),
            ("HALCYON_STORE", &logs),
            ("HALCYON_TOKENS_FILE", &tokens),
        ];
        variables.retain(|(name, _)| !more.iter().any(|(other, _)| name == other));
        variables.extend(more);
        variables.retain(|(_, value)| !value.is_empty());
        let server = Serving::start(&variables);
        let owned = variables.iter();
        let owned = owned.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables = owned.collect();
        Some(Self {
            browser,
            regions,
            store,
            server,
            variables,
        })
    }

    /// Starts the server again where it was: the variables have to say a port.
    pub(crate) fn restart(&mut self) {
        let variables = self.variables.iter();
        let variables: Vec<(&str, &str)> = variables
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.server = Serving::start(&variables);
    }

    pub(crate) fn secret(&self, role: &str) -> String {
        std::fs::read_to_string(self.store.dir().join(role)).unwrap()
    }

    pub(crate) fn open(&self) {
        let url = format!("http://{}/", self.server.dashboard());
        self.browser.go(&url);
        self.until("[...document.querySelectorAll('.tile')].length === 3");
        // All of it: what is decided here comes last.
        self.until("document.querySelector('#decided > *') !== null");
    }

    pub(crate) fn until(&self, expression: &str) {
        self.browser.settle(expression);
    }

    pub(crate) fn kinds(&self, kinds: [&str; 3]) {
        let wanted = json!(kinds);
        self.until(&format!(
            "JSON.stringify([...document.querySelectorAll('.tile')].map((tile) => tile.dataset.kind)) === JSON.stringify({wanted})"
        ));
    }

    pub(crate) fn post(&self, role: &str, path: &str, body: &Value) {
        let secret = self.secret(role);
        let url = format!("http://{}{path}", self.server.dashboard());
        let ran = std::process::Command::new("curl")
            .args([
                "--silent",
                "--fail-with-body",
                "-X",
                "POST",
                &url,
                "-d",
                &body.to_string(),
            ])
            .args(["-H", &format!("Authorization: Bearer {secret}")])
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stdout)
        );
    }

    pub(crate) fn begin(&self, image: &str) {
        let wish = json!({
            "image_blue": "app:v1", "image_green": image, "canary_seq": [10, 50], "timeout_s": 3600,
        });
        self.post("Deployer", "/api/v1/releases", &wish);
    }
}

/// A port of this machine that nobody has: for a server that is to come back where it was.
pub(crate) fn free_port() -> String {
    halcyon_tests::process::unused_port().to_string()
}
