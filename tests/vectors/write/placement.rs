//! The first choice: hash, rendezvous and primary over 1 to 1,024 regions.

use super::{KEY, names, weights};
use crate::ids;
use crate::json::{self, File};
use crate::setting::{Setting, tenant};

pub(crate) fn file() -> String {
    let mut file =
        File::new("where tenants go while every region is up; hash is SipHash-1-3 of the id");
    let cut = |n: usize| if n > 256 { 12 } else { usize::MAX };
    for n in [1, 2, 3, 5, 8, 32, 256, 1024] {
        add(&mut file, setting(n, "hash", "", ""), cut(n));
        add(&mut file, setting(n, "rendezvous", "", ""), cut(n));
    }
    for n in [3, 8, 32] {
        add(&mut file, setting(n, "hash", "", KEY), usize::MAX);
        add(&mut file, setting(n, "rendezvous", "", KEY), usize::MAX);
    }
    for n in [3, 5, 8, 32, 256] {
        let mixed = weights(&names(n), &[2, 1, 1, 0, 100, 3, 65_535, 7]);
        add(&mut file, setting(n, "rendezvous", &mixed, ""), usize::MAX);
    }
    for given in [
        &[0][..],
        &[65_535],
        &[0, 0, 1],
        &[1, 65_535, 0],
        &[300, 200, 100],
    ] {
        let given = weights(&names(3), given);
        add(&mut file, setting(3, "rendezvous", &given, KEY), usize::MAX);
    }
    // Neither looks at weights.
    for sticky in ["hash", "primary", ""] {
        let given = weights(&names(3), &[0, 9, 1]);
        add(&mut file, setting(3, sticky, &given, ""), usize::MAX);
    }
    file.finish()
}

fn setting(n: usize, sticky: &str, weights: &str, key: &str) -> Setting {
    let names = names(n);
    Setting::new([
        ("REGIONS", names.join(",").as_str()),
        ("REGION_WEIGHTS", weights),
        ("PRIMARY_REGION", &names[n / 2]),
        ("TENANT_STICKY", sticky),
        ("TENANT_HASH_KEY", key),
    ])
}

fn add(file: &mut File, setting: Setting, at_most: usize) {
    let router = setting.router();
    let case = |id: &String| {
        json::object(&[
            ("tenant", ids::write(id)),
            ("hash", json::hex(router.hash(tenant(id)))),
            (
                "region",
                json::text(router.preferred(tenant(id)).unwrap().as_str()),
            ),
        ])
    };
    let cases: Vec<String> = ids::tenants().iter().take(at_most).map(case).collect();
    file.group(&setting.write(), &cases);
}
