//! Values that an operator cannot compare with, and addresses that nobody comes from.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ipnet::IpNet;

use super::{Lint, Notes, quoted};
use crate::iam::operand::Operand;
use crate::iam::operator::Test;

/// See its text.
pub const UNREADABLE_VALUE: Lint = Lint {
    name: "unreadable-value",
    title: "The operator cannot compare with the value",
    what: "Numbers, dates, booleans, addresses and ARNs are compared as such. A value that is none (`IpAddress` with \
           `office`, `ArnLike` with `*`) equals nothing; what a negated operator makes of it is not documented.",
    why: "A `Deny` that hangs on the value does not deny, or nobody can say whether it does.",
    remedy: "Write a value of the operator's kind: an address or block, a date as 2026-01-01T00:00:00Z, `true` or `false`, all six \
             parts of an ARN (`arn:*:*:*:*:*`).",
    source: "IAM user guide, \"IAM JSON policy elements: Condition operators\"",
};

/// See its text.
pub const PRIVATE_SOURCE_IP: Lint = Lint {
    name: "private-source-ip",
    title: "`aws:SourceIp` is never a private address",
    what: "`aws:SourceIp` is the address that a request from the internet comes from, and such a one is public. A request \
           through a VPC endpoint does not have the key at all; its address within the VPC is `aws:VpcSourceIp`.",
    why: "The VPC's addresses let nobody in, and keep nobody out: a `Deny` of what is not among them hits every request, those \
          through the endpoint too.",
    remedy: "Use `aws:SourceVpc` or `aws:SourceVpce`; for addresses within a VPC, `aws:VpcSourceIp` beside one of them.",
    source: "IAM user guide, \"AWS global condition context keys\"",
};

pub fn check(notes: &mut Notes<'_>) {
    for condition in &notes.statement.conditions {
        let values = condition.values.iter().zip(&condition.texts).zip(&condition.places);
        for ((value, text), place) in values {
            let (operator, text_quoted) = (&condition.operator_name, quoted(text));
            match value {
                Operand::Unreadable(why) if is_surely_unreadable(condition.operator.test, text) => {
                    let message = format!("`{operator}` cannot compare with {text_quoted}: {why}");
                    notes.note(&UNREADABLE_VALUE, place, message);
                }
                Operand::Open(why) => {
                    let message = format!("nobody says what `{operator}` compares with {text_quoted}: {why}");
                    notes.note(&UNREADABLE_VALUE, place, message);
                }
                Operand::Block(block) if condition.key == "aws:sourceip" && is_private(block) => {
                    let message = format!(
                        "no `aws:SourceIp` is in {text_quoted}, which is private: `aws:VpcSourceIp` may be"
                    );
                    notes.note(&PRIVATE_SOURCE_IP, place, message);
                }
                _ => {}
            }
        }
    }
}

/// What is not read here may still be another way to write a value: then nothing is said.
fn is_surely_unreadable(test: Test, text: &str) -> bool {
    if text.contains("${") {
        return false;
    }
    match test {
        Test::Number(_) => text.trim().parse::<f64>().is_err(),
        Test::Date(_) => {
            !text.trim().starts_with(|first: char| first.is_ascii_digit() || "+-".contains(first))
        }
        Test::Binary => STANDARD_NO_PAD.decode(text.trim_end_matches('=')).is_err(),
        Test::Address => !is_address_with_zeros(text),
        Test::Bool | Test::Null | Test::Arn => text.trim() == text,
        Test::Text | Test::TextFolded | Test::Like => false,
    }
}

/// `010.1.0.0/16`: some read it, some do not.
fn is_address_with_zeros(text: &str) -> bool {
    let (address, length) = text.trim().split_once('/').unwrap_or((text.trim(), "32"));
    let bare: Vec<&str> = address
        .split('.')
        .map(|part| if part.len() > 1 { part.trim_start_matches('0') } else { part })
        .collect();
    let bare: Vec<&str> = bare.into_iter().map(|part| if part.is_empty() { "0" } else { part }).collect();
    format!("{}/{length}", bare.join(".")).parse::<IpNet>().is_ok()
}

/// RFC 1918, and unique local addresses of IPv6; the whole block.
fn is_private(block: &IpNet) -> bool {
    let is = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    is(block.network()) && is(block.broadcast())
}
