use super::*;
use std::time::Instant;
use tokio::net::TcpListener;

#[test]
fn families_take_turns() {
    let parse = |list: &[&str]| -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    };
    assert_eq!(
        by_turns(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"])),
        parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"])
    );
    assert!(by_turns(Vec::new()).is_empty());
}

#[tokio::test]
async fn an_address_that_does_not_answer_does_not_hold_up_the_next() {
    // A full backlog: the system answers no further SYN.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let silent = full.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(100), TcpStream::connect(silent)).await
    {
        fill.push(stream);
    }
    let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = good.local_addr().map(|address| (address, good)).unwrap();
    let refused = {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        gone.local_addr().unwrap()
    };
    let begin = Instant::now();
    let stream = first_to_connect(vec![silent, refused, good.0], String::new().into()).await;
    assert_eq!(stream.unwrap().peer_addr().unwrap(), good.0);
    assert!(begin.elapsed() < Duration::from_millis(350));
    let why = first_to_connect(vec![refused], String::new().into()).await;
    assert!(why.unwrap_err().why.contains("connection refused"));
    let why = first_to_connect(Vec::new(), String::from("no address").into()).await;
    assert_eq!(why.unwrap_err().why, "no address");
}

fn addresses(list: &[&str], port: u16) -> Vec<SocketAddr> {
    let addresses = list.iter().map(|text| text.parse().unwrap());
    addresses
        .map(|address: std::net::IpAddr| (address, port).into())
        .collect()
}

fn named(networks: &[&str]) -> Reach {
    Reach::Named(networks.iter().map(|text| text.parse().unwrap()).collect())
}

/// A listener on loopback that nobody may come to, and its port.
async fn inside(at: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((at, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn nobody_came(listener: &TcpListener) {
    let came = timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(came.is_err(), "{came:?}");
}

#[tokio::test]
async fn a_name_that_points_elsewhere_a_moment_later_is_judged_anew_and_dialled_as_judged() {
    let (_outside, port) = inside("127.0.0.1").await;
    let secret = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let at = Endpoint::parse(&format!("http://eu.example:{port}")).unwrap();
    let reach = named(&["127.0.0.1"]);
    let asked = std::cell::Cell::new(0);
    // As a server of names with a short lifetime answers: well at first, and then with what it is after.
    let resolve = async |host: &str, port| {
        assert_eq!(host, "eu.example");
        asked.set(asked.get() + 1);
        let answer = if asked.get() == 1 {
            "127.0.0.1"
        } else {
            "127.0.0.2"
        };
        Ok(addresses(&[answer], port))
    };
    let stage = Stage::default();
    let stream = dial(&reach, &at, &stage, &resolve).await.unwrap();
    assert_eq!(
        stream.peer_addr().unwrap().to_string(),
        format!("127.0.0.1:{port}")
    );
    assert_eq!(asked.get(), 1, "resolved once");
    let why = dial(&reach, &at, &stage, &resolve).await.unwrap_err();
    assert_eq!(
        why.why,
        r#""eu.example" has 127.0.0.2, a loopback address that the configuration does not name; allowed: it or its network in PROBE_NETWORKS"#
    );
    assert_eq!(asked.get(), 2);
    nobody_came(&secret).await;
}

#[tokio::test]
async fn of_a_name_that_mixes_the_outside_with_the_inside_no_address_is_dialled() {
    let (outside, port) = inside("127.0.0.1").await;
    let at = Endpoint::parse(&format!("http://eu.example:{port}")).unwrap();
    let reach = named(&["127.0.0.1"]);
    for (other, why) in [
        (
            "10.0.0.5",
            r#""eu.example" has 10.0.0.5, a private address"#,
        ),
        (
            "fe80::1",
            r#""eu.example" has fe80::1, a link-local address"#,
        ),
        (
            "::ffff:169.254.169.254",
            r#""eu.example" has ::ffff:169.254.169.254 (169.254.169.254), the address of a metadata service"#,
        ),
    ] {
        for list in [["127.0.0.1", other], [other, "127.0.0.1"]] {
            let resolve = async |_: &str, port| Ok(addresses(&list, port));
            let refused = dial(&reach, &at, &Stage::default(), resolve).await;
            let said = refused.unwrap_err().why;
            assert!(said.starts_with(why), "{said}");
        }
    }
    nobody_came(&outside).await;
}

#[tokio::test]
async fn names_that_are_known_to_lead_inside_are_refused_by_where_they_lead() {
    for (name, answer, what) in [
        ("localhost.", "127.0.0.1", "a loopback"),
        ("localhost.localdomain", "127.0.0.1", "a loopback"),
        ("ip6-localhost", "::1", "a loopback"),
        ("127.0.0.1.", "127.0.0.1", "a loopback"),
        ("127.0.0.1.nip.io", "127.0.0.1", "a loopback"),
        ("localtest.me", "127.0.0.1", "a loopback"),
        ("localtest.me", "::1", "a loopback"),
        ("a.lvh.me", "127.0.0.1", "a loopback"),
        ("localhost.eu.example", "127.0.0.1", "a loopback"),
        ("spoofed.eu.example", "127.255.255.254", "a loopback"),
        ("host.docker.internal", "192.168.65.254", "a private"),
        ("kubernetes.default.svc", "10.96.0.1", "a private"),
        (
            "customer1.app.localhost.my.company.127.0.0.1.nip.io",
            "127.0.0.1",
            "a loopback",
        ),
        ("10-0-0-5.eu.example", "10.0.0.5", "a private"),
        ("a.tail1234.ts.net", "100.101.102.103", "a private"),
        ("ula.eu.example", "fd12:3456::1", "a private"),
        ("nat64.eu.example", "64:ff9b::a00:5", "a private"),
        (
            "metadata.google.internal",
            "169.254.169.254",
            "a metadata service",
        ),
        (
            "metadata.google.internal",
            "fd20:ce::254",
            "a metadata service",
        ),
        ("metadata", "169.254.169.254", "a metadata service"),
        ("instance-data", "169.254.169.254", "a metadata service"),
        ("169.254.169.254.", "169.254.169.254", "a metadata service"),
        (
            "169-254-169-254.nip.io",
            "169.254.169.254",
            "a metadata service",
        ),
        (
            "mapped.eu.example",
            "::ffff:169.254.169.254",
            "a metadata service",
        ),
        (
            "nat64.eu.example",
            "64:ff9b::a9fe:a9fe",
            "a metadata service",
        ),
        ("6to4.eu.example", "2002:a9fe:a9fe::1", "a metadata service"),
        ("metadata.tencentyun.com", "169.254.0.23", "a link-local"),
        ("wpad.eu.example", "0.0.0.0", "stands for no host"),
    ] {
        let at = Endpoint::parse(&format!("http://{name}:80")).unwrap();
        let resolve = async |_: &str, port| Ok(addresses(&[answer], port));
        let refused = dial(&named(&[]), &at, &Stage::default(), resolve).await;
        let why = refused.unwrap_err().why;
        assert!(why.contains(what), "{name}: {why}");
    }
}
