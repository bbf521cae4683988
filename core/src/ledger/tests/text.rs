//! Text from outside: one ASCII line each, and it reads back as it was.

use super::*;

fn nasty() -> Vec<String> {
    let mut texts: Vec<String> = [
        "a\nb",
        "a\r\nb",
        "\u{2028}\u{2029}",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "\u{9b}31m",
        "\u{202e}tsae\u{2066}",
        "\0",
        "\u{7f}",
        "\u{feff}",
        "\u{200b}",
        "\u{1f426}",
        "\u{ffff}",
        "\\",
        "\\u0000",
        "\"",
        "<script>alert(1)</script>",
        "",
        "x\",\"hash\":\"0000\"}",
        ",\"hash\":\"",
        "\",\"state\":\"green_live\",\"x\":\"",
    ]
    .map(String::from)
    .into();
    texts.push(format!(",\"hash\":\"{}\"}}", "0".repeat(64)));
    texts.push("\u{e9}".repeat(500_000));
    texts.push("\n".repeat(1_000_000));
    texts
}

#[test]
fn every_text_gives_one_ascii_line_that_reads_back_equal() {
    for text in nasty() {
        let mut desk = desk();
        desk.actor = Actor {
            user: text.clone(),
            role: "Admin".into(),
        };
        desk.give(&provision(None));
        desk.give(&Command::Pause {
            reason: text.clone(),
        });
        desk.give(&Command::RollbackToBlue {
            reason: text.clone(),
        });
        desk.actor.role.clone_from(&text);
        desk.give(&Command::PromoteGreen);
        let shown: String = text.chars().take(30).collect();
        assert_eq!(desk.lines().len(), 5, "{shown:?}");
        assert!(
            desk.journal
                .bytes()
                .all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)),
            "{shown:?}"
        );
        let mut ledger = Ledger::default();
        let records: Vec<Record> = desk
            .lines()
            .into_iter()
            .map(|line| ledger.accept(line.as_bytes()).unwrap())
            .collect();
        assert_eq!(ledger, desk.ledger, "{shown:?}");
        assert!(
            records.iter().all(|record| record.user == text),
            "{shown:?}"
        );
        assert!(
            matches!(&records[1].event, Event::Pause { reason } if *reason == text),
            "{shown:?}"
        );
        assert!(
            matches!(&records[2].event, Event::RollbackToBlue { reason, .. } if *reason == text),
            "{shown:?}"
        );
        assert_eq!(records[4].deploy_role, text, "{shown:?}");
    }
}

#[test]
fn an_image_of_any_text_reads_back_equal() {
    for text in nasty()
        .into_iter()
        .filter(|text| !text.is_empty() && !text.contains('\0') && text.len() <= 65_536)
    {
        let mut desk = desk();
        desk.give(&Command::ProvisionGreen {
            image: text.clone(),
            blue_image: Some(text.clone()),
            plan: None,
        });
        let (ledger, _) = read(desk.journal.as_bytes()).unwrap();
        assert_eq!(
            (
                ledger.release().green_image(),
                ledger.release().blue_image()
            ),
            (Some(text.as_str()), Some(text.as_str()))
        );
    }
}

#[test]
fn a_hash_key_inside_a_text_does_not_confuse_verification() {
    let mut desk = desk();
    desk.give(&provision(None));
    let fake = format!("x\",\"hash\":\"{}\"}}", "0".repeat(64));
    desk.give(&Command::Pause { reason: fake });
    let line = desk.lines()[1];
    assert_eq!(line.matches(",\"hash\":\"").count(), 1, "{line}");
    assert!(read(desk.journal.as_bytes()).is_ok());
}
