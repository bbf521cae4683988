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
    while let Ok(Ok(stream)) =
        timeout(Duration::from_millis(100), TcpStream::connect(silent)).await
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
    let stream = first_to_connect(vec![silent, refused, good.0], String::new()).await;
    assert_eq!(stream.unwrap().peer_addr().unwrap(), good.0);
    assert!(begin.elapsed() < Duration::from_millis(350));
    let why = first_to_connect(vec![refused], String::new()).await;
    assert!(why.unwrap_err().contains("connection refused"));
    let why = first_to_connect(Vec::new(), "no address".into()).await;
    assert_eq!(why.unwrap_err(), "no address");
}
