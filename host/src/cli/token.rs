//! `halcyon token new`: lets somebody ask the control API.

use std::path::PathBuf;
use std::time::Duration;

use halcyon_core::access::{Token, TokenRole};
use halcyon_core::config::Environment;
use halcyon_core::hash::TenantId;
use halcyon_core::text::{Seen, for_screen};
use serde::Serialize;

use super::{Exit, Failure, Invocation, duration};
use crate::tokens::Unadded;
use crate::{clock, tokens};

/// The longest time a token may be good for: ten years.
const LONGEST_DAYS: u64 = 3650;

/// Manages who may ask the control API.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a token: prints its secret, once, and adds a line with its hash to the tokens file
    New(NewArgs),
}

#[derive(Debug, clap::Args)]
struct NewArgs {
    /// Who it is for: the user of what is recorded
    #[arg(long, value_name = "USER", allow_hyphen_values = true)]
    user: String,
    /// What it may do: Viewer reads; Edge fetches the table and sends what it has counted; Deployer
    /// reads, releases and drains; Admin does all that people may
    #[arg(long, value_name = "ROLE", allow_hyphen_values = true)]
    role: String,
    /// The only tenant it may ask about; for a Viewer
    #[arg(long, value_name = "TENANT", allow_hyphen_values = true)]
    tenant: Option<String>,
    /// How long it is good for, such as 90d or 12h; for ever without
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    expires: Option<String>,
    /// The tokens file [env: HALCYON_TOKENS_FILE]
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer<'a> {
    token: &'a str,
    user: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// Runs it.
pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let Command::New(args) = args.command;
    let named = invocation.variable(tokens::VARIABLE);
    let named = named.filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = args.tokens_file.clone().or(named);
    let mut problems = Vec::new();
    if path.is_none() {
        let name = tokens::VARIABLE;
        problems.push(format!(
            "{name}: missing; allowed: the file that `halcyon serve` reads, or --tokens-file"
        ));
    }
    let wish = wish(&args, &mut problems);
    let (Some(path), Some(wish), []) = (path, wish, &problems[..]) else {
        return Err(Failure::usage(problems));
    };
    let secret = tokens::new_secret()?;
    let token = tokens::token_of(&secret, wish);
    tokens::add(&path, &token).map_err(|why| {
        let of_file = |why| format!("{}: {why}", tokens::VARIABLE);
        match why {
            Unadded::Wrong(found) => Failure::usage(found.into_iter().map(of_file).collect()),
            Unadded::Unwritten(why) => Failure::new(Exit::Failed, of_file(why)),
        }
    })?;
    invocation.say(format_args!(
        "added to {}; the secret is shown this once and stands nowhere:",
        for_screen(&path.display().to_string())
    ));
    let answer = Answer {
        token: &secret,
        user: &token.user,
        role: token.role.name(),
        tenant: token.tenant.as_deref(),
        expires: token.expires.map(|end| end.to_string()),
    };
    let told = invocation.answer(|| secret.clone(), &answer);
    told.map_err(|failure| {
        let file = for_screen(&path.display().to_string());
        failure.hint(format!(
            "The token is in {file} all the same, and nobody has its secret: delete the last [[token]] there."
        ))
    })?;
    Ok(Exit::Done)
}

/// The token that is wished for, without its digest.
fn wish(args: &NewArgs, problems: &mut Vec<String>) -> Option<Token> {
    if let Err(allowed) = Token::check_user(&args.user) {
        problems.push(format!(
            "--user: {} is no user; allowed: {allowed}",
            Seen(&args.user)
        ));
    }
    let role = TokenRole::parse(&args.role);
    if role.is_none() {
        let names = TokenRole::ALL.map(TokenRole::name).join(", ");
        problems.push(format!(
            "--role: {} is no role; allowed: {names}",
            Seen(&args.role)
        ));
    }
    if let Some(tenant) = &args.tenant {
        if let Err(why) = TenantId::new(tenant) {
            problems.push(format!("--tenant: {why}"));
        }
        // A change is one for every tenant, and so is the table.
        if role.is_some_and(|role| role != TokenRole::Viewer) {
            problems.push(format!(
                "--tenant: a token of role {} acts on every tenant; allowed: --tenant with --role Viewer",
                args.role
            ));
        }
    }
    let expires = args.expires.as_deref().map(parse_expiry).transpose();
    let expires = expires.unwrap_or_else(|why| {
        problems.push(why);
        None
    });
    Some(Token {
        user: args.user.clone(),
        role: role?,
        sha256: String::new(),
        tenant: args.tenant.clone(),
        expires: expires.map(|time| {
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            clock::now().plus(ms)
        }),
    })
}

fn parse_expiry(text: &str) -> Result<Duration, String> {
    duration::parse(text, duration::days(LONGEST_DAYS)).ok_or_else(|| {
        let seen = Seen(text);
        format!("--expires: {seen} is no duration; allowed: more than 0 to {LONGEST_DAYS}d, such as 90d or 12h")
    })
}
