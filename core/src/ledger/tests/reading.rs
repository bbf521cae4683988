//! Many lines at once, and what an auditor asks of them.

use super::*;
use alloc::string::String;

/// What `read` hands on, and what it answers.
fn read_all(ledger: &mut Ledger, bytes: &[u8]) -> (Vec<(u64, String)>, Result<String, Corruption>) {
    let mut seen = Vec::new();
    let rest = ledger.read(bytes, |head, record, line| {
        assert_eq!((head.seq, line.contains(&b'\n')), (record.seq, false));
        assert!(line.ends_with(format!("{}\"}}", head.hash).as_bytes()));
        seen.push((record.seq, String::from_utf8_lossy(line).into_owned()));
    });
    let rest = rest.map(|rest| String::from_utf8_lossy(rest).into_owned());
    (seen, rest)
}

fn numbered(desk: &Desk) -> Vec<(u64, String)> {
    let lines = desk.lines().into_iter().map(String::from);
    (1..).zip(lines).collect()
}

#[test]
fn every_whole_line_is_handed_on_in_order_and_the_rest_is_a_torn_tail() {
    let desk = twelve();
    let lines = numbered(&desk);
    let mut ledger = Ledger::default();
    let (seen, rest) = read_all(&mut ledger, desk.journal.as_bytes());
    assert_eq!((seen, rest), (lines.clone(), Ok(String::new())));
    assert_eq!(ledger, desk.ledger);

    for cut in [0, 1, 40, desk.journal.len() - 1] {
        let bytes = &desk.journal.as_bytes()[..cut];
        let whole = bytes.iter().filter(|byte| **byte == b'\n').count();
        let tail = bytes.rsplit(|byte| *byte == b'\n').next().unwrap();
        let mut ledger = Ledger::default();
        let (seen, rest) = read_all(&mut ledger, bytes);
        assert_eq!(seen, lines[..whole], "{cut}");
        assert_eq!(rest.unwrap().as_bytes(), tail, "{cut}");
        // What comes later goes on where that ended.
        let (seen, rest) = read_all(&mut ledger, &desk.journal.as_bytes()[cut - tail.len()..]);
        assert_eq!((&*seen, rest), (&lines[whole..], Ok(String::new())));
        assert_eq!(ledger, desk.ledger);
    }
}

#[test]
fn reading_stops_at_the_first_line_that_does_not_verify() {
    let desk = twelve();
    let mut lines: Vec<String> = desk.lines().into_iter().map(String::from).collect();
    lines[4] = lines[4].replace("\"user\":\"ann\"", "\"user\":\"bob\"");
    let bytes = lines.join("\n") + "\n";
    let mut ledger = Ledger::default();
    let (seen, rest) = read_all(&mut ledger, bytes.as_bytes());
    assert_eq!(rest.unwrap_err().seq, 5);
    assert_eq!((seen.len(), ledger.head().seq), (4, 4));
}

#[test]
fn an_auditor_learns_the_head_the_torn_tail_and_how_much_is_left_unread() {
    let desk = twelve();
    let count = desk.lines().len();
    let torn = format!("{}{{\"half\"", desk.journal);
    let found = verify(Ledger::default(), torn.as_bytes(), None);
    assert_eq!(
        found,
        Verification {
            head: desk.ledger.head().clone(),
            torn_tail: 7,
            errors: Vec::new()
        }
    );
    let mut lines = desk.lines();
    lines[1] = "{}";
    let bad = lines.join("\n") + "\n";
    let found = verify(Ledger::default(), bad.as_bytes(), None);
    assert_eq!((found.head.seq, found.torn_tail), (1, 0));
    assert_eq!(found.errors.len(), 1);
    let unread = format!("; {} line(s) after it are not verified", count - 2);
    assert!(found.errors[0].ends_with(&unread), "{:?}", found.errors);
}

#[test]
fn a_head_noted_earlier_must_be_there_and_be_the_same() {
    let desk = twelve();
    let bytes = desk.journal.as_bytes();
    let head_at = |seq: usize| {
        let journal = desk.lines()[..seq].join("\n") + "\n";
        read(journal.as_bytes()).unwrap().0.head().clone()
    };
    let errors = |ledger: Ledger, bytes: &[u8], expected: &Head| {
        verify(ledger, bytes, Some(expected)).errors
    };
    let last = desk.ledger.head().clone();
    for noted in [head_at(1), head_at(7), last.clone()] {
        assert_eq!(errors(Ledger::default(), bytes, &noted), [""; 0]);
        let other = Head {
            hash: "0".repeat(64),
            ..noted.clone()
        };
        assert_eq!(
            errors(Ledger::default(), bytes, &other),
            [format!(
                "expected head {}: that record has another hash, {}",
                noted.seq, noted.hash
            )]
        );
    }
    // Cut off the end, and noted where reading began.
    let cut = desk.lines()[..3].join("\n") + "\n";
    assert_eq!(
        errors(Ledger::default(), cut.as_bytes(), &last),
        [format!(
            "expected head {}: the chain ends at record 3",
            last.seq
        )]
    );
    assert_eq!(errors(desk.ledger.clone(), b"", &last), [""; 0]);
    assert_eq!(
        errors(desk.ledger.clone(), b"", &head_at(7)),
        [format!(
            "expected head 7: the chain ends at record {}",
            last.seq
        )]
    );
}
